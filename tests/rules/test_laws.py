"""The laws of the ledger as properties, over arbitrary lives of a board and of the agent that watches it."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.gpu_model import GpuModel
from wattledger.rules.account import DeviceAccount, Entry, StateTotal
from wattledger.rules.book import BookPolicy
from wattledger.rules.correction import CorrectedEnergy, Correction
from wattledger.rules.energy import EnergyChoice
from wattledger.rules.host_book import HostBook, HostPolicy
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Sample, SourceKind
from wattledger.rules.state import State
from wattledger.rules.states import Circumstances

seconds = st.one_of(st.just(1.0), st.floats(0.2, 8), st.floats(10, 100_000))
events = st.one_of(
    st.tuples(st.just("tick"), seconds),
    st.tuples(st.just("power"), st.integers(0, 700)),
    st.tuples(st.just("work"), st.floats(0, 1)),
    st.tuples(st.just("pids"), st.sampled_from([(), (10,), None])),
    st.tuples(st.just("restart agent"), st.none()),
    st.tuples(st.just("lost"), seconds),
    st.tuples(st.just("counter fails"), st.booleans()),
    st.tuples(st.just("zero glitch"), st.none()),
    st.tuples(st.just("the same again"), st.none()),
    st.tuples(st.just("wall step"), st.integers(-(10**6), 10**6)),
    st.tuples(st.just("uptime"), st.tuples(st.integers(0, 60), st.booleans(), st.integers(-190, 190))),
    st.tuples(st.just("average fails"), st.booleans()),
    st.tuples(st.just("interval"), st.integers(10, 50)),
)
restarts = st.one_of(
    st.tuples(st.just("driver reload"), seconds),
    st.tuples(st.just("reboot"), seconds),
)
disasters = st.one_of(
    events,
    restarts,
    st.tuples(st.just("correction"), st.tuples(st.integers(500_000, 2_000_000), st.integers(-100_000, 100_000))),
    st.tuples(st.just("choice"), st.sampled_from(EnergyChoice)),
    st.tuples(st.just("power fails"), st.booleans()),
    st.tuples(st.just("leap"), st.integers(1, 2**50)),
)


@dataclass(slots=True)
class Life:
    """A board, the agent's book of it, and everything booked; the accounts alone survive an agent's restart."""

    gpu: GpuModel
    policy: BookPolicy = field(default_factory=BookPolicy)
    accounts: dict[str, DeviceAccount] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    book: HostBook | None = None
    boots: int = 1

    def tick(self, *, up: bool = True) -> None:
        if self.book is None:
            self.book = HostBook(self.accounts, self.host_policy())
        sample = Sample(self.gpu.at, SourceKind.SIM, self.gpu.host, (self.gpu.reading(up=up),))
        self.entries += self.book.read(sample)
        self.accounts = dict(self.book.accounts)

    def host_policy(self) -> HostPolicy:
        policy = self.policy
        return HostPolicy(book=lambda _: policy, circumstances=lambda _, __: Circumstances())

    def change(self, **changes: object) -> None:
        self.policy = replace(self.policy, **changes)  # type: ignore[arg-type]  # named fields of a known class
        if self.book is not None:
            self.book.apply(self.host_policy(), [self.gpu.reading().identity])

    def fail(self, *quantities: Quantity, fails: bool) -> None:
        for quantity in quantities:
            if fails:
                self.gpu.gaps[quantity] = Gap.FAILED
            else:
                self.gpu.gaps.pop(quantity, None)

    @property
    def account(self) -> DeviceAccount:
        return self.accounts[self.gpu.uuid]

    def live(self, name: str, value: object) -> None:
        gpu = self.gpu
        match name, value:
            case "tick", float(length):
                gpu.advance(length)
            case "power", int(watts):
                gpu.power_mw = watts * 1000
            case "work", float(ratio):
                gpu.utilization = ratio
            case "pids", pids:
                gpu.pids = pids  # type: ignore[assignment]  # the strategy draws tuples of int or None
            case "restart agent", _:
                self.book = None
            case "lost", float(length):
                gpu.advance(length)
                self.tick(up=False)
            case "counter fails", bool(fails):
                self.fail(Quantity.ENERGY_MJ, fails=fails)
            case "average fails", bool(fails):
                self.fail(Quantity.POWER_AVERAGE_MW, fails=fails)
            case "power fails", bool(fails):
                self.fail(Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW, fails=fails)
            case "the same again", _:
                self.tick()
            case "wall step", int(by_s):
                gpu.booted_wall_ns += by_s * NS_PER_SECOND
            case "uptime", (int(every_s), bool(is_carried), int(ppm)):
                gpu.uptime_every_ns = every_s * NS_PER_SECOND
                gpu.uptime_is_carried, gpu.uptime_ppm = is_carried, ppm
            case "interval", int(gap_s):
                self.change(energy=replace(self.policy.energy, gap_ns=gap_s * NS_PER_SECOND))
            case "correction", (int(gain_ppm), int(offset_mw)):
                self.change(correction=Correction(gain_ppm=gain_ppm, offset_mw=offset_mw))
            case "choice", EnergyChoice() as choice:
                self.change(energy=replace(self.policy.energy, choice=choice))
            case "zero glitch", _:
                gpu.overrides[Quantity.ENERGY_MJ] = 0
                self.tick()
                gpu.overrides.clear()
            case "driver reload", float(length):
                gpu.reset()
                gpu.advance(length)
            case "reboot", float(length):
                self.boots += 1
                self.book = None
                gpu.reboot(f"boot-{self.boots}")
                gpu.advance(length)
            case "leap", int(by_mj):
                gpu.counter_from_mw_ns -= by_mj * NS_PER_SECOND
        self.tick()


def consistent(account: DeviceAccount) -> None:
    assert sum(total.energy_mj for total in account.states.values()) == account.energy_mj
    assert sum(account.methods.values()) == account.energy_mj
    assert account.avoidable_mj <= account.states.get(State.HELD, StateTotal()).energy_mj


@settings(max_examples=200)
@given(st.lists(disasters, max_size=40), st.booleans(), st.booleans())
def test_conservation_states_and_methods_and_entries_sum_to_the_device(
    story: list[tuple[str, object]], has_counter: bool, has_uptime: bool
) -> None:
    life = Life(GpuModel(has_counter=has_counter, has_uptime=has_uptime))
    life.tick()
    for name, value in story:
        life.live(name, value)
        consistent(life.account)
        assert sum(entry.energy_mj for entry in life.entries) == life.account.energy_mj
        assert sum(entry.avoidable_mj for entry in life.entries) == life.account.avoidable_mj


@settings(max_examples=200)
@given(
    st.lists(disasters, max_size=40), st.booleans(), st.integers(500_000, 2_000_000), st.integers(-100_000, 100_000)
)
def test_monotony_no_counter_ever_falls(
    story: list[tuple[str, object]], has_uptime: bool, gain_ppm: int, offset_mw: int
) -> None:
    policy = BookPolicy(correction=Correction(gain_ppm=gain_ppm, offset_mw=offset_mw))
    life = Life(GpuModel(has_uptime=has_uptime), policy)
    life.tick()
    for name, value in story:
        before = life.account
        life.live(name, value)
        after = life.account
        for state, total in before.states.items():
            assert after.states[state].energy_mj >= total.energy_mj
            assert after.states[state].duration_ns >= total.duration_ns
        for method, energy_mj in before.methods.items():
            assert after.methods[method] >= energy_mj
        assert after.avoidable_mj >= before.avoidable_mj
        assert after.unknown_ns >= before.unknown_ns


@settings(max_examples=300)
@given(st.lists(events, max_size=40), st.booleans())
def test_nothing_lost_while_the_counter_lives(story: list[tuple[str, object]], has_uptime: bool) -> None:
    """Whatever agent and readings do, at the next good readings the books equal the truth to the millijoule."""
    life = Life(GpuModel(has_uptime=has_uptime))
    life.tick()
    start_mj = life.gpu.truth_mj
    for name, value in story:
        life.live(name, value)
    life.gpu.gaps = {}
    life.gpu.overrides = {}
    for _ in range(2):
        life.gpu.advance(1)
        life.tick()
    # Where power bridged a counter that failed for minutes, each seam may round by a millijoule.
    seams = len(story) if len(life.account.methods) > 1 else 0
    assert abs(life.account.energy_mj - (life.gpu.truth_mj - start_mj)) <= seams


@settings(max_examples=300)
@given(st.lists(st.one_of(events, restarts), max_size=40), st.booleans())
def test_nothing_is_counted_twice_and_no_energy_that_was_not_drawn(
    story: list[tuple[str, object]], has_uptime: bool
) -> None:
    """By the counter alone, over every kind of restart, the books never hold more than was drawn."""
    life = Life(GpuModel(has_uptime=has_uptime, has_average=False))
    life.fail(Quantity.POWER_INSTANT_MW, fails=True)
    life.tick()
    start_mj = life.gpu.truth_mj
    for name, value in story:
        life.live(name, value)
        assert life.account.energy_mj <= life.gpu.truth_mj - start_mj


@settings(max_examples=200)
@given(st.lists(events, max_size=40))
def test_every_second_since_first_sight_is_in_exactly_one_state(story: list[tuple[str, object]]) -> None:
    life = Life(GpuModel())
    life.tick()
    start_ns = life.gpu.mono_ns
    for name, value in story:
        life.live(name, value)
    life.gpu.gaps, life.gpu.overrides = {}, {}
    life.gpu.advance(1)
    life.tick()
    booked_ns = sum(total.duration_ns for total in life.account.states.values())
    assert booked_ns == life.gpu.mono_ns - start_ns


@settings(max_examples=100)
@given(st.lists(disasters, max_size=30))
def test_replay_the_same_input_gives_the_same_books(story: list[tuple[str, object]]) -> None:
    lives = [Life(GpuModel()), Life(GpuModel())]
    for life in lives:
        life.tick()
        for name, value in story:
            life.live(name, value)
    assert lives[0].accounts == lives[1].accounts
    assert lives[0].entries == lives[1].entries


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**10)), min_size=1, max_size=50),
    st.integers(500_000, 2_000_000),
    st.integers(-100_000, 100_000),
)
def test_a_correction_of_parts_sums_to_the_correction_of_the_whole(
    parts: list[tuple[int, int]], gain_ppm: int, offset_mw: int
) -> None:
    correction = Correction(gain_ppm=gain_ppm, offset_mw=offset_mw)
    by_parts, at_once = CorrectedEnergy(correction), CorrectedEnergy(correction)
    total = sum(by_parts.add(raw, duration) for raw, duration in parts)
    whole = at_once.add(sum(raw for raw, _ in parts), sum(duration for _, duration in parts))
    assert total >= whole
    if offset_mw >= 0:
        assert total == whole
