"""Which credentials are to be left alone for a while; who uses them is not known here."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Trouble


@dataclass(frozen=True, slots=True)
class Pause:
    """No request until the monotonic moment, and why."""

    until_mono_ns: int
    trouble: Trouble
    detail: str


class Breakers:
    """A pause for each credential that was refused or asked too often.

    When it is over one request may go: where that is refused too it opens the next pause before another can follow,
    as all feeds are asked by one thread.
    """

    def __init__(self) -> None:
        self._pauses: dict[str, Pause] = {}

    def open(self, credential: str, pause: Pause) -> None:
        """Leave *credential* alone; of two pauses the one that ends later holds."""
        former = self._pauses.get(credential)
        if former is None or former.until_mono_ns <= pause.until_mono_ns:
            self._pauses[credential] = pause

    def close(self, credential: str) -> None:
        """Note that *credential* was accepted."""
        self._pauses.pop(credential, None)

    def pause(self, credential: str) -> Pause | None:
        """Give the pause of *credential*, which may be over; None without one."""
        return self._pauses.get(credential)
