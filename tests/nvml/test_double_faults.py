"""Calls of the double that fail, hang, crash, lie or race."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.nvml.double import NvmlDouble
from tests.nvml.faults import function_index
from tests.nvml.fixtures import MakeDouble, MakeProbe
from tests.nvml.probe import Probe

POWER, ENERGY = "nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption"
FIELDS = "nvmlDeviceGetFieldValues"


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        os.sched_yield()


def test_a_lost_board_fails_everywhere_and_alone(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("h100", "h100")
    probe = make_probe(double)
    first, second = probe.handle(0), probe.handle(1)
    double.gpu(0).lose()
    names = (POWER, ENERGY, "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo")
    assert [probe.code(name, first) for name in names] == [15] * 4
    assert [probe.code(name, second) for name in names] == [0] * 4
    assert probe.code("nvmlDeviceGetHandleByIndex", 0) == 15
    assert probe.call("nvmlDeviceGetCount") == 2
    double.gpu(0).clear_faults()
    assert probe.code(POWER, first) == 0


@pytest.mark.parametrize("code", [4, 10, 15, 16, 19, 999])
def test_any_return_code_for_so_many_calls(double: NvmlDouble, probe: Probe, code: int) -> None:
    handle = probe.handle()
    fault = double.gpu(0).fault(POWER, code, count=2)
    assert [probe.code(POWER, handle) for _ in range(3)] == [code, code, 0]
    assert fault.used_up
    assert probe.code(ENERGY, handle) == 0


def test_a_fault_without_slot_reaches_system_calls(double: NvmlDouble, probe: Probe) -> None:
    double.fault("nvmlDeviceGetCount", 999)
    assert probe.code("nvmlDeviceGetCount") == 999
    double.clear_faults()
    assert probe.code("nvmlDeviceGetCount") == 0


def test_an_unknown_function_is_refused_with_the_nearest() -> None:
    assert function_index("nvmlDeviceGetCount") == function_index("nvmlDeviceGetCount_v2")
    with pytest.raises(ValueError, match="nvmlDeviceGetPowerUsage"):
        function_index("nvmlDeviceGetPowerUse")


def test_one_field_fails_inside_a_batch_that_succeeds(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    double.gpu(0).field_error(186, 999, scope=0)
    double.gpu(0).field_error(308, 3)
    assert probe.field_codes(handle, [(185, 0), (186, 0), (186, 2), 308]) == [0, 999, 3, 3]
    double.gpu(0).field_error(186, 0, scope=0)
    assert probe.field_codes(handle, [(186, 0), 308]) == [0, 3]
    assert probe.code(FIELDS, handle, [308]) == 3
    double.gpu(0).clear_faults()
    assert probe.code(FIELDS, handle, [308]) == 0


def test_a_hang_ends_when_cleared(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    fault = double.gpu(0).hang(POWER)
    probe.send(POWER, handle)
    wait_for(lambda: double.hanging == 1)
    with pytest.raises(TimeoutError):
        probe.receive(timeout_s=0.1)
    fault.clear()
    assert probe.receive() == 71_800
    assert double.hanging == 0


def test_a_hang_of_so_many_seconds_ends_by_itself(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    double.gpu(0).hang(POWER, seconds=0.15, count=1)
    start = time.monotonic()
    assert probe.call(POWER, handle) == 71_800
    assert 0.15 <= time.monotonic() - start < 5


def test_a_hanging_call_can_be_killed(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    double.gpu(0).hang(FIELDS)
    probe.send(FIELDS, handle, [83])
    wait_for(lambda: double.hanging == 1)
    probe.process.terminate()
    assert probe.process.wait(timeout=5) == -signal.SIGTERM


@pytest.mark.parametrize(("how", "number"), [("segv", signal.SIGSEGV), ("abort", signal.SIGABRT)])
def test_a_crash_ends_the_caller(double: NvmlDouble, probe: Probe, how: str, number: signal.Signals) -> None:
    handle = probe.handle()
    double.gpu(0).crash(POWER, "segv" if how == "segv" else "abort")
    with pytest.raises(EOFError):
        probe.call(POWER, handle)
    assert probe.process.wait(timeout=5) == -number


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A mounted filesystem that is frozen; thawed and unmounted at the end."""
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    steps: tuple[list[str | Path], ...] = (
        ["mkfs.ext4", "-q", image],
        ["mount", "-o", "loop", image, mount],
        ["fsfreeze", "--freeze", mount],
    )
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip(f"{step[0]} is not installed")
        if done.returncode != 0:
            subprocess.run(["umount", mount], capture_output=True, check=False)
            pytest.skip(f"{step[0]} does not work here: {done.stderr.strip()[:100]}")
    yield mount
    subprocess.run(["fsfreeze", "--unfreeze", mount], capture_output=True, check=False)
    subprocess.run(["umount", mount], capture_output=True, check=True)


def test_an_unkillable_hang_survives_sigkill_until_the_thaw(double: NvmlDouble, probe: Probe, frozen: Path) -> None:
    handle = probe.handle()
    double.gpu(0).hang(POWER, unkillable_path=str(frozen / "file"))
    probe.send(POWER, handle)
    stat = Path(f"/proc/{probe.process.pid}/stat")
    wait_for(lambda: double.hanging == 1 and stat.read_text().rsplit(")", 1)[1].split()[0] == "D")
    probe.process.kill()
    with pytest.raises(subprocess.TimeoutExpired):
        probe.process.wait(timeout=0.3)
    subprocess.run(["fsfreeze", "--unfreeze", frozen], check=True)
    assert probe.process.wait(timeout=5) == -signal.SIGKILL


def test_power_can_lie_with_success(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    double.gpu(0).power_glitch(3_700_000)
    assert [probe.call(POWER, handle) for _ in range(2)] == [3_700_000, 71_800]
    double.gpu(0).power_glitch(0, count=None)
    assert probe.fields(handle, [(185, 0), (186, 0)]) == [0, 0]


def test_energy_can_fall_to_zero_once_or_jump(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    true = probe.call(ENERGY, handle)
    double.gpu(0).energy_glitch(to_mj=0)
    assert [probe.call(ENERGY, handle) for _ in range(2)] == [0, true]
    double.gpu(0).energy_glitch(add_mj=1 << 40)
    assert [probe.call(ENERGY, handle) for _ in range(2)] == [true + (1 << 40), true]
    with pytest.raises(ValueError, match="exactly one"):
        double.gpu(0).energy_glitch()


def test_two_unlocked_threads_in_get_field_values_are_caught(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    double.race_window(0.01)
    for _ in range(3):
        probe.call(FIELDS, handle, [83])
    alone = (double.field_race_detected, double.peak_concurrency)
    probe.call("in_threads", 2, 3, FIELDS, handle, [83])
    together = (double.field_race_detected, double.peak_concurrency)
    assert (alone, together) == ((False, 1), (True, 2))


def test_a_race_corrupts_the_values(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    double.race_window(0.3)
    probe.send("raced_value", FIELDS, handle, [83])
    assert probe.receive() == [0x5A5A5A5A5A5A5A5A] * 2


def test_two_processes_in_get_field_values_do_not_race(double: NvmlDouble, make_probe: MakeProbe) -> None:
    probes = [make_probe(double) for _ in range(2)]
    double.race_window(0.05)
    handles = [probe.handle() for probe in probes]
    for probe, handle in zip(probes, handles, strict=True):
        probe.send(FIELDS, handle, [83])
    for probe in probes:
        probe.receive()
    assert not double.field_race_detected


def test_nvml_inherited_by_fork_is_refused_and_noted(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    before = double.fork_misuse_detected
    assert probe.call("after_fork", POWER, handle) == 255  # 999 does not fit an exit status
    assert (before, double.fork_misuse_detected) == (False, True)
    assert probe.code(POWER, handle) == 0


def test_latency_sleeps_inside_the_call(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    double.latency_model(on=True)
    double.latency(0.05, POWER)
    start = time.monotonic()
    probe.call(POWER, handle)
    assert 0.05 <= time.monotonic() - start < 5
    start = time.monotonic()
    probe.call("nvmlDeviceGetPcieThroughput", handle, 0)
    assert 0.02 <= time.monotonic() - start < 5
    double.latency_model(on=False)
    assert not any(double.control.latency_us)


def test_init_is_counted_and_shutdown_ends_it(double: NvmlDouble, probe: Probe) -> None:
    probe.call("nvmlInit")
    probe.call("nvmlShutdown")
    assert probe.code("nvmlDeviceGetCount") == 0
    probe.call("nvmlShutdown")
    assert probe.code("nvmlDeviceGetCount") == 1
    assert double.calls()["nvmlInitWithFlags"] == 2
