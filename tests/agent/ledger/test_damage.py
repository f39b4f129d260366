"""A damaged ledger is moved aside, loudly; the counters go on wherever they can be known."""

import logging
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import FakeClock, account_of, entry_of, instant_of, uuid_of
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger, peek
from wattledger.agent.ledger.place import CHECK_NS, DAMAGE_PAUSE_NS
from wattledger.rules.account import DeviceAccount
from wattledger.rules.instant import NS_PER_SECOND, Instant

SLOTS = range(4)
PAGE = 4096


def _accounts(tick: int) -> dict[str, DeviceAccount]:
    return {uuid_of(slot): account_of(slot, tick) for slot in SLOTS}


def _filled(directory: Path) -> Path:
    """Leave a closed ledger of some hundred pages."""
    ledger = SqliteLedger(directory, clock=FakeClock())
    for tick in range(1, 40):
        entries = [entry_of(slot, tick * 3600 * 5 + 1) for slot in SLOTS]
        ledger.commit(_accounts(tick), entries, instant_of(tick))
    days = [entry_of(slot, 1) for slot in SLOTS]
    long = [type(one)(one.uuid, one.state, one.start, instant_of(200 * 86_400), 10**12) for one in days]
    ledger.commit(_accounts(40), long, instant_of(200 * 86_400))
    ledger.close()
    return directory / LEDGER_NAME


def _garbage_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(random.Random(1).randbytes(512))  # noqa: S311


def _text(path: Path) -> None:
    path.write_text("this is no ledger\n" * 100)


def _truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE * PAGE)


def _truncated_inside_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3 + 77)


def _truncated_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def _pages_flipped(path: Path) -> None:
    """Flip the bits of every fifth page in the second half of the file: history, not totals."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in range(size // PAGE // 2, size // PAGE, 5):
            file.seek(page * PAGE)
            flipped = bytes(byte ^ 0xFF for byte in file.read(PAGE))
            file.seek(page * PAGE)
            file.write(flipped)


def _foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE device (other); PRAGMA user_version = 1;")
    connection.close()


def _ledger_gone_log_left(path: Path) -> None:
    path.with_name(f"{path.name}-wal").write_bytes(path.read_bytes()[: 8 * PAGE])
    path.unlink()


def _nonsense_in_a_row(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE state_total SET energy_mj = 'many' WHERE state = 'held' OR device = 1")
    connection.commit()
    connection.close()


def _no_text_in_a_row(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE device SET uuid = CAST(x'4750ff' AS TEXT) WHERE id = 1")
    connection.commit()
    connection.close()


def _no_text_in_the_schema(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET name = CAST(x'b4' AS TEXT), sql = 'CREATE' WHERE name = 'xid'")
    connection.commit()
    connection.close()


DAMAGES: list[Callable[[Path], None]] = [
    _garbage_header,
    _text,
    _truncated,
    _truncated_inside_a_page,
    _truncated_to_nothing,
    _pages_flipped,
    _foreign,
    _ledger_gone_log_left,
    _nonsense_in_a_row,
    _no_text_in_a_row,
    _no_text_in_the_schema,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_ledger_is_moved_aside_and_a_new_one_begun(
    damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _filled(tmp_path)
    damage(path)
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock)
    health = ledger.health()
    assert health.writable, health.detail
    aside = Path(health.moved_aside)
    assert aside.name == "ledger.damaged-20251124T160000Z.sqlite3"
    assert aside.exists() or aside.with_name(f"{aside.name}-wal").exists()
    assert [record.levelno for record in caplog.records if "ledger_damaged" in record.message] == [logging.ERROR]
    rescued = ledger.load()
    assert all(account == account_of(slot, 40) for slot in SLOTS if (account := rescued.get(uuid_of(slot))))
    ledger.commit(_accounts(41), [entry_of(0, 41)], clock.advance(41))
    ledger.close()
    again = SqliteLedger(tmp_path, clock=clock)
    assert again.load() == _accounts(41)
    assert [row.energy_mj for row in again.history(0, 2**62)] == [300_000]
    assert again.health().moved_aside == ""
    again.close()


def test_totals_that_still_add_up_are_carried_on_when_only_history_is_damaged(tmp_path: Path) -> None:
    _pages_flipped(_filled(tmp_path))
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.load() == _accounts(40)
    # They are in the new file already: a kill before the first tick must not lose them.
    assert peek(tmp_path / LEDGER_NAME).accounts == _accounts(40)
    ledger.close()


@pytest.mark.parametrize("table", ["anchor", "counter", "xid", "baseline"])
def test_totals_are_carried_on_where_another_table_of_the_accounts_is_damaged(tmp_path: Path, table: str) -> None:
    path = _filled(tmp_path)
    connection = sqlite3.connect(path)
    (column,) = (row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[0] == 2)
    connection.execute(f"UPDATE {table} SET {column} = x'00'")  # noqa: S608  (names of our own)
    connection.commit()
    connection.close()
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().moved_aside
    found = {uuid: (account.states, account.methods) for uuid, account in ledger.load().items()}
    assert found == {uuid: (account.states, account.methods) for uuid, account in _accounts(40).items()}
    ledger.close()


def test_totals_that_no_longer_add_up_are_not_carried_on(tmp_path: Path) -> None:
    path = _filled(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE method_total SET energy_mj = energy_mj + 1 WHERE device = 2")
    connection.commit()
    connection.close()
    _pages_flipped(path)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    expected = _accounts(40)
    del expected[uuid_of(1)]
    assert ledger.load() == expected
    ledger.close()


def test_damage_while_running_costs_no_counter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _filled(tmp_path)
    clock = FakeClock(mono_ns=10**15)
    ledger = SqliteLedger(tmp_path, clock=clock)
    ledger.commit(_accounts(41), [], clock.advance(1))
    _pages_flipped(path)
    _garbage_header(path)
    # A reader meets it first; the next commit looks for itself.
    assert ledger.history(0, 2**62) == []
    ledger.commit(_accounts(42), [entry_of(0, 42)], clock.advance(1))
    health = ledger.health()
    assert health.writable, health.detail
    assert Path(health.moved_aside).is_file()
    assert "ledger_damaged" in caplog.text
    # All is known in memory, so the new file is whole at once: no device, no counter is missing.
    assert peek(path).accounts == _accounts(42)
    assert [row.energy_mj for row in ledger.history(0, 2**62)] == [300_000]
    ledger.close()


def test_a_disk_that_damages_file_after_file_is_left_alone_for_a_while(tmp_path: Path) -> None:
    path = _filled(tmp_path)
    clock = FakeClock()
    _garbage_header(path)
    ledger = SqliteLedger(tmp_path, clock=clock)
    ledger.commit(_accounts(41), [], clock.advance(1))
    for tick in (42, 43, 44):
        _garbage_header(path)
        ledger.history(0, 2**62)  # meets it
        ledger.commit(_accounts(tick), [entry_of(0, tick)], clock.advance(1))
        assert not ledger.health().writable
        assert "check the disk" in ledger.health().detail
    assert len(list(tmp_path.glob("ledger.damaged-*.sqlite3"))) == 1
    assert ledger.load() == _accounts(44)
    clock.advance_ns(DAMAGE_PAUSE_NS)
    ledger.commit(_accounts(45), [], clock.advance(1))
    assert ledger.health().writable, ledger.health().detail
    assert peek(path).accounts == _accounts(45)
    # What three ticks could not write is there.
    assert sum(row.energy_mj for row in ledger.history(0, 2**62)) == 3 * 300_000
    ledger.close()


class _RunningClock(FakeClock):
    """A clock that moves on by a second whenever it is looked at."""

    def now(self) -> Instant:
        return self.advance(1)

    def advance(self, seconds: int) -> Instant:
        self.mono_ns += seconds * NS_PER_SECOND
        return Instant(self.mono_ns, self.wall_ns)


def test_the_check_at_the_start_takes_no_longer_than_its_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _filled(tmp_path)
    clock = _RunningClock()
    begun = clock.mono_ns
    ledger = SqliteLedger(tmp_path, clock=clock)
    assert "ledger_check_cut_off" in caplog.text
    assert clock.mono_ns - begun < CHECK_NS + 5 * NS_PER_SECOND
    assert ledger.load() == _accounts(40)
    assert ledger.health().moved_aside == ""
    ledger.close()


def test_a_sound_ledger_is_not_moved_for_a_reader_that_erred(tmp_path: Path) -> None:
    _filled(tmp_path)
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock)
    ledger._suspicion = "a torn read"
    ledger.commit(_accounts(41), [], clock.advance(1))
    assert ledger.health().writable
    assert ledger.health().moved_aside == ""
    ledger.close()
