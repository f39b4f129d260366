"""Counters of before a restart, as the ledger's hours have them: exact between hours, and enough for long windows."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import EPOCH_WALL_NS, FakeClock, entry, uuid_of
from tests.exporter.snapshots import reading, snapshot, view
from wattledger.agent.ledger import MemoryLedger, SqliteLedger
from wattledger.agent.ledger.base import HistoryRow, Ledger
from wattledger.agent.ruler.refill import refill, refilled
from wattledger.exporter.catalog import FAMILIES
from wattledger.exporter.series import SeriesReader
from wattledger.exporter.snapshot import DeviceView, Snapshot
from wattledger.rules.account import DeviceAccount, Entry, StateTotal
from wattledger.rules.alerting import RecordingRule, RuleGroup
from wattledger.rules.history import History, Interests, interests_of
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.labels import value_of
from wattledger.rules.promql.model import Labels, Vector
from wattledger.rules.state import Method, State

HOUR_S, DAY_S = 3600, 86_400
ENERGY = "wattledger_gpu_energy_joules_total"
STATE_ENERGY = "wattledger_gpu_state_energy_joules_total"
STATE_SECONDS = "wattledger_gpu_state_seconds_total"
AVOIDABLE = "wattledger_gpu_avoidable_energy_joules_total"
ALL = (ENERGY, STATE_ENERGY, STATE_SECONDS, AVOIDABLE)


def ms(seconds: float) -> int:
    """Give the Unix milliseconds *seconds* after the epoch of the tests."""
    return EPOCH_WALL_NS // 1_000_000 + int(seconds * 1000)


def wanting(*expressions: str) -> Interests:
    rules = tuple(RecordingRule("r", compile_expression(text)) for text in expressions)
    return interests_of([RuleGroup("g", "f.yml", rules)])


def wanting_all(window: str) -> Interests:
    return wanting(*(f"increase({name}[{window}])" for name in ALL))


@dataclass(slots=True)
class Books:
    """A ledger and the accounts that its entries add up to."""

    ledger: Ledger
    accounts: dict[str, DeviceAccount] = field(default_factory=dict)

    def book(self, entries: Iterable[Entry]) -> None:
        booked = list(entries)
        for one in booked:
            account = self.accounts.get(one.uuid) or DeviceAccount(one.uuid)
            before = account.states.get(one.state, StateTotal())
            total = StateTotal(before.energy_mj + one.energy_mj, before.duration_ns + one.duration_ns)
            self.accounts[one.uuid] = replace(
                account,
                states={**account.states, one.state: total},
                methods={Method.COUNTER: account.methods.get(Method.COUNTER, 0) + one.energy_mj},
                avoidable_mj=account.avoidable_mj + one.avoidable_mj,
            )
        self.ledger.commit(self.accounts, booked, booked[-1].end)

    def rows(self) -> list[HistoryRow]:
        return self.ledger.history(0, 2**62)

    def snapshot(self) -> Snapshot:
        return snapshot(*(_view(account, slot) for slot, account in enumerate(self.accounts.values())))


def _view(account: DeviceAccount, slot: int) -> DeviceView:
    made = view(slot, account=account)
    return reading(made, identity=replace(made.reading.identity, uuid=account.uuid))


def _life(seed: int, end_s: int) -> list[Entry]:
    """Give intervals of two devices without a gap, from some minutes up to a few hours long, up to *end_s*."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    entries = []
    for slot in range(2):
        begin_s = chance.randrange(3 * HOUR_S)
        while begin_s < end_s:
            seconds = min(chance.choice([60, 600, 3600, 10_000]), end_s - begin_s)
            state = chance.choice([State.ACTIVE, State.HELD, State.PARKED, State.UNOBSERVED])
            energy_mj = chance.randrange(700_000 * seconds)
            avoidable_mj = chance.randrange(energy_mj + 1) if state is State.HELD else 0
            entries.append(
                entry(
                    state, start_s=begin_s, seconds=seconds, energy_mj=energy_mj, avoidable_mj=avoidable_mj, slot=slot
                )
            )
            begin_s += seconds
    return entries


def _booked(row: HistoryRow, labels: Labels) -> int:
    """Give what an hour holds of the counter, in its whole unit."""
    if row.uuid != value_of(labels, "uuid") or value_of(labels, "state") not in ("", row.state):
        return 0
    amounts = {ENERGY: row.energy_mj, STATE_ENERGY: row.energy_mj, STATE_SECONDS: row.duration_ns}
    return amounts.get(value_of(labels, "__name__"), row.avoidable_mj)


def _unit(labels: Labels) -> int:
    return NS_PER_SECOND if value_of(labels, "__name__") == STATE_SECONDS else 1000


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), end_s=st.integers(4 * HOUR_S, 40 * HOUR_S))
def test_between_two_hours_a_counter_grows_by_what_the_ledger_booked_in_them(seed: int, end_s: int) -> None:
    books = Books(MemoryLedger())
    books.book(_life(seed, end_s))
    rows = books.rows()
    now_ms = ms(end_s)
    found = list(refilled(books.snapshot(), rows, wanting_all("30d"), now_ms=now_ms))
    assert len(found) == 2 * (1 + len(State) + len(State) + 1)
    now = dict(SeriesReader().read(books.snapshot(), frozenset(ALL)))
    for labels, timestamps_ms, values in found:
        unit = _unit(labels)
        points = [*zip(timestamps_ms, values, strict=True), (now_ms, now[labels])]
        for (begin_ms, before), (finish_ms, after) in pairwise(points):
            hours = [row for row in rows if begin_ms <= row.hour_wall_ns // 1_000_000 < finish_ms]
            assert round(after * unit) - round(before * unit) == sum(_booked(row, labels) for row in hours)
        assert points[0][1] == 0
        assert all(moment % (HOUR_S * 1000) == 0 and moment < now_ms for moment in timestamps_ms)
        assert {later - earlier for earlier, later in pairwise(timestamps_ms)} <= {HOUR_S * 1000}


def test_the_hours_of_a_real_ledger_carry_every_counter_back(tmp_path: Path) -> None:
    books = Books(SqliteLedger(tmp_path, clock=FakeClock()))
    books.book([entry(State.HELD, start_s=0, seconds=2 * HOUR_S, energy_mj=7200, avoidable_mj=3600)])
    books.book([entry(State.ACTIVE, start_s=2 * HOUR_S, seconds=1800, energy_mj=9000)])
    found = {
        (value_of(labels, "__name__"), value_of(labels, "state")): list(zip(timestamps_ms, values, strict=True))
        for labels, timestamps_ms, values in refilled(
            books.snapshot(), books.rows(), wanting_all("1d"), now_ms=ms(2.5 * HOUR_S)
        )
    }
    edges = [ms(hour * HOUR_S) for hour in range(3)]
    assert found[ENERGY, ""] == list(zip(edges, [0.0, 3.6, 7.2], strict=True))
    assert found[STATE_ENERGY, "held"] == list(zip(edges, [0.0, 3.6, 7.2], strict=True))
    assert found[STATE_ENERGY, "active"] == list(zip(edges, [0.0, 0.0, 0.0], strict=True))
    assert found[STATE_SECONDS, "held"] == list(zip(edges, [0.0, 3600.0, 7200.0], strict=True))
    assert found[AVOIDABLE, ""] == list(zip(edges, [0.0, 1.8, 3.6], strict=True))
    books.ledger.close()


def test_only_what_rules_select_comes_back_and_only_as_far_as_they_look() -> None:
    books = Books(MemoryLedger())
    books.book([entry(State.HELD, start_s=0, seconds=30 * HOUR_S + 60, energy_mj=10**9)])
    interests = wanting(f'increase({STATE_ENERGY}{{state="held"}}[6h])', f"increase({ENERGY}[2h])", STATE_SECONDS)
    now_ms = ms(30 * HOUR_S + 60)
    found = {
        (value_of(labels, "__name__"), value_of(labels, "state")): [(now_ms - moment) // 60_000 for moment in moments]
        for labels, moments, _ in refilled(books.snapshot(), books.rows(), interests, now_ms=now_ms)
    }
    seconds = {(STATE_SECONDS, state.value): [1] for state in State}
    assert found == {(STATE_ENERGY, "held"): [301, 241, 181, 121, 61, 1], (ENERGY, ""): [61, 1], **seconds}


def test_nothing_comes_back_of_a_device_that_the_history_does_not_know() -> None:
    books = Books(MemoryLedger())
    books.book([entry(State.HELD, start_s=0, seconds=2 * HOUR_S, energy_mj=100)])
    books.accounts[uuid_of(1)] = replace(books.accounts[uuid_of(0)], uuid=uuid_of(1))
    found = refilled(books.snapshot(), books.rows(), wanting_all("1d"), now_ms=ms(2 * HOUR_S))
    assert {value_of(labels, "uuid") for labels, _, _ in found} == {uuid_of(0)}


def test_hours_that_hold_more_than_the_total_are_not_believed() -> None:
    books = Books(MemoryLedger())
    books.book([entry(State.HELD, start_s=0, seconds=4 * HOUR_S, energy_mj=4000)])
    books.accounts[uuid_of(0)] = replace(
        books.accounts[uuid_of(0)], states={State.HELD: StateTotal(1500, 4 * HOUR_S * NS_PER_SECOND)}
    )
    found = refilled(books.snapshot(), books.rows(), wanting(f"increase({ENERGY}[1d])"), now_ms=ms(4 * HOUR_S))
    assert [values for _, _, values in found] == [[0.5]]


def test_what_was_booked_ahead_of_now_lies_after_every_edge() -> None:
    books = Books(MemoryLedger())
    books.book([entry(State.HELD, start_s=0, seconds=2 * HOUR_S, energy_mj=2000)])
    books.book([entry(State.HELD, start_s=9 * HOUR_S, seconds=60, energy_mj=500)])  # then the clock was set right
    history = History(interests := wanting(f"increase({ENERGY}[1d])"))
    refill(history, books.snapshot(), books.ledger, interests, now_ms=ms(2 * HOUR_S + 60))
    (selector,) = compile_expression(ENERGY).selectors()
    (series,) = history.select(selector.matchers, 0, 2**62)
    assert list(series.values) == [0.0, 1.0, 2.0]


def _truth_joules(entries: Iterable[Entry], state: State, begin_s: float, end_s: float) -> float:
    begin_ns, end_ns = EPOCH_WALL_NS + int(begin_s * 1e9), EPOCH_WALL_NS + int(end_s * 1e9)
    return sum(
        one.energy_mj
        / 1000
        * max(0, min(end_ns, one.end.wall_ns) - max(begin_ns, one.start.wall_ns))
        / one.duration_ns
        for one in entries
        if one.state is state
    )


@pytest.mark.parametrize("scrapes", [1, 40])
def test_a_day_is_known_right_after_a_restart(tmp_path: Path, scrapes: int) -> None:
    end_s = 50 * HOUR_S + 1234
    life = [
        entry(State.HELD if hour % 3 else State.ACTIVE, start_s=hour * HOUR_S, seconds=HOUR_S, energy_mj=10**8 + hour)
        for hour in range(50)
    ]
    books = Books(SqliteLedger(tmp_path, clock=FakeClock()))
    books.book(life)
    away = entry(State.UNOBSERVED, start_s=50 * HOUR_S, seconds=1234, energy_mj=5 * 10**6)
    books.book([away])
    interests = wanting(query := f'increase({STATE_ENERGY}{{state="held"}}[1d])')
    history, reader = History(interests), SeriesReader()
    refill(history, books.snapshot(), books.ledger, interests, now_ms=ms(end_s))
    for number in range(scrapes):
        history.scrape(reader.read(books.snapshot(), interests.names()), ms(end_s + 15 * number))
    now_s = end_s + 15 * (scrapes - 1)
    result = compile_expression(query).evaluate(history, ms(now_s))
    assert isinstance(result, Vector)
    (element,) = result.elements
    truth = _truth_joules(life, State.HELD, now_s - DAY_S, now_s)
    print(f"{scrapes} scrapes after the restart: {element.value:.0f} J, truth {truth:.0f} J")
    assert element.value == pytest.approx(truth, rel=0.05)
    books.ledger.close()


class _Unread(MemoryLedger):
    """A ledger whose history must not be asked for."""

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        raise AssertionError(f"asked for {start_wall_ns} to {end_wall_ns} of {uuid}")


def test_rules_that_select_no_counter_ask_the_ledger_for_nothing() -> None:
    books, interests = Books(_Unread()), wanting("wattledger_gpu_up")
    books.book([entry(State.HELD, start_s=0, seconds=60, energy_mj=1)])
    refill(History(interests), books.snapshot(), books.ledger, interests, now_ms=ms(HOUR_S))


def test_the_counters_that_come_back_are_families_of_the_page() -> None:
    assert set(ALL) <= {family.name for family in FAMILIES}
