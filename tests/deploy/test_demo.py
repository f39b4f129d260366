"""The demo without containers, with the real programs: it starts, shows everything, and leaves nothing behind."""

import os
import re
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import poll
from tests.deploy.demo_process import FLAGS, Demo
from tests.deploy.real_monitoring import answers, fetch, query
from tests.servers import need

PACKAGES = ("--way", "packages")


@pytest.fixture(autouse=True)
def _programs() -> None:
    need("prometheus", "prometheus")
    need("prometheus-alertmanager", "prometheus-alertmanager")


def program(folder: Path, name: str, *lines: str) -> None:
    """Put a program in the form of a shell script into *folder*."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def nothing_is_left(demo: Demo) -> None:
    assert demo.alive() == []
    assert not demo.state.exists(), "it was not there before"
    for port in (demo.page, demo.prometheus, demo.alertmanager):
        with socket.create_server(("127.0.0.1", port)):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_shows_everything_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with Demo(tmp_path / "var", *PACKAGES) as demo:
        demo.wait_for("Ctrl-C stops everything")
        said = demo.said()
        assert said.startswith("SIMULATED: nothing here is measured")
        assert "without Grafana (as wanted)" in said
        prometheus = f"http://127.0.0.1:{demo.prometheus}"
        links = re.findall(r"http://[\w.:/]+", said)
        assert [link.rpartition("/")[2] for link in links[:4]] == ["", "metrics", "targets", "alerts"]
        assert [link for link in links if not answers(link)] == []
        poll(lambda: bool(query(prometheus, 'up{job="wattledger"} == 1')), "the target is up", 30)
        (told,) = fetch(f"{prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
        assert told["url"].startswith(f"http://127.0.0.1:{demo.alertmanager}/")
        names = {one.name() for one in demo.children()}
        assert len(names) >= 3, names
        assert demo.stop(number) == 0
        assert demo.said().endswith("All stopped, and nothing left behind.\n")
        nothing_is_left(demo)


@pytest.mark.nightly
def test_a_gpu_that_does_nothing_is_told_with_owner_grams_and_money(tmp_path: Path) -> None:
    with Demo(tmp_path / "var", *PACKAGES) as demo:
        demo.wait_for("Ctrl-C stops everything")
        demo.wait_for("info     WattledgerGpuHeld: instance simulated-host, gpu 3, owner alice", 90)
        demo.wait_for("warning  WattledgerGpuHeld: instance simulated-host, gpu 3, owner alice", 60)
        (held,) = (
            alert
            for alert in fetch(f"http://127.0.0.1:{demo.alertmanager}/api/v2/alerts")
            if (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("WattledgerGpuHeld", "warning")
        )
        assert [receiver["name"] for receiver in held["receivers"]] == ["owner"]
        assert "of which" in held["annotations"]["summary"]
        prometheus = f"http://127.0.0.1:{demo.prometheus}"
        for expression in (
            'wattledger_emissions_grams_total{accounting="location", boundary="facility"} > 0',
            'wattledger_cost_total{currency="CNY", boundary="facility"} > 0',
            "wattledger:host_avoidable_ratio > 0",
            'wattledger:cluster_energy_watts:rate5m{cluster="demo"} > 0',
            "wattledger_service_joules_per_token > 0",
        ):
            poll(lambda expression=expression: bool(query(prometheus, expression)), expression, 60)  # type: ignore[misc]
        assert not query(prometheus, 'ALERTS{alertname!~"Wattledger(Gpu|Mig).*", alertstate="firing"}')
        assert demo.stop() == 0
        nothing_is_left(demo)


def test_missing_programs_are_told_with_the_cure(tmp_path: Path) -> None:
    # /usr/sbin and /sbin are searched too, and have neither.
    with Demo(tmp_path / "var", *PACKAGES, env={"PATH": str(tmp_path)}) as demo:
        assert demo.end() == 1
        assert "demo: not installed: prometheus, prometheus-alertmanager or alertmanager; install them" in demo.said()
        assert "apt-get install" in demo.said()
        nothing_is_left(demo)


def test_a_port_that_is_taken_is_told_with_the_cure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Demo(tmp_path / "var", *PACKAGES, "--prometheus-port", str(port)) as demo:
            assert demo.end() == 1
            said = demo.said()
    assert f"demo: 127.0.0.1:{port}, for Prometheus: taken; stop what listens there" in said
    assert "or choose another: --prometheus-port PORT" in said
    assert not (tmp_path / "var").exists()


def test_one_port_for_two_is_refused(tmp_path: Path) -> None:
    flags = [word for flag in FLAGS[:2] for word in (flag, "19999")]
    with Demo(tmp_path / "var", *PACKAGES, *flags) as demo:
        assert demo.end() == 1
        assert "127.0.0.1:19999 is wanted by page and Prometheus" in demo.said()


def test_a_part_that_ends_ends_the_demo_with_its_last_words(tmp_path: Path) -> None:
    program(tmp_path / "bin", "prometheus", "echo no space left >&2", "exit 3")
    with Demo(tmp_path / "var", *PACKAGES, env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}) as demo:
        assert demo.end() == 1
        assert "demo: Prometheus has ended with exit code 3:\nno space left\n" in demo.said()
        nothing_is_left(demo)


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite3"
    ledger.write_text("mine")
    with Demo(tmp_path, *PACKAGES) as demo:
        demo.wait_for("Starting three programs")
        assert demo.stop() == 0, demo.said()
    assert [path.name for path in tmp_path.iterdir()] == [ledger.name]


# An engine that answers; `up` runs until it is interrupted, as that of Docker does.
ENGINE = (
    'echo "$*" >>"$CALLS"',
    'case "$*" in',
    '*" up "*) echo "port $PROMETHEUS_PORT"; trap "exit 130" INT; while :; do sleep 0.05; done ;;',
    "esac",
)


def test_containers_are_taken_where_an_engine_answers_and_removed_at_the_end(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    program(tmp_path / "bin", "docker", *ENGINE)
    env = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "CALLS": str(calls)}
    with Demo(tmp_path / "var", env=env) as demo:
        demo.wait_for(f"port {demo.prometheus}\n")
        assert "In containers, since docker runs" in demo.said()
        assert f"http://127.0.0.1:{demo.grafana}/dashboards" in demo.said()
        assert demo.stop() == 0
        nothing_is_left(demo)
    used = [line.partition("compose.yml ")[2] for line in calls.read_text().splitlines() if "compose.yml" in line]
    assert used == ["up --build", "down --volumes"]


def test_an_engine_that_fails_is_told(tmp_path: Path) -> None:
    program(tmp_path / "bin", "docker", 'case "$*" in *" up "*) exit 17 ;; esac')
    with Demo(tmp_path / "var", env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}) as demo:
        assert demo.end() == 1
        assert "up: exit code 17" in demo.said()


def test_an_engine_that_does_not_run_is_passed_over_with_its_reason(tmp_path: Path) -> None:
    program(tmp_path / "bin", "docker", "echo cannot connect >&2", "exit 1")
    program(tmp_path / "bin", "podman", 'case "$1" in compose) echo no provider >&2; exit 125 ;; esac')
    env = {"PATH": f"{tmp_path / 'bin'}:{Path(sys.executable).parent}"}
    with Demo(tmp_path / "var", env=env) as demo:
        assert demo.end() == 1, "without Prometheus on that PATH"
        why = "docker: cannot connect; podman compose: no provider"
        assert f"without Grafana (no container engine answers: {why})" in demo.said()
    with Demo(tmp_path / "var", "--way", "engine", env=env) as demo:
        assert demo.end() == 1
        assert f"demo: no container engine answers: {why}; start one, or take --way packages" in demo.said()
