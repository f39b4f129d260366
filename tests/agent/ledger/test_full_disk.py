"""A disk without room: nothing is raised, nothing is lost, it is said once, and it heals by itself."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import (
    FakeClock,
    account_of,
    assert_whole,
    changes_logged,
    commit_tick,
    energy_mj,
    entry,
    instant_of,
    mounted,
    needs_root,
    two_accounts,
    uuid_of,
)
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger, open_ledger, peek
from wattledger.rules.state import State


def _fill(disk: Path, *, left: int = 0) -> None:
    """Take all room but *left* pages."""
    free = os.statvfs(disk)
    with (disk / "filler").open("ab") as filler:
        filler.write(bytes((free.f_bavail - left) * free.f_frsize))


@needs_root
def test_a_disk_full_from_the_start_heals_when_it_has_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64k", "none") as disk:
        ledger = open_ledger(disk / "state", clock=FakeClock())
        for tick in range(1, 6):
            commit_tick(ledger, tick)
        health = ledger.health()
        assert not health.writable
        assert health.commit_failures >= 5
        assert str(disk) in health.detail
        assert "free some" in health.detail
        assert ledger.load() == two_accounts(5)
        assert energy_mj(ledger) == 5 * 2 * 300_000
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        commit_tick(ledger, 6)
        health = ledger.health()
        assert health.writable, health.detail
        assert health.detail == ""
        assert health.last_commit_wall_ns == instant_of(6).wall_ns
        assert energy_mj(ledger) == 6 * 2 * 300_000
        ledger.close()
        assert_whole(disk / "state", 6)
    assert changes_logged(caplog) == ["ledger_not_writable", "ledger_writable_again"]


@needs_root
def test_a_disk_that_fills_up_later_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        ledger = SqliteLedger(disk, clock=FakeClock())
        for tick in range(1, 4):
            commit_tick(ledger, tick)
        assert ledger.health().writable
        # More than folding the log gives back: 300 days of hours, booked at once.
        away = entry(State.UNOBSERVED, start_s=-300 * 86_400, seconds=300 * 86_400, energy_mj=10**9)
        _fill(disk)
        ledger.commit({}, [away], instant_of(4))
        for tick in range(4, 30):
            commit_tick(ledger, tick)
        assert not ledger.health().writable
        assert "no space left" in ledger.health().detail
        assert energy_mj(ledger) == 10**9 + 29 * 2 * 300_000
        assert peek(disk / LEDGER_NAME).accounts == two_accounts(3)
        (disk / "filler").unlink()
        commit_tick(ledger, 30)
        assert ledger.health().writable, ledger.health().detail
        assert energy_mj(ledger) == 10**9 + 30 * 2 * 300_000
        assert peek(disk / LEDGER_NAME).accounts == two_accounts(30)
        ledger.close()
        assert_whole(disk, 30, besides_mj=10**9)
    assert changes_logged(caplog) == ["ledger_not_writable", "ledger_writable_again"]


@needs_root
@pytest.mark.parametrize("left", [0, 1, 3, 8], ids=lambda pages: f"{pages}_pages_left")
def test_a_disk_with_hardly_any_room_is_still_written_by_folding_the_log(tmp_path: Path, left: int) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        ledger = SqliteLedger(disk, clock=FakeClock())
        for tick in range(1, 4):
            commit_tick(ledger, tick)
        _fill(disk, left=left)
        for tick in range(4, 60):
            commit_tick(ledger, tick)
            assert peek(disk / LEDGER_NAME).accounts == two_accounts(tick)
        assert ledger.health().commit_failures == 0
        ledger.close()
        assert_whole(disk, 59)


@needs_root
def test_a_disk_still_full_at_close_loses_no_more_than_it_must(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        ledger = SqliteLedger(disk, clock=FakeClock())
        commit_tick(ledger, 1)
        _fill(disk)
        away = entry(State.UNOBSERVED, start_s=-300 * 86_400, seconds=300 * 86_400, energy_mj=10**9)
        ledger.commit({}, [away], instant_of(2))
        commit_tick(ledger, 3)
        assert not ledger.health().writable
        ledger.close()
        (disk / "filler").unlink()
        again = SqliteLedger(disk, clock=FakeClock())
        found = again.load()[uuid_of(0)]
        assert found.anchor is not None
        assert found.anchor.uptime_seconds is not None
        # Whole, of some earlier tick: the hardware counter gives the rest at the next start.
        assert found == account_of(0, found.anchor.uptime_seconds)
        again.close()
