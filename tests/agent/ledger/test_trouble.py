"""Other programs, other files: no tick is held up, and books that are not ours are never written over."""

import os
import shutil
import sqlite3
import statistics
import time
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import (
    FakeClock,
    assert_whole,
    changes_logged,
    commit_tick,
    energy_mj,
    entry,
    two_accounts,
)
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger, open_ledger, peek
from wattledger.agent.ledger.store import Store


def test_a_program_that_holds_the_file_holds_no_tick_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    other = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    seconds = []
    for tick in range(2, 7):
        begun = time.monotonic()
        commit_tick(ledger, tick)
        seconds.append(time.monotonic() - begun)
    assert statistics.median(seconds) < 0.2
    assert not ledger.health().writable
    assert "held by another program" in ledger.health().detail
    assert ledger.health().commit_failures == 5
    assert peek(tmp_path / LEDGER_NAME).accounts == two_accounts(1)
    other.execute("ROLLBACK")
    other.close()
    commit_tick(ledger, 7)
    assert ledger.health().writable
    ledger.close()
    assert_whole(tmp_path, 7)
    assert changes_logged(caplog) == ["ledger_not_writable", "ledger_writable_again"]


def test_a_program_that_holds_the_file_at_the_start_costs_no_total(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    ledger.close()
    other = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.load() == two_accounts(1)
    assert not ledger.health().writable
    other.execute("COMMIT")
    other.close()
    commit_tick(ledger, 2)
    assert ledger.health().writable, ledger.health().detail
    ledger.close()
    assert_whole(tmp_path, 2)


def test_a_long_reader_stops_no_commit(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    other = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    other.execute("BEGIN")
    assert other.execute("SELECT commits FROM book").fetchone() == (1,)
    for tick in range(2, 100):
        commit_tick(ledger, tick)
    assert ledger.health().writable
    assert other.execute("SELECT commits FROM book").fetchone() == (1,)
    other.close()
    ledger.close()
    assert_whole(tmp_path, 99)


def test_a_ledger_deleted_while_running_is_written_anew_and_whole(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger = SqliteLedger(state, clock=FakeClock())
    commit_tick(ledger, 1)
    shutil.rmtree(state)
    commit_tick(ledger, 2)
    assert ledger.health().writable, ledger.health().detail
    assert peek(state / LEDGER_NAME).accounts == two_accounts(2)
    # The lock is that of the new directory.
    assert (state / "lock").read_text().strip() == str(os.getpid())
    ledger.close()


@pytest.mark.parametrize("names", [(LEDGER_NAME,), (LEDGER_NAME, f"{LEDGER_NAME}-wal", f"{LEDGER_NAME}-shm")])
def test_a_file_deleted_while_running_is_written_anew_and_whole(tmp_path: Path, names: tuple[str, ...]) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    for name in names:
        (tmp_path / name).unlink()
    commit_tick(ledger, 2)
    assert ledger.health().writable, ledger.health().detail
    assert peek(tmp_path / LEDGER_NAME).accounts == two_accounts(2)
    assert energy_mj(ledger) == 2 * 300_000  # the history of before went with the file
    ledger.close()


def test_a_file_in_place_of_the_directory_is_named_with_its_cure(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("")
    ledger = open_ledger(state, clock=FakeClock())
    commit_tick(ledger, 1)
    assert ledger.health().detail == (
        f"{state}: File exists: a file is where the directory should be: give another --state-dir"
    )
    assert ledger.load() == two_accounts(1)
    state.unlink()
    commit_tick(ledger, 2)
    assert ledger.health().writable
    ledger.close()
    assert_whole(state, 2)


def test_books_of_another_run_are_never_written_over(tmp_path: Path) -> None:
    state, hidden = tmp_path / "state", tmp_path / "hidden"
    before = SqliteLedger(state, clock=FakeClock())
    commit_tick(before, 50)
    before.close()
    state.rename(hidden)
    state.write_text("")  # in the way at the start: the books cannot be read
    ledger = SqliteLedger(state, clock=FakeClock())
    assert ledger.load() == {}
    state.unlink()
    hidden.rename(state)
    commit_tick(ledger, 1)
    assert not ledger.health().writable
    assert "restart the agent" in ledger.health().detail
    assert peek(state / LEDGER_NAME).accounts == two_accounts(50)
    ledger.close()


def test_a_copy_that_went_on_elsewhere_is_never_written_over(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger = SqliteLedger(state, clock=FakeClock())
    commit_tick(ledger, 1)
    copy = tmp_path / "copy"
    copy.mkdir()
    source = sqlite3.connect(state / LEDGER_NAME)
    target = sqlite3.connect(copy / LEDGER_NAME)
    source.backup(target)
    source.close()
    target.close()
    elsewhere = SqliteLedger(copy, clock=FakeClock())
    commit_tick(elsewhere, 70)
    commit_tick(elsewhere, 71)
    elsewhere.close()
    shutil.rmtree(state)
    copy.rename(state)
    commit_tick(ledger, 2)
    assert not ledger.health().writable
    assert "another agent" in ledger.health().detail
    assert peek(state / LEDGER_NAME).accounts == two_accounts(71)
    ledger.close()


class _CommitThatAnswersLate:
    """A connection whose next COMMIT takes effect and then reports an error, as a disk that fails in fsync may."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        cursor = self._connection.execute(sql, parameters)
        if sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return cursor

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_a_commit_that_failed_and_holds_after_all_counts_once(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    store = ledger._place.store
    assert isinstance(store, Store)
    store._connection = _CommitThatAnswersLate(store._connection)  # type: ignore[assignment]  # the fault
    commit_tick(ledger, 2)
    assert not ledger.health().writable
    assert peek(tmp_path / LEDGER_NAME).accounts == two_accounts(2)
    commit_tick(ledger, 3)
    assert ledger.health().writable, ledger.health().detail
    assert energy_mj(ledger) == 3 * 2 * 300_000
    ledger.close()
    assert_whole(tmp_path, 3)


def test_trouble_keeps_a_bounded_history_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    state.write_text("")
    monkeypatch.setattr("wattledger.agent.ledger.waiting.MAX_CELLS", 10)
    ledger = SqliteLedger(state, clock=FakeClock())
    for hour in range(20):
        one = entry(start_s=hour * 3600, seconds=3600, energy_mj=1)
        ledger.commit({}, [one], one.end)
    assert energy_mj(ledger) == 10
    ledger.close()
