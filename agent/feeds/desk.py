"""Timed values for the tick thread: chains of providers, each with a track that another thread feeds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattledger.exporter.feeds import FeedHealth
from wattledger.rules.feeds.fallback import Resolved, feed_state, resolve, resolve_marginal, unknown_to
from wattledger.rules.feeds.model import Measure, Point, PointKind, Series, Signal
from wattledger.rules.feeds.span import Span, joined
from wattledger.rules.feeds.track import Track
from wattledger.rules.instant import NS_PER_HOUR

from ..clock import Clock
from ..sampler.backoff import even_chance
from .base import Answer, Window
from .poller import Member, Poller
from .record import Status
from .schedule import Chance
from .store import FeedStore

_DAY_NS = 24 * NS_PER_HOUR
_MEMORY_NS = 10 * _DAY_NS  # that values are looked up in
_DISK_NS = 30 * _DAY_NS
_PRUNE_NS = NS_PER_HOUR
_MOST_RESOLVED = 256  # stretches of a chain whose values are known until they change
_MOST_WAITING = 1024  # answers; what is lost beyond comes again within the hour


@dataclass(frozen=True, slots=True)
class Chain:
    """Providers of one measure under one name; the first that has a value for a moment gives it."""

    name: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One provider of one chain. `number` tells apart providers whose series and origin are equal, for the cache."""

    chain: str
    level: int
    member: Member
    series: Series
    track: Track
    number: int


@dataclass(frozen=True, slots=True)
class _News:
    """Points on their way to the tick thread, of `at`. With `replaces` they are all there is in that span."""

    index: int
    points: tuple[Point, ...]
    at_wall_ns: int
    replaces: Span | None = None


class FeedDesk:
    """All chains. `changes`, `resolve`, `resolve_marginal` and `health` are for the tick thread and never block.

    What the web gave is kept in *state_dir*; without one, in memory alone. What stands on this host, in a file or
    the configuration, is read again instead, and an answer is all there is of its time: a row that was taken out of
    a file is gone. Raises ValueError for a chain of unlike measures or currencies, or with a marginal series beside
    others.
    """

    def __init__(
        self,
        chains: Sequence[Chain],
        *,
        clock: Clock,
        state_dir: Path | None = None,
        chance: Chance = even_chance,
    ) -> None:
        self._clock = clock
        self._lines = _lines(chains)
        self._chains = {
            chain.name: tuple(line for line in self._lines if line.chain == chain.name) for chain in chains
        }
        for name in self._chains:
            _check(self._tracks(name))
        self._resolved: dict[str, dict[tuple[int, int], list[Resolved]]] = {name: {} for name in self._chains}
        self._waiting: deque[_News] = deque(maxlen=_MOST_WAITING)
        self._store = None if state_dir is None else FeedStore(state_dir)
        self._poller = Poller(clock, [line.member for line in self._lines], self._deliver, chance=chance)
        now = clock.now()
        self._memory_pruned_ns = self._disk_pruned_ns = now.mono_ns

    def start(self) -> None:
        """Take in what is on the disk, and begin to ask, on a thread of its own."""
        self.load()
        self._poller.start()

    def load(self) -> None:
        """Take in what is on the disk, without asking anyone."""
        store = self._store
        if store is None:
            return
        now_ns = self._clock.now().wall_ns
        since = now_ns - _MEMORY_NS
        for index, line in enumerate(self._lines):
            if line.member.web is not None:
                points = store.points(line.series, origin=line.member.origin, number=line.number, since_wall_ns=since)
                if points:
                    self._waiting.append(_News(index, tuple(points), now_ns))

    def close(self) -> None:
        """Stop, within about a second; a request that hangs ends with the program."""
        if self._poller.close() and self._store is not None:
            self._store.close()

    def turn(self) -> int:
        """Ask who is due, and give the monotonic time when somebody is again; for the feeds' own thread."""
        return self._poller.turn()

    def changes(self) -> dict[str, list[Span]]:
        """Take in what has come, and give by chain where value or kind is another since the last call."""
        spans: dict[int, list[Span]] = {}
        while self._waiting:
            news = self._waiting.popleft()
            track = self._lines[news.index].track
            self._resolved[self._lines[news.index].chain].clear()
            track.doubt(news.at_wall_ns)
            changed = track.put(news.points) if news.replaces is None else track.replace(news.replaces, news.points)
            spans.setdefault(news.index, []).extend(changed)
        self._prune_memory()
        found: dict[str, list[Span]] = {}
        for index, changed in spans.items():
            line = self._lines[index]
            # What a provider before it has a value for is hidden; where that one is new it says so itself.
            above = [other.track for other in self._chains[line.chain][: line.level]]
            found.setdefault(line.chain, []).extend(unknown_to(above, changed))
        return {name: merged for name, some in found.items() if (merged := joined(some))}

    def resolve(self, chain: str, start_wall_ns: int, end_wall_ns: int) -> list[Resolved]:
        """Give what holds in `[start, end)` by *chain*, as of the last `changes`; for accounts.

        What is given is not to be altered: the next call gives it again. Raises KeyError for a name that there is
        not, ValueError for a chain with a marginal series.
        """
        known = self._resolved[chain]
        found = known.get((start_wall_ns, end_wall_ns))
        if found is None:
            if len(known) >= _MOST_RESOLVED:
                known.clear()
            found = known[start_wall_ns, end_wall_ns] = resolve(self._tracks(chain), start_wall_ns, end_wall_ns)
        return found

    def resolve_marginal(self, chain: str, start_wall_ns: int, end_wall_ns: int) -> list[Resolved]:
        """Do the same for a chain of marginal series, for advice."""
        return resolve_marginal(self._tracks(chain), start_wall_ns, end_wall_ns)

    def health(self) -> tuple[FeedHealth, ...]:
        """Give how each provider is doing, by chain and level."""
        wall_ns = self._clock.now().wall_ns
        statuses = self._poller.statuses()
        return tuple(_health(line, status, wall_ns) for line, status in zip(self._lines, statuses, strict=True))

    def _tracks(self, chain: str) -> list[Track]:
        return [line.track for line in self._chains[chain]]

    def _deliver(self, index: int, window: Window, answer: Answer) -> None:
        """Hand over an answer; on the feeds' thread."""
        line = self._lines[index]
        if line.member.web is None:
            replaces = Span(window.start_wall_ns, window.end_wall_ns) if answer.whole else None
            self._waiting.append(_News(index, answer.points, window.now_wall_ns, replaces))
            return
        self._waiting.append(_News(index, answer.points, window.now_wall_ns))
        if self._store is not None:
            # A factor comes with the next answer, and has no hours that could be lost.
            kept = [point for point in answer.points if point.kind is not PointKind.FACTOR]
            self._store.put(
                line.series,
                kept,
                origin=line.member.origin,
                number=line.number,
                now_wall_ns=window.now_wall_ns,
            )
            self._prune_disk(self._store)

    def _prune_memory(self) -> None:
        now = self._clock.now()
        if now.mono_ns - self._memory_pruned_ns >= _PRUNE_NS:
            self._memory_pruned_ns = now.mono_ns
            for line in self._lines:
                line.track.prune(now.wall_ns - _MEMORY_NS)
                self._resolved[line.chain].clear()

    def _prune_disk(self, store: FeedStore) -> None:
        now = self._clock.now()
        if now.mono_ns - self._disk_pruned_ns >= _PRUNE_NS:
            self._disk_pruned_ns = now.mono_ns
            store.prune(now.wall_ns - _DISK_NS)


def _lines(chains: Sequence[Chain]) -> tuple[_Line, ...]:
    found: list[_Line] = []
    for chain in chains:
        for level, member in enumerate(chain.members):
            series = member.provider.series
            # The energy of one stretch cannot stand in for that of another.
            hold_ns = 0 if series.measure is Measure.ENERGY else member.provider.pace.max_age_ns
            number = sum(line.series == series and line.member.origin == member.origin for line in found)
            found.append(_Line(chain.name, level, member, series, Track(series, hold_ns=hold_ns), number))
    return tuple(found)


def _check(tracks: Sequence[Track]) -> None:
    calibers = [track.series.caliber for track in tracks]
    is_marginal = any(caliber is not None and caliber.signal is Signal.MARGINAL for caliber in calibers)
    (resolve_marginal if is_marginal else resolve)(tracks, 0, 0)


def _health(line: _Line, status: Status, wall_ns: int) -> FeedHealth:
    track, pace, series = line.track, line.member.provider.pace, line.series
    newest = track.newest_end_wall_ns
    if newest is None:
        newest = track.newest_issue_wall_ns  # forecasts alone: they are as old as their issue
    age_ns = None if newest is None else max(0, wall_ns - newest)
    (now,) = track.cut(wall_ns, wall_ns + 1)
    return FeedHealth(
        chain=line.chain,
        level=line.level,
        provider=series.provider,
        zone=series.zone,
        series=series,
        state=feed_state(age_ns, step_ns=pace.step_ns, lag_ns=pace.lag_ns, max_age_ns=pace.max_age_ns),
        age_ns=age_ns,
        last_success_wall_ns=status.last_success_wall_ns,
        trouble="" if status.trouble is None else status.trouble.value,
        detail=status.detail,
        errors={trouble.value: count for trouble, count in status.errors.items()},
        skipped={why.value: count for why, count in status.skipped.items()},
        warnings=status.warnings,
        value=None if now.point is None else now.point.value,
        kind=now.kind,
    )
