"""The daemon as a user without any right: uid 65534, no capability, a state directory of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import RESTARTS, ROOT, WRITABLE, Counters, DaemonThrough, Truth, Witness, machine
from tests.nvml.build import build_double

NOBODY = 65534
_DROP = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
)
# The interpreter may lie below a folder that only root may enter. There, in a mount namespace of its own, an empty
# folder that everybody may enter takes that folder's place, with the interpreter where it was.
_OPENED = """
mount --make-rprivate / && mount --bind "$2" "$3" && mount -t tmpfs -o mode=755 none "$1" && mkdir -p "$2" &&
mount --move "$3" "$2" && shift 3 && exec "$@"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user may enter; those of pytest are root's alone."""
    with tempfile.TemporaryDirectory(prefix="wattledger-e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(folder: Path) -> tuple[str, ...]:
    """Give the programs through which a command becomes one of the user nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user; for anybody else the other tests say the same")
    for program in ("setpriv", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    needed = Path(sys.base_prefix).resolve()
    closed = [parent for parent in needed.parents if not parent.stat().st_mode & 0o001]
    for path in (ROOT, Path(sys.prefix), build_double()):
        if any(not parent.stat().st_mode & 0o001 for parent in path.resolve().parents):
            pytest.skip(f"{path} is below a folder that only its owner may enter")
    if not closed:
        return (*_DROP, "--")
    waiting = folder / "interpreter"
    waiting.mkdir()
    outermost = closed[-1]
    opened = ("unshare", "--mount", "sh", "-c", _OPENED, "sh", str(outermost), str(needed), str(waiting))
    return (*opened, *_DROP, "--")


def test_a_daemon_without_any_right_measures_serves_and_keeps_its_books(folder: Path) -> None:
    before = as_nobody(folder)
    state = folder / "state"
    state.mkdir(mode=0o750)
    os.chown(state, NOBODY, NOBODY)
    counters = Counters()
    with machine(folder) as double:
        double.control_path.chmod(0o666)
        truth = Truth(double)
        with DaemonThrough(state, before=before, env=double.env, log=folder / "log") as daemon, Witness(daemon):
            status = Path(f"/proc/{daemon.process.pid}/status").read_text()
            assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status
            assert "CapEff:\t0000000000000000" in status
            assert "CapBnd:\t0000000000000000" in status
            daemon.wait_ticks(2)
            truth.load(daemon)
            page = counters.see(daemon.wait_ticks(2))
            assert page.value(WRITABLE) == 1, daemon.logged()
            assert page.value(RESTARTS, source="nvml") == 0
            assert page.value("wattledger_gpu_up", gpu="0") == 1
            daemon.wait_ready()
            assert " warning " not in daemon.logged()
            assert " error " not in daemon.logged()
        with DaemonThrough(state, before=before, env=double.env, log=folder / "log") as daemon:
            counters.see_whole(daemon.wait_ticks(2))
            counters.see(truth.check(daemon))
        assert {path.stat().st_uid for path in state.iterdir()} == {NOBODY}


@pytest.mark.nightly
def test_a_daemon_without_any_right_on_the_directory_of_another_says_so_and_goes_on(folder: Path) -> None:
    before = as_nobody(folder)
    state = folder / "state"
    with machine(folder) as double:
        double.control_path.chmod(0o666)
        with DaemonProcess(state, env=double.env, log=folder / "log") as daemon:
            counters = Counters()
            counters.see(daemon.wait_ticks(2))
        with DaemonThrough(state, before=before, env=double.env, log=folder / "log") as daemon, Witness(daemon):
            page = daemon.wait_ticks(2)
            assert page.value(WRITABLE) == 0
            assert page.value("wattledger_gpu_up", gpu="0") == 1
            assert daemon.get("/-/ready")[0] == 200
            assert str(state) in daemon.logged()
            assert f"user {NOBODY}" in daemon.logged() or "the right to write" in daemon.logged()
        with DaemonProcess(state, env=double.env, log=folder / "log") as daemon:
            counters.see_whole(daemon.wait_ticks(2))


def test_doctor_has_a_word_for_a_home_that_may_not_be_entered(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    command = [*as_nobody(folder), sys.executable, "-m", "wattledger.agent", "doctor"]
    env = {name: text for name, text in os.environ.items() if not name.startswith("XDG_")} | {"HOME": str(home)}
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert f"{home}" in done.stdout
