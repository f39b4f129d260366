"""What the doctor says of a dcgm-exporter: one that is configured, one that could be, and none."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.dcgm_exporter import DcgmExporter, FakeBoard, Fault
from tests.agent.doctor.hosts import NO_NVML, diagnose, environment, server
from wattledger.agent.doctor.exporter import check_exporter
from wattledger.agent.doctor.finding import Status
from wattledger.agent.doctor.report import NvmlReport
from wattledger.agent.doctor.run import NVML_CHECKS
from wattledger.agent.doctor.surroundings import Roots, Surroundings

ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    return Surroundings(Roots.below(tmp_path), {}, None, "", 9889, NvmlReport())


def test_one_that_is_configured_takes_the_place_of_the_driver(tmp_path: Path) -> None:
    with DcgmExporter(FakeBoard(0, max_sm_clock_mhz=1980), FakeBoard(1, max_sm_clock_mhz=1980)) as exporter:
        variables = environment(tmp_path, NO_NVML, {"WATTLEDGER_SOURCE": f"dcgm:{exporter.url}"})
        seen = diagnose(server(tmp_path / "host"), variables)
        found = seen.of("dcgm-exporter")
        assert (found["status"], found["essential"]) == ("present", True)
        assert found["why"] == f"{exporter.url} has 2 GPUs"
    assert seen.status("NVML") == "missing"
    assert seen.code == 0
    assert len(NVML_CHECKS) == 6


def test_what_a_page_lacks_is_said_with_the_rows_to_add(tmp_path: Path) -> None:
    with DcgmExporter(FakeBoard(0), FakeBoard(1, without=frozenset({ENERGY}))) as exporter:
        variables = environment(tmp_path, NO_NVML, {"WATTLEDGER_SOURCE": f"dcgm:{exporter.url}"})
        seen = diagnose(server(tmp_path / "host"), variables)
        found = seen.of("dcgm-exporter")
    assert found["status"] == "limited"
    assert "GPU 1: no energy counter: power is summed up" in found["why"]
    assert "GPU 0-1: no highest clock: held is not told from parked" in found["why"]
    assert found["cure"] == f"add {ENERGY} and DCGM_FI_DEV_MAX_SM_CLOCK to its list of values (-f)"
    assert seen.code == 0


def test_one_that_is_configured_and_fails_is_essential(tmp_path: Path) -> None:
    with DcgmExporter(FakeBoard(0)) as exporter:
        exporter.fault = Fault.STATUS
        variables = environment(tmp_path, NO_NVML, {"WATTLEDGER_SOURCE": f"dcgm:{exporter.url}"})
        seen = diagnose(server(tmp_path / "host"), variables)
        found = seen.of("dcgm-exporter")
        assert (found["status"], found["essential"], seen.code) == ("missing", True, 1)
        assert found["why"] == f"{exporter.url}: status 500"
        assert found["cure"] == "see the log of dcgm-exporter; restart it"


def test_one_that_is_not_configured_is_offered(surroundings: Surroundings) -> None:
    with DcgmExporter(FakeBoard(0)) as exporter:
        (found,) = check_exporter(replace(surroundings, exporter_url=exporter.url))
        assert (found.status, found.essential) == (Status.PRESENT, False)
        assert found.why.startswith(f"{exporter.url} has 1 GPU: `--source dcgm` reads them without NVML")
        exporter.fault = Fault.OTHER_PAGE
        (found,) = check_exporter(replace(surroundings, exporter_url=exporter.url))
        assert (found.status, found.essential) == (Status.MISSING, False)
        assert found.why == f"none is read on {exporter.url}; where NVML works none is needed"
