"""Totals of workloads and services when disks fail, files are damaged, or another agent wrote them: none is lost."""

import logging
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import (
    FakeClock,
    assert_whole,
    commit_tick,
    entry,
    in_order,
    instant_of,
    mounted,
    needs_root,
    two_accounts,
    usage_at,
    uuid_of,
    workload_of,
)
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger, Usage, UsageCommit, peek
from wattledger.rules.state import State
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import ShareMethod

FIXTURES = Path(__file__).parent / "fixtures"


def _sql(directory: Path, text: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        with connection:
            return connection.execute(text).fetchall()
    finally:
        connection.close()


def _filled(directory: Path, ticks: int = 3) -> None:
    """Leave a closed ledger whose last pages hold history."""
    ledger = SqliteLedger(directory, clock=FakeClock())
    for tick in range(1, ticks + 1):
        commit_tick(ledger, tick)
    long = entry(start_s=0, seconds=300 * 86_400, energy_mj=10**12)
    ledger.commit({}, [long], long.end)
    ledger.close()


def _damage_history(directory: Path) -> None:
    with (directory / LEDGER_NAME).open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        page = file.read(4096)
        file.seek(-4096, os.SEEK_END)
        file.write(bytes(byte ^ 0xFF for byte in page))


def test_totals_of_a_damaged_file_are_carried_on_at_the_start(tmp_path: Path) -> None:
    _filled(tmp_path)
    _damage_history(tmp_path)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().moved_aside
    assert in_order(ledger.load_usage()) == in_order(usage_at(range(2), 3))
    # They are in the new file already: a kill before the first tick must not lose them.
    assert in_order(peek(tmp_path / LEDGER_NAME).usage) == in_order(usage_at(range(2), 3))
    commit_tick(ledger, 4)
    ledger.close()
    assert in_order(peek(tmp_path / LEDGER_NAME).usage) == in_order(usage_at(range(2), 4))


def test_workloads_that_used_more_than_their_device_are_not_carried_on(tmp_path: Path) -> None:
    _filled(tmp_path)
    _sql(tmp_path, "UPDATE workload_total SET energy_mj = energy_mj + 1 WHERE device = 2 AND workload = 1")
    _damage_history(tmp_path)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    expected = usage_at(range(2), 3)
    assert {total.uuid for total in ledger.load_usage().totals} == {uuid_of(0)}
    assert ledger.load_usage().services == expected.services
    ledger.close()


def test_workloads_of_a_device_that_is_not_carried_on_are_not_either(tmp_path: Path) -> None:
    _filled(tmp_path)
    _sql(tmp_path, "UPDATE method_total SET energy_mj = energy_mj + 1 WHERE device = 1")
    _damage_history(tmp_path)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert set(ledger.load()) == {total.uuid for total in ledger.load_usage().totals} == {uuid_of(1)}
    ledger.close()


def test_a_service_that_does_not_add_up_is_not_carried_on(tmp_path: Path) -> None:
    _filled(tmp_path)
    _sql(tmp_path, "UPDATE service_phase SET energy_mj = energy_mj + 1 WHERE phase = 'idle'")
    _damage_history(tmp_path)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.load_usage().services == ()
    assert in_order(ledger.load_usage()).totals == in_order(usage_at(range(2), 3)).totals
    ledger.close()


DAMAGES = {
    "an energy that is none": "UPDATE workload_total SET energy_mj = 'much' WHERE device = 1",
    "an energy that is not whole": "UPDATE workload_total SET energy_mj = 1.5 WHERE device = 1",
    "a state that is no text": "UPDATE workload_total SET state = x'00' WHERE device = 1",
    "names that are no JSON": "UPDATE workload SET names = '{'",
    "names that are a list": "UPDATE workload SET names = '[1]'",
    "names that are numbers": """UPDATE workload SET names = '{"a":1}'""",
    "a title that is a number": "UPDATE workload SET title = x'ff'",
    "a phase of no service": "UPDATE service_phase SET service = 77",
    "a number of tokens that is a blob": "UPDATE service_tokens SET tokens = x'3132'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_rows_that_cannot_be_are_damage_and_cost_no_account(damage: str, tmp_path: Path) -> None:
    _filled(tmp_path)
    _sql(tmp_path, damage)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().writable, ledger.health().detail
    assert ledger.health().moved_aside
    assert ledger.load() == two_accounts(3)
    assert ledger.load_usage() == Usage()
    commit_tick(ledger, 4)
    assert ledger.health().writable
    ledger.close()


def test_damage_in_history_that_a_commit_meets_costs_no_total(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    _sql(tmp_path, "UPDATE open_workload SET energy_mj = 'much'")
    assert ledger.workload_history(0, 2**62) == []
    commit_tick(ledger, 2)
    assert ledger.health().writable, ledger.health().detail
    assert ledger.health().moved_aside
    ledger.close()
    again = SqliteLedger(tmp_path, clock=FakeClock())
    assert in_order(again.load_usage()) == in_order(usage_at(range(2), 2))
    again.close()


UNKNOWN = {
    "ledger_workload_unknown kind=robot state": "UPDATE workload SET kind = 'robot' WHERE identity = 'a'",
    "ledger_workload_unknown kind=pod state=asleep": "UPDATE workload_total SET state = 'asleep' WHERE device = 1",
    "ledger_workload_unknown kind=pod state=active method=guess": (
        "UPDATE workload_total SET method = 'guess' WHERE workload = 1"
    ),
    "ledger_phase_unknown service=llm phase=dreaming": "UPDATE service_phase SET phase = 'dreaming'",
    "ledger_tokens_unknown service=llm kind=image": "UPDATE service_tokens SET kind = 'image' WHERE kind = 'output'",
}


@pytest.mark.parametrize("line", UNKNOWN)
def test_what_only_a_later_agent_knows_is_left_out_and_left_alone(
    line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    ledger.close()
    _sql(tmp_path, UNKNOWN[line])
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    found = ledger.load_usage()
    (service,) = found.services
    left_out = {"workload": (2, 1, 2), "phase": (4, 0, 2), "tokens": (4, 1, 1)}[line.split("_")[1]]
    assert (len(found.totals), len(service.phases), len(service.tokens)) == left_out
    warned = [record.levelno for record in caplog.records if "_unknown" in record.message]
    assert warned == [logging.WARNING] * len([record for record in caplog.records if line in record.message])
    assert warned
    assert ledger.health().moved_aside == ""
    ledger.commit({}, [], instant_of(2), usage=UsageCommit())
    ledger.close()
    assert _sql(tmp_path, "SELECT count(*) FROM workload_total") == [(4,)]
    assert _sql(tmp_path, "SELECT count(*) FROM service_tokens") == [(2,)]


def test_history_that_only_a_later_agent_knows_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    ledger.close()
    _sql(tmp_path, "UPDATE open_workload SET state = 'asleep' WHERE device = 1")
    _sql(tmp_path, "UPDATE workload SET kind = 'robot' WHERE identity = 'a'")
    _sql(tmp_path, "UPDATE open_service SET phase = 'dreaming'")
    _sql(tmp_path, "UPDATE service_hourly_tokens SET kind = 'image' WHERE kind = 'prompt'")
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    caplog.clear()
    assert [(row.uuid, row.workload) for row in ledger.workload_history(0, 2**62)] == [(uuid_of(1), workload_of("b"))]
    (row,) = ledger.service_history(0, 2**62)
    assert (row.phases, len(row.tokens)) == ({}, 1)
    assert [record.message for record in caplog.records] == [
        "ledger_history_unknown table=open_workload rows=3",
        "ledger_history_unknown table=open_service rows=1",
        "ledger_history_unknown table=service_hourly_tokens rows=1",
    ]
    assert ledger._suspicion == ""
    ledger.close()


def test_a_file_deleted_while_running_is_written_anew_with_all_totals(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    (tmp_path / LEDGER_NAME).unlink()
    ledger.commit({}, [], instant_of(2))
    assert ledger.health().writable, ledger.health().detail
    ledger.close()
    assert in_order(peek(tmp_path / LEDGER_NAME).usage) == in_order(usage_at(range(2), 1))


@pytest.mark.parametrize("table", ["workload", "workload_total", "open_workload", "service_tokens", "open_service"])
def test_accounts_and_usage_of_one_commit_are_stored_together(tmp_path: Path, table: str) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    ledger.commit({}, [], instant_of(0))
    _sql(tmp_path, f"CREATE TRIGGER no BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    for tick in (1, 2):
        commit_tick(ledger, tick)
        assert not ledger.health().writable
        assert _sql(tmp_path, "SELECT commits FROM book") == [(1,)]
        assert _sql(tmp_path, "SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM workload)") == [(0, 0)]
    _sql(tmp_path, "DROP TRIGGER no")
    commit_tick(ledger, 3)
    assert ledger.health().writable, ledger.health().detail
    ledger.close()
    assert_whole(tmp_path, 3)


@needs_root
def test_a_full_disk_delays_totals_and_loses_none(tmp_path: Path) -> None:
    old = UsageTotal(uuid_of(0), workload_of("old"), State.ACTIVE, ShareMethod.EXCLUSIVE, 1)
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        ledger = SqliteLedger(disk, clock=FakeClock())
        commit_tick(ledger, 1)
        ledger.commit({}, [], instant_of(1), usage=UsageCommit([old]))
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize))
        # More than folding the log gives back.
        away = entry(State.UNOBSERVED, start_s=-300 * 86_400, seconds=300 * 86_400, energy_mj=10**9)
        ledger.commit({}, [away], instant_of(2), usage=UsageCommit(dropped=[old.key]))
        commit_tick(ledger, 2)
        commit_tick(ledger, 3)
        assert not ledger.health().writable
        assert in_order(ledger.load_usage()) == in_order(usage_at(range(2), 3))
        (disk / "filler").unlink()
        commit_tick(ledger, 4)
        assert ledger.health().writable, ledger.health().detail
        ledger.close()
        assert_whole(disk, 4, besides_mj=10**9)


def test_a_total_dropped_while_another_program_holds_the_file_goes_later(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    gone = usage_at(range(2), 1).totals[0]
    other = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger.commit({}, [], instant_of(2), usage=UsageCommit(dropped=[gone.key]))
    assert not ledger.health().writable
    other.execute("ROLLBACK")
    other.close()
    ledger.commit({}, [], instant_of(3))
    assert ledger.health().writable
    ledger.close()
    assert gone.key not in {total.key for total in peek(tmp_path / LEDGER_NAME).usage.totals}


def test_a_file_held_at_the_start_gives_its_totals(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    ledger.close()
    other = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert not ledger.health().writable
    assert in_order(ledger.load_usage()) == in_order(usage_at(range(2), 1))
    other.execute("ROLLBACK")
    other.close()
    commit_tick(ledger, 2)
    ledger.close()
    assert_whole(tmp_path, 2)


def test_a_ledger_of_version_1_goes_on_with_usage(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    connection.executescript((FIXTURES / "version_1.sql").read_text(encoding="utf-8"))
    connection.close()
    assert peek(tmp_path / LEDGER_NAME).usage == Usage()
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.load_usage() == Usage()
    assert (ledger.workload_history(0, 2**62), ledger.service_history(0, 2**62)) == ([], [])
    commit_tick(ledger, 131)
    assert ledger.health().writable, ledger.health().detail
    ledger.close()
    assert {total.uuid for total in peek(tmp_path / LEDGER_NAME).usage.totals} == {uuid_of(0), uuid_of(1)}


@needs_root
def test_a_read_only_ledger_of_version_3_has_no_usage_and_is_no_damage(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger = SqliteLedger(state, clock=FakeClock())
    commit_tick(ledger, 1)
    ledger.close()
    for kind, name in _sql(state, "SELECT type, name FROM sqlite_schema WHERE name LIKE 'service%' AND sql <> ''"):
        _sql(state, f"DROP {kind} {name}")
    _sql(state, "PRAGMA user_version = 3")
    with mounted(state, "--bind", str(state)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(state)], check=True)
        ledger = SqliteLedger(state, clock=FakeClock())
        assert ledger.load() == two_accounts(1)
        assert ledger.load_usage() == Usage()
        assert (ledger.workload_history(0, 2**62), ledger.service_history(0, 2**62)) == ([], [])
        assert ledger._suspicion == ""
        commit_tick(ledger, 2)
        assert ledger.load_usage().totals
        assert len(ledger.workload_history(0, 2**62)) == 4
        ledger.close()
