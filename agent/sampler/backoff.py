"""How long to wait before the next attempt; it knows numbers, not what is attempted."""

import os
from collections.abc import Callable


def even_chance() -> float:
    """Give a uniform number from 0 up to 1, without the 0.5 MB of the random module."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Backoff:
    """Delays that double from *first_ns* to *cap_ns*, each shortened by chance by up to a quarter.

    Shortened, so that the hosts of a fleet whose drivers fail together do not return together.
    """

    def __init__(self, first_ns: int, cap_ns: int, chance: Callable[[], float] = even_chance) -> None:
        self._first_ns = first_ns
        self._cap_ns = cap_ns
        self._chance = chance
        self._next_ns = first_ns

    def delay_ns(self) -> int:
        """Give the delay before the next attempt; the one after it will be twice as long."""
        delay_ns = self._next_ns
        self._next_ns = min(2 * delay_ns, self._cap_ns)
        return delay_ns - int(delay_ns * 0.25 * self._chance())

    def reset(self) -> None:
        """Begin again with the first delay."""
        self._next_ns = self._first_ns
