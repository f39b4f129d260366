"""A real systemd boots with the .deb installed: the daemon under its unit, its watchdog, a reload, a stop."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import pytest

from tests.agent.daemon_process import Page
from tests.agent.e2e_daemon import ENERGY
from tests.deploy.debian_root import DebianRoot, built_package, fresh_root, newer_package

pytestmark = pytest.mark.nightly

_BOOT_SECONDS = 240
_DYNAMIC_USERS = range(61184, 65520)  # systemd.exec(5)
_TOLD = "/var/log/told"
_DROP_IN = """
[Service]
ExecStart=
ExecStart=/usr/bin/wattledger run --source sim
WatchdogSec=3
RestartSec=1
"""
_COLLECTOR = """
[Unit]
After=wattledger.service dbus.service
[Service]
Type=oneshot
ExecStart=/bin/sh /root/collect.sh
ExecStopPost=systemctl --no-block poweroff
TimeoutStartSec=150
"""
# Each step leaves files; what cannot come about within its deadline leaves none, and the test says which is missing.
_COLLECT = r"""
mkdir -p /var/log/told; cd /var/log/told
page() {
    python3 -c 'import sys, urllib.request as u
print(u.urlopen("http://127.0.0.1:9889" + sys.argv[1], timeout=5).read().decode())' "$1"
}
show() { systemctl show wattledger -p "$1" --value; }
until_true() {
    end=$(($(date +%s) + 30))
    until eval "$1"; do
        [ "$(date +%s)" -lt $end ] || { echo "$1" >>late; return; }
        sleep 0.1
    done
}

until_true 'page /-/ready >/dev/null 2>&1'
until_true 'show StatusText | grep -q GPUs'
until_true 'page /metrics 2>/dev/null | grep -q "^wattledger_gpu_energy_joules_total.* [1-9]"'
systemctl --no-pager -l status wattledger >status 2>&1
show ActiveState >active
show StatusText >status-text
stat -c '%u %a' /proc/"$(show MainPID)" /var/lib/private/wattledger >owners 2>&1
stat -c '%a' /var/lib/private/wattledger/sim/ledger.sqlite3 >ledger-mode 2>&1

loaded() { page /metrics | grep '^wattledger_config_last_reload_success_timestamp_seconds '; }
first=$(loaded)
systemctl reload wattledger >reload 2>&1; echo "rc $?" >>reload
until_true '[ "$(loaded)" != "$first" ]'
show NRestarts >restarts-after-reload

old=$(show MainPID)
page /metrics >before
kill -STOP "$old"
until_true '[ "$(show NRestarts)" -gt 0 ]'
until_true '[ "$(show MainPID)" != 0 ] && [ "$(show MainPID)" != "$old" ] && page /-/ready >/dev/null 2>&1'
page /metrics >after
show NRestarts >restarts

old=$(show MainPID)
dpkg --force-confold -i /root/newer.deb >upgrade 2>&1; echo "rc $?" >>upgrade
until_true '[ "$(show MainPID)" != 0 ] && [ "$(show MainPID)" != "$old" ] && page /-/ready >/dev/null 2>&1'
page /metrics >upgraded
systemctl stop wattledger >stop 2>&1; echo "rc $?" >>stop
show Result >result
show ActiveState >stopped
systemctl start wattledger
dpkg -r wattledger >remove 2>&1; echo "rc $?" >>remove
pgrep -f wattledger.agent >left-running
ls /var/lib/private/wattledger/sim/ledger.sqlite3 >ledger-left
journalctl -u wattledger --no-pager -o short-monotonic >journal
"""


class Told:
    """What the collector found in the booted root."""

    def __init__(self, folder: Path, console: str) -> None:
        self._folder = folder
        self._console = console

    def text(self, name: str) -> str:
        """Give what the step left as *name*."""
        file = self._folder / name
        assert file.exists(), f"no {name}; late: {self.late or 'nothing'}\n{self._console[-3000:]}"
        return file.read_text(errors="replace").strip()

    def page(self, name: str) -> Page:
        """Give the page that was kept as *name*."""
        return Page(self.text(name) + "\n")

    @cached_property
    def journal(self) -> str:
        """Give the journal of the unit."""
        return self.text("journal")

    @property
    def late(self) -> str:
        """Give the conditions that did not come about in time, one a line."""
        late = self._folder / "late"
        return late.read_text() if late.exists() else ""


def boot(root: DebianRoot) -> Told:
    """Boot *root* until its collector powers it off."""
    done = subprocess.run(
        root.command(f"--machine=wattledger-{os.getpid()}", "--console=pipe", "-b"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_BOOT_SECONDS,
        check=False,
    )
    return Told(root.file(_TOLD), done.stdout.decode(errors="replace"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    package = built_package(tmp_path_factory)
    with fresh_root(tmp_path_factory.mktemp("booted")) as root:
        root.install(package)
        shutil.copy(newer_package(package, tmp_path_factory.mktemp("newer"), "9.0.0"), root.file("/root/newer.deb"))
        units = root.file("/etc/systemd/system")
        (units / "wattledger.service.d").mkdir()
        (units / "wattledger.service.d/test.conf").write_text(_DROP_IN)
        (units / "collect.service").write_text(_COLLECTOR)
        (units / "multi-user.target.wants/collect.service").symlink_to("/etc/systemd/system/collect.service")
        root.file("/root/collect.sh").write_text(_COLLECT)
        yield boot(root)


def test_the_unit_of_the_package_is_started_at_boot_and_says_what_it_reads(told: Told) -> None:
    assert told.text("active") == "active"
    assert re.search(r"8 of 8 GPUs", told.text("status-text"))
    assert told.text("status-text") in told.text("status")
    assert len(told.page("before").rows(ENERGY)) == 8


def test_it_runs_as_a_user_of_its_own_and_its_books_are_its_own(told: Told) -> None:
    process, state = told.text("owners").splitlines()
    assert process.split()[0] == state.split()[0]
    assert int(state.split()[0]) in _DYNAMIC_USERS
    assert state.split()[1] == "750"
    assert told.text("ledger-mode") == "600"


def test_a_reload_takes_the_configuration_over_without_a_restart(told: Told) -> None:
    assert told.text("reload") == "rc 0"
    assert told.late == ""
    assert told.text("restarts-after-reload") == "0"


def test_the_watchdog_replaces_a_daemon_that_hangs_and_its_books_go_on(told: Told) -> None:
    assert "Watchdog timeout" in told.journal
    assert int(told.text("restarts")) >= 1
    assert_energy_grows(told, "before", "after")


def test_an_upgrade_restarts_it_and_its_books_go_on(told: Told) -> None:
    assert told.text("upgrade").endswith("rc 0")
    assert told.late == ""
    assert_energy_grows(told, "after", "upgraded")


def assert_energy_grows(told: Told, *names: str) -> None:
    energies = [{row.labels["uuid"]: row.value for row in told.page(name).rows(ENERGY)} for name in names]
    for earlier, later in pairwise(energies):
        assert earlier.keys() == later.keys()
        assert all(later[uuid] >= earlier[uuid] > 0 for uuid in earlier)


def test_a_stop_is_clean(told: Told) -> None:
    assert told.text("stop") == "rc 0"
    assert (told.text("result"), told.text("stopped")) == ("success", "inactive")


def test_a_removal_ends_it_and_keeps_its_books(told: Told) -> None:
    assert told.text("remove").endswith("rc 0")
    assert told.text("left-running") == ""
    assert told.text("ledger-left")
