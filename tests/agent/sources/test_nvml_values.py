"""Values that fail, lie, wrap or come slowly: each is a value or a gap with its reason, at once."""

import itertools
from pathlib import Path

import pytest

from tests.agent.sources.nvml_child import SourceChild, machine
from tests.nvml.double import NvmlDouble
from wattledger.rules.quantity import Gap, Quantity

Q = Quantity


@pytest.mark.parametrize(
    ("code", "gap"),
    [
        (3, Gap.UNSUPPORTED),
        (4, Gap.NO_PERMISSION),
        (10, Gap.TIMEOUT),
        (15, Gap.LOST),
        (17, Gap.FAILED),
        (999, Gap.FAILED),
    ],
)
def test_a_field_that_fails_inside_a_batch_is_one_gap_and_comes_back(tmp_path: Path, code: int, gap: Gap) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        assert Q.POWER_AVERAGE_MW in m.one().values
        gpu.field_error(185, code)
        reading = m.tick()
        assert reading.up
        assert reading.gaps[Q.POWER_AVERAGE_MW] is gap
        assert Q.POWER_INSTANT_MW in reading.values
        assert Q.ENERGY_MJ in reading.values
        gpu.field_error(185, 0)
        assert Q.POWER_AVERAGE_MW in m.tick().values


def test_a_slow_value_stays_between_its_reads_and_goes_at_once_when_it_fails(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        gpu.ecc(corrected=3)
        assert m.one().values[Q.ECC_CORRECTED_VOLATILE] == 3
        gpu.ecc(corrected=5)
        assert m.tick(times=30).values[Q.ECC_CORRECTED_VOLATILE] == 3
        assert m.tick(31).values[Q.ECC_CORRECTED_VOLATILE] == 5
        gpu.field_error(3, 17)
        reading = m.tick(60)
        assert reading.gaps[Q.ECC_CORRECTED_VOLATILE] is Gap.FAILED
        assert Q.ECC_UNCORRECTED_VOLATILE in reading.values
        gpu.field_error(3, 0)
        assert m.tick(60).values[Q.ECC_CORRECTED_VOLATILE] == 5


def test_a_call_that_fails_is_a_gap_of_all_it_gives(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        m.one()
        gpu.fault("nvmlDeviceGetUtilizationRates", 10)
        reading = m.tick()
        assert reading.gaps[Q.UTILIZATION_GPU_RATIO] is Gap.TIMEOUT
        assert reading.gaps[Q.UTILIZATION_MEMORY_RATIO] is Gap.TIMEOUT
        gpu.clear_faults()
        assert m.tick().values[Q.UTILIZATION_GPU_RATIO] == 0


def test_what_fails_only_while_probing_is_read_later(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.gpu(0).field_error(185, 999)
        (reading,) = child.open().read().devices
        assert reading.gaps[Q.POWER_AVERAGE_MW] is Gap.FAILED
        double.gpu(0).field_error(185, 0)
        (reading,) = child.tick().devices
        assert Q.POWER_AVERAGE_MW in reading.values


def test_what_was_refused_is_tried_again_within_the_hour(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.gpu(0).field_error(82, 4)
        (reading,) = child.open().read().devices
        assert reading.gaps[Q.TEMPERATURE_MEMORY_CELSIUS] is Gap.NO_PERMISSION
        double.gpu(0).field_error(82, 0)
        (reading,) = child.tick().devices
        assert reading.gaps[Q.TEMPERATURE_MEMORY_CELSIUS] is Gap.NO_PERMISSION
        (reading,) = child.tick(3600).devices
        assert Q.TEMPERATURE_MEMORY_CELSIUS in reading.values


@pytest.mark.parametrize("bogus_mw", [0, 1_050_001, 3_700_000, 0xFFFFFFFF])
def test_power_that_cannot_be_true_is_refused(tmp_path: Path, bogus_mw: int) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).power_glitch(bogus_mw, count=None)
        reading = m.tick()
        assert reading.gaps[Q.POWER_AVERAGE_MW] is Gap.FAILED
        assert reading.gaps[Q.POWER_INSTANT_MW] is Gap.FAILED
        assert Q.ENERGY_MJ in reading.values
        m.double.gpu(0).clear_faults()
        assert m.tick().values[Q.POWER_INSTANT_MW] == 71_800


def test_power_up_to_one_and_a_half_limits_is_believed(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).power_glitch(1_050_000, count=None)
        assert m.tick().values[Q.POWER_INSTANT_MW] == 1_050_000


def test_a_board_without_limits_still_refuses_the_known_garbage(tmp_path: Path) -> None:
    with machine(tmp_path, "gb10") as m:
        m.one()
        m.double.gpu(0).power_glitch(3_700_000, count=None)
        assert m.tick().gaps[Q.POWER_INSTANT_MW] is Gap.FAILED


def test_utilisation_above_one_hundred_percent_is_refused(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).utilisation(gpu=101, memory=4_294_967_295)
        reading = m.tick(3)
        assert reading.gaps[Q.UTILIZATION_GPU_RATIO] is Gap.FAILED
        assert reading.gaps[Q.UTILIZATION_MEMORY_RATIO] is Gap.FAILED


def test_the_energy_sentinel_is_refused_and_other_jumps_pass_raw(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).energy_glitch(to_mj=-1)
        assert m.tick().gaps[Q.ENERGY_MJ] is Gap.FAILED
        m.double.gpu(0).energy_glitch(to_mj=0)
        assert m.tick().values[Q.ENERGY_MJ] == 0  # whether this is a reset is not the source's to say


def test_a_counter_of_32_bits_is_carried_on_when_it_wraps(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).traffic(pcie_tx=3_000_000_000)
        seen = [m.tick().values[Q.PCIE_TRANSMIT_BYTES] for _ in range(5)]
    assert [later - earlier for earlier, later in itertools.pairwise(seen)] == [3_000_000_000] * 4


def test_a_counter_that_wrapped_goes_on_when_the_device_is_planned_anew(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).traffic(pcie_tx=4_000_000_000)
        before = m.tick(times=5).values[Q.PCIE_TRANSMIT_BYTES]
        m.double.gpu(0).traffic()
        m.double.advance(3600)
        assert before > 1 << 32
        assert m.tick().values[Q.PCIE_TRANSMIT_BYTES] == before


def test_a_counter_reset_shows_as_it_is(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        before = m.one()
        m.double.gpu(0).reset_counter()
        after = m.tick(10)
    assert after.values[Q.ENERGY_MJ] < before.values[Q.ENERGY_MJ]
    assert after.values[Q.UPTIME_SECONDS] < before.values[Q.UPTIME_SECONDS]


def test_a_process_without_known_memory_has_none(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.double.gpu(0).process(4242, memory_bytes=None)
        m.double.gpu(0).process(77, memory_bytes=5 << 30)
        m.double.gpu(0).process(78, kind="graphics", memory_bytes=1)
        reading = m.one()
        assert reading.processes is not None
        assert {(p.pid, p.kind.value, p.memory_bytes) for p in reading.processes} == {
            (4242, "compute", None),
            (77, "compute", 5 << 30),
            (78, "graphics", 1),
        }
        assert reading.values[Q.PROCESSES] == 3


def test_a_long_process_list_is_read_whole(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        for pid in range(1000, 1200):
            m.double.gpu(0).process(pid, memory_bytes=1 << 20)
        reading = m.one()
        assert reading.processes is not None
        assert {process.pid for process in reading.processes} == set(range(1000, 1200))


def test_a_process_list_that_fails_is_a_gap_and_no_empty_list(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.double.gpu(0).process(7)
        m.one()
        m.double.gpu(0).fault("nvmlDeviceGetComputeRunningProcesses_v3", 4)
        reading = m.tick(10)
        assert reading.processes is None
        assert reading.gaps[Q.PROCESSES] is Gap.NO_PERMISSION
