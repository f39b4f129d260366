"""A directory that cannot be written: its totals are read, the books go on in memory, and it heals by itself."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import (
    FakeClock,
    assert_whole,
    changes_logged,
    commit_tick,
    energy_mj,
    instant_of,
    mounted,
    needs_root,
    python,
    two_accounts,
)
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger, peek


@needs_root
def test_a_read_only_directory_gives_its_totals_and_heals(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = tmp_path / "state"
    ledger = SqliteLedger(state, clock=FakeClock())
    for tick in range(1, 4):
        commit_tick(ledger, tick)
    ledger.close()
    (state / "lock").unlink()  # with it there, the lock would be had
    with mounted(state, "--bind", str(state)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(state)], check=True)
        ledger = SqliteLedger(state, clock=FakeClock())
        assert ledger.load() == two_accounts(3)
        health = ledger.health()
        assert not health.writable
        assert "remount it writable" in health.detail
        assert health.last_commit_wall_ns == instant_of(3).wall_ns
        commit_tick(ledger, 4)
        commit_tick(ledger, 5)
        assert ledger.load() == two_accounts(5)
        assert energy_mj(ledger) == 5 * 2 * 300_000
        assert peek(state / LEDGER_NAME).accounts == two_accounts(3)
        subprocess.run(["mount", "-o", "remount,rw,bind", str(state)], check=True)
        commit_tick(ledger, 6)
        assert ledger.health().writable, ledger.health().detail
        ledger.close()
        assert_whole(state, 6)
    assert changes_logged(caplog) == ["ledger_not_writable", "ledger_writable_again"]


@needs_root
def test_a_read_only_directory_after_a_crash_gives_the_totals_of_its_log(tmp_path: Path) -> None:
    crashed, state = tmp_path / "crashed", tmp_path / "state"
    ledger = SqliteLedger(crashed, clock=FakeClock())
    for tick in range(1, 4):
        commit_tick(ledger, tick)
    state.mkdir()
    for name in (LEDGER_NAME, f"{LEDGER_NAME}-wal"):  # what a power cut leaves: no index of the log
        shutil.copy(crashed / name, state / name)
    ledger.close()
    with mounted(state, "--bind", str(state)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(state)], check=True)
        ledger = SqliteLedger(state, clock=FakeClock())
        assert not ledger.health().writable
        assert ledger.load() == two_accounts(3)
        assert energy_mj(ledger) == 3 * 2 * 300_000
        ledger.close()


@needs_root
def test_a_file_system_that_turns_read_only_while_running_loses_nothing(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with mounted(tmp_path / "disk", "-o", "loop", str(image)) as disk:
        ledger = SqliteLedger(disk / "state", clock=FakeClock())
        commit_tick(ledger, 1)
        # What the kernel does by itself when an ext4 disk fails (errors=remount-ro).
        subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=True)
        for tick in range(2, 5):
            commit_tick(ledger, tick)
        health = ledger.health()
        assert not health.writable
        assert health.commit_failures == 3
        assert "state" in health.detail
        assert ledger.load() == two_accounts(4)
        assert energy_mj(ledger) >= 3 * 2 * 300_000
        ledger.close()


@needs_root
def test_a_directory_hidden_by_a_read_only_mount_is_found_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ledger = SqliteLedger(state, clock=FakeClock())
    commit_tick(ledger, 1)
    with mounted(state, "-t", "tmpfs", "-o", "ro,size=64k", "none"):
        commit_tick(ledger, 2)
        commit_tick(ledger, 3)
        assert not ledger.health().writable
        assert "remount it writable" in ledger.health().detail
    commit_tick(ledger, 4)
    assert ledger.health().writable, ledger.health().detail
    ledger.close()
    assert_whole(state, 4)


_AS_NOBODY = """
import os, sys
from pathlib import Path
from tests.agent.ledger.helpers import FakeClock, instant_of
from wattledger.agent.ledger import open_ledger
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
ledger = open_ledger(Path(sys.argv[1]), clock=FakeClock())
ledger.commit({}, [], instant_of(2))
print(len(ledger.load()), ledger.health().writable, ledger.health().detail)
"""


@needs_root
@pytest.mark.parametrize(("mode", "devices"), [(0o755, 2), (0o750, 0)], ids=["readable", "unreadable"])
def test_a_directory_without_the_right_to_write_names_the_user(mode: int, devices: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        state = Path(directory) / "state"
        ledger = SqliteLedger(state, clock=FakeClock())
        commit_tick(ledger, 1)
        ledger.close()
        state.chmod(mode)
        with python("-c", _AS_NOBODY, str(state)) as child:
            said, _ = child.communicate()
        assert said.decode().startswith(f"{devices} False {state}")
        assert b"writ" in said
        assert_whole(state, 1)
