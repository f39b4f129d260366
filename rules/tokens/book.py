"""The books of all services of a host: parts and pages in, windows, totals and views out; it stores nothing."""

from collections.abc import Iterable, Sequence

from wattledger.rules.instant import Instant
from wattledger.rules.state import State
from wattledger.rules.usage.workload import Part

from .join import Bookings, ServiceJoin
from .model import Attribution, Service, TokenRead, Withheld
from .policy import TokenPolicy
from .ratios import StatedWindow
from .rows import TotalRows
from .totals import ServiceKey, ServiceTotal, ServiceWindow
from .view import Ratio, ServiceView


class _Desk:
    """What the book keeps of one service that is about."""

    __slots__ = ("devices", "is_stale", "join", "noted_devices", "stated", "view", "was_booked")

    def __init__(self, join: ServiceJoin, policy: TokenPolicy) -> None:
        self.join = join
        self.stated = StatedWindow(policy)
        self.noted_devices: int | None = None
        self.devices = 0
        self.was_booked = False
        self.is_stale = False  # its page has failed for too long to go on with what it said
        self.view: ServiceView | None = None  # None where it must be made anew


class ServiceBook:
    """Joins the energy and the tokens of every service. Give it all parts of each tick, then `settle`.

    `totals` never fall; of very many those are forgotten whose service is over for longest. What is pending, up to
    one read of a page, is lost when the agent is killed, and its tokens with it: the first page that a new agent
    reads is only a base.
    """

    def __init__(self, totals: Iterable[ServiceTotal], policy: TokenPolicy) -> None:
        self._policy = policy
        self._rows = TotalRows(totals)
        self._desks: dict[str, _Desk] = {}
        self._bookings = Bookings()
        self._drawn_ns: dict[str, int] = {}  # the last energy of each device

    def apply(self, policy: TokenPolicy) -> None:
        """Go on under another policy; ratios begin anew, totals and what is pending stay."""
        self._policy = policy
        for desk in self._desks.values():
            desk.join.apply(policy)
            desk.stated = StatedWindow(policy)
            desk.view = None

    def set_services(self, services: Sequence[Service]) -> None:
        """Take the services that are known now; one that is not among them any more is closed when it is over."""
        listed = {service.name: service for service in services}
        for name in listed:
            self._desk(name)
        for name, desk in self._desks.items():
            was_listed = desk.join.is_listed
            if desk.join.list_as(listed.get(name)) or was_listed != desk.join.is_listed:
                desk.view = None

    def note_devices(self, service: str, devices: int) -> None:
        """Take how many devices, or MIG instances, a service holds, where parts do not tell it: they name boards."""
        desk = self._desk(service)
        if desk.noted_devices != devices:
            desk.noted_devices, desk.view = devices, None

    def add_parts(self, parts: Sequence[Part]) -> None:
        """Take all parts of a tick, of every workload: they tell too up to when each device is booked.

        The parts of one interval of a device stand together.
        """
        first: Part | None = None  # of the interval
        drew = False
        for part in parts:
            if first is None or part.uuid != first.uuid or (part.end is not first.end and part.end != first.end):
                if first is not None:
                    self._booked(first, drew=drew)
                first, drew = part, False
            if part.energy_mj:
                drew = True
            if part.service:
                self._desk(part.service).join.add(part)
        if first is not None:
            self._booked(first, drew=drew)

    def add_reads(self, reads: Sequence[TokenRead]) -> None:
        """Take attempts to read pages, those of one service in order."""
        for read in reads:
            self._see(read.at)
            self._desk(read.service).join.add_read(read)

    def settle(self, now: Instant) -> list[ServiceWindow]:
        """Close every window whose energy is complete, or has had its time, and book it."""
        self._see(now)
        closed: list[ServiceWindow] = []
        over: list[str] = []
        for name, desk in self._desks.items():
            join = desk.join
            page, failing = join.page, join.failing
            windows = join.settle(now)
            for window in windows:
                self._book(window, desk)
            closed += windows
            if windows or join.page is not page or join.failing is not failing:
                desk.view = None
            self._refresh(desk, now)
            if join.at_rest:
                over.append(name)
        for name in over:
            del self._desks[name]
        self._rows.forget(self._desks, self._policy.totals_limit)
        return closed

    def close(self, now: Instant) -> list[ServiceWindow]:
        """Book all that is pending before the agent ends; its tokens cannot be known."""
        closed = self.settle(now)
        for desk in self._desks.values():
            windows = desk.join.close(now)
            for window in windows:
                self._book(window, desk)
            closed += windows
        return closed

    def take_changes(self) -> tuple[ServiceTotal, ...]:
        """Give the totals that have changed since they were last taken."""
        return self._rows.take_changes()

    def take_dropped(self) -> tuple[ServiceKey, ...]:
        """Give the keys of the totals that were forgotten since they were last taken."""
        return self._rows.take_dropped()

    def totals(self) -> tuple[ServiceTotal, ...]:
        """Give all totals, of services that rest too."""
        return self._rows.all()

    def energy_model(self, service: str) -> str:
        """Give the model of the row that gets the energy of a service; empty where it has several, or none is told.

        It is that of the present process, and until that has told one that of the only row there is.
        """
        return self._rows.energy_model(service)

    def pending_mj(self, service: str) -> int:
        """Give the energy of a service that is in no window yet."""
        desk = self._desks.get(service)
        return 0 if desk is None else desk.join.timeline.pending_mj

    def views(self) -> tuple[ServiceView, ...]:
        """Give what is to be shown of each service that is known now, by name."""
        return tuple(
            view for _, desk in sorted(self._desks.items()) if (view := desk.view or self._look_at(desk)) is not None
        )

    def _desk(self, name: str) -> _Desk:
        desk = self._desks.get(name)
        if desk is None:
            desk = self._desks[name] = _Desk(ServiceJoin(name, self._policy, self._bookings), self._policy)
        return desk

    def _see(self, at: Instant) -> None:
        if self._bookings.since_ns is None:
            self._bookings.since_ns = at.mono_ns

    def _booked(self, part: Part, *, drew: bool) -> None:
        """Note that a device is booked up to the end of *part*, and what of it nobody knows."""
        uuid, start_ns, end_ns = part.uuid, part.start.mono_ns, part.end.mono_ns
        self._see(part.end)
        bookings = self._bookings
        bookings.booked_ns[uuid] = max(end_ns, bookings.booked_ns.get(uuid, end_ns))
        bookings.latest_ns = max(bookings.latest_ns, end_ns)
        drawn_ns = self._drawn_ns.setdefault(uuid, start_ns)
        if drew:
            self._drawn_ns[uuid] = max(drawn_ns, end_ns)
        # No board draws nothing: where nothing is booked for long, its energy cannot be had.
        is_unknown = not drew and end_ns - drawn_ns > self._policy.gap_ns
        if is_unknown or part.state is State.UNOBSERVED:
            since_ns = drawn_ns if is_unknown else start_ns
            for desk in self._desks.values():
                if uuid in desk.join.timeline.devices:
                    desk.join.timeline.note_hole(since_ns, end_ns)

    def _book(self, window: ServiceWindow, desk: _Desk) -> None:
        join = desk.join
        if join.model is not None and self._rows.use_model(window.service, join.model):
            desk.stated.clear()  # another model: what the one before took is nothing to go by
        if not desk.was_booked and join.timeline.was_ever_booked:
            desk.was_booked = True
            desk.stated.clear()  # of what it had before, devices were not known
        desk.stated.add(window)
        self._rows.add(window)

    def _refresh(self, desk: _Desk, now: Instant) -> None:
        """Forget a view that time has made wrong."""
        failing, policy = desk.join.failing, self._policy
        is_stale = failing is not None and now.mono_ns - failing.since_ns >= policy.stale_ns
        good_ns = desk.join.good_ns
        is_stale = is_stale or (good_ns is not None and now.mono_ns - good_ns >= policy.silent_ns)
        devices = len(desk.join.timeline.devices)
        if is_stale != desk.is_stale or devices != desk.devices:
            desk.is_stale, desk.devices, desk.view = is_stale, devices, None

    def _look_at(self, desk: _Desk) -> ServiceView | None:
        join, stated = desk.join, desk.stated
        service, page, failing = join.service, join.page, join.failing
        if service is None or not join.is_listed:
            return None
        model = self.energy_model(join.name)
        ratios = stated.ratios(service.role, model)
        withheld = self._withheld(desk, service, ratios)
        if withheld is not None:
            ratios = ()
        desk.view = ServiceView(
            service=join.name,
            server=service.server,
            role=service.role,
            counter_class=service.counter_class,
            attribution=_attribution(desk, service),
            energy_model=model,
            totals=self._rows.of(join.name),
            up=page is not None,
            detail=service.detail or ("" if failing is None else failing.detail),
            devices=_devices(desk, service),
            running=None if page is None else page.running,
            waiting=None if page is None else page.waiting,
            ratios=ratios,
            withheld=withheld,
            coverage=stated.coverage,
            window_ns=stated.window_ns,
            tokens_per_second=stated.tokens_per_second(service.role),
            wasted_draft_ratio=stated.wasted_draft_ratio,
            implausible=stated.is_implausible(ratios),
        )
        return desk.view

    def _withheld(self, desk: _Desk, service: Service, ratios: tuple[Ratio, ...]) -> Withheld | None:
        """Give the first reason that holds, in the order of the enumeration."""
        join, stated = desk.join, desk.stated
        reasons = {service.problem} if service.problem is not None else set()
        if desk.is_stale or (join.failing is not None and not stated.window_ns):
            reasons.add(Withheld.UNREACHABLE if join.failing is None else join.failing.problem)
        if join.page_problem is not None:
            reasons.add(join.page_problem)
        devices = _devices(desk, service)
        if not devices and not stated.has_energy:
            reasons.add(Withheld.NO_GPU)
        # Fewer devices than its engines work on: the others are on other hosts, whoever placed them there.
        needed = 0 if join.page is None else join.page.engines * service.engine_devices
        if service.remote or (devices and needed > devices):
            reasons.add(Withheld.REMOTE_RANKS)
        if stated.is_shared_without_method():
            reasons.add(Withheld.SHARED)
        if join.page is not None and not join.has_served:
            reasons.add(Withheld.STARTING)
        if (reason := stated.withheld(service.role, service.counter_class, ratios)) is not None:
            reasons.add(reason)
        return next((reason for reason in Withheld if reason in reasons), None)


def _devices(desk: _Desk, service: Service) -> int:
    boards = len(service.devices) or len(desk.join.timeline.devices)
    return desk.noted_devices if boards and desk.noted_devices is not None else boards


def _attribution(desk: _Desk, service: Service) -> Attribution:
    if service.devices:
        return Attribution.CONFIGURED
    if not _devices(desk, service):
        return Attribution.NONE
    return Attribution.SHARED if desk.stated.is_shared else Attribution.EXCLUSIVE
