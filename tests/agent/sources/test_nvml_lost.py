"""Devices that fall off, come back, move, appear, sleep; and the driver that goes away under all of them."""

from pathlib import Path

import pytest

from tests.agent.sources.nvml_child import SourceChild, machine, until
from tests.nvml.double import NvmlDouble
from wattledger.agent.sources.base import SourceError
from wattledger.rules.quantity import Gap, Quantity

Q = Quantity


@pytest.mark.parametrize("code", [15, 16])
def test_a_lost_gpu_does_not_blank_the_others_and_comes_back_by_itself(tmp_path: Path, code: int) -> None:
    with machine(tmp_path, "h100", "h100", "l40s") as m:
        m.child.read()
        fault = m.double.gpu(1).fault("*", code)
        sample = m.child.tick()
        assert [reading.up for reading in sample.devices] == [True, False, True]
        lost = sample.devices[1]
        assert not lost.values
        assert lost.gaps == dict.fromkeys(Quantity, Gap.LOST)
        assert lost.processes is None
        assert Q.ENERGY_MJ in sample.devices[0].values
        m.child.tick(times=30)
        fault.clear()
        sample = m.child.tick(times=60)
        assert [reading.up for reading in sample.devices] == [True, True, True]
        assert sample.devices[1].values[Q.ENERGY_MJ] == m.double.gpu(1).counter_mj(m.double.now_ns)
        assert sum("device lost" in line for line in m.child.log) == 1
        assert sum("device is back" in line for line in m.child.log) == 1


def test_counters_that_wrapped_start_anew_with_a_gpu_that_was_reset(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).traffic(pcie_tx=4_000_000_000)
        assert m.tick(times=5).values[Q.PCIE_TRANSMIT_BYTES] > 1 << 32
        m.double.gpu(0).traffic()
        fault = m.double.gpu(0).lose()
        m.tick()
        fault.clear()
        assert m.tick(times=3).values[Q.PCIE_TRANSMIT_BYTES] < 1 << 32


def test_a_lost_gpu_is_tried_ever_less_often(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "h100") as m:
        m.child.read()
        m.double.gpu(1).lose()
        m.child.tick(times=120)
        m.double.reset_calls()
        m.child.tick(times=120)
        assert m.double.calls(1).get("nvmlDeviceGetFieldValues", 0) == 0
        # The look at all indices finds it sick each 10 s; by its UUID it is tried once a minute.
        assert m.double.calls(1).get("nvmlDeviceGetHandleByUUID", 0) <= 3


def test_a_gpu_lost_before_the_start_is_left_out_and_taken_in_when_it_opens(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100", "h100"]) as double, SourceChild(double) as child:
        fault = double.gpu(0).lose()
        sample = child.open().read()
        assert [reading.identity.uuid for reading in sample.devices] == [double.gpu(1).uuid]
        fault.clear()
        sample = child.tick(10)
        assert [reading.identity.uuid for reading in sample.devices] == [gpu.uuid for gpu in double.gpus]


def test_devices_keep_their_identity_when_indices_change(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "l40s", "a100") as m:
        m.child.read()
        m.double.order([2, 0, 1])
        m.double.gpu(0).process(9)
        sample = m.child.tick(10)
        names = [(reading.identity.index, reading.identity.name) for reading in sample.devices]
        assert names == [(0, "NVIDIA A100 80GB PCIe"), (1, "NVIDIA H100 80GB HBM3"), (2, "NVIDIA L40S")]
        assert sample.devices[1].values[Q.PROCESSES] == 1


def test_a_gpu_that_vanishes_is_dropped_and_a_new_one_appears(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "h100", "h100") as m:
        m.double.order([0, 1])
        m.child.read()
        m.double.order([0, 2])
        sample = m.child.tick(10)
        expected = [m.double.gpu(0).uuid, m.double.gpu(2).uuid]
        assert [reading.identity.uuid for reading in sample.devices] == expected
        assert all(reading.up for reading in sample.devices)


@pytest.mark.parametrize("by", ["index", "uuid"])
def test_excluded_devices_are_not_read(tmp_path: Path, by: str) -> None:
    with NvmlDouble(tmp_path / "double", ["h100", "h100"]) as double:
        name = 1 if by == "index" else double.gpu(1).uuid.upper()
        with SourceChild(double, exclude=[name]) as child:
            sample = child.open().read()
            assert [reading.identity.uuid for reading in sample.devices] == [double.gpu(0).uuid]
            assert double.calls(1).get("nvmlDeviceGetFieldValues", 0) == 0


@pytest.mark.parametrize(
    ("state", "gap", "code", "words"),
    [
        ("absent", Gap.NO_DRIVER, 9, "modprobe nvidia"),
        ("mismatch", Gap.NO_DRIVER, 18, "reboot"),
        ("unknown_error", Gap.FAILED, 999, "restart the container"),
    ],
)
def test_a_driver_that_does_not_start_is_told_with_its_cure(
    tmp_path: Path, state: str, gap: Gap, code: int, words: str
) -> None:
    proc = tmp_path / "proc"
    (proc / "driver/nvidia").mkdir(parents=True)
    (proc / "driver/nvidia/version").write_text("NVRM version: NVIDIA UNIX  580.95.05  Release\nGCC version:\n")
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double, proc_root=proc) as child:
        double.driver(state=state)  # type: ignore[arg-type]  # the parametrised text is one of the literals
        with pytest.raises(SourceError) as failed:
            child.open()
        assert (failed.value.gap, failed.value.code) == (gap, code)
        assert words in failed.value.detail
        assert "580.95.05" in failed.value.detail
        child.close()
        child.close()
        double.driver(state="loaded")
        assert child.open().read().devices[0].up


def test_no_library_is_told_with_its_cure() -> None:
    with SourceChild(None, env={"LD_LIBRARY_PATH": "/nowhere"}) as child:
        with pytest.raises(SourceError) as failed:
            child.open()
        assert (failed.value.gap, failed.value.code) == (Gap.NO_DRIVER, 12)
        assert "libnvidia-ml.so.1" in failed.value.detail


@pytest.mark.parametrize("code", [1, 9, 18])
def test_a_driver_that_goes_away_at_run_time_fails_the_source_as_a_whole(tmp_path: Path, code: int) -> None:
    with machine(tmp_path, "h100", "h100") as m:
        m.child.read()
        m.double.fault("nvmlDeviceGetFieldValues", code)
        with pytest.raises(SourceError) as failed:
            m.child.tick()
        assert failed.value.code == code
        m.double.clear_faults()
        m.child.tick()


def test_a_device_whose_batch_fails_is_up_with_gaps(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "h100") as m:
        m.child.read()
        m.double.gpu(0).fault("nvmlDeviceGetFieldValues", 999)
        sample = m.child.tick()
        assert sample.devices[0].up
        assert sample.devices[0].gaps[Q.ENERGY_MJ] is Gap.FAILED
        assert Q.CLOCK_SM_HZ in sample.devices[0].values
        assert Q.ENERGY_MJ in sample.devices[1].values


def test_silence_of_all_devices_is_a_failure_of_the_driver(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "h100") as m:
        m.child.read()
        for gpu in m.double.gpus:
            gpu.fault("*", 999)
        assert all(reading.up for reading in m.child.tick().devices)  # one silent tick is no proof
        for _ in range(10):
            with pytest.raises(SourceError) as failed:
                m.child.tick()
        assert failed.value.gap is Gap.FAILED
        assert "container" in failed.value.detail
        for gpu in m.double.gpus:
            gpu.clear_faults()
        m.child.tick()


def _manage(sys_root: Path, bdf: str, *, status: str, control: str = "auto") -> Path:
    power = sys_root / "bus/pci/devices" / bdf / "power"
    power.mkdir(parents=True, exist_ok=True)
    (power / "control").write_text(f"{control}\n")
    (power / "runtime_status").write_text(f"{status}\n")
    return power / "runtime_status"


def test_a_sleeping_gpu_is_never_woken(tmp_path: Path) -> None:
    sys_root = tmp_path / "sys"
    with NvmlDouble(tmp_path / "double", ["rtx4090", "h100"]) as double:
        status = _manage(sys_root, double.gpu(0).bdf, status="active")
        with SourceChild(double, sys_root=sys_root) as child:
            child.open().read()
            until(lambda: double.calls(1).get("nvmlDeviceRegisterEvents", 0) > 0, "registration for events")
            double.gpu(0).suspend(sys_root)
            wakes = double.gpu(0).wakes
            double.reset_calls()
            for _ in range(30):
                sample = child.tick()
                asleep = sample.devices[0]
                assert not asleep.up
                assert asleep.gaps == dict.fromkeys(Quantity, Gap.ASLEEP)
                assert sample.devices[1].up
            assert double.gpu(0).wakes == wakes
            assert sum(double.calls(0).values()) == 0
            status.write_text("active\n")
            double.gpu(0).shared.asleep = 0
            assert child.tick().devices[0].up


def test_an_idle_gpu_under_runtime_power_management_is_left_alone_so_that_it_can_sleep(tmp_path: Path) -> None:
    sys_root = tmp_path / "sys"
    with NvmlDouble(tmp_path / "double", ["rtx4090"]) as double:
        _manage(sys_root, double.gpu(0).bdf, status="active")
        with SourceChild(double, sys_root=sys_root) as child:
            child.open()
            assert child.read().devices[0].up
            double.reset_calls()
            rest = [child.tick().devices[0] for _ in range(15)]
            assert all(reading.gaps[Q.ENERGY_MJ] is Gap.ASLEEP for reading in rest)
            assert sum(double.calls(0).values()) == 0
            # It does not fall asleep: something else keeps it awake, so it is read again, and long.
            assert child.tick(6).devices[0].up
            assert all(child.tick().devices[0].up for _ in range(100))


def test_a_gpu_at_work_or_not_managed_is_read_every_tick(tmp_path: Path) -> None:
    sys_root = tmp_path / "sys"
    with NvmlDouble(tmp_path / "double", ["rtx4090", "rtx4090"]) as double:
        _manage(sys_root, double.gpu(0).bdf, status="active")
        _manage(sys_root, double.gpu(1).bdf, status="suspended", control="on")
        double.gpu(0).process(11)
        with SourceChild(double, sys_root=sys_root) as child:
            child.open()
            for _ in range(30):
                assert [reading.up for reading in child.tick().devices] == [True, True]


def test_the_source_opens_again_after_it_was_closed(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.child.read()
        m.child.close()
        m.child.close()
        m.child.open()
        m.child.tick()
