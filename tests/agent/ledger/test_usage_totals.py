"""Totals of workloads and services: what is committed is what is loaded, whatever they are called."""

import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import (
    FakeClock,
    commit_tick,
    in_order,
    instant_of,
    parts_of,
    python,
    usage_at,
    uuid_of,
    workload_of,
)
from tests.agent.ledger.helpers import entry as entry_at
from wattledger.agent.ledger import LEDGER_NAME, Ledger, MemoryLedger, SqliteLedger, Usage, UsageCommit, peek
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceTotal
from wattledger.rules.usage.totals import UsageKey, UsageTotal
from wattledger.rules.usage.workload import ShareMethod, Workload, WorkloadKind

WHOLE = st.integers(0, 2**70) | st.integers(0, 10**12)
TEXT = st.text(st.characters(), max_size=8)  # surrogates too: a name that is no UTF-8
HOSTILE = st.sampled_from(
    ["", "a", "A", "a\0b", "'; DROP TABLE workload; --", "\udcff", "\ud83d\ude00", "\U0001f600"]
)
NAMES = st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=6) | st.just("\udcff"), max_size=3).map(
    lambda names: tuple(names.items())
)
WORKLOADS = st.builds(Workload, st.sampled_from(WorkloadKind), HOSTILE | TEXT, TEXT, NAMES)
KEYS = st.tuples(
    st.sampled_from(["GPU-a", "GPU-b"]),
    st.tuples(st.sampled_from([WorkloadKind.POD, WorkloadKind.USER]), HOSTILE),
    st.sampled_from([State.ACTIVE, State.HELD]),
    st.sampled_from([ShareMethod.EXCLUSIVE, ShareMethod.EQUAL]),
)
SERVICES = st.builds(
    ServiceTotal,
    HOSTILE,
    HOSTILE,
    WHOLE,
    WHOLE,
    st.dictionaries(st.sampled_from(Phase), WHOLE),
    st.dictionaries(st.sampled_from(TokenKind), WHOLE),
    WHOLE,
    WHOLE,
    WHOLE,
)


@st.composite
def _totals(draw: st.DrawFn) -> UsageTotal:
    uuid, (kind, identity), state, method = draw(KEYS)
    workload = draw(WORKLOADS)
    named = replace(workload, kind=kind, id=identity)
    return UsageTotal(uuid, named, state, method, draw(WHOLE), draw(WHOLE), draw(WHOLE), draw(WHOLE))


@st.composite
def _commits(draw: st.DrawFn) -> UsageCommit:
    changed = {total.key: total for total in draw(st.lists(_totals(), max_size=6))}
    dropped: set[UsageKey] = draw(st.sets(KEYS, max_size=4)) - changed.keys()
    services = draw(st.lists(SERVICES, max_size=3))
    gone = draw(st.sets(st.tuples(HOSTILE, HOSTILE), max_size=3)) - {total.key for total in services}
    return UsageCommit(list(changed.values()), list(dropped), (), services, dropped_services=list(gone))


def _sql(directory: Path, text: str, *values: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        with connection:
            return connection.execute(text, values).fetchall()
    finally:
        connection.close()


def _stored(directory: Path) -> Usage:
    ledger = SqliteLedger(directory, clock=FakeClock())
    try:
        return ledger.load_usage()
    finally:
        ledger.close()


def _commit(ledger: Ledger, tick: int, usage: UsageCommit) -> None:
    ledger.commit({}, [], instant_of(tick), usage=usage)


@settings(max_examples=60)
@given(st.lists(_commits(), min_size=1, max_size=4))
def test_load_after_commit_gives_the_totals_back(steps: list[UsageCommit]) -> None:
    known: dict[UsageKey, UsageTotal] = {}
    services: dict[tuple[str, str], ServiceTotal] = {}
    with tempfile.TemporaryDirectory() as directory:
        ledger, other = SqliteLedger(Path(directory), clock=FakeClock()), MemoryLedger()
        for tick, step in enumerate(steps, start=1):
            for one in (ledger, other):
                _commit(one, tick, step)
            for key in step.dropped:
                known.pop(key, None)
            known |= {total.key: total for total in step.changed}
            for name in step.dropped_services:
                services.pop(name, None)
            services |= {total.key: total for total in step.services}
        assert ledger.health().writable, ledger.health().detail
        assert in_order(ledger.load_usage()) == in_order(other.load_usage())
        ledger.close()
        found = _stored(Path(directory))
        assert in_order(found) == in_order(other.load_usage())
        rows = _sql(Path(directory), "SELECT count(*) FROM workload")
    assert {total.key: replace(total, workload=known[total.key].workload) for total in found.totals} == known
    assert {total.key: total for total in found.services} == services
    assert rows == [(len({key[1] for key in known}),)]


def test_a_workload_that_is_renamed_is_one_row_and_all_its_totals_follow(tmp_path: Path) -> None:
    ledger, other = SqliteLedger(tmp_path, clock=FakeClock()), MemoryLedger()
    before = Workload(WorkloadKind.SLURM, "17", "17")
    after = replace(before, title="training", names=(("user", "ann"), ("job", "training")))
    first = UsageTotal("GPU", before, State.ACTIVE, ShareMethod.EXCLUSIVE, 1)
    second = UsageTotal("GPU", after, State.HELD, ShareMethod.EXCLUSIVE, 2)
    for one in (ledger, other):
        _commit(one, 1, UsageCommit([first]))
        _commit(one, 2, UsageCommit([second]))
        assert in_order(one.load_usage()) == in_order(Usage((replace(first, workload=after), second)))
    ledger.close()
    assert _sql(tmp_path, "SELECT title, names FROM workload") == [("training", '{"user":"ann","job":"training"}')]
    assert in_order(_stored(tmp_path)) == in_order(Usage((replace(first, workload=after), second)))


def test_names_that_a_total_has_are_not_taken_away_by_a_part(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    full, bare = workload_of("a"), Workload(WorkloadKind.POD, "a", "a")
    one = entry_at(start_s=0, seconds=60, energy_mj=3)
    parts = [replace(part, workload=bare) for part in parts_of(one)[:1]]
    ledger.commit({}, [one], one.end, usage=UsageCommit([UsageTotal("GPU", full, State.ACTIVE, parts[0].method)]))
    ledger.commit({}, [one], one.end, usage=UsageCommit(parts=parts))
    assert [row.workload for row in ledger.workload_history(0, 2**62)] == [full]
    ledger.close()
    assert _stored(tmp_path).totals[0].workload == full


def test_only_changed_totals_are_written(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    _sql(tmp_path, "UPDATE workload_total SET energy_mj = 1")
    _sql(tmp_path, "UPDATE service_total SET total_mj = 1")
    changed = usage_at(range(2), 2).totals[0]
    _commit(ledger, 2, UsageCommit([changed]))
    energies = [total.energy_mj for total in peek(tmp_path / LEDGER_NAME).usage.totals]
    assert sorted(energies) == [1, 1, 1, changed.energy_mj]
    assert _sql(tmp_path, "SELECT total_mj FROM service_total") == [(1,)]
    ledger.close()


def test_a_ledger_that_was_opened_anew_does_not_write_all_totals_again(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    ledger.close()
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    _sql(tmp_path, "UPDATE workload_total SET energy_mj = 1")
    _commit(ledger, 2, UsageCommit())
    assert _sql(tmp_path, "SELECT DISTINCT energy_mj FROM workload_total") == [(1,)]
    ledger.close()


def test_a_dropped_total_goes_and_its_workload_with_the_last_one(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    workload = workload_of("a")
    totals = [UsageTotal("GPU", workload, state, ShareMethod.EXCLUSIVE, 1) for state in (State.ACTIVE, State.HELD)]
    _commit(ledger, 1, UsageCommit(totals))
    _commit(ledger, 2, UsageCommit(dropped=[totals[0].key]))
    assert _sql(tmp_path, "SELECT state, identity FROM workload_total, workload") == [("held", "a")]
    _commit(ledger, 3, UsageCommit(dropped=[totals[1].key]))
    assert _sql(tmp_path, "SELECT count(*) FROM workload_total") == [(0,)]
    assert _sql(tmp_path, "SELECT count(*) FROM workload") == [(0,)]
    assert ledger.load_usage() == Usage()
    # One that comes back gets a row again.
    _commit(ledger, 4, UsageCommit(totals))
    ledger.close()
    assert in_order(_stored(tmp_path)) == in_order(Usage(tuple(totals)))


def test_a_dropped_service_goes_with_all_that_it_had_and_may_come_back(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    totals = [ServiceTotal(name, "m", 1, 2, {Phase.IDLE: 2}, {TokenKind.OUTPUT: 3}) for name in ("chat", "embed")]
    _commit(ledger, 1, UsageCommit(services=totals))
    _commit(ledger, 2, UsageCommit(dropped_services=[("chat", "m"), ("never", "")]))
    for table in ("service_total", "service_phase", "service_tokens"):
        assert _sql(tmp_path, f"SELECT count(*) FROM {table}") == [(1,)]  # noqa: S608  (names of our own)
    assert ledger.load_usage().services == (totals[1],)
    _commit(ledger, 3, UsageCommit(services=totals[:1]))
    ledger.close()
    assert in_order(_stored(tmp_path)) == in_order(Usage(services=tuple(totals)))


def test_a_workload_stays_for_its_history_when_its_totals_are_dropped(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    before = ledger.workload_history(0, 2**62)
    _commit(ledger, 2, UsageCommit(dropped=[total.key for total in usage_at(range(2), 1).totals]))
    assert ledger.load_usage().totals == ()
    assert ledger.workload_history(0, 2**62) == before
    ledger.close()
    assert _sql(tmp_path, "SELECT count(*) FROM workload") == [(2,)]


@pytest.mark.parametrize("memory_only", [True, False])
def test_without_usage_a_commit_leaves_the_totals(tmp_path: Path, *, memory_only: bool) -> None:
    ledger = MemoryLedger() if memory_only else SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.load_usage() == Usage()
    commit_tick(ledger, 1)
    ledger.commit({}, [], instant_of(2))
    assert in_order(ledger.load_usage()) == in_order(usage_at(range(2), 1))
    ledger.close()


def test_people_can_query_totals_and_history_by_name(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    ledger.close()
    names = '{"namespace":"ml","pod":"b"}'
    found = _sql(tmp_path, "SELECT * FROM workload_totals WHERE workload = 'the pod b' AND uuid = ?", uuid_of(1))
    assert found == [(uuid_of(1), "pod", "the pod b", names, "active", "sm_share", 200.0, 1.0, 0.0)]
    found = _sql(tmp_path, "SELECT * FROM workload_history WHERE workload = 'the pod b' AND uuid = ?", uuid_of(1))
    unpriced = (None, None, None)
    used = (uuid_of(1), "pod", "the pod b", names, "active", 200.0, 1.0, 0.0)
    assert found == [("2025-11-24T16:00:00Z", *used, *unpriced)]
    assert _sql(tmp_path, "SELECT * FROM service_totals") == [("llm", "m", 90.0, 100.0, 30, 7)]
    assert _sql(tmp_path, "SELECT * FROM service_history") == [
        ("2025-11-24T16:00:00Z", "llm", "m", "serving", 100.0, 90.0, 1.0, *unpriced)
    ]
    assert _sql(tmp_path, "SELECT kind, tokens FROM token_history ORDER BY kind") == [("output", 7), ("prompt", 30)]


_WITHOUT_NAMES = """
import sys
from pathlib import Path
from wattledger.agent.ledger import UsageCommit, open_ledger
from wattledger.rules.instant import Instant
from wattledger.rules.state import State
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import UNATTRIBUTED, ShareMethod
ledger = open_ledger(Path(sys.argv[1]), clock=type("Clock", (), {"now": lambda self: Instant(1, 10**18)})())
total = UsageTotal("GPU", UNATTRIBUTED, State.ACTIVE, ShareMethod.REMAINDER, 1)
ledger.commit({}, [], Instant(2, 10**18 + 1), usage=UsageCommit([total]))
assert ledger.health().writable
ledger.close()
assert open_ledger(Path(sys.argv[1]), clock=ledger._place._clock).load_usage().totals == (total,)
print("json" in sys.modules)
"""


def test_where_no_workload_has_names_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    SqliteLedger(tmp_path, clock=FakeClock()).close()
    with python("-c", _WITHOUT_NAMES, str(tmp_path)) as child:
        said, errors = child.communicate()
    assert (errors, said.split()) == (b"", [b"False"])
