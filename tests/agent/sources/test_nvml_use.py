"""What processes that share a device use of its SMs, as the driver tells it, with everything that drivers add."""

from pathlib import Path

from tests.agent.sources.nvml_child import machine
from wattledger.rules.reading import Reading

UTILIZATION = "nvmlDeviceGetProcessUtilization"


def use(reading: Reading) -> dict[int, float | None]:
    assert reading.processes is not None
    return {process.pid: process.sm_ratio for process in reading.processes}


def test_processes_that_share_a_device_are_told_apart_by_their_use(tmp_path: Path) -> None:
    with machine(tmp_path, "a100") as m:
        gpu = m.double.gpu(0)
        gpu.process(10, gpu=60)
        gpu.process(11, gpu=20)
        gpu.process(12)
        m.tick(times=2)
        assert use(m.tick()) == {10: 0.6, 11: 0.2, 12: 0.0}
        gpu.process(10, gpu=5)
        assert use(m.tick(times=2)) == {10: 0.05, 11: 0.2, 12: 0.0}


def test_a_process_alone_is_not_asked_for(tmp_path: Path) -> None:
    with machine(tmp_path, "a100") as m:
        m.double.gpu(0).process(10, gpu=60)
        assert use(m.tick(times=12)) == {10: None}
        assert m.double.calls(0).get(UTILIZATION, 0) == 0


def test_nobody_at_work_is_a_use_of_nothing(tmp_path: Path) -> None:
    with machine(tmp_path, "a100") as m:
        gpu = m.double.gpu(0)
        gpu.process(10)
        gpu.process(11)
        assert use(m.tick(times=3)) == {10: 0.0, 11: 0.0}
        gpu.process(11, gpu=40)
        assert use(m.tick(times=2)) == {10: 0.0, 11: 0.4}
        gpu.process(11)
        assert use(m.tick(times=3)) == {10: 0.0, 11: 0.0}


def test_rows_that_cannot_be_are_left_out(tmp_path: Path) -> None:
    with machine(tmp_path, "a100") as m:
        gpu = m.double.gpu(0)
        m.double.samples(fixed_size=100, garbage=3)
        gpu.process(10, gpu=60)
        gpu.process(1, gpu=30)
        m.tick(times=2)
        assert use(m.tick()) == {10: 0.6, 1: 0.3}


def test_a_driver_that_does_not_tell_leaves_it_unknown_and_is_asked_once(tmp_path: Path) -> None:
    with machine(tmp_path, "a100") as m:
        gpu = m.double.gpu(0)
        gpu.process(10, gpu=60)
        gpu.process(11, gpu=20)
        gpu.fault(UTILIZATION, 3)
        assert use(m.tick(times=4)) == {10: None, 11: None}
        assert m.double.calls(0)[UTILIZATION] == 1


def test_under_mig_nothing_is_asked(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        gpu.mig(["3g.40gb", "3g.40gb"])
        gpu.process(10, mig=0)
        gpu.process(11, mig=1)
        assert use(m.tick(times=12)) == {10: None, 11: None}
        assert m.double.calls(0).get(UTILIZATION, 0) == 0
