"""Which of several series gives the value for a moment, and how fresh a series is; nothing is averaged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .model import Measure, Point, PointKind, Series, Signal
from .span import Span
from .track import Held, Track


@dataclass(frozen=True, slots=True)
class Resolved:
    """What holds in `[start, end)` and where that comes from. All but the times is None where nothing is known.

    `value` is in the unit of the measure; an energy is the share of this stretch, in mJ. `level` is the place of the
    series among those that were asked, 0 the first. `held`: the value bridges missing ones, and is an estimate.
    """

    start_wall_ns: int
    end_wall_ns: int
    value: int | None = None
    kind: PointKind | None = None
    level: int | None = None
    series: Series | None = None
    held: bool = False


class FeedState(StrEnum):
    """How old the newest datum of a series is, by the pace of its provider."""

    FRESH = "fresh"  # as new as can be expected
    LATE = "late"  # overdue, and still held on to
    STALE = "stale"  # too old to be held on to, or there never was any


def feed_state(age_ns: int | None, *, step_ns: int, lag_ns: int, max_age_ns: int) -> FeedState:
    """Judge *age_ns*, the time since the newest datum ended; None where there is none."""
    if age_ns is None:
        return FeedState.STALE
    if age_ns <= step_ns + lag_ns:
        return FeedState.FRESH
    return FeedState.LATE if age_ns <= max_age_ns else FeedState.STALE


def resolve(tracks: Sequence[Track], start_wall_ns: int, end_wall_ns: int) -> list[Resolved]:
    """Give, for `[start, end)` in order and without a gap, the value of the first track that has one.

    Raises ValueError for series that are not of one measure and currency, and for a marginal one: what one more kWh
    emits is no account of those that were used.
    """
    for track in tracks:
        if _is_marginal(track):
            raise ValueError(f"{track.series.provider} {track.series.zone} is marginal, which enters no account")
    return _resolved(tracks, start_wall_ns, end_wall_ns)


def resolve_marginal(tracks: Sequence[Track], start_wall_ns: int, end_wall_ns: int) -> list[Resolved]:
    """Do the same for marginal series alone, for advice on when and where to run.

    Raises ValueError for a series that is not marginal.
    """
    for track in tracks:
        if not _is_marginal(track):
            raise ValueError(f"{track.series.provider} {track.series.zone} is not marginal")
    return _resolved(tracks, start_wall_ns, end_wall_ns)


def unknown_to(tracks: Sequence[Track], spans: Iterable[Span]) -> list[Span]:
    """Give what of *spans* none of *tracks* has a value for, in the order of *spans*."""
    left = list(spans)
    for track in tracks:
        left = [
            Span(held.start_wall_ns, held.end_wall_ns)
            for span in left
            for held in track.cut(span.start_wall_ns, span.end_wall_ns)
            if held.point is None
        ]
    return left


def _is_marginal(track: Track) -> bool:
    caliber = track.series.caliber
    return caliber is not None and caliber.signal is Signal.MARGINAL


def _resolved(tracks: Sequence[Track], start_wall_ns: int, end_wall_ns: int) -> list[Resolved]:
    if len({(track.series.measure, track.series.currency) for track in tracks}) > 1:
        raise ValueError("series of different measures or currencies cannot stand in for each other")
    if start_wall_ns >= end_wall_ns:
        return []
    found: list[Resolved] = []
    left = [Span(start_wall_ns, end_wall_ns)]
    for level, track in enumerate(tracks):
        unknown: list[Span] = []
        for span in left:
            for held in track.cut(span.start_wall_ns, span.end_wall_ns):
                if held.point is None:
                    unknown.append(Span(held.start_wall_ns, held.end_wall_ns))
                else:
                    found.append(_known(held, held.point, level, track.series))
        left = unknown
        if not left:
            break
    found += [Resolved(span.start_wall_ns, span.end_wall_ns) for span in left]
    found.sort(key=lambda one: one.start_wall_ns)
    return _joined(found)


def _known(held: Held, point: Point, level: int, series: Series) -> Resolved:
    value = point.value
    if series.measure is Measure.ENERGY:
        # Cumulative, so that the shares of a point sum to it however it is cut.
        into = (held.start_wall_ns - point.start_wall_ns, held.end_wall_ns - point.start_wall_ns)
        before, until = (point.value * ns // point.duration_ns for ns in into)
        value = until - before
    return Resolved(held.start_wall_ns, held.end_wall_ns, value, held.kind, level, series, held.held)


def _joined(found: Sequence[Resolved]) -> list[Resolved]:
    """Make one of neighbours that differ in nothing but time. Energies are amounts, so those stay apart."""
    kept: list[Resolved] = []
    for one in found:
        if kept and _is_same(kept[-1], one):
            last = kept.pop()
            one = Resolved(  # noqa: PLW2901  (the longer one takes its place)
                last.start_wall_ns, one.end_wall_ns, one.value, one.kind, one.level, one.series, one.held
            )
        kept.append(one)
    return kept


def _is_same(left: Resolved, right: Resolved) -> bool:
    if left.series is not None and left.series.measure is Measure.ENERGY:
        return False
    return (left.value, left.kind, left.level, left.held) == (right.value, right.kind, right.level, right.held)
