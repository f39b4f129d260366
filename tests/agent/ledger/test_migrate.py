"""Older ledgers are brought up to date, newer ones are refused and left alone."""

import sqlite3
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import (
    FakeClock,
    account_of,
    commit_tick,
    entry,
    entry_of,
    in_order,
    instant_of,
    memory_of,
    two_accounts,
    usage_at,
    uuid_of,
)
from tests.agent.ledger.ledger_prices import close_all, closings_of, total_of, workloads_sum
from wattledger.agent.ledger import (
    LEDGER_NAME,
    Ledger,
    LedgerTooNew,
    MemoryLedger,
    Prices,
    SqliteLedger,
    migrate,
    open_ledger,
    open_read_only,
    peek,
)
from wattledger.rules.alerting import AlertState
from wattledger.rules.pricing.model import NOTHING
from wattledger.rules.state import State

FIXTURES = Path(__file__).parent / "fixtures"


def _lay(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.executescript(script)
    finally:
        connection.close()


def _ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_the_newest_version_is_that_of_the_newest_script() -> None:
    names = sorted(file.name for file in (resources.files("wattledger.agent.ledger") / "migrations").iterdir())
    assert [int(name[:4]) for name in names] == list(range(1, migrate.NEWEST_VERSION + 1))


def test_a_ledger_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    _lay(tmp_path / LEDGER_NAME, (FIXTURES / "version_1.sql").read_text(encoding="utf-8"))
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().writable, ledger.health().detail
    assert ledger.health().moved_aside == ""
    assert ledger.load() == {uuid_of(slot): account_of(slot, 130) for slot in range(2)}
    assert [row.energy_mj for row in ledger.history(0, 2**62)] == [6173, 6172]
    ledger.commit({uuid_of(0): account_of(0, 131)}, [], instant_of(131))
    ledger.close()
    assert _ask(tmp_path / LEDGER_NAME, "PRAGMA user_version") == [(migrate.NEWEST_VERSION,)]
    assert _ask(tmp_path / LEDGER_NAME, "SELECT count(*) FROM totals") == [(6,)]


def test_a_ledger_of_version_4_is_brought_up_to_date_and_goes_on(tmp_path: Path) -> None:
    _lay(tmp_path / LEDGER_NAME, (FIXTURES / "version_4.sql").read_text(encoding="utf-8"))
    assert peek(tmp_path / LEDGER_NAME).prices == Prices()
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().writable, ledger.health().detail
    assert ledger.health().moved_aside == ""
    assert ledger.load() == two_accounts(130)
    assert ledger.load_alerts() == {"g": memory_of(3, "one", state=AlertState.PENDING)}
    assert in_order(ledger.load_usage()) == in_order(usage_at(range(2), 130))
    assert ledger.load_prices() == Prices()
    # What that agent had been told of history, told to one of this version.
    other = MemoryLedger()
    for tick in range(1, 131):
        commit_tick(other, tick)
    away = entry(State.UNOBSERVED, start_s=-2 * 3600 - 600, seconds=2 * 3600, energy_mj=7_000_000_001)
    other.commit({}, [away], instant_of(130))
    before = _energies(other)
    assert _energies(ledger) == before
    assert {row.open_mj for row in ledger.history(0, 2**62)} == {0}
    assert {row.priced.location_covered_mj for row in ledger.history(0, 2**62)} == {0}

    # The hour of the update is open from now on, and closes beside what was booked before.
    for each in (ledger, other):
        commit_tick(each, 131)
    assert _energies(ledger) == _energies(other)
    entries = [entry_of(slot, 131) for slot in range(2)]
    ledger.commit({}, [], instant_of(2 * 3600), prices=close_all(entries))
    assert ledger.health().writable, ledger.health().detail
    assert _energies(ledger) == _energies(other)
    total = total_of(closings_of(entries))
    rows = ledger.history(0, 2**62)
    assert {row.open_mj for row in rows} == {0}
    assert sum(row.priced.location for row in rows) == total.location
    assert sum(row.priced.location_covered_mj for row in rows) == total.location_covered_mj
    assert workloads_sum(ledger).location == total.location
    ledger.close()
    assert _ask(tmp_path / LEDGER_NAME, "PRAGMA user_version") == [(migrate.NEWEST_VERSION,)]
    assert _ask(tmp_path / LEDGER_NAME, "PRAGMA integrity_check") == [("ok",)]
    for view in ("history", "workload_history", "service_history", "price_history"):
        assert _ask(tmp_path / LEDGER_NAME, f"SELECT count(*) > 0 FROM {view}") == [(1,)]  # noqa: S608


def test_the_hours_of_a_ledger_of_version_5_have_no_score_with_the_grid_and_new_ones_have(tmp_path: Path) -> None:
    # What that version kept of an hour is all but the score, which has a table of its own.
    old, new = (entry(start_s=start, seconds=3600, energy_mj=3_600) for start in (0, 3600))
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    ledger.commit({}, [old], old.end, prices=close_all([old]))
    ledger.close()
    _lay(tmp_path / LEDGER_NAME, "DROP TABLE hour_grid_score; PRAGMA user_version = 5;")
    (row,) = close_all([old]).hours
    beside = open_read_only(tmp_path)
    assert beside.price_history(0, 2**62) == [replace(row, with_grid=None)]
    beside.close()
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().writable, ledger.health().detail
    ledger.commit({}, [new], new.end, prices=close_all([new]))
    assert ledger.price_history(0, 2**62) == [replace(row, with_grid=None), *close_all([new]).hours]
    ledger.close()
    assert _ask(tmp_path / LEDGER_NAME, "PRAGMA user_version") == [(migrate.NEWEST_VERSION,)]


def _energies(ledger: Ledger) -> tuple[object, ...]:
    """Give the history without prices."""
    return (
        [replace(row, priced=NOTHING, open_mj=0) for row in ledger.history(0, 2**62)],
        [replace(row, priced=NOTHING, open_mj=0) for row in ledger.workload_history(0, 2**62)],
        [replace(row, priced=NOTHING, open_mj=0) for row in ledger.service_history(0, 2**62)],
    )


def test_a_ledger_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    SqliteLedger(tmp_path, clock=FakeClock()).close()
    path = tmp_path / LEDGER_NAME
    _lay(path, "PRAGMA user_version = 99;")
    before = path.read_bytes()
    for _ in range(2):  # the second time: the lock was let go
        with pytest.raises(LedgerTooNew, match=r"ledger\.sqlite3: the ledger has version 99, .* install the agent"):
            open_ledger(tmp_path, clock=FakeClock())
    assert sorted(file.name for file in tmp_path.iterdir()) == [LEDGER_NAME, "lock"]
    with pytest.raises(LedgerTooNew):
        peek(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_version_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SqliteLedger(tmp_path, clock=FakeClock()).close()
    version = migrate.NEWEST_VERSION
    scripts = [(version + 1, "CREATE TABLE half (x);\nNONSENSE;")]
    monkeypatch.setattr(migrate, "NEWEST_VERSION", version + 1)
    monkeypatch.setattr(migrate, "_scripts", lambda **_: scripts)
    connection = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="NONSENSE"):
        migrate.migrate(connection, tmp_path / LEDGER_NAME)
    assert not connection.in_transaction
    connection.close()
    assert _ask(tmp_path / LEDGER_NAME, "PRAGMA user_version") == [(version,)]
    assert _ask(tmp_path / LEDGER_NAME, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'") == [(0,)]
