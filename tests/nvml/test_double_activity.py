"""Processes, MIG, samples, GPM and events of the double, through real pynvml in a child."""

import itertools
import math
import time

import pytest

from tests.nvml.double import NvmlDouble
from tests.nvml.fixtures import MakeDouble, MakeProbe
from tests.nvml.gpu import NO_INSTANCE
from tests.nvml.probe import Probe, ProbeError, Remote
from tests.nvml.profiles import GIB, GpuSpec

COMPUTE, GRAPHICS, MPS = (f"nvmlDeviceGet{kind}RunningProcesses" for kind in ("Compute", "Graphics", "MPSCompute"))
NOT_SUPPORTED, NOT_FOUND, INVALID, INSUFFICIENT, TIMEOUT = 3, 6, 2, 7, 10
GPU_UTIL_SAMPLES, POWER_SAMPLES = 1, 0


def pids(probe: Probe, name: str, handle: Remote) -> list[int]:
    return sorted(row["pid"] for row in probe.call(name, handle))


def test_process_lists_by_kind_with_memory(double: NvmlDouble, probe: Probe) -> None:
    board, handle = double.gpu(0), probe.handle()
    assert pids(probe, COMPUTE, handle) == []
    board.process(10, 20 * GIB)
    board.process(11, None)
    board.process(12, 1 * GIB, kind="graphics")
    board.process(13, 2 * GIB, kind="mps")
    rows = {row["pid"]: row["usedGpuMemory"] for row in probe.call(COMPUTE, handle)}
    assert rows == {10: 20 * GIB, 11: None, 13: 2 * GIB}
    assert (pids(probe, GRAPHICS, handle), pids(probe, MPS, handle)) == ([12], [13])
    assert {row["gpuInstanceId"] for row in probe.call(COMPUTE, handle)} == {NO_INSTANCE}
    board.process(10, 5 * GIB)
    board.end_process(11)
    rows = {row["pid"]: row["usedGpuMemory"] for row in probe.call(COMPUTE, handle)}
    assert rows == {10: 5 * GIB, 13: 2 * GIB}
    with pytest.raises(KeyError):
        board.end_process(11)


def test_a_full_board_of_processes(double: NvmlDouble, probe: Probe) -> None:
    for pid in range(1000, 1512):
        double.gpu(0).process(pid, 1 << 20)
    assert pids(probe, COMPUTE, probe.handle()) == list(range(1000, 1512))
    with pytest.raises(ValueError, match="512"):
        double.gpu(0).process(1)


def test_per_process_utilisation_is_newer_than_last_seen(double: NvmlDouble, probe: Probe) -> None:
    board, handle = double.gpu(0), probe.handle()
    name = "nvmlDeviceGetProcessUtilization"
    assert probe.code(name, handle, 0) == NOT_FOUND
    board.process(10, gpu=70, memory=20)
    board.process(11)
    double.advance(1)
    (row,) = probe.call(name, handle, 0)
    assert (row["pid"], row["smUtil"], row["memUtil"]) == (10, 70, 20)
    assert 0 <= double.now_ns // 1000 - row["timeStamp"] <= 167_000
    assert probe.code(name, handle, row["timeStamp"]) == NOT_FOUND
    double.advance(0.2)
    assert len(probe.call(name, handle, row["timeStamp"])) == 1


def test_utilisation_rows_can_be_oversized_and_garbage(double: NvmlDouble, probe: Probe) -> None:
    board, handle = double.gpu(0), probe.handle()
    board.process(10, gpu=70)
    double.samples(fixed_size=100, garbage=2)
    double.advance(1)
    rows = probe.call("nvmlDeviceGetProcessUtilization", handle, 5)
    assert [(row["pid"], row["smUtil"] > 100, row["timeStamp"] <= 5) for row in rows] == [
        (10, False, False),
        (0, True, False),
        (1, False, True),
    ]


@pytest.mark.parametrize("clock", ["boottime", "epoch"])
def test_samples_carry_the_chosen_clock(double: NvmlDouble, probe: Probe, clock: str) -> None:
    double.samples(clock="epoch" if clock == "epoch" else "boottime")
    handle, now_us = probe.handle(), (double.wall_ns if clock == "epoch" else double.now_ns) // 1000
    double.gpu(0).utilisation(gpu=55)
    double.advance(1)
    now_us += 1_000_000
    _, rows = probe.call("nvmlDeviceGetSamples", handle, GPU_UTIL_SAMPLES, 0)
    assert len(rows) == 120
    assert 0 <= now_us - rows[-1]["timeStamp"] <= 167_000
    values = [row["sampleValue"] for row in rows]
    assert set(values) == {0, 55}
    assert values[-5:] == [55] * 5
    _, newer = probe.call("nvmlDeviceGetSamples", handle, GPU_UTIL_SAMPLES, rows[-3]["timeStamp"])
    assert [row["timeStamp"] for row in newer] == [row["timeStamp"] for row in rows[-2:]]


def test_utilisation_samples_run_dry_when_idle_and_power_samples_do_not(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    assert probe.code("nvmlDeviceGetSamples", handle, GPU_UTIL_SAMPLES, 0) == NOT_FOUND
    double.samples(idle="empty")
    assert probe.call("nvmlDeviceGetSamples", handle, GPU_UTIL_SAMPLES, 0)[1] == []
    _, rows = probe.call("nvmlDeviceGetSamples", handle, POWER_SAMPLES, 0)
    assert {row["sampleValue"] for row in rows} == {71_800}
    assert {b["timeStamp"] - a["timeStamp"] for a, b in itertools.pairwise(rows)} == {20_000}


def test_sample_rings_can_be_cut_and_hold_garbage(double: NvmlDouble, probe: Probe) -> None:
    double.samples(fixed_size=100, garbage=2)
    double.gpu(0).utilisation(gpu=5)
    double.advance(30)
    last_seen = (double.now_ns - 3_000_000_000) // 1000
    _, rows = probe.call("nvmlDeviceGetSamples", probe.handle(), GPU_UTIL_SAMPLES, last_seen)
    assert [row["timeStamp"] for row in rows[-2:]] == [0, last_seen]
    assert len(probe.call("nvmlDeviceGetSamples", probe.handle(), GPU_UTIL_SAMPLES, 0)[1]) == 100


def test_mig_instances_have_handles_names_memory_and_the_power_of_the_board(double: NvmlDouble, probe: Probe) -> None:
    board, parent = double.gpu(0), probe.handle()
    board.mig(["3g.40gb", "1g.10gb"])
    board.process(77, 8 * GIB, mig=1)
    board.draw(300)
    double.advance(2)
    children = [probe.call("nvmlDeviceGetMigDeviceHandleByIndex", parent, index) for index in range(2)]
    assert [probe.call("nvmlDeviceGetUUID", child) for child in children] == board.mig_uuids
    assert all(uuid.startswith("MIG-") for uuid in board.mig_uuids)
    assert probe.call("nvmlDeviceGetName", children[1]) == "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    assert [probe.call("nvmlDeviceGetMemoryInfo", child)["total"] // GIB for child in children] == [40, 10]
    assert [probe.call("nvmlDeviceGetMemoryInfo", child)["used"] // GIB for child in children] == [0, 8]
    assert probe.call("nvmlDeviceGetAttributes", children[0])["gpuInstanceSliceCount"] == 3
    power = {probe.call("nvmlDeviceGetPowerUsage", handle) for handle in (parent, *children)}
    assert power == {300_000}
    assert [pids(probe, COMPUTE, handle) for handle in (parent, *children)] == [[77], [], [77]]
    (row,) = probe.call(COMPUTE, parent)
    instance = probe.call("nvmlDeviceGetGpuInstanceId", children[1])
    assert (row["gpuInstanceId"], row["computeInstanceId"]) == (instance, 0)
    back = probe.call("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", children[1])
    assert probe.call("nvmlDeviceGetUUID", back) == board.uuid
    assert [probe.call("nvmlDeviceIsMigDeviceHandle", handle) for handle in (parent, children[0])] == [0, 1]
    profile = probe.call("nvmlDeviceGetGpuInstanceProfileInfo", parent, 0)
    assert (profile["id"], profile["name"]) == (19, "MIG 1g.10gb")
    assert probe.code("nvmlDeviceGetMigDeviceHandleByIndex", parent, 2) == NOT_FOUND


def test_mig_takes_utilisation_away_from_board_and_instances(double: NvmlDouble, probe: Probe) -> None:
    double.gpu(0).mig(["1g.10gb"])
    child = probe.call("nvmlDeviceGetMigDeviceHandleByIndex", probe.handle(), 0)
    for handle in (probe.handle(), child):
        assert probe.code("nvmlDeviceGetUtilizationRates", handle) == NOT_SUPPORTED
        assert probe.code("nvmlDeviceGetEncoderUtilization", handle) == NOT_SUPPORTED
        assert probe.code("nvmlDeviceGetSamples", handle, GPU_UTIL_SAMPLES, 0) == NOT_SUPPORTED
        assert probe.code("nvmlDeviceGetProcessUtilization", handle, 0) == NOT_SUPPORTED
    double.gpu(0).mig(None)
    assert probe.code("nvmlDeviceGetUtilizationRates", probe.handle()) == 0


def test_a_new_mig_layout_has_new_uuids_and_ends_the_old_handles(double: NvmlDouble, probe: Probe) -> None:
    board = double.gpu(0)
    board.mig(["3g.40gb", "3g.40gb"])
    old = board.mig_uuids
    child = probe.call("nvmlDeviceGetHandleByUUID", old[0])
    board.mig(["3g.40gb", "3g.40gb"])
    assert set(old).isdisjoint(board.mig_uuids)
    assert probe.code("nvmlDeviceGetMemoryInfo", child) == INVALID
    assert probe.code("nvmlDeviceGetHandleByUUID", old[0]) == NOT_FOUND
    assert probe.call("nvmlDeviceGetMigMode", probe.handle()) == [1, 1]


def test_mig_where_there_is_none_is_refused(make_double: MakeDouble) -> None:
    with pytest.raises(ValueError, match="no MIG"):
        make_double("l40s").gpu(0).mig(["1g.10gb"])
    with pytest.raises(ValueError, match=r"1g\.10gb"):
        make_double("h100").gpu(0).mig(["big"])


def test_gpm_gives_the_mean_between_two_samples(double: NvmlDouble, probe: Probe) -> None:
    board, handle = double.gpu(0), probe.handle()
    board.utilisation(gpu=80)
    board.gpm({5: 40.0, 10: 12.5})
    board.traffic(pcie_tx=50 << 20, nvlink_rx=300 << 20)
    first = probe.call("gpm_sample", handle)
    double.advance(1)
    board.gpm({5: 0.0})
    double.advance(1)
    second = probe.call("gpm_sample", handle)
    rows = probe.call("gpm_metrics", first, second, [2, 5, 10, 20, 60, 11, 0])
    assert [code for code, _ in rows] == [0, 0, 0, 0, 0, 0, INVALID]
    assert [round(value, 6) for _, value in rows[:6]] == [80, 20, 12.5, 50, 300, 0]


def test_gpm_samples_too_close_are_no_number(double: NvmlDouble, probe: Probe) -> None:
    first = probe.call("gpm_sample", probe.handle())
    double.advance(0.05)
    second = probe.call("gpm_sample", probe.handle())
    ((code, value),) = probe.call("gpm_metrics", first, second, [2])
    assert code == 0
    assert math.isnan(value)
    with pytest.raises(ProbeError, match="InvalidArgument"):
        probe.call("gpm_metrics", second, first, [2])


def test_gpm_per_instance(double: NvmlDouble, probe: Probe) -> None:
    board = double.gpu(0)
    board.mig(["3g.40gb", "1g.10gb"])
    board.gpm({2: 30.0}, mig=0)
    board.gpm({2: 60.0})
    board.gpm({2: 90.0}, mig=1)
    child = probe.call("nvmlDeviceGetMigDeviceHandleByIndex", probe.handle(), 1)
    instance = probe.call("nvmlDeviceGetGpuInstanceId", child)
    first = [probe.call("gpm_sample", child), probe.call("gpm_sample", probe.handle(), instance)]
    double.advance(1)
    second = [probe.call("gpm_sample", child), probe.call("gpm_sample", probe.handle(), instance)]
    for pair in zip(first, second, strict=True):
        assert probe.call("gpm_metrics", *pair, [2]) == [[0, 90.0]]


def test_gpm_needs_hopper_and_no_confidential_computing(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("h100", "a100")
    probe = make_probe(double)
    assert [probe.code("gpm_sample", probe.handle(index)) for index in range(2)] == [0, NOT_SUPPORTED]
    double.confidential_computing(on=True)
    assert probe.code("gpm_sample", probe.handle(0)) == NOT_SUPPORTED
    assert probe.call("nvmlSystemGetConfComputeState")["ccFeature"] == 1


def test_an_xid_reaches_every_set_that_registered_before(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("h100", "h100")
    probe, board = make_probe(double), double.gpu(1)
    board.xid(13)
    sets = [probe.call("nvmlEventSetCreate") for _ in range(2)]
    for each in sets:
        probe.call("nvmlDeviceRegisterEvents", probe.handle(1), 0x8, each)
    probe.send("nvmlEventSetWait", sets[0], 10_000)
    with pytest.raises(TimeoutError):
        probe.receive(timeout_s=0.1)
    start = time.monotonic()
    board.xid(79)
    event = probe.receive()
    assert time.monotonic() - start < 0.9  # woken, not found by the one-second check
    assert (event["eventType"], event["eventData"], event["gpuInstanceId"]) == (8, 79, NO_INSTANCE)
    assert probe.call("nvmlDeviceGetUUID", event["device"]) == board.uuid
    assert probe.call("nvmlEventSetWait", sets[1], 0)["eventData"] == 79
    assert probe.code("nvmlEventSetWait", sets[0], 20) == TIMEOUT


def test_one_unsupported_event_bit_registers_none(double: NvmlDouble, probe: Probe) -> None:
    events = probe.call("nvmlEventSetCreate")
    assert probe.code("nvmlDeviceRegisterEvents", probe.handle(), 0x8 | 0x10, events) == NOT_SUPPORTED
    assert probe.call("nvmlDeviceGetSupportedEventTypes", probe.handle()) & 0x18 == 0x8
    double.gpu(0).xid(31)
    assert probe.code("nvmlEventSetWait", events, 0) == TIMEOUT
    probe.call("nvmlEventSetFree", events)


def test_many_boards_at_once(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double(*[GpuSpec("h100")] * 16)
    probe = make_probe(double)
    for board in double.gpus:
        board.mig(["1g.10gb"] * 7)
        board.process(100 + board.slot, mig=board.slot % 7)
    double.advance(1)
    assert len({board.uuid for board in double.gpus}) == 16
    assert [pids(probe, COMPUTE, probe.handle(slot)) for slot in range(16)] == [[100 + slot] for slot in range(16)]
