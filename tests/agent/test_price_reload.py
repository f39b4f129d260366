"""A configuration that is read again prices energy as one that the agent was started with."""

import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.daemon_process import DaemonProcess
from tests.agent.fake_clock import FakeClock
from tests.rules.gpu_model import GpuModel
from wattledger.agent.config import Config, load_config
from wattledger.agent.feeds.desk import FeedDesk
from wattledger.agent.ledger import Ledger, MemoryLedger
from wattledger.agent.pipeline import Pipeline, SamplerHealth, fresh_limit_ns
from wattledger.agent.policy import host_policy, usage_settings
from wattledger.agent.price_build import price_desk
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.usage_desk import UsageDesk
from wattledger.agent.workloads.attribution import Attribution
from wattledger.agent.workloads.simulated import SimulatedProcesses
from wattledger.exporter.prices import PricesView
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import HourPrice, TotalKind
from wattledger.rules.reading import Sample, SourceKind
from wattledger.rules.tokens.policy import TokenPolicy

PRICE = "wattledger_price_per_kwh"
COST = "wattledger_cost_total"
HOUR = 490_000
TEXTS = (
    "interval: 1s\n",
    "carbon: {feeds: [{kind: static, zone: DE, value: 400}]}\n",
    "carbon: {feeds: [{kind: static, zone: DE, value: 100}]}\ntariff: {currency: EUR, price: 0.25}\n",
    """
carbon: {feeds: [{kind: static, zone: DE, value: 100}]}
facility: {pue: 1.5}
supply: [{kind: certificates, name: gec, certificates: [{name: T-1, mwh: 1, vintage: 2025, unbundled: true}]}]
""",
)


@dataclass(slots=True)
class Host:
    """One board whose samples go through a pipeline, under one of the configurations."""

    configs: list[Config]
    ledger: Ledger = field(default_factory=MemoryLedger)
    clock: FakeClock = field(default_factory=lambda: FakeClock(mono_ns=0, wall_ns=HOUR * NS_PER_HOUR))
    gpu: GpuModel = field(
        default_factory=lambda: GpuModel(mono_ns=0, booted_wall_ns=HOUR * NS_PER_HOUR, power_mw=400_000)
    )
    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        self.start(0)

    def start(self, number: int) -> None:
        """Begin as an agent that is started under the configuration of that number."""
        config = self.configs[number]
        settings = usage_settings(config)
        self.pipeline = Pipeline(
            kind=SourceKind.SIM,
            ledger=self.ledger,
            clock=self.clock,
            policy=host_policy(config),
            usage=UsageDesk(
                Attribution(self.clock, SimulatedProcesses(), settings=settings.workloads),
                self.ledger.load_usage(),
                settings=settings,
                token_policy=TokenPolicy(),
            ),
            prices=self.prices(number),
            fresh_ns=fresh_limit_ns(config.interval_ns),
        )

    def restart(self, number: int) -> None:
        """Stop, and start under another configuration."""
        self.pipeline.close()
        self.start(number)

    def reload(self, number: int) -> None:
        """Go on under another configuration."""
        config = self.configs[number]
        self.pipeline.apply(
            host_policy(config),
            usage_settings(config),
            fresh_ns=fresh_limit_ns(config.interval_ns),
            prices=lambda: self.prices(number),
        )

    def prices(self, number: int) -> PriceDesk:
        """Give the desk of that configuration, all of whose feeds have answered."""
        desk = price_desk(
            self.configs[number],
            clock=self.clock,
            ledger=self.ledger,
            state_dir=None,
            environment={},
            has_meters=False,
        )
        self.pass_time(5)  # the first turn comes by chance within that time
        if isinstance(desk._feeds, FeedDesk):
            desk._feeds.turn()
        return desk

    def hours(self) -> list[HourPrice]:
        """Give what the ledger has of hours."""
        return self.ledger.price_history(0, 2**62)

    def pass_time(self, seconds: float) -> None:
        """Let the board draw."""
        self.clock.advance(seconds)
        self.gpu.advance(seconds)

    def tick(self, seconds: float) -> PricesView:
        """Let time pass, and give what the page shows of grams and money."""
        self.pass_time(seconds)
        self.pipeline.take(Sample(self.gpu.at, SourceKind.SIM, self.gpu.host, (self.gpu.reading(),), ()))
        shown = self.pipeline.snapshot(SamplerHealth(), ConfigHealth(), AgentHealth(version="1", started_wall_ns=0))
        return shown.prices


def configs(folder: Path) -> list[Config]:
    found = []
    for number, text in enumerate(TEXTS):
        file = folder / f"{number}.yml"
        file.write_text(text)
        found.append(load_config(file, environment={}, is_root=True).config)
    return found


def shown(view: PricesView) -> dict[tuple[TotalKind, tuple[str, ...]], int]:
    return {total.key: total.shown for total in view.totals}


STEPS = st.lists(
    st.tuples(st.sampled_from([1.0, 60.0, 700.0, 3600.0]), st.none() | st.integers(0, len(TEXTS) - 1)),
    min_size=1,
    max_size=14,
)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> list[Config]:
    return configs(tmp_path_factory.mktemp("configs"))


@given(STEPS)
def test_a_reload_is_worth_a_restart_and_no_counter_falls(
    known: list[Config], steps: list[tuple[float, int | None]]
) -> None:
    one, other = Host(known), Host(known)
    before: dict[tuple[TotalKind, tuple[str, ...]], int] = {}
    for seconds, number in steps:
        if number is not None:
            one.reload(number)
            other.restart(number)
            assert one.hours() == other.hours()
        after = shown(one.tick(seconds))
        assert after == shown(other.tick(seconds))
        assert all(after[key] >= value for key, value in before.items())
        before = after
    one.pipeline.close()
    other.pipeline.close()
    assert one.hours() == other.hours()


def test_a_tariff_comes_changes_and_goes_by_sighup(tmp_path: Path) -> None:
    config = tmp_path / "wattledger.yml"
    config.write_text("states: {dwell: 1s}\n")
    state = tmp_path / "state"
    with DaemonProcess(state, "--config", str(config), source="sim") as daemon:
        assert not daemon.wait_ticks(2).has(COST)
        config.write_text("tariff: {currency: EUR, price: 0.25}\n")
        daemon.signal(signal.SIGHUP)
        first = daemon.wait_for(lambda page: page if page.has(COST, currency="EUR") else None, "a cost")
        assert first.value(PRICE) == 0.25
        config.write_text("tariff: {currency: EUR, price: 1.5}\n")
        daemon.signal(signal.SIGHUP)
        dear = daemon.wait_for(lambda page: page if page.value(PRICE) == 1.5 else None, "the new price")
        assert dear.value(COST, boundary="gpu") >= first.value(COST, boundary="gpu")
        assert "takes effect at the next start" not in daemon.logged()
        config.write_text("tariff: {currency: EUR, price: 1,5}\n")
        daemon.signal(signal.SIGHUP)
        kept = daemon.wait_for(
            lambda page: page if page.value("wattledger_config_last_reload_successful") == 0 else None, "a refusal"
        )
        assert kept.value(PRICE) == 1.5
        config.write_text("states: {dwell: 1s}\n")
        daemon.signal(signal.SIGHUP)
        gone = daemon.wait_for(lambda page: None if page.has(PRICE) else page, "no price")
        assert gone.value(COST, boundary="gpu") >= kept.value(COST, boundary="gpu"), "what was booked stays"
