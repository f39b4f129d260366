"""MIG and GPM: instances, whose activity is measured and when, and the power that only the board has."""

from pathlib import Path

import pytest

from tests.agent.sources.nvml_child import SourceChild, machine
from tests.nvml.double import NvmlDouble
from wattledger.rules.quantity import Gap, Quantity

Q = Quantity
SM, TENSOR, DRAM = 2, 5, 10  # nvmlGpmMetricId_t


def test_mig_instances_have_memory_and_activity_and_no_power(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        gpu = double.gpu(0)
        gpu.mig(["3g.40gb", "1g.10gb"])
        gpu.process(50, memory_bytes=8 << 30, mig=0)
        gpu.gpm({SM: 61.0, DRAM: 30.0}, mig=0)
        child.open().read()
        sample = child.tick()
        (reading,) = sample.devices
        assert reading.values[Q.MIG_MODE] == 1
        assert reading.gaps[Q.UTILIZATION_GPU_RATIO] is Gap.UNSUPPORTED
        assert reading.values[Q.POWER_INSTANT_MW] > 0
        large, small = reading.instances
        assert [large.uuid, small.uuid] == gpu.mig_uuids
        assert (large.profile, small.profile) == ("3g.40gb", "1g.10gb")
        assert large.gpu_instance != small.gpu_instance
        assert large.values[Q.MEMORY_TOTAL_BYTES] == 40 << 30
        assert large.values[Q.MEMORY_USED_BYTES] == 8 << 30
        assert large.values[Q.ACTIVITY_SM_RATIO] == pytest.approx(0.61)
        assert large.values[Q.ACTIVITY_DRAM_RATIO] == pytest.approx(0.30)
        assert small.gaps[Q.ACTIVITY_SM_RATIO] is Gap.ASLEEP  # no process uses it
        assert reading.processes is not None
        (process,) = reading.processes
        assert (process.pid, process.gpu_instance) == (50, large.gpu_instance)


def test_an_instance_that_nobody_uses_is_not_sampled(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        gpu.mig(["3g.40gb", "1g.10gb"])
        gpu.process(50, mig=0)
        m.tick(times=12)
        m.double.reset_calls()
        m.tick(times=60)
        assert m.double.calls(0)["nvmlGpmMigSampleGet"] == 12


def test_mig_without_gpm_has_memory_only(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["a100"]) as double, SourceChild(double) as child:
        double.gpu(0).mig(["7g.80gb"])
        (reading,) = child.open().read().devices
    (instance,) = reading.instances
    assert instance.values[Q.MEMORY_TOTAL_BYTES] == 80 << 30
    assert instance.gaps[Q.ACTIVITY_SM_RATIO] is Gap.UNSUPPORTED


def test_a_new_mig_layout_brings_new_instances_and_switching_it_off_brings_utilisation_back(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        assert Q.UTILIZATION_GPU_RATIO in m.one().values
        gpu.mig(["1g.10gb"] * 7)
        m.tick(times=11)
        reading = m.tick()
        assert len(reading.instances) == 7
        assert reading.gaps[Q.UTILIZATION_GPU_RATIO] is Gap.UNSUPPORTED
        gpu.mig(["3g.40gb"])
        assert [instance.uuid for instance in m.tick(10).instances] == gpu.mig_uuids
        gpu.mig(None)
        m.tick(10)
        reading = m.tick()
        assert reading.instances == ()
        assert Q.UTILIZATION_GPU_RATIO in reading.values
        m.child.read()


def test_who_may_not_list_the_board_lists_the_instances(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        gpu = double.gpu(0)
        gpu.mig(["3g.40gb", "3g.40gb"])
        gpu.process(60, mig=1)
        # The board's own list is asked for first; only that one call is refused.
        gpu.fault("nvmlDeviceGetComputeRunningProcesses_v3", 4, count=1)
        (reading,) = child.open().read().devices
        assert reading.processes is not None
        assert [process.pid for process in reading.processes] == [60]


def test_activity_is_the_mean_between_two_samples(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        gpu.process(1)
        gpu.utilisation(gpu=80)
        gpu.gpm({TENSOR: 40.0, DRAM: 20.0})
        m.double.advance(5)
        assert m.one().gaps[Q.ACTIVITY_SM_RATIO] is Gap.TIMEOUT  # one sample is no pair
        assert m.tick().values[Q.ACTIVITY_SM_RATIO] == pytest.approx(0.8)
        gpu.gpm({TENSOR: 10.0})
        reading = m.tick(5)
        assert reading.values[Q.ACTIVITY_TENSOR_RATIO] == pytest.approx(0.1, abs=0.02)
        assert reading.values[Q.ACTIVITY_DRAM_RATIO] == pytest.approx(0.2)


def test_gpm_is_asked_every_five_seconds_under_load_and_never_in_deep_idle(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        m.tick(times=10)
        m.double.reset_calls()
        reading = m.tick(times=60)
        assert reading.gaps[Q.ACTIVITY_SM_RATIO] is Gap.ASLEEP  # not asked, so not told
        assert m.double.calls(0).get("nvmlGpmSampleGet", 0) == 0
        gpu.utilisation(gpu=50)
        assert m.tick().gaps[Q.ACTIVITY_SM_RATIO] is Gap.TIMEOUT  # one sample is no pair
        assert m.tick().values[Q.ACTIVITY_SM_RATIO] == pytest.approx(0.5)
        m.tick(times=10)
        m.double.reset_calls()
        m.tick(times=60)
        assert m.double.calls(0)["nvmlGpmSampleGet"] == 12
        gpu.utilisation(gpu=0)
        assert m.tick(times=10).gaps[Q.ACTIVITY_SM_RATIO] is Gap.ASLEEP


def test_samples_closer_than_gpm_allows_are_never_paired(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.double.gpu(0).utilisation(gpu=50)
        m.double.advance(5)
        m.one()
        for _ in range(30):
            reading = m.tick(0.05)
            assert reading.gaps.get(Q.ACTIVITY_SM_RATIO) is not Gap.FAILED
        assert reading.values[Q.ACTIVITY_SM_RATIO] == pytest.approx(0.5)


def test_confidential_computing_switches_activity_off(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.confidential_computing(on=True)
        double.gpu(0).utilisation(gpu=50)
        child.open().read()
        (reading,) = child.tick(times=3).devices
        assert reading.gaps[Q.ACTIVITY_SM_RATIO] in (Gap.UNSUPPORTED, Gap.NO_PERMISSION)
        assert reading.values[Q.UTILIZATION_GPU_RATIO] == 0.5


def test_samples_are_given_back(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.double.gpu(0).mig(["1g.10gb"] * 3)
        m.tick(times=12)
        m.double.gpu(0).mig(["3g.40gb"])
        m.tick(times=12)
        m.double.gpu(0).mig(None)
        m.tick(times=12)
        m.child.close()
        calls = m.double.calls()
        assert calls["nvmlGpmSampleAlloc"] == calls["nvmlGpmSampleFree"] > 0
