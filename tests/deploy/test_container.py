"""The container image: built by buildah from a base without a shell, and run read-only and as nobody."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.agent.e2e_daemon import poll
from tests.deploy.container_image import CONSTRAINTS, Image, built, once, running
from tests.deploy.helm_chart import configuration, container, pod, rendered
from wattledger.agent.version import __version__

pytestmark = pytest.mark.nightly

SIMULATED = {"WATTLEDGER_SOURCE": "sim"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with built(tmp_path_factory.mktemp("image")) as made:
        yield made


def energy(page: str) -> float:
    """Give the joules of all GPUs."""
    families = text_string_to_metric_families(page)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "wattledger_gpu_energy_joules_total"
    )


def test_its_configuration_is_what_engines_need(image: Image) -> None:
    config = image.config
    assert (config["Entrypoint"], config["Cmd"]) == (["wattledger"], ["run"])
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert set(config["Volumes"]) == {"/var/lib/wattledger"}
    assert set(config["ExposedPorts"]) == {"9889/tcp"}
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert image.env["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert image.env["NVIDIA_DRIVER_CAPABILITIES"] == "utility"
    assert image.env["WATTLEDGER_SOURCE"] == "nvml", "auto would take simulated joules for real ones"


def test_it_has_the_pinned_packages_and_no_others(image: Image) -> None:
    pinned, of_the_build = CONSTRAINTS.read_text().split("# Only in the build.")
    versions = {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", pinned, re.MULTILINE)}
    assert image.installed() == versions | {"wattledger": __version__}
    assert "hatchling==" in of_the_build


def test_its_user_can_change_nothing_in_it(image: Image) -> None:
    wrong = [
        path
        for path in (image.root / "opt").rglob("*")
        if not path.is_symlink() and (path.stat().st_uid != 0 or path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    ]
    assert not wrong
    assert (image.root / "var/lib/wattledger").stat().st_uid == 65532


def test_python_files_are_compiled_since_the_root_is_read_only(image: Image) -> None:
    (package,) = image.root.glob("opt/wattledger/lib/python3*/site-packages/wattledger")
    sources, compiled = len(list(package.rglob("*.py"))), len(list(package.rglob("*.pyc")))
    assert sources == compiled > 100


def test_it_needs_no_shell_and_no_tool(image: Image) -> None:
    found = {path.name for path in (image.root / "usr/bin").iterdir() if not path.name.startswith("py")}
    assert not found, "the base of the test has none, so whatever works here works without"


def test_one_page_of_the_simulated_host(image: Image, tmp_path: Path) -> None:
    code, page, errors = once(image, tmp_path / "state", ["wattledger", "once"], env=SIMULATED)
    assert code == 0, errors
    assert 'wattledger_source_info{source="sim"} 1' in page
    assert energy(page) > 0


def test_its_root_cannot_be_written_and_it_says_so(image: Image, tmp_path: Path) -> None:
    env = SIMULATED | {"WATTLEDGER_STATE_DIR": "/opt/wattledger/state"}
    with running(image, tmp_path / "state", ["wattledger", "run"], env=env) as daemon:
        poll(lambda: "\nwattledger_ledger_writable 0" in daemon.get("/metrics")[1], "the page says it")
    assert "/opt/wattledger/state: Read-only file system" in (tmp_path / "state.log").read_text()


def test_the_health_check_tells_a_living_page_from_a_stopped_one(image: Image, tmp_path: Path) -> None:
    command = [*image.config["Entrypoint"], *image.config["Cmd"]]
    with running(image, tmp_path / "state", command, env=SIMULATED) as daemon:
        poll(lambda: daemon.answers("/-/ready"), "fresh data")
        assert (daemon.health().returncode, daemon.health().stderr) == (0, "")
    done = daemon.health()
    assert done.returncode == 1
    assert "no answer" in done.stderr


def test_a_new_container_goes_on_with_the_ledger_of_the_volume(image: Image, tmp_path: Path) -> None:
    command = [*image.config["Entrypoint"], *image.config["Cmd"]]
    with running(image, tmp_path / "state", command, env=SIMULATED) as daemon:
        poll(lambda: daemon.answers("/-/ready") and energy(daemon.get("/metrics")[1]) > 0, "joules")
        before = energy(daemon.get("/metrics")[1])
    with running(image, tmp_path / "state", command, env=SIMULATED) as daemon:
        poll(lambda: daemon.answers("/-/ready"), "fresh data")
        assert energy(daemon.get("/metrics")[1]) >= before


def test_without_a_driver_it_lives_and_says_so(image: Image, tmp_path: Path) -> None:
    with running(image, tmp_path / "state", ["wattledger", "run"]) as daemon:
        poll(lambda: 'wattledger_source_success{source="nvml"} 0' in daemon.get("/metrics")[1], "the reason")
        assert daemon.answers("/-/ready", 503)
        assert daemon.health().returncode == 0


def test_it_runs_as_the_chart_starts_it(image: Image, tmp_path: Path) -> None:
    among = rendered({"source": "sim", "config": {"rules": {"packs": ["idle"]}}})
    folder = tmp_path / "config"
    folder.mkdir()
    configuration(among, folder)
    wanted = container(among)
    context = pod(among)["spec"]["securityContext"]
    assert {one["mountPath"] for one in wanted["volumeMounts"]} >= {"/etc/wattledger", "/var/lib/wattledger"}
    assert wanted["securityContext"]["readOnlyRootFilesystem"]
    listen = next(one for one in wanted["args"] if one.startswith("--listen="))
    command = [*wanted["command"], *(one for one in wanted["args"] if one != listen)]
    user = f"{context['runAsUser']}:{context['runAsGroup']}"
    with running(image, tmp_path / "state", command, config=folder, user=user) as daemon:
        poll(lambda: daemon.answers("/-/ready"), "fresh data")
        assert 'wattledger_source_info{source="sim"} 1' in daemon.get("/metrics")[1]
        assert daemon.health().returncode == 0
