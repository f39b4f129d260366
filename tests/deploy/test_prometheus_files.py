"""The shipped files of Prometheus: promtool takes them, rules are what the command prints, discoveries find hosts."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agent.e2e_daemon import poll
from tests.bench.contenders import free_port
from tests.deploy.kubernetes_api import KubernetesApi, node, pod
from tests.deploy.real_monitoring import fetch
from tests.deploy.shipped import DEPLOY, PAGE, ROOT, changed, server, wattledger
from tests.servers import need

FOLDER = DEPLOY / "prometheus"
RULES = {"wattledger": ("--no-fleet",), "wattledger-fleet": ("--no-fleet", "--pack", "fleet")}
SCRAPES = ("prometheus-file-sd.yml", "prometheus-http-sd.yml", "prometheus-kubernetes.yml")
TARGETS = {
    ("node1.example.com:9889", "node1.example.com", "hall-1", "r1"),
    ("node2.example.com:9889", "node2.example.com", "hall-1", "r1"),
    ("node3.example.com:9889", "node3.example.com", "hall-1", "r2"),
}
ROOT_LABELS = ("__address__", "instance", "cluster", "rack")


def promtool(*arguments: str) -> str:
    command = [need("promtool", "prometheus"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def discovered(config: Path) -> set[tuple[str, ...]]:
    """Give address, instance, cluster and rack of the targets that promtool finds by *config*."""
    found = json.loads(promtool("check", "service-discovery", "--timeout=1s", str(config), "wattledger"))
    return {tuple(target["labels"].get(name, "") for name in ROOT_LABELS) for target in found}


def test_promtool_takes_the_configuration_with_its_rules() -> None:
    said = promtool("check", "config", str(FOLDER / "prometheus.yml"))
    assert "2 rule files found" in said
    assert said.count("SUCCESS") == 4
    assert "WARNING" not in said


@pytest.mark.parametrize("name", RULES)
def test_the_committed_rules_are_what_the_command_prints(name: str) -> None:
    printed = wattledger("rules", "render", "--config", "/dev/null", *RULES[name])
    assert (FOLDER / "rules" / f"{name}.rules.yml").read_text() == printed, "run deploy/render"


def test_the_script_writes_the_committed_rules_and_nothing_else(tmp_path: Path) -> None:
    command = tmp_path / "wattledger"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT}/.importroot exec {sys.executable} -m wattledger.agent "$@"\n')
    command.chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(
        [DEPLOY / "render", str(out)], env={"WATTLEDGER": str(command), "PATH": "/usr/bin:/bin"}, check=True
    )
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        path.name: path.read_text() for path in (FOLDER / "rules").iterdir()
    }


def test_the_commands_of_the_page_print_the_same_rules_with_links_and_settings() -> None:
    shown = [line.partition(" > ") for line in PAGE.read_text().splitlines() if line.startswith("wattledger rules")]
    assert [f"{name}.rules.yml" for name in RULES] == [file for _, _, file in shown]
    for command, _, file in shown:
        text = wattledger(*command.split()[1:], "--config", "/dev/null")
        linked = text.replace("https://docs.example.com/wattledger/docs/", "docs/")
        plain = (FOLDER / "rules" / file).read_text()
        pairs = zip(plain.splitlines(), linked.splitlines(), strict=True)
        differing = {(old, new) for old, new in pairs if old != new and not old.startswith("#")}
        assert all("# var: held_warning" in new and "30m" in new for _, new in differing)
        assert bool(differing) == ("held_warning" in command)
        assert linked != text


@pytest.mark.parametrize("name", SCRAPES)
def test_each_other_scrape_fits_in_the_place_of_that_of_the_configuration(name: str, tmp_path: Path) -> None:
    whole = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    part = yaml.safe_load((FOLDER / name).read_text())
    assert list(part) == ["scrape_configs"]
    (job,), (ours,) = part["scrape_configs"], whole["scrape_configs"]
    assert (job["job_name"], job["honor_labels"]) == (ours["job_name"], ours["honor_labels"]) == ("wattledger", False)
    if name == "prometheus-kubernetes.yml":
        return  # Debian's Prometheus is built without this discovery: see below
    whole["scrape_configs"] = part["scrape_configs"]
    whole["rule_files"] = []
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "hosts.yml").write_text((FOLDER / "targets" / "hosts.yml").read_text())
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(whole))
    assert "WARNING" not in promtool("check", "config", str(tmp_path / "prometheus.yml"))


def test_a_scrape_that_fails_ends_alerts_and_their_wait(tmp_path: Path) -> None:
    held = 'wattledger_gpu_state{instance="n1",gpu="0",uuid="GPU-0",state="held",job="wattledger"}'

    def asked(alert: str, at: str, samples: list[dict[str, int]]) -> dict[str, object]:
        expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
        return {"expr": expression, "eval_time": at, "exp_samples": samples}

    tests = {
        "rule_files": [str(FOLDER / "rules" / f"{name}.rules.yml") for name in RULES],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": held, "values": "1x280 stale 1x100"},
                    {"series": 'up{instance="n1",job="wattledger"}', "values": "1x280 0 1x100"},
                ],
                "promql_expr_test": [
                    asked("WattledgerGpuHeld", "70m", [{"value": 3}]),
                    asked("WattledgerGpuHeld", "70m15s", []),
                    asked("WattledgerHostDown", "70m15s", [{"value": 1}]),
                    asked("WattledgerHostDown", "70m30s", []),
                    asked("WattledgerGpuHeld", "86m", [{"value": 2}]),
                ],
            }
        ],
    }
    path = tmp_path / "outage.test.yml"
    path.write_text(yaml.safe_dump(tests))
    promtool("test", "rules", str(path))


def test_named_hosts_are_called_without_their_port() -> None:
    assert discovered(FOLDER / "prometheus.yml") == {target for target in TARGETS if target[3] == "r1"}


def test_files_are_found_beside_the_configuration() -> None:
    assert discovered(FOLDER / "prometheus-file-sd.yml") == TARGETS


def test_an_inventory_is_asked_over_http(tmp_path: Path) -> None:
    with inventory((FOLDER / "http-sd.json").read_bytes()) as url:
        config = tmp_path / "prometheus.yml"
        asked = {"https://inventory.example.com/wattledger/targets": url}
        config.write_text(changed("deploy/prometheus/prometheus-http-sd.yml", asked))
        assert discovered(config) == TARGETS


def test_pods_of_kubernetes_are_found_by_their_node(tmp_path: Path) -> None:
    """By vmagent, which speaks to Kubernetes where Debian's Prometheus cannot, and reads the same file."""
    program = need("vmagent", "victoria-metrics")
    pods = [
        pod("wattledger-a", "node-a", "10.1.0.1", ports={"metrics": 9889, "debug": 6060}),
        pod("wattledger-b", "node-b", "10.1.0.2", ports={"metrics": 9889}),
        pod("wattledger-old", "node-b", "10.1.0.3", ports={"metrics": 9889}, phase="Failed"),
    ]
    nodes = [node("node-a", **{"topology.example.com/rack": "r1"}), node("node-b")]
    with KubernetesApi(pods, nodes) as api:
        text = (FOLDER / "prometheus-kubernetes.yml").read_text()
        config = tmp_path / "scrape.yml"
        config.write_text(text.replace("  - role: pod\n", f"  - role: pod\n    api_server: {api.url}\n"))
        port = free_port()
        command = [program, f"-promscrape.config={config}", f"-httpListenAddr=127.0.0.1:{port}"]
        command += ["-remoteWrite.url=http://127.0.0.1:9/", f"-remoteWrite.tmpDataPath={tmp_path / 'queue'}"]
        with server(command, tmp_path / "log"):
            poll(lambda: len(targets(port)) == 2, "both pods are targets", 30)
            found = {tuple(target["labels"].get(name, "") for name in ROOT_LABELS[1:]) for target in targets(port)}
            assert found == {("node-a", "hall-1", "r1"), ("node-b", "hall-1", "")}
            assert {target["scrapeUrl"] for target in targets(port)} == {
                "http://10.1.0.1:9889/metrics",
                "http://10.1.0.2:9889/metrics",
            }
            for target in targets(port):
                assert set(target["labels"]) <= {"job", "instance", "cluster", "rack"}
        assert ("/api/v1/pods", "app.kubernetes.io/name=wattledger") in api.asked


def test_the_example_with_a_password_on_the_page_is_taken(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (example,) = (block for block in blocks if "scrape_configs:" in block)
    for path in ("wattledger-ca.crt", "wattledger.password"):
        assert f"/etc/prometheus/{path}" in example
        (tmp_path / path).write_text("x")
    config = tmp_path / "prometheus.yml"
    config.write_text(example.replace("/etc/prometheus", str(tmp_path)))
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", str(config))


def test_the_page_names_each_file() -> None:
    files = [path for folder in ("prometheus", "alertmanager") for path in (DEPLOY / folder).rglob("*.*")]
    names = {path.name for path in files if path.is_file()}
    assert {name for name in names if name not in PAGE.read_text()} == set()


def targets(port: int) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = fetch(f"http://127.0.0.1:{port}/api/v1/targets")["data"]["activeTargets"]
    except OSError:  # it is starting
        return []
    return found


@contextmanager
def inventory(answer: bytes) -> Iterator[str]:
    """Give the URL at which *answer* is given as JSON."""

    class Inventory(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Inventory) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{listener.server_address[1]}/targets"
        listener.shutdown()
        thread.join(10)
