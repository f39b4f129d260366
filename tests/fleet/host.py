"""A simulated host that a fleet is made of: the daemon's own pipeline over made-up boards, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from tests.agent.fake_clock import FakeClock
from tests.deploy.simulated_day import SUPPLY, TARIFF, HourlyFeeds, OneMeter
from wattledger.agent.config import Config
from wattledger.agent.config.schema import Ownership, Rules
from wattledger.agent.config.values import GpuReference
from wattledger.agent.hourly_prices import HourlyPrices
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.node_desk import NodeDesk
from wattledger.agent.pipeline import Pipeline, SamplerHealth, fresh_limit_ns
from wattledger.agent.policy import host_policy, token_policy, usage_settings
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.price_parts import PriceSettings
from wattledger.agent.ruler.evaluation import Evaluation
from wattledger.agent.ruler.plan import plan_of
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.agent.supply import SupplyPlan
from wattledger.agent.supply_desk import SupplyDesk
from wattledger.agent.tokens.simulated import SimulatedTokens
from wattledger.agent.usage_desk import UsageDesk
from wattledger.agent.workloads.attribution import Attribution
from wattledger.agent.workloads.processes import Member, Processes
from wattledger.agent.workloads.procfs import Unresolved
from wattledger.agent.workloads.simulated import SimulatedPods, SimulatedProcesses
from wattledger.agent.workloads.slurm import UNNAMED, JobNames
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth, LedgerHealth, Snapshot
from wattledger.rules.chain.chain import Pue
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.reading import SourceKind


@dataclass(frozen=True, slots=True)
class Shape:
    """What a host has. `mig` are the boards that are cut into `mig_instances` each; None: number 7, as simulated.

    `processes` hold a board or an instance; `workloads`: it is known whose they are; `services`: some serve tokens.
    `carbon`: feeds, supply, tariff and a meter; `rules`: the host evaluates the packs itself.
    """

    boards: int = 8
    profile: str = "h100"
    mig: tuple[int, ...] | None = ()
    mig_instances: int = 2
    processes: int = 1
    workloads: bool = True
    services: bool = False
    carbon: bool = False
    rules: bool = False


# Everything a host can show: what a fleet is measured with.
FULL = Shape(mig=None, services=True, carbon=True, rules=True)


class NobodyKnown:
    """Processes of which nothing can be told, as without access to /proc of the host."""

    def start_of(self, pid: int, at: Instant) -> int | Unresolved:  # noqa: ARG002  (the protocol's)
        """Give no start."""
        return Unresolved.GONE

    def look(self, pid: int, at: Instant) -> Member | Unresolved:  # noqa: ARG002  (the protocol's)
        """Give nothing."""
        return Unresolved.GONE

    def job_names(self, job_id: str, pid: int) -> JobNames:  # noqa: ARG002  (the protocol's)
        """Give no names."""
        return UNNAMED

    def close(self) -> None:
        """Do nothing."""


@dataclass
class FleetHost:
    """One host of *shape* that was booted with its first page, and a daemon on it that samples for each page."""

    seed: int
    shape: Shape
    start_s: int
    step_s: int
    clock: FakeClock = field(init=False)

    def __post_init__(self) -> None:
        shape = self.shape
        self.clock = FakeClock(10**15, self.start_s * NS_PER_SECOND)
        fleet = Fleet(
            count=shape.boards,
            profiles=(shape.profile,),
            seed=self.seed,
            mig=shape.mig,
            mig_instances=shape.mig_instances,
            processes=shape.processes,
        )
        owner = Ownership(gpus=(GpuReference(index=0),), owner=f"owner-{self.seed & 0xF}")
        self._config = msgspec.structs.replace(
            Config(owners=(owner,), rules=Rules() if shape.rules else Rules(packs=())),
            interval_ns=self.step_s * NS_PER_SECOND,
        )
        self._host = SimHost(fleet, boot_id=f"boot-{self.seed}")
        self._ledger = MemoryLedger()
        self._pipeline = Pipeline(
            kind=SourceKind.SIM,
            ledger=self._ledger,
            clock=self.clock,
            policy=host_policy(self._config),
            usage=self._usage(fleet),
            prices=self._prices(),
            fresh_ns=fresh_limit_ns(self._config.interval_ns),
        )

    def pages(self, count: int) -> Iterator[Snapshot]:
        """Give *count* snapshots, a step apart."""
        plan = plan_of(self._config, host_name=f"host-{self.seed}", page_url="http://127.0.0.1:9889")
        now_ms = self.clock.wall_ns // 1_000_000
        rules = Evaluation(plan.settings, ledger=self._ledger, memory={}, now_ms=now_ms - 1_000 * self.step_s)
        last: Instant | None = None
        for _ in range(count):
            at = self.clock.now()
            self._pipeline.take(self._host.sample(at, last))
            last = at
            made = self._snapshot(at)
            if self.shape.rules:
                rules.run(made, at.wall_ns // 1_000_000, lambda: self.clock.now().mono_ns)
                made = replace(made, rules=rules.health())
            yield made
            self.clock.advance(self.step_s)

    def _usage(self, fleet: Fleet) -> UsageDesk:
        settings = usage_settings(self._config)
        tokens = SimulatedTokens(self.clock, fleet) if self.shape.services else None
        processes: Processes = SimulatedProcesses() if self.shape.workloads else NobodyKnown()
        return UsageDesk(
            Attribution(
                self.clock,
                processes,
                settings=settings.workloads,
                pods=SimulatedPods() if self.shape.workloads else None,
                service_of=(lambda _: "") if tokens is None else tokens.service_of,
                device_service=(lambda _: "") if tokens is None else tokens.device_service,
            ),
            self._ledger.load_usage(),
            settings=settings,
            tokens=tokens,
            token_policy=token_policy(self._config),
        )

    def _prices(self) -> PriceDesk:
        carbon = self.shape.carbon
        settings = PriceSettings(
            open_ns=2 * NS_PER_HOUR,
            zone="DE",
            currency="EUR" if carbon else "",
            has_carbon=carbon,
            has_residual=carbon,
            path=Pue(1_250_000) if carbon else None,
        )
        if not carbon:
            return PriceDesk(self._ledger.load_prices(), settings)
        return PriceDesk(
            self._ledger.load_prices(),
            settings,
            feeds=HourlyFeeds(self.clock),
            supplies=SupplyDesk(SupplyPlan(SUPPLY), {}, {}),
            tariffs=HourlyPrices(TARIFF),
            node=NodeDesk(OneMeter(self._host, self.shape.boards)),
        )

    def _snapshot(self, at: Instant) -> Snapshot:
        age_s = at.wall_ns // NS_PER_SECOND - self.start_s
        agent = AgentHealth(
            version="0.0.0",
            started_wall_ns=self.start_s * NS_PER_SECOND,
            cpu_ns=age_s * 10_000_000,
            resident_bytes=60_000_000,
            http_connections=1,
            http_requests={200: age_s // 15},
        )
        made = self._pipeline.snapshot(
            SamplerHealth(), ConfigHealth(loaded_wall_ns=self.start_s * NS_PER_SECOND), agent
        )
        ledger = LedgerHealth(
            writable=True, path="ledger.db", last_commit_wall_ns=at.wall_ns, size_bytes=65_536 + age_s
        )
        return replace(made, ledger=ledger)
