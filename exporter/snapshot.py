"""The immutable state of the host that pages are made from; swapped whole, never changed by a scrape."""

from dataclasses import dataclass, field, replace

from wattledger.rules.account import Baseline, DeviceAccount
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import HostFacts, Reading, SourceKind, without_values
from wattledger.rules.state import Method, State
from wattledger.rules.tokens.model import Withheld
from wattledger.rules.tokens.view import ServiceView
from wattledger.rules.usage.workload import NOBODY, Holding

from .feeds import FeedHealth
from .node import NO_NODE, NodeView
from .prices import NO_PRICES, PricesView
from .rules_health import RulesHealth
from .usage import NO_USAGE, UsageHealth


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device: what was read, what was concluded, what was booked.

    `reading.values` are corrected by the configured gain and offset. `present` is false for a device that was seen
    since the start and that the source no longer lists (it fell off the bus): its counters stay, its gauges go.
    """

    reading: Reading
    account: DeviceAccount
    present: bool = True
    state: State | None = None  # None until the first interval is judged
    state_detail: str = ""  # for `unknown`: which signal is missing
    state_since_wall_ns: int = 0
    state_energy_mj: int | None = None  # drawn since the device entered its state
    owner: str = ""  # configured owner
    method: Method | None = None  # how the last delta was measured
    divergence_ratio: float | None = None  # hardware counter over integral of power, last full window
    counter_suspect: bool = False
    baselines: tuple[Baseline, ...] = ()  # in force, corrected
    holding: Holding = NOBODY  # who has to do with it now


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How the source of samples is doing. `reason` and `detail` say why when `success` is false; there is no
    reason as long as nothing has come yet.
    """

    kind: SourceKind
    success: bool
    reason: Gap | None = None
    detail: str = ""
    last_success_wall_ns: int | None = None
    duration_ns: int | None = None  # of the last sample
    restarts: int = 0  # sampler processes replaced since the daemon started
    abandoned: int = 0  # sampler processes that could not be killed (yet)
    ticks_missed: int = 0
    driver_calls: int = 0
    driver_busy_ns: int = 0


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """Whether the books reach the disk. `detail` says why not; a memory ledger has no path."""

    writable: bool
    path: str = ""
    detail: str = ""
    commit_failures: int = 0
    last_commit_wall_ns: int | None = None
    size_bytes: int | None = None
    moved_aside: str = ""  # where a damaged ledger of before was put


@dataclass(frozen=True, slots=True)
class ConfigHealth:
    """The configuration in force; a bad file leaves the old one and `success` false."""

    success: bool = True
    loaded_wall_ns: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """The daemon itself. CPU and memory are of daemon and sampler together."""

    version: str
    started_wall_ns: int
    tick_duration_ns: int | None = None
    cpu_ns: int | None = None
    resident_bytes: int | None = None
    http_connections: int = 0
    http_requests: dict[int, int] | None = None  # by status code
    http_refused: int = 0
    web_config_ok: bool | None = None  # None: there is none


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a page shows. `sample_at` is None until the first sample has come."""

    at: Instant
    sample_at: Instant | None
    fresh_ns: int  # a sample older than this is stale
    host: HostFacts
    devices: tuple[DeviceView, ...]
    source: SourceHealth
    ledger: LedgerHealth
    config: ConfigHealth
    agent: AgentHealth
    rules: RulesHealth = field(default_factory=RulesHealth)
    usage: UsageHealth = NO_USAGE
    services: tuple[ServiceView, ...] = ()
    feeds: tuple[FeedHealth, ...] = ()
    prices: PricesView = NO_PRICES
    node: NodeView = NO_NODE

    def stale_reason(self, now: Instant) -> str:
        """Give why the data is not fresh at *now*, or empty text when it is."""
        if not self.source.success:
            reason = "" if self.source.reason is None else f"{self.source.reason}: "
            return f"{self.source.kind}: {reason}{self.source.detail}"
        if self.sample_at is None:
            return f"{self.source.kind}: no sample yet"
        age_ns = now.ns_since(self.sample_at)
        if age_ns > self.fresh_ns:
            return f"{self.source.kind}: last sample is {age_ns / 1e9:.1f} s old, limit {self.fresh_ns / 1e9:.1f} s"
        return ""

    def is_expired(self, now: Instant) -> bool:
        """Tell whether the values are too old to be shown, though nobody has withdrawn them."""
        return self.source.success and bool(self.stale_reason(now))

    def expired(self, now: Instant) -> "Snapshot":
        """Give the snapshot without device values, as it must be shown when the tick thread itself has stalled."""
        detail = self.stale_reason(now).removeprefix(f"{self.source.kind}: ")
        return replace(
            self,
            devices=tuple(
                replace(view, reading=without_values(view.reading, Gap.TIMEOUT), state=None) for view in self.devices
            ),
            source=replace(self.source, success=False, reason=Gap.TIMEOUT, detail=detail),
            services=tuple(_withdrawn(service) for service in self.services),
            node=replace(self.node, powers_mw={}, residual_mw=None),
        )


def _withdrawn(service: ServiceView) -> ServiceView:
    """Give a service with nothing but its counters: what it is doing now is not known."""
    return replace(
        service,
        up=False,
        running=None,
        waiting=None,
        ratios=(),
        withheld=Withheld.UNREACHABLE,
        coverage=None,
        window_ns=0,
        tokens_per_second=None,
        wasted_draft_ratio=None,
        implausible=False,
    )
