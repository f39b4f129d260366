"""State directories that are full, read-only or damaged: the metrics go on, say so, and nothing falls afterwards."""

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import POWER, WRITABLE, Counters, Truth, Witness, machine
from tests.agent.ledger.helpers import mounted, needs_root
from tests.nvml.double import NvmlDouble
from wattledger.agent.ledger import LEDGER_NAME

FAILURES = "wattledger_ledger_commit_failures_total"
LAST_COMMIT = "wattledger_ledger_last_commit_timestamp_seconds"
DAMAGED = "wattledger_ledger_damaged_info"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[NvmlDouble]:
    with machine(tmp_path / "double") as double:
        yield double


def daemon_on(state_dir: Path, double: NvmlDouble) -> DaemonProcess:
    """Start a daemon whose log is not on the disk in trouble."""
    return DaemonProcess(state_dir, env=double.env, log=double.control_path.with_name("daemon.log"))


@contextmanager
def greedy(disk: Path) -> Iterator[None]:
    """Take all room on *disk*, and what is given back at once: folding its log gives the ledger some for a while."""
    stop = threading.Event()
    taken = disk / "taken"

    def take() -> None:
        with taken.open("ab", buffering=0) as file:
            while not stop.wait(0.0005):
                room = os.statvfs(disk)
                if room.f_bavail:
                    with suppress(OSError):  # the ledger was faster
                        file.write(bytes(room.f_bavail * room.f_frsize))

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        taken.unlink()


def trouble(daemon: DaemonProcess, counters: Counters) -> Page:
    """Wait until the page says that the books do not reach the disk; it must show fresh values nevertheless."""
    page = daemon.wait_for(lambda page: page if page.value(WRITABLE) == 0 else None, "trouble on the page")
    counters.see(page)
    assert page.value(FAILURES) >= 1
    later = counters.see(daemon.wait_ticks(3))
    assert later.value(WRITABLE) == 0
    assert later.value(FAILURES) > page.value(FAILURES)
    assert later.has(POWER, gpu="0")
    assert daemon.get("/-/ready")[0] == 200, "the data is fresh"
    assert daemon.logged().count("ledger_not_writable") == 1
    return later


def healed(daemon: DaemonProcess, counters: Counters) -> None:
    page = counters.see(daemon.wait_for(lambda page: page if page.value(WRITABLE) == 1 else None, "writable again"))
    assert page.value("wattledger_sample_timestamp_seconds") - page.value(LAST_COMMIT) < 0.001
    assert daemon.logged().count("ledger_writable_again") == 1


def nothing_fell_over_a_restart(
    state_dir: Path, double: NvmlDouble, counters: Counters, truth: Truth | None = None
) -> None:
    with daemon_on(state_dir, double) as daemon:
        page = counters.see_whole(daemon.wait_ticks(3))
        assert page.value(WRITABLE) == 1
        if truth is not None:
            truth.check(daemon)


@pytest.mark.nightly
@needs_root
def test_a_disk_full_from_the_start_costs_nothing_once_it_has_room(tmp_path: Path, double: NvmlDouble) -> None:
    counters = Counters()
    truth = Truth(double)
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64k", "none") as disk:
        with daemon_on(disk / "state", double) as daemon, Witness(daemon):
            daemon.wait_ticks(1)
            truth.load(daemon)
            trouble(daemon, counters)
            assert "free some" in daemon.logged()
            subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
            healed(daemon, counters)
        nothing_fell_over_a_restart(disk / "state", double, counters, truth)


@needs_root
def test_a_disk_that_fills_up_while_running_costs_nothing_once_it_has_room(
    tmp_path: Path, double: NvmlDouble
) -> None:
    counters = Counters()
    truth = Truth(double)
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        with daemon_on(disk / "state", double) as daemon, Witness(daemon):
            assert counters.see(daemon.wait_ticks(2)).value(WRITABLE) == 1
            truth.load(daemon)
            with greedy(disk):
                trouble(daemon, counters)
            assert "no space left" in daemon.logged()
            healed(daemon, counters)
        nothing_fell_over_a_restart(disk / "state", double, counters, truth)


@pytest.mark.nightly
@needs_root
def test_a_kill_on_a_full_disk_loses_no_joule_though_the_newest_split_was_only_in_memory(
    tmp_path: Path, double: NvmlDouble
) -> None:
    truth = Truth(double)
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64k", "none") as disk:
        first = daemon_on(disk / "state", double)
        counters = Counters()
        first.wait_ticks(1)
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        first.wait_for(lambda page: page.value(WRITABLE) == 1, "writable")
        truth.load(first)
        counters.see(first.wait_ticks(2))
        with greedy(disk):
            first.wait_for(lambda page: page.value(WRITABLE) == 0, "the disk full")
            first.wait_ticks(2)
            first.kill()
        with daemon_on(disk / "state", double) as second:
            truth.check(second)
            counters.see(second.page())  # what was shown before the disk was full stands


@needs_root
def test_a_read_only_directory_at_the_start_gives_its_totals_and_takes_the_books_when_it_may(
    tmp_path: Path, double: NvmlDouble
) -> None:
    state = tmp_path / "state"
    counters = Counters()
    truth = Truth(double)
    with daemon_on(state, double) as daemon:
        daemon.wait_ticks(1)
        truth.load(daemon)
        counters.see(daemon.wait_ticks(3))
    with mounted(state, "--bind", str(state)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(state)], check=True)
        with daemon_on(state, double) as daemon, Witness(daemon):
            counters.see_whole(daemon.wait_ticks(1))
            trouble(daemon, counters)
            assert "remount it writable" in daemon.logged(), daemon.logged()
            subprocess.run(["mount", "-o", "remount,rw,bind", str(state)], check=True)
            healed(daemon, counters)
    nothing_fell_over_a_restart(state, double, counters, truth)


@pytest.mark.nightly
@needs_root
def test_a_disk_that_fails_while_running_and_is_mounted_anew_has_the_books_again(
    tmp_path: Path, double: NvmlDouble
) -> None:
    image, repaired = tmp_path / "image", tmp_path / "repaired"
    image.write_bytes(b"")
    os.truncate(image, 8 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    counters = Counters()
    truth = Truth(double)
    with mounted(tmp_path / "disk", "-o", "loop", str(image)) as disk:
        with daemon_on(disk / "state", double) as daemon, Witness(daemon):
            daemon.wait_ticks(2)
            truth.load(daemon)
            counters.see(daemon.wait_ticks(2))
            # What the kernel does by itself when an ext4 disk fails (errors=remount-ro).
            subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=True)
            trouble(daemon, counters)
            subprocess.run(["umount", "-l", str(disk)], check=True)
            # A copy: the kernel would give the old file system again, which the daemon's lock keeps busy.
            shutil.copy(image, repaired)
            subprocess.run(["mount", "-o", "loop", str(repaired), str(disk)], check=True)
            healed(daemon, counters)
        nothing_fell_over_a_restart(disk / "state", double, counters, truth)


def _no_database(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))  # noqa: S311  (garbage, no secret)


def _cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3 + 77)


DAMAGES = [
    pytest.param(_no_database, id="no_database"),
    pytest.param(_cut_short, id="cut_short", marks=pytest.mark.nightly),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_ledger_damaged_before_the_start_is_kept_aside_and_said_and_the_next_restart_loses_nothing(
    tmp_path: Path, double: NvmlDouble, damage: Callable[[Path], None]
) -> None:
    state = tmp_path / "state"
    with daemon_on(state, double) as daemon:
        daemon.wait_ticks(2)
    damage(state / LEDGER_NAME)
    damaged = (state / LEDGER_NAME).read_bytes()
    counters = Counters()
    with daemon_on(state, double) as daemon, Witness(daemon):
        page = counters.see(daemon.wait_ticks(3))
        (row,) = page.rows(DAMAGED)
        assert Path(row.labels["path"]).read_bytes() == damaged
        assert page.value(WRITABLE) == 1
        daemon.wait_ready()
        assert daemon.logged().count("ledger_damaged path=") == 1
    with daemon_on(state, double) as daemon:
        page = counters.see_whole(daemon.wait_ticks(2))
        assert not page.has(DAMAGED)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_ledger_damaged_while_running_costs_no_counter(
    tmp_path: Path, double: NvmlDouble, damage: Callable[[Path], None]
) -> None:
    state = tmp_path / "state"
    counters = Counters()
    truth = Truth(double)
    with daemon_on(state, double) as daemon, Witness(daemon):
        daemon.wait_ticks(2)
        truth.load(daemon)
        counters.see(daemon.wait_ticks(2))
        damage(state / LEDGER_NAME)
        counters.see(daemon.wait_ticks(4))
    nothing_fell_over_a_restart(state, double, counters, truth)


@pytest.mark.nightly
def test_a_state_directory_deleted_while_running_is_made_anew_and_costs_no_counter(
    tmp_path: Path, double: NvmlDouble
) -> None:
    state = tmp_path / "state"
    counters = Counters()
    truth = Truth(double)
    with daemon_on(state, double) as daemon, Witness(daemon):
        daemon.wait_ticks(2)
        truth.load(daemon)
        counters.see(daemon.wait_ticks(2))
        for path in state.iterdir():
            path.unlink()
        state.rmdir()
        counters.see(daemon.wait_ticks(3))
        assert daemon.page().value(WRITABLE) == 1
    nothing_fell_over_a_restart(state, double, counters, truth)
