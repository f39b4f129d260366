"""Series and points for tests of feeds, in short numbers, and what a track ought to say, told moment by moment."""

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from wattledger.rules.feeds.model import Caliber, Measure, Point, PointKind, Series, Signal

GRID = Series(Measure.INTENSITY, "gb", "GB", Caliber())
OTHER_GRID = Series(Measure.INTENSITY, "table", "GB", Caliber())
MARGINAL = Series(Measure.INTENSITY, "watttime", "CAISO_NORTH", Caliber(signal=Signal.MARGINAL))
METER = Series(Measure.ENERGY, "prometheus", "roof")

_ORDER = (PointKind.FACTOR, PointKind.FORECAST, PointKind.ESTIMATED, PointKind.ACTUAL)
LAST = 40
"""Points of `points` end by then."""


def point(start: int, end: int, value: int, kind: PointKind = PointKind.ACTUAL, issued: int = 0) -> Point:
    """Make one."""
    return Point(start, end, value, kind, issued)


@st.composite
def points(draw: st.DrawFn) -> Point:
    """Give points that often overlap and are often issued at once."""
    start = draw(st.integers(0, LAST - 1))
    end = draw(st.integers(start + 1, LAST))
    return Point(start, end, draw(st.integers(-3, 9)), draw(st.sampled_from(PointKind)), draw(st.integers(0, 2)))


def best_at(put: Iterable[Point], moment: int) -> Point | None:
    """Give the point that is to show at *moment* after all of *put*, in that order, were put."""
    best: Point | None = None
    for one in put:
        if one.start_wall_ns <= moment < one.end_wall_ns and (best is None or _rank(one) >= _rank(best)):
            best = one
    return best


def shown_at(put: Sequence[Point], moment: int, hold: int) -> tuple[int, PointKind] | None:
    """Give value and kind at *moment*, bridging what is missing for *hold*."""
    for back in range(hold + 1):
        best = best_at(put, moment - back)
        if best is not None:
            return best.value, best.kind if back == 0 else PointKind.ESTIMATED
    return None


def _rank(one: Point) -> tuple[int, int]:
    return _ORDER.index(one.kind), one.issued_wall_ns
