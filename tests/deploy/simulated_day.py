"""A day of pages of a simulated host, made by the daemon's own pipeline, with feeds, supply, a tariff and a meter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.agent.fake_clock import FakeClock
from wattledger.agent.config import Config
from wattledger.agent.config.schema import Ownership
from wattledger.agent.config.supply_schema import Scope, SupplyEntry, SupplyKind
from wattledger.agent.config.values import GpuReference
from wattledger.agent.hourly_prices import HourlyPrices
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.node_desk import NodeDesk
from wattledger.agent.pipeline import Pipeline, SamplerHealth, fresh_limit_ns
from wattledger.agent.policy import host_policy, usage_settings
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.price_parts import CARBON_FREE, LOCATION, MARGINAL, RESIDUAL, PriceSettings
from wattledger.agent.ruler.evaluation import Evaluation
from wattledger.agent.ruler.plan import plan_of
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.agent.supply import SupplyPlan
from wattledger.agent.supply_desk import SupplyDesk
from wattledger.agent.tariff import clock_of
from wattledger.agent.tokens.simulated import SimulatedTokens
from wattledger.agent.usage_desk import UsageDesk
from wattledger.agent.workloads.attribution import Attribution
from wattledger.agent.workloads.simulated import SimulatedPods, SimulatedProcesses
from wattledger.exporter.delivery import ReceiverKind, ReceiverStats
from wattledger.exporter.feeds import FeedHealth
from wattledger.exporter.node import NodeSourceHealth
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth, LedgerHealth, Snapshot
from wattledger.rules.chain.chain import Pue
from wattledger.rules.chain.node_model import NodeReading, NodeSource
from wattledger.rules.feeds.fallback import FeedState, Resolved
from wattledger.rules.feeds.model import Accounting, Caliber, Measure, PointKind, Series, Signal
from wattledger.rules.feeds.span import Span
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import SourceKind
from wattledger.rules.tariff.model import HourSpan, Period, Tariff
from wattledger.rules.tokens.policy import TokenPolicy

HOURS = 25
END_S = 1_790_006_400  # 2026-09-21T16:00:00Z
START_S = END_S - HOURS * 3600
CLOSE_FROM_S = END_S - 2 * 3600
WIDE_S, CLOSE_S = (
    600,
    120,
)  # between two samples, each of which is a page: far apart at first, which is enough for a day
INTERVAL_NS = WIDE_S * NS_PER_SECOND
RULES_FROM_S = END_S - 2_400  # rules of the host run over the last of it alone: they take most of the time
ONE = 1_000_000


def moments_s() -> list[int]:
    """Give when there is a page."""
    return [*range(START_S, CLOSE_FROM_S, WIDE_S), *range(CLOSE_FROM_S, END_S + 1, CLOSE_S)]


@dataclass(slots=True)
class HourlyFeeds:
    """An intensity by the hour whose provider is silent for some hours, when a factor of the year stands in."""

    clock: FakeClock

    def start(self) -> None: ...
    def close(self) -> None: ...
    def changes(self) -> Mapping[str, Sequence[Span]]:
        return {}

    def resolve(self, chain: str, start_wall_ns: int, end_wall_ns: int) -> list[Resolved]:
        hours = range(start_wall_ns // NS_PER_HOUR, -(-end_wall_ns // NS_PER_HOUR))
        return [self._resolved(chain, hour) for hour in hours]

    def health(self) -> tuple[FeedHealth, ...]:
        hour, wall_ns = self.clock.wall_ns // NS_PER_HOUR, self.clock.wall_ns
        silent = _is_silent(hour)
        live = FeedHealth(
            LOCATION,
            0,
            "electricity_maps",
            "DE",
            _LIVE,
            FeedState.LATE if silent else FeedState.FRESH,
            age_ns=wall_ns % NS_PER_HOUR + silent * NS_PER_HOUR,
            last_success_wall_ns=wall_ns,
            trouble="timeout" if silent else "",
            errors={"timeout": hour % 24},
            value=None if silent else _intensity(hour),
            kind=None if silent else PointKind.ACTUAL,
        )
        others = (
            (LOCATION, 1, "table", "DE", _YEAR, 380 * ONE),
            (RESIDUAL, 0, "table", "DE", _REST, 610 * ONE),
            (MARGINAL, 0, "watttime", "DE", _NEXT, 700 * ONE),
            (CARBON_FREE, 0, "static", "DE", _SHARE, 600_000),
        )
        return (
            live,
            *(
                FeedHealth(
                    chain,
                    level,
                    provider,
                    zone,
                    series,
                    FeedState.FRESH,
                    0,
                    wall_ns,
                    value=value,
                    kind=PointKind.FACTOR,
                )
                for chain, level, provider, zone, series, value in others
            ),
        )

    def _resolved(self, chain: str, hour: int) -> Resolved:
        start, end = hour * NS_PER_HOUR, (hour + 1) * NS_PER_HOUR
        if chain == RESIDUAL:
            return Resolved(start, end, 610 * ONE, PointKind.FACTOR, 0, _REST)
        if chain == CARBON_FREE:
            return Resolved(start, end, 600_000, PointKind.FACTOR, 0, _SHARE)
        if _is_silent(hour):
            return Resolved(start, end, 380 * ONE, PointKind.FACTOR, 1, _YEAR)
        return Resolved(start, end, _intensity(hour), PointKind.ACTUAL, 0, _LIVE)


_LIVE = Series(Measure.INTENSITY, "electricity_maps", "DE", Caliber())
_YEAR = Series(Measure.INTENSITY, "table", "DE", Caliber())
_REST = Series(Measure.INTENSITY, "table", "DE", Caliber(accounting=Accounting.MARKET))
_SHARE = Series(Measure.CARBON_FREE, "static", "DE", source="one office, 2025")
_NEXT = Series(Measure.INTENSITY, "watttime", "DE", Caliber(signal=Signal.MARGINAL))


def _is_silent(hour: int) -> bool:
    return hour % 24 in {3, 4}


def _intensity(hour: int) -> int:
    """Give an intensity that is low at noon."""
    return (150 + 20 * abs(hour % 24 - 12)) * ONE


TARIFF = Tariff(
    currency="EUR",
    timezone="Europe/Berlin",
    offset_at=clock_of("Europe/Berlin"),
    value=300_000,
    periods=(Period("peak", 520_000, hours=(HourSpan(17 * 60, 20 * 60),)),),
)
SUPPLY = (
    SupplyEntry(kind=SupplyKind.CONTRACT, name="hydro", scope=Scope.INTRA, kwh_per_hour_ppm=400_000),
    SupplyEntry(kind=SupplyKind.CONTRACT, name="wind", scope=Scope.INTER, share_ppm=300_000, intensity=12_000_000),
)


@dataclass(slots=True)
class OneMeter:
    """The management controller of a host: its GPUs and as much again as fans and processors take."""

    host: SimHost
    boards: int
    last_ns: int = 0

    def start(self) -> None: ...
    def close(self) -> None: ...
    def read(self, now: Instant) -> Sequence[NodeReading]:
        since_ns = self.last_ns or now.mono_ns - INTERVAL_NS
        drawn_mj = sum(self.host.drawn_mj(index, since_ns, now.mono_ns) for index in range(self.boards))
        power_mw = drawn_mj * NS_PER_SECOND // (now.mono_ns - since_ns) + 600_000
        self.last_ns = now.mono_ns
        return [NodeReading("node", NodeSource.IPMI, now, power_mw=power_mw, period_ns=INTERVAL_NS)]

    def health(self) -> tuple[NodeSourceHealth, ...]:
        return (
            NodeSourceHealth(NodeSource.IPMI, success=True, duration_ns=31_000_000),
            NodeSourceHealth(NodeSource.RAPL, reason=Gap.NO_PERMISSION),
        )


@dataclass
class DayHost:
    """A simulated host and the pipeline of a daemon on it."""

    seed: int
    boards: int = 8
    profiles: tuple[str, ...] = ("h100",)
    clock: FakeClock = field(default_factory=lambda: FakeClock(10**15, START_S * NS_PER_SECOND))

    def __post_init__(self) -> None:
        fleet = Fleet(count=self.boards, profiles=self.profiles, seed=self.seed)
        self.config = replace_interval(
            Config(
                owners=(
                    Ownership(gpus=(GpuReference(index=3), GpuReference(index=0)), owner="alice"),
                    Ownership(gpus=(GpuReference(index=2),), owner="bruno"),
                )
            )
        )
        self.host = SimHost(fleet, boot_id=f"boot-{self.seed}")
        self.ledger = MemoryLedger()
        settings = usage_settings(self.config)
        tokens = SimulatedTokens(self.clock, fleet)
        self.pipeline = Pipeline(
            kind=SourceKind.SIM,
            ledger=self.ledger,
            clock=self.clock,
            policy=host_policy(self.config),
            usage=UsageDesk(
                Attribution(
                    self.clock,
                    SimulatedProcesses(),
                    settings=settings.workloads,
                    pods=SimulatedPods(),
                    service_of=tokens.service_of,
                    device_service=tokens.device_service,
                ),
                self.ledger.load_usage(),
                settings=settings,
                tokens=tokens,
                token_policy=TokenPolicy(patience_ns=2 * CLOSE_S * NS_PER_SECOND),
            ),
            prices=PriceDesk(
                self.ledger.load_prices(),
                PriceSettings(
                    open_ns=2 * NS_PER_HOUR,
                    zone="DE",
                    currency="EUR",
                    has_carbon=True,
                    has_residual=True,
                    has_carbon_free=True,
                    path=Pue(1_250_000),
                ),
                feeds=HourlyFeeds(self.clock),
                supplies=SupplyDesk(SupplyPlan(SUPPLY), {}, {}),
                tariffs=HourlyPrices(TARIFF),
                node=NodeDesk(OneMeter(self.host, self.boards)),
            ),
            fresh_ns=fresh_limit_ns(self.config.interval_ns),
        )

    def pages(self) -> Iterator[Snapshot]:
        """Give the snapshot after each sample."""
        plan = plan_of(self.config, host_name=f"host-{self.seed}", page_url="http://127.0.0.1:9889")
        rules: Evaluation | None = None
        last: Instant | None = None
        for moment_s in moments_s():
            self.clock.advance_ns(moment_s * NS_PER_SECOND - self.clock.wall_ns)
            at = self.clock.now()
            self.pipeline.take(self.host.sample(at, last))
            last = at
            snapshot = self._snapshot(moment_s)
            if moment_s >= RULES_FROM_S:
                now_ms = moment_s * 1_000
                if rules is None:
                    rules = Evaluation(plan.settings, ledger=self.ledger, memory={}, now_ms=now_ms - CLOSE_S * 1_000)
                rules.run(snapshot, now_ms, lambda: self.clock.now().mono_ns)
                snapshot = replace(snapshot, rules=replace(rules.health(), receivers=(_receiver(moment_s),)))
            yield snapshot

    def _snapshot(self, moment_s: int) -> Snapshot:
        age_s = moment_s - START_S
        wall_ns = moment_s * NS_PER_SECOND
        made = self.pipeline.snapshot(
            SamplerHealth(),
            ConfigHealth(loaded_wall_ns=START_S * NS_PER_SECOND),
            AgentHealth(
                version="0.0.0",
                started_wall_ns=START_S * NS_PER_SECOND,
                cpu_ns=age_s * 10_000_000,
                resident_bytes=60_000_000,
                http_connections=1,
                http_requests={200: age_s // 15},
            ),
        )
        ledger = LedgerHealth(writable=True, path="ledger.db", last_commit_wall_ns=wall_ns, size_bytes=65_536 + age_s)
        return replace(made, ledger=ledger)


def replace_interval(config: Config) -> Config:
    """Give *config* with samples as far apart as those of the day, which no file may ask for."""
    return type(config)(
        **{name: getattr(config, name) for name in config.__struct_fields__} | {"interval_ns": INTERVAL_NS}
    )


def _receiver(moment_s: int) -> ReceiverStats:
    sent = (moment_s - RULES_FROM_S) // 60
    return ReceiverStats(
        ReceiverKind.ALERTMANAGER, "http://10.0.0.1:9093", sent, 0, 0, 0, 10_000, moment_s * NS_PER_SECOND, ""
    )
