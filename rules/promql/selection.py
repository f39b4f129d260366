"""Which samples a selector can read, said before anything is read: matchers, and times relative to the evaluation."""

from dataclasses import dataclass

from .matcher import Matcher
from .window import first_ms


@dataclass(frozen=True, slots=True)
class Frame:
    """The moments at which a part is evaluated: milliseconds after the query's, or since the epoch where `pinned`."""

    first_ms: int = 0
    last_ms: int = 0
    pinned: bool = False


ROOT = Frame()


@dataclass(frozen=True, slots=True)
class Shift:
    """`@` and `offset`: `to_root` stands for `start()` and `end()`, both the moment of an instant query."""

    offset_ms: int = 0
    at_ms: int | None = None
    to_root: bool = False

    def moment(self, root_ms: int, at_ms: int) -> int:
        """Give the end of the window of a part evaluated at *at_ms* in a run at *root_ms*."""
        if self.to_root:
            return root_ms - self.offset_ms
        return (at_ms if self.at_ms is None else self.at_ms) - self.offset_ms

    def frame(self, outer: Frame) -> Frame:
        """Give the moments of `moment` over all moments of *outer*."""
        if self.to_root:
            outer = ROOT
        elif self.at_ms is not None:
            outer = Frame(self.at_ms, self.at_ms, pinned=True)
        return Frame(outer.first_ms - self.offset_ms, outer.last_ms - self.offset_ms, outer.pinned)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What one selector reads; its windows end within `frame` and have a width, None for the lookback."""

    matchers: tuple[Matcher, ...]
    frame: Frame
    width_ms: int | None

    def times(self, at_ms: int, lookback_ms: int) -> tuple[int, int]:
        """Give the first and last millisecond that an evaluation at *at_ms* reads."""
        zero_ms = 0 if self.frame.pinned else at_ms
        width_ms = lookback_ms if self.width_ms is None else self.width_ms
        return first_ms(zero_ms + self.frame.first_ms, width_ms), zero_ms + self.frame.last_ms
