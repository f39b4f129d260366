"""A real systemd boots with the .deb installed: the daemon under its unit, its watchdog, a reload, a stop."""

import os
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import bcrypt
import pytest

from tests.agent.daemon_process import Page
from tests.agent.e2e_daemon import ENERGY
from tests.deploy.debian_root import DebianRoot, built_package, fresh_root, newer_package

pytestmark = pytest.mark.nightly

_BOOT_SECONDS = 330
_DYNAMIC_USERS = range(61184, 65520)  # systemd.exec(5)
_DAC_READ_SEARCH, _SYS_PTRACE = 2, 19  # linux/capability.h
_TOLD = "/var/log/told"
# What the unit is started by stays the package's. The last line tells what the daemon itself may read.
_DROP_IN = """
[Service]
WatchdogSec=3
RestartSec=1
LoadCredential=web.yml:/etc/wattledger/web.yml
ExecStartPost=/bin/sh /usr/local/bin/reads
"""
_READS = """
for file in /proc/1/environ /etc/shadow; do
    if head -c 1 $file >/dev/null 2>&1; then echo $file; fi
done >/run/wattledger/reads
"""
_PASSWORD = "a-word"  # noqa: S105  (of a page that nobody else reaches)
_WEB = "basic_auth_users:\n  prometheus: {}\n"
_COLLECTOR = """
[Unit]
After=wattledger.service dbus.service
[Service]
Type=oneshot
ExecStart=/bin/sh /root/collect.sh
ExecStopPost=systemctl --no-block poweroff
TimeoutStartSec=250
"""
_PAGE = """
import sys, urllib.request
path, *login = sys.argv[1:]
headers = {"Authorization": f"Basic {login[0]}"} if login else {}
request = urllib.request.Request("http://127.0.0.1:9889" + path, headers=headers)
print(urllib.request.urlopen(request, timeout=5).read().decode())
"""
# Each step leaves files; what cannot come about within its deadline leaves none, and the test says which is missing.
_COLLECT = r"""
mkdir -p /var/log/told; cd /var/log/told
page() { python3 /root/page.py "$@"; }
show() { systemctl show wattledger -p "$1" --value; }
until_true() {
    end=$(($(date +%s) + 30))
    until eval "$1"; do
        [ "$(date +%s)" -lt $end ] || { echo "$1" >>late; return; }
        sleep 0.1
    done
}

rights() {
    cp /run/wattledger/reads "reads-$1"
    sed -n 's/^CapEff:\s*//p' /proc/"$(show MainPID)"/status >"capabilities-$1"
}

# There is no driver here.
until_true 'page /metrics 2>/dev/null | grep -q "^wattledger_source_success.* 0"'
show ActiveState >active-without-driver
show StatusText >status-without-driver
page /-/ready >ready-without-driver 2>&1

echo WATTLEDGER_SOURCE=sim >>/etc/default/wattledger
systemctl restart wattledger >restart 2>&1; echo "rc $?" >>restart
until_true 'page /-/ready >/dev/null 2>&1'
until_true 'show StatusText | grep -q GPUs'
rights none
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

examples=/usr/share/doc/wattledger/examples/wattledger.service.d
for name in node-energy attribution; do
    cp $examples/$name.conf /etc/systemd/system/wattledger.service.d/
    systemctl daemon-reload
    systemctl restart wattledger
    until_true 'page /-/ready >/dev/null 2>&1'
    rights $name
done

echo 'web_config: /run/credentials/wattledger.service/web.yml' >>/etc/wattledger/wattledger.yaml
systemctl restart wattledger
until_true 'page /-/ready "$(cat /root/login)" >/dev/null 2>&1'
page /-/ready >without-password 2>&1
page /-/ready "$(cat /root/login)" >with-password 2>&1

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
        root.file("/root/page.py").write_text(_PAGE)
        root.file("/usr/local/bin/reads").write_text(_READS)
        root.file("/root/login").write_text(b64encode(f"prometheus:{_PASSWORD}".encode()).decode())
        web = root.file("/etc/wattledger/web.yml")
        web.write_text(_WEB.format(bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()))
        web.chmod(0o600)
        yield boot(root)


def test_without_a_driver_it_lives_and_says_what_is_missing(told: Told) -> None:
    assert told.text("active-without-driver") == "active"
    assert "libnvidia-ml.so.1" in told.text("status-without-driver")
    assert "503" in told.text("ready-without-driver")


def test_another_source_is_set_in_etc_default(told: Told) -> None:
    assert told.text("restart") == "rc 0"
    assert told.page("before").has("wattledger_source_info", source="sim")


@pytest.mark.parametrize(
    ("drop_in", "capabilities", "reads"),
    [
        ("none", 0, []),
        ("node-energy", 1 << _DAC_READ_SEARCH, ["/etc/shadow"]),
        ("attribution", 1 << _DAC_READ_SEARCH | 1 << _SYS_PTRACE, ["/proc/1/environ", "/etc/shadow"]),
    ],
)
def test_a_drop_in_gives_the_rights_it_names_and_no_others(
    told: Told, drop_in: str, capabilities: int, reads: list[str]
) -> None:
    """The unit has node-energy when attribution joins it; its rights are among those of attribution."""
    assert int(told.text(f"capabilities-{drop_in}"), 16) == capabilities
    assert told.text(f"reads-{drop_in}").split() == reads


def test_a_secret_that_is_roots_alone_comes_by_a_credential(told: Told) -> None:
    assert "401" in told.text("without-password")
    assert "401" not in told.text("with-password")
    assert "Error" not in told.text("with-password")


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
