"""The page of dcgm-exporter's names of a daemon on the C double of NVML: boards of several kinds, one of them cut."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.samples import Sample

from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import poll
from tests.exporter.dcgm_pages import samples_of
from tests.nvml.double import NvmlDouble
from tests.servers import need

PATH = "/dcgm/metrics"
ENERGY = {"legacy": "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "current": "DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL"}


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NvmlDouble]:
    with NvmlDouble(tmp_path_factory.mktemp("nvml"), gpus=["h100", "l40s", "a100"], clock="real") as made:
        made.gpu(0).utilisation(gpu=57)
        made.gpu(0).draw(400)
        made.gpu(2).mig(["3g.40gb", "1g.10gb"])
        yield made


@pytest.fixture(scope="module", params=["legacy", "current"])
def daemon(
    double: NvmlDouble, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[DaemonProcess]:
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "wattledger.yaml").write_text(f"dcgm: {{page: true, names: {request.param}}}\n")
    arguments = ("--config", str(folder / "wattledger.yaml"))
    with DaemonProcess(folder / "state", *arguments, env=double.env) as daemon:
        daemon.wait_ticks(3)
        yield daemon


def scrape(daemon: DaemonProcess) -> dict[str, list[Sample]]:
    status, body = daemon.get(PATH)
    assert status == 200
    return samples_of(body.decode())


def one_of(page: dict[str, list[Sample]], *names: str) -> list[Sample]:
    """Give the rows under whichever of *names* the page has."""
    (name,) = (name for name in names if name in page)
    return page[name]


def test_promtool_reads_the_page(daemon: DaemonProcess) -> None:
    _, body = daemon.get(PATH)
    promtool = need("promtool", "prometheus")
    result = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert result.returncode == 3, (
        result.stderr
    )  # names that are not ours to choose; 1 were a page that cannot be read


def test_each_board_has_one_row_of_energy_and_of_power(daemon: DaemonProcess, double: NvmlDouble) -> None:
    page = scrape(daemon)
    uuids = [gpu.uuid for gpu in double.gpus]
    for rows in (
        one_of(page, *ENERGY.values()),
        one_of(page, "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS"),
    ):
        assert [row.labels["UUID"] for row in rows] == uuids
        assert not any("GPU_I_ID" in row.labels for row in rows)


def test_energy_is_that_of_the_other_page_in_its_unit(daemon: DaemonProcess) -> None:
    def both() -> tuple[float, float, float]:
        page = scrape(daemon)
        row = one_of(page, *ENERGY.values())[0]
        shown = row.value / 1000 if ENERGY["legacy"] in page else row.value
        joules = daemon.page().value("wattledger_gpu_energy_joules_total", gpu="0")
        again = one_of(scrape(daemon), *ENERGY.values())[0].value
        return shown, joules, again / 1000 if ENERGY["legacy"] in page else again

    before, joules, after = both()
    assert before <= joules <= after
    assert after - before < 400 * 2
    poll(lambda: both()[0] > after, "energy that grows")


def test_memory_is_by_instance_on_the_cut_board_alone(daemon: DaemonProcess, double: NvmlDouble) -> None:
    rows = one_of(scrape(daemon), "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_FREE_BYTES")
    cut = [row for row in rows if row.labels["UUID"] == double.gpu(2).uuid]
    assert [row.labels["GPU_I_PROFILE"] for row in cut] == ["3g.40gb", "1g.10gb"]
    assert len({row.labels["GPU_I_ID"] for row in cut}) == 2
    assert [row.labels.get("GPU_I_ID") for row in rows if row not in cut] == [None, None]


def test_utilisation_is_what_the_driver_says(daemon: DaemonProcess) -> None:
    page = scrape(daemon)
    row = one_of(page, "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO")[0]
    assert row.value == (57 if "DCGM_FI_DEV_GPU_UTIL" in page else 0.57)
    # Only the Hopper has GPM: the others have no row, and no 0.
    rows = one_of(page, "DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO")
    assert {row.labels["gpu"] for row in rows} == {"0"}


def test_an_xid_shows_with_its_number(daemon: DaemonProcess, double: NvmlDouble) -> None:
    double.gpu(1).xid(31)

    def shown() -> bool:
        page = scrape(daemon)
        last = page.get("DCGM_FI_DEV_XID_ERRORS", page.get("DCGM_FI_DEV_XID_ERROR", []))
        counted = page.get("DCGM_EXP_XID_ERRORS_TOTAL", [])
        return [(row.labels["err_code"], row.value) for row in last] == [("31", 31)] and [
            row.labels["xid"] for row in counted
        ] == ["31"]

    poll(shown, "the Xid")


def test_a_daemon_that_is_not_told_to_has_no_such_page(double: NvmlDouble, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "state", env=double.env) as daemon:
        assert daemon.get(PATH)[0] == 404


def test_wrong_settings_are_refused_with_place_and_cure(tmp_path: Path) -> None:
    config = tmp_path / "wattledger.yaml"
    config.write_text("dcgm:\n  page: yes\n  names: legcy\n")
    with pytest.raises(AssertionError, match="exit code 1") as failure:
        DaemonProcess(tmp_path / "state", "--config", str(config), source="sim")
    said = str(failure.value)
    assert "wattledger.yaml:3" in said
    assert "legacy" in said
