"""Alerts in the ledger: what was committed is there after a kill, and no trouble of theirs costs an account."""

import logging
import math
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import (
    FakeClock,
    account_of,
    commit_tick,
    entry,
    instant_of,
    memory_of,
    mounted,
    needs_root,
    python,
    two_accounts,
    uuid_of,
)
from wattledger.agent.ledger import LEDGER_NAME, Ledger, MemoryLedger, SqliteLedger, open_ledger
from wattledger.rules.alerting import Alert, AlertState, GroupMemory, KeptAlert
from wattledger.rules.state import State

TEXT = st.text(max_size=8)
NAMES = st.dictionaries(st.text(min_size=1, max_size=6), TEXT, max_size=3).map(
    lambda names: tuple(sorted(names.items()))
)
MOMENTS = st.integers(-(2**70), 2**70)
KEPT = st.builds(
    KeptAlert,
    st.sampled_from(["alert 'A'", "alert 'A' #2", "alert 'B' severity='info'"]),
    st.builds(
        Alert,
        labels=NAMES,
        annotations=NAMES,
        value=st.floats(allow_nan=False),
        state=st.sampled_from(AlertState),
        active_at_ms=MOMENTS,
        fired_at_ms=st.none() | MOMENTS,
        resolved_at_ms=st.none() | MOMENTS,
        keep_firing_since_ms=st.none() | MOMENTS,
    ),
)
GROUPS = st.dictionaries(
    st.sampled_from(["packs/idle.yml;idle", "b", "\u00e4\udcff\0'"]),
    st.builds(
        GroupMemory,
        MOMENTS,
        st.lists(KEPT, min_size=1, max_size=4, unique_by=lambda kept: (kept.rule, kept.alert.labels)).map(tuple),
    ),
)


def commit(ledger: Ledger, tick: int, alerts: Mapping[str, GroupMemory] | None = None) -> None:
    ledger.commit(two_accounts(tick), [], instant_of(tick), alerts)


def stored(directory: Path) -> dict[str, GroupMemory]:
    """Give what a ledger opened anew says."""
    ledger = SqliteLedger(directory, clock=FakeClock())
    try:
        return ledger.load_alerts()
    finally:
        ledger.close()


def sql(directory: Path, text: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        with connection:
            return connection.execute(text).fetchall()
    finally:
        connection.close()


def in_order(memories: Mapping[str, GroupMemory]) -> dict[str, GroupMemory]:
    """Give the memories with their alerts in one order; without value and annotations."""
    return {
        group: replace(
            memory,
            alerts=tuple(
                sorted(
                    (replace(kept, alert=replace(kept.alert, value=0.0, annotations=())) for kept in memory.alerts),
                    key=lambda kept: (kept.rule, kept.alert.labels),
                )
            ),
        )
        for group, memory in memories.items()
    }


@settings(max_examples=40)
@given(st.lists(GROUPS, min_size=1, max_size=4))
def test_load_after_commit_gives_the_alerts_back(steps: list[dict[str, GroupMemory]]) -> None:
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as directory:
        ledger, other = SqliteLedger(Path(directory), clock=clock), MemoryLedger()
        for alerts in steps:
            for one in (ledger, other):
                one.commit({}, [], clock.advance(1), alerts)
            assert in_order(ledger.load_alerts()) == in_order(other.load_alerts()) == in_order(alerts)
        assert ledger.health().writable, ledger.health().detail
        known = ledger.load_alerts()
        ledger.close()
        assert stored(Path(directory)) == known


@settings(max_examples=20)
@given(GROUPS)
def test_value_and_annotations_are_kept_too(alerts: dict[str, GroupMemory]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ledger = SqliteLedger(Path(directory), clock=FakeClock())
        ledger.commit({}, [], instant_of(1), alerts)
        ledger.close()
        found = stored(Path(directory))
    assert {group: set(memory.alerts) for group, memory in found.items()} == {
        group: set(memory.alerts) for group, memory in alerts.items()
    }


def test_a_value_that_is_no_number_stays_one_that_is_none(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "a", value=math.nan)})
    ledger.close()
    assert math.isnan(stored(tmp_path)["g"].alerts[0].alert.value)


@pytest.mark.parametrize("memory_only", [True, False])
def test_without_alerts_a_commit_leaves_them_and_groups_without_any_are_not_kept(
    tmp_path: Path, *, memory_only: bool
) -> None:
    ledger = MemoryLedger() if memory_only else open_ledger(tmp_path, clock=FakeClock())
    assert ledger.load_alerts() == {}
    commit(ledger, 1, {"g": memory_of(1, "a"), "quiet": memory_of(1)})
    commit(ledger, 2)
    assert ledger.load_alerts() == {"g": memory_of(1, "a")}
    commit(ledger, 3, {"g": memory_of(3)})
    assert ledger.load_alerts() == {}
    ledger.close()
    if not memory_only:
        assert sql(tmp_path, "SELECT * FROM alert_group") == []


def test_only_what_differs_is_written_and_value_and_annotations_wait_for_it(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "a", "b")})
    sql(tmp_path, "UPDATE alert SET rule = 'touched'")
    sql(tmp_path, "UPDATE alert_group SET seen_at_ms = 99")
    commit(ledger, 2, {"g": memory_of(1, "a", "b", value=2.0, text="other")})
    assert sql(tmp_path, "SELECT rule, value FROM alert") == [("touched", 1.5)] * 2
    assert sql(tmp_path, "SELECT * FROM alert_group") == [('"g"', 99)]
    commit(ledger, 3, {"g": memory_of(3, "a", "b", value=2.0)})
    assert sql(tmp_path, "SELECT rule, value FROM alert") == [("touched", 1.5)] * 2
    assert sql(tmp_path, "SELECT * FROM alert_group") == [('"g"', 45_000)]
    over = memory_of(4, "b", value=3.0, state=AlertState.INACTIVE)
    commit(ledger, 4, {"g": replace(over, alerts=(*memory_of(4, "a").alerts, *over.alerts))})
    assert sql(tmp_path, "SELECT rule, value FROM alert WHERE rule <> 'touched'") == [("alert 'A'", 3.0)]
    ledger.close()


DAMAGES = {
    "labels that are no JSON": "UPDATE alert SET labels = '{' WHERE labels LIKE '%bad%'",
    "labels that are a list": "UPDATE alert SET labels = '[1]' WHERE labels LIKE '%bad%'",
    "labels that are numbers": """UPDATE alert SET labels = '{"a":1}' WHERE labels LIKE '%bad%'""",
    "annotations that are no text": "UPDATE alert SET annotations = x'00' WHERE labels LIKE '%bad%'",
    "a state there is none of": "UPDATE alert SET state = 'burning' WHERE labels LIKE '%bad%'",
    "a moment that is none": "UPDATE alert SET active_at_ms = 'now' WHERE labels LIKE '%bad%'",
    "a value that is a text": "UPDATE alert SET value = 'much' WHERE labels LIKE '%bad%'",
    "a rule that is no text": "UPDATE alert SET rule = x'00' WHERE labels LIKE '%bad%'",
    "a group without its row": "UPDATE alert SET group_key = '\"h\"' WHERE labels LIKE '%bad%'",
    "a group that is no JSON": "UPDATE alert SET group_key = 'h' WHERE labels LIKE '%bad%'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_row_that_cannot_be_understood_costs_its_alert_alone(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "bad", "good")})
    ledger.close()
    sql(tmp_path, damage)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.load() == two_accounts(1)
    assert ledger.load_alerts() == {"g": memory_of(1, "good")}
    assert [record.levelno for record in caplog.records if "ledger_alert_dropped" in record.message] == [
        logging.WARNING
    ]
    assert ledger.health().moved_aside == ""
    commit(ledger, 2, {"g": memory_of(2, "good")})
    ledger.close()
    assert sql(tmp_path, "SELECT labels FROM alert") == [('{"alertname":"A","case":"good"}',)]


def test_a_program_that_holds_the_file_delays_alerts_and_loses_none(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "a")})
    other = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    commit(ledger, 2, {"g": memory_of(2, "b"), "h": memory_of(2, "c")})
    assert ledger.load_alerts() == {"g": memory_of(2, "b"), "h": memory_of(2, "c")}
    other.execute("ROLLBACK")
    other.close()
    commit(ledger, 3)
    assert ledger.health().writable
    ledger.close()
    assert stored(tmp_path) == {"g": memory_of(2, "b"), "h": memory_of(2, "c")}


def test_a_file_held_at_the_start_gives_its_alerts(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "a")})
    ledger.close()
    other = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert not ledger.health().writable
    assert ledger.load_alerts() == {"g": memory_of(1, "a")}
    other.execute("ROLLBACK")
    other.close()
    commit(ledger, 2)
    ledger.close()
    assert stored(tmp_path) == {"g": memory_of(1, "a")}


@needs_root
def test_a_full_disk_delays_alerts_and_loses_none(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        ledger = SqliteLedger(disk, clock=FakeClock())
        commit(ledger, 1, {"g": memory_of(1, "a")})
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize))
        # More than folding the log gives back.
        away = entry(State.UNOBSERVED, start_s=-300 * 86_400, seconds=300 * 86_400, energy_mj=10**9)
        ledger.commit({}, [away], instant_of(2), {"g": memory_of(2, "b")})
        commit(ledger, 3, {"g": memory_of(3, "b", "c")})
        assert not ledger.health().writable
        assert ledger.load_alerts() == {"g": memory_of(3, "b", "c")}
        (disk / "filler").unlink()
        commit(ledger, 4)
        assert ledger.health().writable, ledger.health().detail
        ledger.close()
        assert stored(disk) == {"g": memory_of(3, "b", "c")}


@needs_root
@pytest.mark.parametrize("version", [2, 3])
def test_a_read_only_ledger_gives_the_alerts_its_version_has(tmp_path: Path, version: int) -> None:
    state = tmp_path / "state"
    ledger = SqliteLedger(state, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "a")})
    ledger.close()
    if version == 2:
        for text in ("DROP TABLE alert", "DROP TABLE alert_group", "PRAGMA user_version = 2"):
            sql(state, text)
    with mounted(state, "--bind", str(state)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(state)], check=True)
        ledger = SqliteLedger(state, clock=FakeClock())
        assert not ledger.health().writable
        assert ledger.load() == two_accounts(1)
        assert ledger.load_alerts() == ({"g": memory_of(1, "a")} if version > 2 else {})
        ledger.close()


def damage_history(path: Path) -> None:
    """Flip a page of history, which is behind all else in a file that was filled so."""
    with path.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        page = file.read(4096)
        file.seek(-4096, os.SEEK_END)
        file.write(bytes(byte ^ 0xFF for byte in page))


def test_alerts_of_a_damaged_file_are_carried_on_at_the_start(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "a")})
    long = entry(start_s=0, seconds=300 * 86_400, energy_mj=10**12)
    ledger.commit({}, [long], long.end)
    ledger.close()
    damage_history(tmp_path / LEDGER_NAME)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().moved_aside
    assert ledger.load_alerts() == {"g": memory_of(1, "a")}
    # They are in the new file already: a kill before the first tick must not lose them.
    assert sql(tmp_path, "SELECT count(*) FROM alert") == [(1,)]
    ledger.close()


def test_a_file_deleted_while_running_is_written_anew_with_its_alerts(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit(ledger, 1, {"g": memory_of(1, "a")})
    (tmp_path / LEDGER_NAME).unlink()
    commit(ledger, 2)
    assert ledger.health().writable, ledger.health().detail
    ledger.close()
    assert stored(tmp_path) == {"g": memory_of(1, "a")}


_WITHOUT_RULES = """
import sys
from pathlib import Path
from wattledger.agent.ledger import open_ledger
from wattledger.rules.instant import Instant
ledger = open_ledger(Path(sys.argv[1]), clock=type("Clock", (), {"now": lambda self: Instant(1, 10**18)})())
assert ledger.load_alerts() == {}
ledger.commit({}, [], Instant(2, 10**18 + 1))
assert ledger.health().writable
ledger.close()
print(*(name for name in ("wattledger.rules.alerting", "json") if name in sys.modules))
"""


def test_where_no_rules_run_nothing_of_alerts_is_loaded(tmp_path: Path) -> None:
    SqliteLedger(tmp_path, clock=FakeClock()).close()
    with python("-c", _WITHOUT_RULES, str(tmp_path)) as child:
        said, errors = child.communicate()
    assert (errors, said.split()) == (b"", [])


def test_accounts_and_alerts_of_one_commit_are_stored_together(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    commit_tick(ledger, 1)
    sql(tmp_path, "CREATE TRIGGER no BEFORE INSERT ON alert BEGIN SELECT RAISE(ABORT, 'no'); END")
    ledger.commit({uuid_of(0): account_of(0, 5)}, [], instant_of(5), {"g": memory_of(5, "a")})
    assert not ledger.health().writable
    assert sql(tmp_path, "SELECT commits FROM book") == [(1,)]
    sql(tmp_path, "DROP TRIGGER no")
    ledger.commit({}, [], instant_of(6))
    ledger.close()
    again = SqliteLedger(tmp_path, clock=FakeClock())
    assert again.load()[uuid_of(0)] == account_of(0, 5)
    assert again.load_alerts() == {"g": memory_of(5, "a")}
    again.close()
