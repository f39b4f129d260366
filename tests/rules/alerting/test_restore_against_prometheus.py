"""A real Prometheus starts over a history of ALERTS_FOR_STATE: it restores to the same instants as we do."""

import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.bench.contenders import free_port
from tests.rules.alerting.stage import MINUTE_MS, Stage, alerting, labels
from tests.servers import need
from wattledger.rules.alerting import Alert, AlertState, GroupMemory, KeptAlert, RestoreSettings
from wattledger.rules.alerting.identity import identities
from wattledger.rules.promql.model import Labels

DEADLINE_SECONDS = 60.0
RULE = alerting("A", "m > 0", for_minutes=30)


@dataclass(frozen=True, slots=True)
class Case:
    """An alert of the history, in minutes before the start."""

    name: str
    pended: float
    down: float


CASES = (
    Case("fired", 40, 5),
    Case("nearly", 25, 5),
    Case("half", 15, 5),
    Case("young", 1, 20),
    Case("old", 40, 75),
    Case("edge", 30, 7),
)


def labels_of(case: str) -> Labels:
    return (("alertname", "A"), ("case", case))


def memory_of(case: Case, start_ms: int) -> GroupMemory:
    """Give what was known of the alert when it was last evaluated."""
    seen_at_ms = int(start_ms - case.down * MINUTE_MS)
    active_at_ms = int(seen_at_ms - case.pended * MINUTE_MS)
    fires = case.pended * MINUTE_MS >= RULE.for_ms
    alert = Alert(
        labels_of(case.name),
        (),
        1.0,
        AlertState.FIRING if fires else AlertState.PENDING,
        active_at_ms,
        fired_at_ms=active_at_ms + RULE.for_ms if fires else None,
    )
    return GroupMemory(seen_at_ms, (KeptAlert(identities([RULE])[0], alert),))


def resumed(case: str, memory: GroupMemory, now_ms: int) -> Alert:
    """Give the alert after a restart that finds it again at *now_ms*."""
    stage = Stage.of(RULE)
    stage.engine.resume(memory.alerts, seen_at_ms=memory.seen_at_ms, now_ms=now_ms, hold_ms=MINUTE_MS)
    stage.storage.append(labels(name="m", case=case), now_ms, 1.0)
    stage.engine.evaluate(stage.storage, now_ms)
    (alert,) = stage.alerts()
    return alert


def history(folder: Path, memories: dict[str, GroupMemory]) -> None:
    """Write blocks with the last samples of ALERTS_FOR_STATE."""
    lines = ["# TYPE ALERTS_FOR_STATE gauge"]
    for case, one in memories.items():
        for ago in (60, 0):
            value, seconds = one.alerts[0].alert.active_at_ms // 1000, one.seen_at_ms // 1000 - ago
            lines.append(f'ALERTS_FOR_STATE{{alertname="A",case="{case}"}} {value} {seconds}')
    (folder / "in.om").write_text("\n".join([*lines, "# EOF", ""]))
    promtool = need("promtool", "prometheus")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "in.om", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


@contextmanager
def prometheus(folder: Path, expression: str) -> Iterator[int]:
    """Run Prometheus over the history with one rule, and give its port."""
    program, port = need("prometheus", "prometheus"), free_port()
    rule = {"alert": "A", "expr": expression, "for": "30m"}
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    (folder / "prometheus.yml").write_text("global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n")
    command = [
        program,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
        try:
            yield port
        finally:
            server.terminate()
            server.wait(20)


def active_alerts(port: int) -> dict[str, tuple[int, str]]:
    """Give, by case, when each alert became active, in milliseconds, and its state."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=5) as answer:
        alerts = json.load(answer)["data"]["alerts"]
    return {one["labels"]["case"]: (milliseconds(one["activeAt"]), one["state"]) for one in alerts}


def milliseconds(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 1000 + int(fraction.ljust(3, "0")[:3] or 0)


def once_restored(port: int) -> dict[str, tuple[int, str]]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            found = active_alerts(port)
            if found.get("fired", (0, ""))[1] == "firing":
                return found
        except OSError:
            pass
        assert time.monotonic() < deadline, "Prometheus never fired what had been firing"
        threading.Event().wait(0.2)


def test_prometheus_restores_to_the_same_instants(tmp_path: Path) -> None:
    start_ms = int(datetime.now().astimezone().timestamp()) * 1000
    memories = {case.name: memory_of(case, start_ms) for case in CASES}
    history(tmp_path, memories)
    each = (f'label_replace(vector(1), "case", "{case.name}", "", "")' for case in CASES)
    with prometheus(tmp_path, " or ".join(each)) as port:
        found = once_restored(port)

    # The alert that gets the grace period tells when Prometheus restored: that is the moment we restore at.
    grace_ms = RestoreSettings().grace_period_ms
    now_ms = found["nearly"][0] - grace_ms + RULE.for_ms
    assert start_ms <= now_ms <= start_ms + DEADLINE_SECONDS * 1000
    fresh_ms = found["old"][0]
    ours = {name: resumed(name, memory, now_ms) for name, memory in memories.items()}
    assert ours.pop("old").active_at_ms == now_ms, "an alert beyond the tolerance becomes active when it is found"
    for name, alert in ours.items():
        difference_ms = abs(alert.active_at_ms - found[name][0])
        assert difference_ms <= 1, (name, difference_ms)  # Prometheus counts the nanoseconds that we do not see
    assert {name for name, (_, state) in found.items() if state == "firing"} == {"fired", "edge"}
    assert {name for name, alert in ours.items() if alert.state is AlertState.FIRING} == {"fired", "edge"}
    assert now_ms - 3000 <= fresh_ms <= now_ms, "the alert beyond the tolerance became active when it was first seen"
