"""The points of one series over time, surer and newer information over older; it knows no other series."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .model import Measure, Point, PointKind, Series
from .span import Span

_RANK = {PointKind.FACTOR: 0, PointKind.FORECAST: 1, PointKind.ESTIMATED: 2, PointKind.ACTUAL: 3}


@dataclass(frozen=True, slots=True)
class Held:
    """What holds in `[start, end)`: a point, which may be longer than that, or None where nothing is known.

    `held`: the point is over, and its value bridges the time after it. It is then an estimate, whatever it was.
    """

    start_wall_ns: int
    end_wall_ns: int
    point: Point | None
    held: bool = False

    @property
    def kind(self) -> PointKind | None:
        """Give how the value came about for this stretch."""
        return PointKind.ESTIMATED if self.held else None if self.point is None else self.point.kind


class _Piece(NamedTuple):
    """The part of a point that nothing better covers."""

    start: int
    end: int
    point: Point


class Track:
    """Points of one series, in order and without overlap.

    Actual goes before estimated before forecast before factor, whenever they were issued; of one kind the later
    issue wins, of equal issue what was put later. What is covered in part is cut.

    `hold_ns` is how long after its end a value may bridge what is missing; 0 never. Raises ValueError where the
    energy of one stretch would be held on to for another.
    """

    def __init__(self, series: Series, *, hold_ns: int = 0) -> None:
        if hold_ns and series.measure is Measure.ENERGY:
            raise ValueError("a metered energy cannot stand in for another")
        self.series = series
        self.hold_ns = hold_ns
        self._pieces: list[_Piece] = []
        self._starts: list[int] = []  # of the pieces, to find them by
        self._newest: tuple[int | None, int | None] | None = None  # end and issue, until the next change

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def newest_end_wall_ns(self) -> int | None:
        """Give the end of the newest point that is no forecast; None without one."""
        return self._newest_of_all()[0]

    @property
    def newest_issue_wall_ns(self) -> int | None:
        """Give when the newest information was issued; None without any."""
        return self._newest_of_all()[1]

    def put(self, points: Iterable[Point]) -> list[Span]:
        """Take in *points*; give where value or kind of what holds is now another, bridged time included.

        Raises ValueError for a point that does not end after it starts, and has then taken none.
        """
        return self._edit(tuple(points), None)

    def replace(self, span: Span, points: Iterable[Point]) -> list[Span]:
        """Take *points* for all that is known of *span*: what they leave out there is forgotten. Else as `put`."""
        return self._edit(tuple(points), span)

    def cut(self, start_wall_ns: int, end_wall_ns: int) -> list[Held]:
        """Give what holds in `[start, end)`, which is covered in order and without a gap."""
        found: list[Held] = []
        if start_wall_ns >= end_wall_ns:
            return found
        at, last = start_wall_ns, None
        for index in range(max(0, bisect_right(self._starts, start_wall_ns) - 1), len(self._pieces)):
            piece = self._pieces[index]
            if piece.start >= end_wall_ns:
                break
            self._bridge(found, last, at, piece.start)
            at = max(at, piece.start)
            if piece.end > at:
                end = min(piece.end, end_wall_ns)
                found.append(Held(at, end, piece.point))
                at = end
            last = piece
        self._bridge(found, last, at, end_wall_ns)
        return found

    def doubt(self, now_wall_ns: int) -> None:
        """Take what claims to be issued after now for issued now: a clock was wrong, and nothing would replace it."""
        newest_ns = self.newest_issue_wall_ns
        if newest_ns is None or newest_ns <= now_wall_ns:
            return
        known: dict[int, Point] = {}
        for index, (start, end, point) in enumerate(self._pieces):
            if point.issued_wall_ns > now_wall_ns:
                # The pieces of one point stay pieces of one.
                point = known.setdefault(id(point), replace(point, issued_wall_ns=now_wall_ns))  # noqa: PLW2901
                self._pieces[index] = _Piece(start, end, point)
        self._newest = None

    def prune(self, before_wall_ns: int) -> None:
        """Forget what no moment from *before_wall_ns* on can need."""
        gone = bisect_right(self._pieces, before_wall_ns - self.hold_ns, key=lambda piece: piece.end)
        del self._pieces[:gone], self._starts[:gone]
        self._newest = None

    def _edit(self, points: Sequence[Point], span: Span | None) -> list[Span]:
        if any(point.end_wall_ns <= point.start_wall_ns for point in points):
            raise ValueError("a point ends after it starts")
        edges = [edge for point in points for edge in (point.start_wall_ns, point.end_wall_ns)]
        if span is not None:
            edges += [span.start_wall_ns, span.end_wall_ns]
        if not edges:
            return []
        start, end = min(edges), max(edges) + self.hold_ns
        before = self.cut(start, end)
        if span is not None:
            self._clear(span)
        for point in points:
            self._lay(point)
        return _differences(before, self.cut(start, end), by_extent=self.series.measure is Measure.ENERGY)

    def _bridge(self, found: list[Held], last: _Piece | None, start: int, end: int) -> None:
        """Cover the gap `[start, end)`, if it is one, after the piece *last*."""
        if last is not None and (until := min(end, last.end + self.hold_ns)) > start:
            found.append(Held(start, until, last.point, held=True))
            start = until
        if start < end:
            found.append(Held(start, end, None))

    def _touching(self, start: int, end: int) -> tuple[int, int]:
        """Give from which to before which index pieces reach into `[start, end)`."""
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self._pieces[first].end <= start:
            first += 1
        return first, bisect_left(self._starts, end, lo=first)

    def _lay(self, point: Point) -> None:
        start, end = point.start_wall_ns, point.end_wall_ns
        first, last = self._touching(start, end)
        laid: list[_Piece] = []
        at = start  # up to where is decided whether the point shows
        for old in self._pieces[first:last]:
            _add(laid, old.start, start, old.point)
            if _rank(old.point) > _rank(point):
                _add(laid, at, max(old.start, start), point)
                at = min(old.end, end)
                _add(laid, max(old.start, start), at, old.point)
            elif old.end > end:
                _add(laid, at, end, point)
                at = end
            _add(laid, end, old.end, old.point)
        _add(laid, at, end, point)
        self._exchange(first, last, laid)

    def _clear(self, span: Span) -> None:
        start, end = span.start_wall_ns, span.end_wall_ns
        if end <= start:
            return
        first, last = self._touching(start, end)
        kept: list[_Piece] = []
        for old in self._pieces[first:last]:
            _add(kept, old.start, min(old.end, start), old.point)
            _add(kept, max(old.start, end), old.end, old.point)
        self._exchange(first, last, kept)

    def _exchange(self, first: int, last: int, pieces: list[_Piece]) -> None:
        self._pieces[first:last] = pieces
        self._starts[first:last] = [piece.start for piece in pieces]
        self._newest = None

    def _newest_of_all(self) -> tuple[int | None, int | None]:
        if self._newest is None:
            ends = (piece.end for piece in reversed(self._pieces) if piece.point.kind is not PointKind.FORECAST)
            issues = (piece.point.issued_wall_ns for piece in self._pieces)
            self._newest = next(ends, None), max(issues, default=None)
        return self._newest


def _rank(point: Point) -> tuple[int, int]:
    return _RANK[point.kind], point.issued_wall_ns


def _add(pieces: list[_Piece], start: int, end: int, point: Point) -> None:
    """Append `[start, end)` of *point*, if there is anything of it, and join it to what it goes on from."""
    if start >= end:
        return
    if pieces and pieces[-1].end == start and pieces[-1].point is point:
        start = pieces.pop().start
    pieces.append(_Piece(start, end, point))


def _differences(before: Sequence[Held], after: Sequence[Held], *, by_extent: bool) -> list[Span]:
    """Give where two covers of one stretch differ. *by_extent*: a value is another where its point is longer."""
    found: list[Span] = []
    old = new = 0
    while old < len(before) and new < len(after):
        was, is_now = before[old], after[new]
        start = max(was.start_wall_ns, is_now.start_wall_ns)
        end = min(was.end_wall_ns, is_now.end_wall_ns)
        if _shown(was, by_extent=by_extent) != _shown(is_now, by_extent=by_extent):
            if found and found[-1].end_wall_ns == start:
                start = found.pop().start_wall_ns
            found.append(Span(start, end))
        old += was.end_wall_ns == end
        new += is_now.end_wall_ns == end
    return found


def _shown(held: Held, *, by_extent: bool) -> tuple[object, ...]:
    point = held.point
    if point is None:
        return ()
    extent = (point.start_wall_ns, point.end_wall_ns) if by_extent else ()
    return (point.value, held.kind, *extent)
