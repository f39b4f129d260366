"""Who hears of what, by amtool and the shipped configuration."""

import re
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.deploy.shipped import DEPLOY, PAGE, changeable
from tests.servers import need
from wattledger.agent.rulefiles import load_pack, pack_names
from wattledger.rules.alerting import AlertingRule

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"
OF_OWNERS = {"WattledgerGpuHeld", "WattledgerMigInstanceHeld"}


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [need("amtool", "prometheus-alertmanager"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def receivers(labels: str, config: Path = CONFIG) -> str:
    done = amtool("config", "routes", "test", f"--config.file={config}", *labels.split())
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_amtool_takes_the_configuration_and_its_template() -> None:
    done = amtool("check-config", str(CONFIG))
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 templates\n  SUCCESS" in done.stdout


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=WattledgerHostDown severity=info instance=h1", "nobody"),
        ("alertname=WattledgerHostDown severity=warning instance=h1", "chat"),
        ("alertname=WattledgerHostDown severity=critical instance=h1", "page"),
        ("alertname=WattledgerGpuHeld severity=info gpu=0 owner=alice", "ticket"),
        ("alertname=WattledgerGpuHeld severity=warning gpu=0 owner=alice", "owner"),
        ("alertname=WattledgerGpuHeld severity=critical gpu=0 owner=alice", "owner,chat"),
        ("alertname=WattledgerGpuHeld severity=warning gpu=0", "chat"),
        ("alertname=WattledgerGpuHeld severity=critical gpu=0 rack=r1", "chat"),
        ("alertname=WattledgerMigInstanceHeld severity=critical gpu=0 rack=r1", "chat"),
        ("alertname=WattledgerOwnerWasteDaily severity=warning owner=alice", "owner"),
        ("alertname=WattledgerHostAvoidablePower severity=warning rack=r1", "chat"),
        ("alertname=WattledgerGpuLost severity=critical gpu=0 uuid=GPU-0", "page"),
        ("alertname=WattledgerGpuLost severity=critical gpu=0 uuid=GPU-0 rack=r1", "page"),
        ("alertname=WattledgerGpuXid severity=warning gpu=0 xid=94", "chat"),
        ("alertname=WattledgerGpuXid severity=info gpu=0 xid=31", "ticket"),
        ("alertname=WattledgerSourceFailing severity=critical source=nvml", "page"),
        ("alertname=WattledgerWorkloadHolding severity=info namespace=vision", "ticket"),
        ("alertname=NodeDown severity=critical instance=h1", "chat"),
    ],
)
def test_an_alert_goes_to(labels: str, receiver: str) -> None:
    assert receivers(labels) == receiver


def expected(alert: str, severity: str, owner: str) -> str:
    """Give who hears of an alert: the policy in words of this test."""
    if severity == "info":
        return "nobody" if alert == "WattledgerHostDown" else "ticket"
    if owner:
        return "owner,chat" if severity == "critical" and alert in OF_OWNERS else "owner"
    return "page" if severity == "critical" and alert not in OF_OWNERS else "chat"


def shipped_alerts() -> Iterator[tuple[str, str]]:
    for pack in pack_names():
        for group in load_pack(pack, {}).groups:
            for rule in group.rules:
                if isinstance(rule, AlertingRule):
                    yield rule.alert, dict(rule.labels)["severity"].source


def test_every_shipped_alert_in_every_severity_has_its_receiver_with_and_without_an_owner() -> None:
    found, wanted = {}, {}
    for (alert, severity), rack in product(sorted(set(shipped_alerts())), ("", "r1")):
        # Only these packs look at owners.
        owned = alert in {*OF_OWNERS, "WattledgerGpuAllocatedUnused", "WattledgerOwnerWasteDaily"}
        for owner in ("", "alice") if owned else ("",):
            labels = f"alertname={alert} severity={severity} instance=h1 rack={rack} owner={owner}"
            found[labels] = receivers(labels)
            wanted[labels] = expected(alert, severity, owner)
    assert found == wanted
    assert len(found) > 100


def page_blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_routes_of_a_team_on_the_page_work(tmp_path: Path) -> None:
    (block,) = (block for block in page_blocks() if "route:" in block)
    config = tmp_path / "alertmanager.yml"
    config.write_text(block)
    assert amtool("check-config", str(config)).returncode == 0
    for labels, receiver in (
        ("alertname=WattledgerGpuHeld severity=warning owner=alice", "team-vision"),
        ("alertname=WattledgerGpuHeld severity=warning owner=carol", "chat"),
        ("alertname=WattledgerWorkloadHolding severity=info namespace=vision", "team-vision"),
        ("alertname=WattledgerWorkloadHolding severity=info exported_namespace=vision", "team-vision"),
        ("alertname=WattledgerWorkloadHolding severity=info namespace=other", "chat"),
        ("alertname=Else namespace=vision", "chat"),
    ):
        assert receivers(labels, config) == receiver


def test_the_page_tells_to_change_what_stands_in_the_files_and_every_example_there() -> None:
    root = DEPLOY.parent
    for text, name in changeable():
        assert text in (root / name).read_text(), f"{name} has no {text}"
    for name in {name for _, name in changeable()}:
        text = (root / name).read_text()
        for old in sorted((old for old, where in changeable() if where == name), key=len, reverse=True):
            text = text.replace(old, "")
        assert not re.search(r"example[._]com", text), f"the page does not tell of an example in {name}"


def test_the_secrets_that_the_page_names_are_those_of_the_configuration() -> None:
    wanted = set(re.findall(r"/etc/alertmanager/secrets/(\w+)", CONFIG.read_text()))
    (row,) = (line for line in PAGE.read_text().splitlines() if line.startswith("| `/etc/alertmanager/secrets` |"))
    assert wanted == set(re.findall(r"`(\w+)`", row))
    assert re.findall(r"(?:password|token|api_url|routing_key|credentials): ", CONFIG.read_text()) == []
