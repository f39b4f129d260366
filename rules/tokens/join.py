"""The life of one service: its energy and its tokens joined into windows, each with what it was about."""

from collections import deque
from dataclasses import dataclass, field

from wattledger.rules.instant import Instant
from wattledger.rules.usage.workload import Part

from .meter import NO_DELTA, TokenDelta, TokenMeter
from .model import Service, TokenPage, TokenRead, Withheld
from .policy import TokenPolicy
from .timeline import Energy, Timeline
from .totals import COVERED_PHASES, Phase, ServiceWindow

# So many reads wait for their energy. One that is dropped loses nothing: the counters of the next go on from it.
READS_LIMIT = 64


@dataclass(slots=True)
class Bookings:
    """Up to when each device of the host is booked, whoever it was for, and since when anything is known."""

    booked_ns: dict[str, int] = field(default_factory=dict)
    latest_ns: int = -(2**63)
    since_ns: int | None = None


@dataclass(slots=True)
class _Failing:
    """Reads of a page that failed, from the first since a good one to the last."""

    since_ns: int
    not_serving: Instant | None  # when it was last seen that it served nobody
    problem: Withheld
    detail: str


class ServiceJoin:
    """Joins one service. Windows follow each other without a gap, and hold all energy that is not pending."""

    def __init__(self, name: str, policy: TokenPolicy, bookings: Bookings) -> None:
        self.name = name
        self._policy = policy
        self._bookings = bookings
        self.service: Service | None = None  # as it was last listed
        self.is_listed = False
        self.timeline = Timeline(policy)
        self._meter = TokenMeter(models_limit=policy.models_limit)
        self._reads: deque[TokenRead] = deque()
        self._read_ns: int | None = None  # of the last read that was taken
        self._opened: Instant | None = None  # where the next window begins
        self._process: str | None = None  # whose counters go on; None where the next page can only be a base
        self.good_ns: int | None = None  # of the last page
        self._gave_up = False
        self.page: TokenPage | None = None  # the last, and None once a read has failed
        self.page_problem: Withheld | None = None  # what is wrong with it
        self.failing: _Failing | None = None
        self.has_served = False  # this process has had a request

    @property
    def model(self) -> str | None:
        """Give the one model that the process counts for; empty where it has several, None while it has none."""
        models = self._meter.models
        if len(models) == 1:
            return models[0]
        return "" if models else None

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing waits for anything."""
        return not self.is_listed and self._process is None and not self._reads and not self.timeline.pending_mj

    def apply(self, policy: TokenPolicy) -> None:
        """Go on under another policy."""
        self._policy = policy
        self.timeline.apply(policy)

    def list_as(self, service: Service | None) -> bool:
        """Take what discovery says now, None when it knows the service no more; give whether that is new."""
        before, self.is_listed = self.service, service is not None
        if service is None or service == before:
            return False
        if before is not None and (before.server, before.role) != (service.server, service.role):
            self._process = None  # its page is read in another way: what counts may not have counted before
        self.service = service
        return True

    def add(self, part: Part) -> None:
        """Take one part of its energy."""
        if self._opened is None:
            self._opened = part.start
        self.timeline.add(part)

    def add_read(self, read: TokenRead) -> None:
        """Take one attempt to read its page; one that is no newer than the last says nothing."""
        newest_ns = self._reads[-1].at.mono_ns if self._reads else self._read_ns
        if newest_ns is not None and read.at.mono_ns <= newest_ns:
            return
        self._reads.append(read)
        if len(self._reads) > READS_LIMIT:
            self._reads.popleft()

    def settle(self, now: Instant) -> list[ServiceWindow]:
        """Give the windows whose energy is complete, or has had its time."""
        windows: list[ServiceWindow] = []
        bookings = self._bookings
        while self._reads:
            read = self._reads[0]
            if read.page is not None and not self.timeline.is_settled(
                read.at.mono_ns, now.mono_ns, bookings.booked_ns, bookings.latest_ns
            ):
                return windows
            self._reads.popleft()
            self._read_ns = read.at.mono_ns
            if read.page is None:
                self._fail(read)
            else:
                self._take(read, read.page, windows)
        self._give_up(now, windows)
        return windows

    def close(self, now: Instant) -> list[ServiceWindow]:
        """Give up what waits for a read that will not come."""
        windows: list[ServiceWindow] = []
        self._cut(now, Phase.UNREAD, windows)
        self._process = None
        return windows

    def _fail(self, read: TokenRead) -> None:
        since_ns = read.at.mono_ns if self.failing is None else self.failing.since_ns
        before = None if self.failing is None else self.failing.not_serving
        not_serving = read.at if read.not_serving else before
        self.failing = _Failing(since_ns, not_serving, read.problem or Withheld.UNREACHABLE, read.detail)
        self.page = self.page_problem = None

    def _take(self, read: TokenRead, page: TokenPage, windows: list[ServiceWindow]) -> None:
        if self._process is None:
            self._begin(read, page, Phase.UNREAD, windows)
        elif self._is_new_process(read):
            self._begin(read, page, Phase.RESTART, windows)
        else:
            self._go_on(read, page, windows)
        self._process = read.process or self._process or ""
        self.good_ns = read.at.mono_ns
        self._gave_up = False
        self.page, self.page_problem = page, read.problem
        self.failing = None

    def _is_new_process(self, read: TokenRead) -> bool:
        if not read.process or read.process == self._process:
            return False
        if self._process:
            return True
        # Until now it was not known which process it is; it may have been this one all the time.
        return read.started is not None and self.good_ns is not None and read.started.mono_ns > self.good_ns

    def _begin(self, read: TokenRead, page: TokenPage, before: Phase, windows: list[ServiceWindow]) -> None:
        """Take the first page of a process. What its counters hold is since its start, if that was seen."""
        delta = self._meter.begin(page)
        self.has_served = delta.came or _runs(page)
        start = read.started if self._is_seen_start(read.started) else None
        if start is not None:
            self._cut(start, before, windows)
        if not self.has_served:
            # Nothing was counted yet, so nothing is lost, whoever looked.
            is_other = before is Phase.RESTART and start is None
            self._cut(read.at, Phase.RESTART if is_other else Phase.STARTING, windows)
            return
        since = None if start is None else self._serving_since(start, read)
        if since is None:
            self._cut(read.at, before if start is None else Phase.UNREAD, windows)
            return
        self._cut(since, Phase.STARTING, windows)
        self._cut(read.at, Phase.SERVING, windows, delta)

    def _is_seen_start(self, start: Instant | None) -> bool:
        """Tell whether a process began under our eyes, and after the one before: so nothing of it was counted yet."""
        since_ns = self._bookings.since_ns
        if start is None or since_ns is None or start.mono_ns < since_ns:
            return False
        return self.good_ns is None or start.mono_ns >= self.good_ns

    def _serving_since(self, start: Instant, read: TokenRead) -> Instant | None:
        """Give the moment after which all that a new process has counted was counted.

        That is its start, or the last time since that it was seen to serve nobody. One that does not answer in time
        may well be at work. None where loading and serving cannot be
        told apart, or the energy since then is not all known.
        """
        failing, limit_ns = self.failing, self._policy.start_ns
        since = start
        if (
            failing is not None
            and failing.not_serving is not None
            and failing.not_serving.mono_ns > start.mono_ns
            and failing.since_ns <= start.mono_ns + limit_ns
        ):
            since = failing.not_serving
        elif read.at.ns_since(start) > limit_ns:
            return None
        timeline = self.timeline
        is_given_out = timeline.given_ns is not None and since.mono_ns < timeline.given_ns
        is_known = timeline.covers(since.mono_ns) and not timeline.has_hole(read.at.mono_ns, since.mono_ns)
        return since if is_known and not is_given_out and self._is_trusted(read) else None

    def _go_on(self, read: TokenRead, page: TokenPage, windows: list[ServiceWindow]) -> None:
        """Take the next page of a process."""
        delta = self._meter.advance(page)
        until_ns = read.at.mono_ns
        if delta.fell and not (read.process or self._process):
            # Whose counters these are is not known: they have begun anew.
            begun = self._meter.begin(page)
            self.has_served = begun.came or _runs(page)
            self._cut(read.at, Phase.RESTART, windows)
            return
        ran = _runs(page) or (self.page is not None and _runs(self.page))
        self.has_served = self.has_served or delta.came or ran
        has_hole = self.timeline.has_hole(until_ns)
        silence_ns = self.timeline.silence_ns(until_ns, self._bookings.booked_ns)
        is_lost = silence_ns > self._policy.edge_ns
        energy = self.timeline.take(until_ns)
        if not self.has_served:
            phase = Phase.STARTING
        elif has_hole or (is_lost and delta.came) or not self._is_trusted(read):
            phase = Phase.UNREAD
        elif delta.came or ran or (page.running is None and energy.active_mj):
            phase = Phase.SERVING
        else:
            phase = Phase.IDLE
        self._close(read.at, phase, energy, windows, delta)

    def _is_trusted(self, read: TokenRead) -> bool:
        known_bad = self.service is not None and self.service.problem is Withheld.KNOWN_BAD
        return not known_bad and read.problem is not Withheld.KNOWN_BAD

    def _give_up(self, now: Instant, windows: list[ServiceWindow]) -> None:
        """Close what no page will tell of any more."""
        policy, failing = self._policy, self.failing
        if self._opened is None or now.ns_since(self._opened) < policy.gone_ns:
            return
        is_away = not self.is_listed or (failing is not None and now.mono_ns - failing.since_ns >= policy.gone_ns)
        end_ns = self.timeline.end_ns
        since_ns = self._opened.mono_ns if end_ns is None else end_ns
        if is_away and now.mono_ns - since_ns >= policy.gone_ns:
            self._cut(now, Phase.RESTART if self._process is not None else Phase.UNREAD, windows)
            self._process = None
            return
        # Once given up, it is not waited for again before there is a page.
        limit_ns = policy.gone_ns if self._gave_up else policy.despair_ns
        if now.ns_since(self._opened) >= limit_ns:
            self._cut(now, Phase.UNREAD, windows)
            self._process = None
            self._gave_up = True

    def _cut(self, at: Instant, phase: Phase, windows: list[ServiceWindow], delta: TokenDelta | None = None) -> None:
        """Close the window at *at*; where that is past already, what is open goes on."""
        if self._opened is not None and at.mono_ns <= self._opened.mono_ns:
            return
        self._close(at, phase, self.timeline.take(at.mono_ns), windows, delta or NO_DELTA)

    def _close(
        self, at: Instant, phase: Phase, energy: Energy, windows: list[ServiceWindow], delta: TokenDelta
    ) -> None:
        start, self._opened = self._opened or at, at
        is_covered = phase in COVERED_PHASES
        if not is_covered:
            if not energy.total_mj:
                return  # nothing was drawn and nothing counted
            delta = NO_DELTA
        windows.append(
            ServiceWindow(
                service=self.name,
                start=start,
                end=at,
                phase=phase,
                active_mj=energy.active_mj,
                total_mj=energy.total_mj,
                tokens=delta.tokens,
                preemptions=delta.preemptions,
                drafts_wasted=delta.drafts_wasted,
                drafts=delta.drafts,
                requests=delta.requests,
                request_ns=delta.request_ns,
                unknown_mj=energy.unknown_mj,
                shared_mj=energy.shared_mj,
                equal_mj=energy.equal_mj,
                lossy=delta.fell,
            )
        )


def _runs(page: TokenPage) -> bool:
    """Tell whether somebody is waiting for this server."""
    return bool(page.running) or bool(page.waiting)
