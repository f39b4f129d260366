"""Older ledgers are brought up to date, newer ones are refused and left alone."""

import sqlite3
from importlib import resources
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import FakeClock, account_of, instant_of, uuid_of
from wattledger.agent.ledger import LEDGER_NAME, LedgerTooNew, SqliteLedger, migrate, open_ledger, peek

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
