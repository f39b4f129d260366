"""The law: whatever happens to exporter, sampler and daemon, what is drawn between two collections is booked once."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.dcgm_exporter import NS, Burst, DcgmExporter, FakeBoard, Fault
from tests.agent.fake_clock import FakeClock
from wattledger.agent.capture.anonymise import Anonymiser
from wattledger.agent.capture.format import CaptureWriter, Header
from wattledger.agent.config import Config, SourceChoice, SourceMode
from wattledger.agent.policy import host_policy
from wattledger.agent.sources.base import SourceError
from wattledger.agent.sources.dcgm import DcgmSource
from wattledger.agent.sources.replay import ReplaySource
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.host_book import HostBook
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import Sample, SourceKind
from wattledger.rules.state import Method, State

COLLECT_S = 30
ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
POLICY = host_policy(
    Config(state_dir=Path("/nowhere"), source=SourceChoice(SourceMode.DCGM, url="http://127.0.0.1:9400/metrics"))
)


@dataclass
class Host:
    """An exporter that collects every half minute, a source that is read every second, and its books."""

    exporter: DcgmExporter
    clock: FakeClock
    board: FakeBoard
    source: DcgmSource
    seconds: int = 0
    book: HostBook = field(default_factory=lambda: HostBook({}, POLICY))
    entries: list[Entry] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    begun_mj: int | None = None

    def run(self, seconds: int, *, collects: bool = True) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.seconds += 1
            if collects and self.seconds % COLLECT_S == 0:
                self.exporter.collect()
            try:
                sample = self.source.read(self.clock.now())
            except SourceError:
                self.anew()
                continue
            for reading in sample.devices:
                if self.begun_mj is None:
                    self.begun_mj = reading.integer(Quantity.ENERGY_MJ)
            self.samples.append(sample)
            self.entries += self.book.read(sample)

    def anew(self) -> None:
        """Start the sampler again."""
        self.source = DcgmSource(self.exporter.url, self.clock)
        self.source.open()

    def daemon(self) -> None:
        """Start the daemon again, on what the ledger has."""
        self.anew()
        accounts = {uuid: replace(account) for uuid, account in self.book.accounts.items()}
        self.book = HostBook(accounts, POLICY)

    def away(self, fault: Fault, seconds: int) -> None:
        self.exporter.fault = fault
        self.run(seconds)
        self.exporter.fault = Fault.NONE

    def blank(self, seconds: int) -> None:
        self.board.blanks = {ENERGY: "9223372036854775794"}
        self.run(seconds)
        self.board.blanks = {}

    def lost(self, seconds: int) -> None:
        self.exporter.lose(self.board)
        self.run(seconds)
        self.exporter.find(self.board)

    @property
    def account(self) -> DeviceAccount:
        return self.book.accounts[self.board.uuid]


def host(burst: Burst, *, limit_w: int | None = None) -> Host:
    clock = FakeClock()
    board = FakeBoard(0, burst=burst, utilization=100, limit_w=limit_w)
    exporter = DcgmExporter(board, now_ns=lambda: clock.now().mono_ns)
    made = Host(exporter, clock, board, DcgmSource(exporter.url, clock))
    made.source.open()
    return made


def check(made: Host) -> None:
    """Fail unless everything since the first collection is booked from the counter, and nothing twice."""
    account = made.account
    assert account.anchor is not None
    assert made.begun_mj is not None
    assert account.anchor.counter_mj == made.board.counter_mj
    assert account.energy_mj == made.board.counter_mj - made.begun_mj
    assert account.methods == {Method.COUNTER: account.energy_mj}
    assert (account.counter_resets, account.rejected_segments) == (0, 0)


FULL = Burst(700_000, 700_000)
EVENTS = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 100)),
    st.tuples(st.just("anew"), st.just(0)),
    st.tuples(st.just("daemon"), st.just(0)),
    st.tuples(st.just("away"), st.integers(1, 200)),
    st.tuples(st.just("blank"), st.integers(1, 100)),
    st.tuples(st.just("lost"), st.integers(1, 100)),
)


@settings(max_examples=12)
@given(st.lists(EVENTS, max_size=6))
def test_what_a_board_at_its_limit_draws_is_booked_once(story: list[tuple[str, int]]) -> None:
    made = host(FULL, limit_w=700)
    with made.exporter:
        made.run(45)
        for event, seconds in story:
            match event:
                case "run":
                    made.run(seconds)
                case "anew":
                    made.anew()
                case "daemon":
                    made.daemon()
                case "away":
                    made.away(Fault.STATUS, seconds)
                case "blank":
                    made.blank(seconds)
                case _:
                    made.lost(seconds)
        made.run(2 * COLLECT_S)
        made.run(COLLECT_S + 5, collects=False)
        check(made)


def test_a_counter_that_is_missing_for_a_while_is_waited_for() -> None:
    made = host(Burst(400_000, 300_000, 2 * COLLECT_S * NS, COLLECT_S * NS))
    with made.exporter:
        made.run(95)
        made.blank(70)  # with power that changes, so that each collection is seen
        made.run(60)
        made.run(35, collects=False)
        check(made)


def test_a_daemon_that_starts_between_two_collections_books_no_moment_twice() -> None:
    """What the first page has is up to half a minute old: taken for new, half a minute's joules fall into seconds."""
    made = host(FULL, limit_w=700)
    with made.exporter:
        made.run(95)
        for _ in range(5):
            made.run(20)
            made.daemon()
            made.run(40)
        made.run(35, collects=False)
        check(made)
    watts = [entry.energy_mj * NS // entry.duration_ns // 1000 for entry in made.entries if entry.method is not None]
    assert len(watts) >= 7
    assert 600 < min(watts) <= max(watts) < 800, watts


def test_work_is_booked_as_active_and_nothing_as_unobserved() -> None:
    made = host(FULL)
    with made.exporter:
        made.run(605)
        check(made)
        assert made.account.states.keys() == {State.ACTIVE}
        assert made.account.states[State.ACTIVE].energy_mj == made.account.energy_mj


def test_between_work_and_rest_the_board_counts_as_active() -> None:
    """Seen at work and half a minute later at rest: it may have worked until just before, so idleness is not said."""
    made = host(FULL)
    made.board.max_sm_clock_mhz, made.board.sm_clock_mhz = 1980, 1980
    with made.exporter:
        made.run(95)
        working_mj = made.account.energy_mj
        made.board.utilization = 0
        made.run(30)
        assert made.account.states.keys() == {State.ACTIVE}
        assert made.account.energy_mj > working_mj
        made.run(30)
        assert State.HELD in made.account.states


def test_a_long_outage_is_time_in_which_nobody_looked() -> None:
    made = host(FULL)
    with made.exporter:
        made.run(100)
        made.away(Fault.STATUS, 400)
        made.run(65)
        made.run(35, collects=False)
        check(made)
        unobserved = made.account.states[State.UNOBSERVED]
        assert unobserved.duration_ns > 350 * NS
        assert unobserved.energy_mj == pytest.approx(unobserved.duration_ns * 700_000 / NS, rel=0.01)


def test_held_power_is_not_summed_up_and_new_power_is() -> None:
    """Without a counter: one look in half a minute, joined by the trapezoid, and not what the page repeats."""
    made = host(Burst(400_000, 399_999, 2 * COLLECT_S * NS, COLLECT_S * NS))
    made.board.without = frozenset({ENERGY})
    with made.exporter:
        made.run(95)
        before = made.account
        assert before.methods.keys() == {Method.INSTANT_POWER}
        made.board.burst = Burst(100_000, 100_000)
        made.run(30)
        grown_mj = made.account.energy_mj - before.energy_mj
        assert grown_mj == pytest.approx(250_000 * 30, rel=0.05)


def test_its_capture_is_booked_as_it_was_whatever_the_configuration_calls_the_source(tmp_path: Path) -> None:
    made = host(FULL)
    made.run(600)
    path = tmp_path / "seldom.jsonl"
    with CaptureWriter(
        path, Header(source=SourceKind.DCGM, started=made.samples[0].at, interval_ns=NS, anonymised=True)
    ) as file:
        for sample in made.samples:
            file.write(Anonymiser(b"key").frame(sample))
    replay = ReplaySource(path, realtime=False)
    replay.open()
    book = HostBook({}, host_policy(Config(source=SourceChoice(SourceMode.REPLAY, path=path))))
    for sample in made.samples:
        book.read(replay.read(sample.at))
    replay.close()
    (account,) = book.accounts.values()
    assert account.states == made.account.states
    assert account.states.keys() <= {State.ACTIVE, State.UNKNOWN}
    assert account.energy_mj > 0
