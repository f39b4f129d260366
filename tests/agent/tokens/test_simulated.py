"""What simulated boards serve: counters that follow from their stories, and joules per token from both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.fake_clock import FakeClock
from wattledger.agent.config import Config
from wattledger.agent.ledger import Usage
from wattledger.agent.policy import host_policy, usage_settings
from wattledger.agent.sources.sim_board import Board
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.agent.sources.sim_story import Doing
from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.simulated import READ_EVERY_NS, TRADES, SimulatedTokens, service_name, tokens_of
from wattledger.agent.usage_desk import UsageDesk
from wattledger.agent.workloads.attribution import Attribution
from wattledger.agent.workloads.simulated import SimulatedPods, SimulatedProcesses
from wattledger.rules.host_book import HostBook
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tokens.model import CounterClass, Role, TokenKind, TokenRead, Withheld
from wattledger.rules.tokens.policy import TokenPolicy
from wattledger.rules.tokens.server import inspect, read_page
from wattledger.rules.tokens.totals import COVERED_PHASES, Phase, Scope, ServiceWindow
from wattledger.rules.tokens.view import Per, ServiceView

MS = 1_000_000
TEN_MINUTES = 600
PROMPTS = (TokenKind.PROMPT_COMPUTED, TokenKind.PROMPT_CACHED)


def boards_of(host: SimHost) -> dict[str, list[Board]]:
    """Give the boards of each service."""
    found: dict[str, list[Board]] = {}
    for board in host.boards:
        if board.role.name in TRADES:
            found.setdefault(service_name(board), []).append(board)
    return found


def served(boards: Sequence[Board], kinds: Sequence[TokenKind], from_ns: int, to_ns: int) -> int:
    """Give the tokens of *kinds* by the closed form, where no process ends between two moments."""
    return sum(
        tokens_of(board, counter, to_ns) - tokens_of(board, counter, from_ns)
        for board in boards
        for counter in TRADES[board.role.name].counters
        if counter.kind in kinds
    )


def holders(host: SimHost, clock: FakeClock) -> dict[str, frozenset[int]]:
    """Give who holds each board now."""
    return {
        reading.identity.uuid: frozenset(process.pid for process in reading.processes or ())
        for reading in host.sample(clock.now()).devices
    }


@dataclass
class Life:
    """An agent on a simulated host, tick by tick, with the books that it keeps."""

    fleet: Fleet = field(default_factory=Fleet)
    clock: FakeClock = field(default_factory=FakeClock)
    windows: list[ServiceWindow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = SimHost(self.fleet, boot_id="a")
        self.boards = boards_of(self.host)
        self._tokens = SimulatedTokens(self.clock, self.fleet)
        usage = usage_settings(Config())
        attribution = Attribution(
            self.clock,
            SimulatedProcesses(),
            settings=usage.workloads,
            pods=SimulatedPods(),
            service_of=self._tokens.service_of,
            device_service=self._tokens.device_service,
        )
        self._desk = UsageDesk(attribution, Usage(), settings=usage, tokens=self._tokens, token_policy=TokenPolicy())
        self._book = HostBook({}, host_policy(Config()))

    def go_on(self, seconds: int) -> "Life":
        for _ in range(seconds):
            self.clock.advance(1)
            sample = self.host.sample(self.clock.now())
            self._desk.look(sample)
            readings = {reading.identity.uuid: reading for reading in sample.devices}
            entries = self._book.read(sample)
            commit = self._desk.book(entries, readings, self._book.book_of, sample.at)
            self.windows += [window for _, window in commit.windows]
        return self

    def of(self, service: str) -> list[ServiceWindow]:
        return [window for window in self.windows if window.service == service]

    def view(self, service: str) -> ServiceView:
        return next(view for view in self._desk.services() if view.service == service)


@pytest.fixture(scope="module")
def life() -> Life:
    """Ten minutes of a host of 16 boards: two services of each role but training, which is one."""
    return Life(Fleet(count=16)).go_on(TEN_MINUTES)


@pytest.mark.parametrize(
    ("service", "per", "kinds"),
    [
        ("chat", Per.OUTPUT, (TokenKind.OUTPUT,)),
        ("chat-1", Per.OUTPUT, (TokenKind.OUTPUT,)),
        ("chat", Per.TOTAL, (TokenKind.OUTPUT, *PROMPTS)),
        ("search", Per.TOTAL, PROMPTS),
        ("search-1", Per.COMPUTED, (TokenKind.PROMPT_COMPUTED,)),
        ("pretrain", Per.TRAINING, (TokenKind.OUTPUT,)),
    ],
)
def test_joules_per_token_are_those_of_the_story(
    life: Life, service: str, per: Per, kinds: tuple[TokenKind, ...]
) -> None:
    boards, windows = life.boards[service], [one for one in life.of(service) if one.phase in COVERED_PHASES]
    start_ns, end_ns = windows[0].start.mono_ns, windows[-1].end.mono_ns
    assert end_ns - start_ns > 580 * NS_PER_SECOND
    assert all(before.end == after.start for before, after in pairwise(windows))

    def truth(from_ns: int) -> float:
        drawn_mj = sum(life.host.truth_mj(board.identity.index, from_ns, end_ns) for board in boards)
        return drawn_mj / 1000 / served(boards, kinds, from_ns, end_ns)

    counted = sum(tokens[kind] for one in windows for tokens in one.tokens.values() for kind in kinds)
    assert counted == served(boards, kinds, start_ns, end_ns)
    booked_mj = sum(one.total_mj for one in windows)
    assert booked_mj / 1000 / counted == pytest.approx(truth(start_ns), rel=0.005)

    view = life.view(service)
    (shown,) = (one.joules for one in view.ratios if (one.per, one.scope) == (per, Scope.TOTAL))
    assert view.window_ns >= 300 * NS_PER_SECOND
    assert shown == pytest.approx(truth(end_ns - view.window_ns), rel=0.005)


def test_an_output_token_takes_what_was_published_for_such_a_model(life: Life) -> None:
    for service in ("chat", "chat-1"):
        (active,) = (
            one.joules for one in life.view(service).ratios if (one.per, one.scope) == (Per.OUTPUT, Scope.ACTIVE)
        )
        assert 0.07 < active < 0.46  # 8B on an H100, batches of 768 and of 8


def test_who_puts_nothing_out_has_no_joules_per_output_token(life: Life) -> None:
    assert {one.per for one in life.view("search").ratios} == {Per.TOTAL, Per.COMPUTED}


def test_each_service_is_known_by_its_role(life: Life) -> None:
    assert set(life.boards) == {"chat", "chat-1", "search", "search-1", "assistant", "assistant-1", "pretrain"}
    known = {name: life.view(name) for name in life.boards}
    assert {view.server for view in known.values()} == {"vllm", "llamacpp", "push"}
    assert known["pretrain"].role is Role.TRAINING
    assert known["pretrain"].devices == 2
    assert known["assistant"].counter_class is CounterClass.FINISH


def test_no_token_of_a_server_that_starts_anew_each_day_is_lost(life: Life) -> None:
    (board,) = life.boards["assistant"]
    story, windows = board.physics.story, life.of("assistant")
    end_ns = windows[-1].end.mono_ns
    days = [window.start.mono_ns for window in windows if window.phase is Phase.STARTING]
    assert len(days) >= 4
    counted = sum(
        tokens[TokenKind.OUTPUT]
        for window in windows
        for tokens in window.tokens.values()
        if window.start.mono_ns >= days[0] and window.phase in COVERED_PHASES
    )
    starts_ns = [story.cycle_start_ns(day_ns) for day_ns in days]
    ends_ns = [start_ns - 1 for start_ns in starts_ns[1:]] + [end_ns]
    output = next(one for one in TRADES[board.role.name].counters if one.kind is TokenKind.OUTPUT)
    assert counted == sum(tokens_of(board, output, end_ns) for end_ns in ends_ns) > 10_000
    assert not any(window.lossy for window in life.windows)


def test_a_server_that_loads_or_is_away_answers_nothing() -> None:
    clock = FakeClock()
    host, tokens = SimHost(boot_id="a"), SimulatedTokens(clock)
    (board,) = boards_of(host)["assistant"]
    details: dict[str, set[Doing]] = {}
    processes: dict[str, list[int]] = {}
    for _ in range(360):
        clock.advance(1)
        tokens.observe(holders(host, clock))
        for read in tokens.drain():
            if read.service != "assistant":
                assert read.page is not None
            elif read.page is None:
                assert read.problem is Withheld.UNREACHABLE
                details.setdefault(read.detail, set()).add(board.physics.story.doing(read.at.mono_ns))
            else:
                assert read.started is not None
                assert read.started.mono_ns < read.at.mono_ns
                assert read.started.ns_since(read.at) == read.started.wall_ns - read.at.wall_ns
                output = next(one.value for one in read.page.counts.values() if one.kind is TokenKind.OUTPUT)
                processes.setdefault(read.process, []).append(int(output))
    assert details == {"its process has ended": {Doing.EMPTY}, "HTTP 503: loading the model": {Doing.LOADING}}
    assert 3 <= len(processes) <= 4
    assert all(counts == sorted(counts) and counts[0] < 300 for counts in list(processes.values())[1:])
    assert not any(count % 300 for counts in processes.values() for count in counts)


@given(
    st.integers(0, 10**17),
    st.lists(st.integers(0, 200 * NS_PER_SECOND), min_size=2, max_size=6).map(sorted),
    st.sampled_from(["h100", "p40", "b200"]),
)
@settings(max_examples=60)
def test_no_counter_falls_while_its_process_lives(start_ns: int, steps_ns: list[int], profile: str) -> None:
    for board in SimHost(Fleet(count=3, profiles=(profile,)), boot_id="a").boards:
        for counter in TRADES[board.role.name].counters:
            values = [tokens_of(board, counter, start_ns + step_ns) for step_ns in steps_ns]
            assert values == sorted(values)
            assert values[0] >= 0


def test_a_counter_is_the_sum_over_every_millisecond() -> None:
    board = boards_of(SimHost(boot_id="a"))["chat"][0]
    for counter in TRADES["chat"].counters:
        rates, start_ns, length_ms = dict(counter.rates), 1_234_567 * MS, 45_000
        thousandths = sum(
            rates.get(board.physics.story.doing(start_ns + number * MS), 0) for number in range(length_ms)
        )
        counted = tokens_of(board, counter, start_ns + length_ms * MS) - tokens_of(board, counter, start_ns)
        assert counted == pytest.approx(thousandths / 1000, rel=0.001)
        assert counted > 0


@given(st.integers(0, 10**17), st.integers(1, 40), st.integers(0, 4 * NS_PER_SECOND))
@settings(max_examples=40)
def test_whoever_asks_reads_the_same(start_ns: int, seconds: int, late_ns: int) -> None:
    """A read depends on its moment, which depends on neither the ticks nor what was read before."""

    def lives(delays_ns: Iterator[int]) -> dict[tuple[str, int], TokenRead]:
        clock = FakeClock(mono_ns=start_ns)
        tokens = SimulatedTokens(clock)
        tokens.observe(dict.fromkeys(uuids, ()))
        found = {}
        for delay_ns in delays_ns:
            clock.advance_ns(delay_ns)
            for read in tokens.drain():
                assert 0 <= clock.now().ns_since(read.at) < READ_EVERY_NS
                assert (read.service, read.at.mono_ns) not in found
                found[read.service, read.at.mono_ns] = read
        return found

    uuids = [board.identity.uuid for board in SimHost().boards]
    steady = lives(iter([NS_PER_SECOND] * (seconds + 10)))
    later = lives(iter([late_ns, *[700 * MS] * seconds]))
    both = steady.keys() & later.keys()
    assert {key: steady[key] for key in both} == {key: later[key] for key in both}
    assert len(steady) >= 4 * (seconds + 5) // 5 - 4


def test_the_books_are_the_same_each_time() -> None:
    assert Life().go_on(90).windows == Life().go_on(90).windows


def test_services_are_those_of_the_boards_that_are_there() -> None:
    clock = FakeClock()
    host, tokens = SimHost(boot_id="a"), SimulatedTokens(clock)
    here = holders(host, clock)
    tokens.observe(here)
    services = tokens.services()
    tokens.observe(holders(host, clock))
    assert tokens.services() is services
    boards = {service.name: boards_of(host)[service.name][0].identity.uuid for service in services}
    assert list(boards) == ["assistant", "chat", "pretrain", "search"]
    assert {service.name: service.pids for service in services} == {name: here[uuid] for name, uuid in boards.items()}
    assert {tokens.service_of(pid) for service in services for pid in service.pids} <= set(boards)
    strangers = {pid for uuid, found in here.items() if uuid not in boards.values() for pid in found} | {1, 10**9}
    assert {tokens.service_of(pid) for pid in strangers} == {""}
    assert {tokens.device_service(uuid) for uuid in here} == {""}

    del here[boards["chat"]]
    tokens.observe({**here, "GPU-of-another-host": {1}})
    assert [service.name for service in tokens.services()] == ["assistant", "pretrain", "search"]
    clock.advance(10)
    assert {read.service for read in tokens.drain()} == {"assistant", "pretrain", "search"}
    tokens.close()
    clock.advance(10)
    assert tokens.services() == ()
    assert tokens.drain() == []


def test_a_board_that_is_cut_serves_nothing() -> None:
    clock, fleet = FakeClock(), Fleet(mig=(0,))
    host, tokens = SimHost(fleet, boot_id="a"), SimulatedTokens(clock, fleet)
    tokens.observe(holders(host, clock))
    assert [service.name for service in tokens.services()] == ["assistant", "pretrain", "search"]
    assert all(
        tokens.service_of(process.pid) == "" for process in host.boards[0].reading(clock.now()).processes or ()
    )


@pytest.mark.parametrize("role", ["chat", "embedding", "office"])
def test_the_pages_are_those_that_the_catalogue_reads(role: str) -> None:
    """Each series counts as what the catalogue takes it for, and when it says that the server counts."""
    clock, trade = FakeClock(), TRADES[role]
    host, tokens = SimHost(boot_id="a"), SimulatedTokens(clock)
    tokens.observe(holders(host, clock))
    page = None
    while page is None:
        clock.advance(5)
        page = next(read.page for read in tokens.drain() if read.service == trade.service)
    spec = next(one for one in load_catalogue() if one.key == trade.server)
    samples = tuple((name, labels, count.value) for (name, labels), count in page.counts.items())
    facts = inspect(spec, samples, ())
    assert facts.counter_class is trade.counter_class
    assert facts.role is trade.role
    assert read_page(spec, samples, facts, trade.model).counts == page.counts
