"""Histories are read beside the daemon that writes them, without a lock and without a trace."""

import os
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import (
    FakeClock,
    commit_tick,
    entry,
    instant_of,
    mounted,
    needs_root,
    parts_of,
    two_accounts,
    window_of,
)
from tests.agent.ledger.ledger_prices import close_all
from wattledger.agent.ledger import (
    LEDGER_NAME,
    History,
    LedgerDamaged,
    LedgerError,
    LedgerTooNew,
    SqliteLedger,
    UsageCommit,
    open_read_only,
)

FIXTURES = Path(__file__).parent / "fixtures"
HOUR_S = 3600
_NOBODY = 65534


def _written(directory: Path) -> SqliteLedger:
    """Give an open ledger with an hour that is closed and one that is not."""
    ledger = SqliteLedger(directory, clock=FakeClock())
    closed, still_open = (entry(start_s=start, seconds=HOUR_S, energy_mj=3_600) for start in (0, HOUR_S))
    for one, prices in ((closed, close_all([closed])), (still_open, None)):
        usage = UsageCommit(parts=parts_of(one), windows=[("m", window_of(1))])
        ledger.commit({}, [one], one.end, usage=usage, prices=prices)
    return ledger


def _all(history: History) -> tuple[object, ...]:
    return (
        history.history(0, 2**62),
        history.workload_history(0, 2**62),
        history.service_history(0, 2**62),
        history.price_history(0, 2**62),
    )


def test_the_histories_of_a_ledger_that_is_written_are_those_of_one_moment(tmp_path: Path) -> None:
    ledger = _written(tmp_path)
    before = _all(ledger)
    assert all(before)
    reader = open_read_only(tmp_path)
    late = entry(start_s=2 * HOUR_S, seconds=60, energy_mj=5)
    ledger.commit({}, [late], late.end, prices=close_all([late]))
    assert ledger.health().writable, ledger.health().detail
    assert _all(ledger) != before
    assert _all(reader) == before
    reader.close()
    reader.close()
    again = open_read_only(tmp_path)
    assert _all(again) == _all(ledger)
    again.close()
    ledger.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [LEDGER_NAME, "lock"]


def test_devices_have_the_names_that_the_books_know(tmp_path: Path) -> None:
    ledger = _written(tmp_path)
    commit_tick(ledger, 1)
    reader = open_read_only(tmp_path)
    assert reader.device_names() == ledger.device_names() == dict.fromkeys(two_accounts(1), "NVIDIA H100 80GB HBM3")
    reader.close()
    ledger.close()


def test_the_histories_are_asked_by_hour_and_by_device(tmp_path: Path) -> None:
    _written(tmp_path).close()
    reader = open_read_only(tmp_path)
    begin_ns = 490_000 * HOUR_S * 10**9
    assert len(reader.history(begin_ns, begin_ns + 1)) == 1
    assert reader.history(begin_ns, begin_ns + 1, uuid="GPU-nobody") == []
    assert reader.price_history(begin_ns - 1, begin_ns) == []
    reader.close()


@needs_root
def test_the_histories_of_a_read_only_directory_are_read(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger = _written(state)
    expected = _all(ledger)
    ledger.close()
    with mounted(state, "--bind", str(state)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(state)], check=True)
        reader = open_read_only(state)
        assert _all(reader) == expected
        reader.close()


def test_a_ledger_of_version_4_that_its_daemon_still_has_open_is_read(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    connection.executescript((FIXTURES / "version_4.sql").read_text(encoding="utf-8"))
    connection.close()
    before = (tmp_path / LEDGER_NAME).read_bytes()
    reader = open_read_only(tmp_path)
    rows = reader.history(0, 2**62)
    assert sum(row.energy_mj for row in rows) == 7_000_000_001 + 130 * 2 * 300_000
    assert {(row.open_mj, row.priced.location_covered_mj) for row in rows} == {(0, 0)}
    assert sum(row.energy_mj for row in reader.workload_history(0, 2**62)) == 130 * 2 * 300_000
    assert sum(row.total_mj for row in reader.service_history(0, 2**62)) == 130 * 100_000
    assert reader.price_history(0, 2**62) == []
    reader.close()
    assert (tmp_path / LEDGER_NAME).read_bytes() == before


def test_a_directory_without_a_ledger_is_named_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"ledger\.sqlite3: there is no ledger here; give the --state-dir"):
        open_read_only(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_a_ledger_of_a_later_agent_is_refused(tmp_path: Path) -> None:
    _written(tmp_path).close()
    _sql(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(LedgerTooNew, match="install the agent that wrote it"):
        open_read_only(tmp_path)


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / LEDGER_NAME).write_text("this is no ledger\n" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        open_read_only(tmp_path)
    (tmp_path / LEDGER_NAME).unlink()
    _sql(tmp_path, "CREATE TABLE device (other)")
    with pytest.raises(LedgerDamaged, match="is not a wattledger ledger; give the --state-dir"):
        open_read_only(tmp_path)


def test_a_damaged_row_is_told_and_costs_the_daemon_nothing(tmp_path: Path) -> None:
    ledger = _written(tmp_path)
    _sql(tmp_path, "UPDATE hourly SET location = 'much'")
    reader = open_read_only(tmp_path)
    with pytest.raises(LedgerDamaged, match="a row of hourly cannot be understood"):
        reader.history(0, 2**62)
    reader.close()
    commit_tick(ledger, 1)
    assert ledger.health().moved_aside == ""
    ledger.commit({}, [], instant_of(2))
    ledger.close()


def test_trouble_of_the_disk_is_told_as_an_operator_reads_it(tmp_path: Path) -> None:
    ledger = _written(tmp_path)
    reader = open_read_only(tmp_path)
    _sql(tmp_path, "DROP TABLE hour_supply")
    fresh = open_read_only(tmp_path)
    with pytest.raises(LedgerError, match="no such table: hour_supply: check the directory"):
        fresh.price_history(0, 2**62)
    assert len(reader.price_history(0, 2**62)) == 1
    fresh.close()
    reader.close()
    ledger.close()


def _sql(directory: Path, text: str) -> None:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        with connection:
            connection.execute(text)
    finally:
        connection.close()


@needs_root
@pytest.mark.parametrize("closed", ["folder", "file"])
def test_a_user_who_may_not_read_is_told_to_be_let_read(tmp_path: Path, closed: str) -> None:
    """Such a user has no need to write."""
    with tempfile.TemporaryDirectory() as folder:  # those of pytest are root's alone
        state = Path(folder) / "state"
        SqliteLedger(state, clock=FakeClock()).close()
        Path(folder).chmod(0o755 if closed == "file" else 0o700)
        state.chmod(0o755)
        (state / LEDGER_NAME).chmod(0o600 if closed == "file" else 0o644)
        os.seteuid(_NOBODY)
        try:
            with pytest.raises(LedgerError) as caught:
                open_read_only(state)
        finally:
            os.seteuid(0)
    told = f"{state / LEDGER_NAME}: not permitted: ask as the user of the agent, or let user {_NOBODY} read it"
    assert str(caught.value) == told
