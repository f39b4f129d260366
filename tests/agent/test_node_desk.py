"""The whole node beside its GPUs: metered energy is priced as a boundary of its own, over restarts too."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.agent.fake_clock import FakeClock
from wattledger.agent.ledger import Ledger, SqliteLedger
from wattledger.agent.node_desk import NodeDesk
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.price_parts import PriceSettings
from wattledger.exporter.node import NodeSourceHealth
from wattledger.rules.account import DeviceAccount, Entry, StateTotal
from wattledger.rules.chain.chain import Pue, Stage
from wattledger.rules.chain.node_energy import NodeBasis
from wattledger.rules.chain.node_model import NODE, NodeReading, NodeSource
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.pricing.model import SLOT_NS, Boundary, TotalKind
from wattledger.rules.state import State

START_NS = 490_000 * NS_PER_HOUR
TICK_NS = 60 * NS_PER_SECOND
GPU_MJ = 30_000_000  # 500 W for a minute
NODE_MJ = 48_000_000  # 800 W
LOAD = (TotalKind.LOAD, (Boundary.NODE,))


@dataclass
class Controller:
    """A management controller with a counter of the node, which may fall silent."""

    energy_uj: int = 7_000_000
    silent: bool = False
    new: list[NodeReading] = field(default_factory=list)

    def start(self) -> None: ...
    def close(self) -> None: ...

    def pass_time(self, at: Instant) -> None:
        self.energy_uj += NODE_MJ * 1_000
        if not self.silent:
            self.new.append(NodeReading(NODE, NodeSource.REDFISH, at, energy_uj=self.energy_uj, period_ns=TICK_NS))

    def read(self, now: Instant) -> Sequence[NodeReading]:
        del now
        told, self.new = self.new, []
        return told

    def health(self) -> tuple[NodeSourceHealth, ...]:
        return (NodeSourceHealth(NodeSource.REDFISH, success=not self.silent),)


@dataclass
class Host:
    """A GPU and a controller, with a ledger that may be begun anew."""

    folder: Path
    controller: Controller = field(default_factory=Controller)
    minute: int = 0
    gpu_mj: int = 0
    overhead_mw: int | None = None

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.ledger: Ledger = SqliteLedger(self.folder, clock=FakeClock())
        prices = self.ledger.load_prices()
        meters = {
            (slot, key): energy for slot, found in prices.open_slots.items() for key, energy in found.meters.items()
        }
        self.node = node = NodeDesk(self.controller, prices.nodes, meters, overhead_mw=self.overhead_mw)
        self.desk = PriceDesk(prices, PriceSettings(open_ns=NS_PER_HOUR, path=Pue(1_500_000)), node=node)

    def restart(self) -> None:
        self.ledger.close()
        self.begin()

    def run(self, minutes: int) -> None:
        for _ in range(minutes):
            begin = Instant(self.minute * TICK_NS, START_NS + self.minute * TICK_NS)
            self.minute += 1
            end = Instant(self.minute * TICK_NS, START_NS + self.minute * TICK_NS)
            self.controller.pass_time(end)
            self.gpu_mj += GPU_MJ
            entry = Entry("GPU-1", State.ACTIVE, begin, end, GPU_MJ)
            account = DeviceAccount("GPU-1", states={State.ACTIVE: StateTotal(self.gpu_mj, end.mono_ns)})
            self.ledger.commit({"GPU-1": account}, (entry,), end, prices=self.desk.book((entry,), end, "boot"))

    @property
    def now(self) -> Instant:
        return Instant(self.minute * TICK_NS, START_NS + self.minute * TICK_NS)

    def totals(self) -> dict[tuple[TotalKind, tuple[str, ...]], int]:
        return {total.key: total.shown for total in self.desk.view(self.now, ()).totals}


def facility(host: Host) -> int:
    return host.totals()[TotalKind.LOAD, (Boundary.FACILITY,)]


def test_a_metered_node_is_a_boundary_of_its_own_and_losses_are_on_top_of_it(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(60)
    # The first reading begins the account: the minute before it is not known.
    assert host.totals()[LOAD] == 59 * NODE_MJ
    assert facility(host) == 59 * NODE_MJ * 3 // 2
    view = host.desk.node_view(host.now)
    assert view.basis is NodeBasis.METERED
    assert view.facility is not None
    assert view.facility.losses_mj == {Stage.OVERHEAD: 59 * NODE_MJ // 2}
    assert view.facility.total_mj == facility(host)
    host.ledger.close()


def test_a_restart_goes_on_with_the_meter_and_with_what_it_counted_in_open_hours(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(50)
    before = host.totals()[LOAD]
    host.restart()
    host.run(10)
    assert host.totals()[LOAD] == before + 10 * NODE_MJ == 59 * NODE_MJ
    assert host.desk.node_view(host.now).totals[0].energy_mj == 59 * NODE_MJ
    host.ledger.close()


def test_an_hour_that_closes_keeps_what_the_node_took(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(125)
    (first, *_) = host.ledger.price_history(START_NS, START_NS + NS_PER_HOUR)
    assert first.final
    assert first.boundaries[Boundary.NODE].energy_mj == 59 * NODE_MJ
    assert first.boundaries[Boundary.GPU].energy_mj == 60 * GPU_MJ
    assert min(host.ledger.load_prices().open_slots) >= (START_NS + NS_PER_HOUR) // (NS_PER_HOUR // 4)
    host.ledger.close()


def test_a_node_whose_meter_is_silent_is_not_claimed_and_losses_are_on_top_of_the_gpus(tmp_path: Path) -> None:
    host = Host(tmp_path, Controller(silent=True))
    host.run(60)
    assert LOAD not in host.totals()
    assert facility(host) == 60 * GPU_MJ * 3 // 2
    assert host.desk.node_view(host.now).basis is NodeBasis.PARTIAL
    host.ledger.close()


def test_a_quarter_hour_that_is_priced_anew_says_nothing_of_how_the_node_is_known_now(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(60)
    before_the_meter = START_NS // SLOT_NS - 1
    energy, _ = host.node.energy(before_the_meter, GPU_MJ, host.now.wall_ns)
    assert energy.basis is NodeBasis.PARTIAL
    assert host.desk.node_view(host.now).basis is NodeBasis.METERED
    host.ledger.close()


def test_a_configured_overhead_stands_in_for_a_meter_and_is_an_estimate(tmp_path: Path) -> None:
    host = Host(tmp_path, Controller(silent=True), overhead_mw=100_000)
    host.run(60)
    assert host.totals()[LOAD] == 60 * GPU_MJ + 100 * 3_600 * 1_000
    assert host.desk.node_view(host.now).basis is NodeBasis.ESTIMATED
    host.ledger.close()
