"""What is committed is what is loaded, whatever the accounts hold, and only what changed is written."""

import sqlite3
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import FakeClock, account_of, entry_of, instant_of, uuid_of
from wattledger.agent.ledger import LEDGER_NAME, MemoryLedger, SqliteLedger, open_ledger, peek
from wattledger.rules.account import Anchor, Baseline, Carried, DeviceAccount, StateTotal, XidCount
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import COUNTERS
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State

WHOLE = st.integers(0, 2**70) | st.integers(0, 10**12)  # beyond what SQLite holds as an integer
TEXT = st.text(max_size=12)
INSTANTS = st.builds(Instant, WHOLE, WHOLE)


def _baselines(kinds: set[BaselineKind]) -> st.SearchStrategy[dict[BaselineKind, Baseline]]:
    return st.fixed_dictionaries(
        {
            kind: st.builds(
                Baseline,
                st.just(kind),
                st.sampled_from(BaselineOrigin),
                WHOLE,
                WHOLE,
                WHOLE,
                TEXT,
                TEXT,
                st.none() | st.floats(allow_nan=False),
                st.none() | WHOLE,
            )
            for kind in kinds
        }
    )


def _account(uuid: str) -> st.SearchStrategy[DeviceAccount]:
    return st.builds(
        DeviceAccount,
        uuid=st.just(uuid),
        name=TEXT,
        states=st.dictionaries(st.sampled_from(State), st.builds(StateTotal, WHOLE, WHOLE)),
        methods=st.dictionaries(st.sampled_from(Method), WHOLE),
        avoidable_mj=WHOLE,
        unknown_ns=WHOLE,
        counter_resets=WHOLE,
        rejected_segments=WHOLE,
        anchor=st.none() | st.builds(Anchor, INSTANTS, TEXT, TEXT, st.none() | WHOLE, st.none() | WHOLE),
        counters=st.dictionaries(st.sampled_from(sorted(COUNTERS)), st.builds(Carried, WHOLE, WHOLE)),
        xids=st.dictionaries(WHOLE, st.builds(XidCount, WHOLE, WHOLE)),
        baselines=st.sets(st.sampled_from(BaselineKind)).flatmap(_baselines),
    )


ACCOUNTS = st.sets(st.sampled_from(["GPU-a", "GPU-b", "MIG ä\0'"])).flatmap(
    lambda uuids: st.fixed_dictionaries({uuid: _account(uuid) for uuid in uuids})
)


@settings(max_examples=60)
@given(st.lists(ACCOUNTS, min_size=1, max_size=4))
def test_load_after_commit_gives_the_accounts_back(steps: list[dict[str, DeviceAccount]]) -> None:
    clock = FakeClock()
    known: dict[str, DeviceAccount] = {}
    with tempfile.TemporaryDirectory() as directory:
        ledger = SqliteLedger(Path(directory), clock=clock)
        for accounts in steps:
            ledger.commit(accounts, [], clock.advance(1))
            known.update(accounts)
        assert ledger.health().writable, ledger.health().detail
        ledger.close()
        again = SqliteLedger(Path(directory), clock=clock)
        assert again.load() == known
        again.close()


def test_history_adds_up_beyond_64_bits(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock)
    huge = 2**64 - 1
    for tick in (1, 2, 3):
        one = entry_of(0, tick)
        wide = type(one)(one.uuid, one.state, one.start, one.end, huge, huge, one.method)
        ledger.commit({}, [wide], instant_of(tick))
    (row,) = ledger.history(0, 2**62)
    assert (row.energy_mj, row.avoidable_mj) == (3 * huge, 3 * huge)
    ledger.close()


def _stored(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_every_commit_reaches_the_disk_whole_hardware_counters_included(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    for tick in range(1, 24):
        ledger.commit({uuid_of(0): account_of(0, tick)}, [], instant_of(tick))
        # What was on a page must be there after a power cut, which resets the device's own counters as well.
        assert peek(tmp_path / LEDGER_NAME).accounts[uuid_of(0)] == account_of(0, tick)
    ledger.close()


def test_only_changed_rows_are_written(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    quiet, busy = account_of(0, 5), account_of(1, 5)
    ledger.commit({quiet.uuid: quiet, busy.uuid: busy}, [], instant_of(5))
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    connection.execute("UPDATE device SET name = 'touched'")
    connection.execute("UPDATE state_total SET duration_ns = 1")
    connection.commit()
    connection.close()
    ledger.commit({quiet.uuid: quiet, busy.uuid: account_of(1, 6)}, [], instant_of(6))
    # What an outsider wrote stands where nothing of ours changed.
    found = peek(tmp_path / LEDGER_NAME).accounts
    assert found[quiet.uuid].states == {State.ACTIVE: StateTotal(5 * 300_000, 1)}
    assert found[busy.uuid].states == account_of(1, 6).states
    assert found[busy.uuid].name == "touched"
    ledger.close()


def test_a_device_that_is_no_longer_named_keeps_its_account(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    gone = account_of(0, 9)
    ledger.commit({gone.uuid: gone}, [], instant_of(9))
    ledger.commit({uuid_of(1): account_of(1, 10)}, [], instant_of(10))
    ledger.close()
    again = SqliteLedger(tmp_path, clock=FakeClock())
    assert again.load() == {gone.uuid: gone, uuid_of(1): account_of(1, 10)}
    again.close()


def test_people_can_query_the_file_while_it_is_written(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    ledger.commit({uuid_of(0): account_of(0, 1)}, [entry_of(0, 1)], instant_of(1))
    path = tmp_path / LEDGER_NAME
    assert _stored(path, "SELECT uuid, state, energy_joules, seconds FROM totals") == [
        (uuid_of(0), "active", 300.0, 1.0)
    ]
    assert _stored(path, "SELECT utc_hour, state, energy_joules FROM history") == [
        ("2025-11-24T16:00:00Z", "active", 300.0)
    ]
    ledger.close()


def test_a_closed_ledger_is_one_file_and_its_lock(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    ledger.commit({uuid_of(0): account_of(0, 1)}, [entry_of(0, 1)], instant_of(1))
    ledger.close()
    ledger.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [LEDGER_NAME, "lock"]


def test_the_log_stays_bounded(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    largest = 0
    for tick in range(1, 400):
        ledger.commit(
            {uuid_of(slot): account_of(slot, tick) for slot in range(8)},
            [entry_of(slot, tick) for slot in range(8)],
            instant_of(tick),
        )
        largest = max(largest, (tmp_path / f"{LEDGER_NAME}-wal").stat().st_size)
    assert 256 * 4096 < largest < 1_500_000
    ledger.close()


def test_without_a_directory_the_ledger_lives_in_memory() -> None:
    ledger = open_ledger(None, clock=FakeClock())
    assert isinstance(ledger, MemoryLedger)
    ledger.commit({uuid_of(0): account_of(0, 1)}, [entry_of(0, 1)], instant_of(1))
    assert ledger.load() == {uuid_of(0): account_of(0, 1)}
    assert [row.energy_mj for row in ledger.history(0, 2**62)] == [300_000]
    health = ledger.health()
    assert not health.writable
    assert "--state-dir" in health.detail
    ledger.close()
