"""A host whose joules follow from the time alone, pages of its servers, and the book that joins them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.state import State
from wattledger.rules.tokens.book import ServiceBook
from wattledger.rules.tokens.model import (
    Count,
    CounterClass,
    Role,
    SeriesKey,
    Service,
    TokenKind,
    TokenPage,
    TokenRead,
    Withheld,
)
from wattledger.rules.tokens.policy import TokenPolicy
from wattledger.rules.tokens.totals import Phase, Scope, ServiceTotal, ServiceWindow, Tokens
from wattledger.rules.tokens.view import Per, ServiceView
from wattledger.rules.usage.workload import UNATTRIBUTED, Part, ShareMethod, Workload, WorkloadKind

BOB = Workload(WorkloadKind.USER, "bob", "bob")
CHAT = Service(name="chat", server="vllm", role=Role.UNIFIED, counter_class=CounterClass.ITERATION)
WALL_NS = 1_800_000_000 * NS_PER_SECOND


def instant(seconds: float) -> Instant:
    """Give the moment so many seconds after the boot."""
    mono_ns = round(seconds * NS_PER_SECOND)
    return Instant(mono_ns, WALL_NS + mono_ns)


def page(
    output: float | None = None,
    prompt: float | None = None,
    *,
    cached: float | None = None,
    computed: float | None = None,
    model: str = "m",
    running: float | None = None,
    engines: int = 1,
) -> TokenPage:
    """Give a page with one series of each kind that is named."""
    values = {
        TokenKind.OUTPUT: output,
        TokenKind.PROMPT: prompt,
        TokenKind.PROMPT_CACHED: cached,
        TokenKind.PROMPT_COMPUTED: computed,
    }
    counts = {series(kind, model): Count(kind, model, value) for kind, value in values.items() if value is not None}
    return TokenPage(counts, running=running, waiting=0 if running is not None else None, engines=engines)


def counter(name: str, value: float) -> dict[SeriesKey, float]:
    """Give one counter without labels."""
    return {(name, ()): value}


def series(kind: TokenKind, model: str = "m", engine: int = 0) -> SeriesKey:
    """Give the identity of a series."""
    return f"{kind}_total", (("engine", str(engine)), ("model", model))


@dataclass(slots=True)
class Device:
    """A board at a constant draw. What is not `service`'s is nobody's."""

    uuid: str
    power_mw: int = 300_000
    state: State = State.ACTIVE
    service: str = "chat"
    method: ShareMethod = ShareMethod.EXCLUSIVE
    booked: Instant = field(default_factory=lambda: instant(0))

    def part(self, at: Instant) -> Part:
        """Book up to *at*."""
        start, self.booked = self.booked, at
        energy_mj = self.drawn_mj(at) - self.drawn_mj(start)
        workload = BOB if self.service else UNATTRIBUTED
        return Part(self.uuid, workload, self.state, self.method, start, at, energy_mj, service=self.service)

    def drawn_mj(self, at: Instant) -> int:
        """Give what it has drawn since the boot."""
        return self.power_mw * at.mono_ns // NS_PER_SECOND


class Stage:
    """Runs ticks and reads in the order of time, and keeps every window and part."""

    def __init__(
        self,
        *devices: Device,
        services: Iterable[Service] = (CHAT,),
        policy: TokenPolicy | None = None,
        begins: float = 0,
    ) -> None:
        self.devices = list(devices)
        self.services = tuple(services)
        self.policy = policy or TokenPolicy()
        self.windows: list[ServiceWindow] = []
        self.parts: list[Part] = []
        self.kept: dict[tuple[str, str], ServiceTotal] = {}  # what a ledger would hold
        for device in self.devices:
            device.booked = instant(begins)
        self.start_agent()
        self.book.settle(instant(begins))

    def start_agent(self) -> None:
        """Begin with nothing but the totals."""
        self.book = ServiceBook(self.kept.values(), self.policy)
        self.book.set_services(self.services)

    def tick(self, seconds: float, *, only: Iterable[str] | None = None) -> list[ServiceWindow]:
        """Book every device, or *only* some, up to a moment, and settle."""
        at = instant(seconds)
        parts = [device.part(at) for device in self.devices if only is None or device.uuid in only]
        self.parts += parts
        self.book.add_parts(parts)
        windows = self.book.settle(at)
        self.windows += windows
        self.kept |= {total.key: total for total in self.book.take_changes()}
        return windows

    def run(self, start: int, stop: int) -> None:
        """Tick once a second, after *start* up to and with *stop*."""
        for second in range(start + 1, stop + 1):
            self.tick(second)

    def read(
        self,
        seconds: float,
        shown: TokenPage | None,
        *,
        process: str = "",
        started: float | None = None,
        service: str = "chat",
        problem: Withheld | None = None,
        not_serving: bool = True,
    ) -> None:
        """Hand in one attempt to read a page; None has failed, and nobody listened unless told otherwise."""
        begun = None if started is None else instant(started)
        if shown is None:
            problem = problem or Withheld.UNREACHABLE
        self.book.add_reads(
            [
                TokenRead(
                    service,
                    instant(seconds),
                    shown,
                    process,
                    begun,
                    problem,
                    not_serving=shown is None and not_serving,
                )
            ]
        )

    def view(self, service: str = "chat") -> ServiceView:
        """Give the view of one service."""
        return next(view for view in self.book.views() if view.service == service)

    def joules(self, per: Per, scope: Scope = Scope.TOTAL, service: str = "chat") -> float | None:
        """Give one ratio of a service, None where it is not shown."""
        ratios = self.view(service).ratios
        return next((ratio.joules for ratio in ratios if (ratio.per, ratio.scope) == (per, scope)), None)

    def phases(self, service: str = "chat") -> list[tuple[Phase, float, int]]:
        """Give phase, seconds and millijoules of each window."""
        return [
            (window.phase, window.duration_ns / NS_PER_SECOND, window.total_mj)
            for window in self.windows
            if window.service == service
        ]

    def tokens(self, model: str = "m", service: str = "chat") -> Tokens:
        """Give the tokens that were counted for a model."""
        total = self.kept.get((service, model))
        return {} if total is None else total.tokens

    def conserves(self, service: str = "chat") -> bool:
        """Tell whether windows, and what is pending, are the parts of the service: no more and no less."""
        booked_mj = sum(part.energy_mj for part in self.parts if part.service == service)
        closed_mj = sum(window.total_mj for window in self.windows if window.service == service)
        return booked_mj == closed_mj + self.book.pending_mj(service)
