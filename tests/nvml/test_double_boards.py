"""What each kind of board supports and refuses, its clocks, memory, health, and the driver around it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.nvml.build import BuildError, build_double
from tests.nvml.double import DriverState, NvmlDouble
from tests.nvml.fixtures import MakeDouble, MakeProbe
from tests.nvml.layout import FUNCTION_NAMES, Has
from tests.nvml.probe import Probe, ProbeError
from tests.nvml.profiles import PROFILES, VGPU_GUEST, GpuSpec

OK, INVALID, NOT_SUPPORTED, NOT_FOUND, LOST = 0, 2, 3, 6, 15
ENERGY_CALL, POWER_CALL = "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage"

# Board: does it have energy, 185 in GPU, MODULE, MEMORY scope, 186 in GPU and MODULE scope, memory temperature
# (82), fine temperature (308), GPM, MIG, memory info.
MATRIX = {
    "pascal": "-  --- +- - - - - +",
    "volta": "+  --- +- + - - - +",
    "turing": "+  --- +- - + - - +",
    "a100": "+  --- +- + + - + +",
    "rtx3090": "+  +-- +- - + - - +",
    "l40s": "+  +-- +- - + - - +",
    "rtx4090": "+  +-- +- - + - - +",
    "h100": "+  +-+ +- + + + + +",
    "h200": "+  +-- +- + + + + +",
    "gh200": "+  -+- -+ + + + + +",
    "gb10": "+  +-- +- - + - - -",
    "b200": "+  +-- +- + + + + +",
}


@pytest.mark.parametrize("key", list(PROFILES))
def test_each_board_refuses_what_its_kind_refuses(make_double: MakeDouble, make_probe: MakeProbe, key: str) -> None:
    probe = make_probe(make_double(key))
    handle = probe.handle()
    ids: list[int | tuple[int, int]] = [(185, 0), (185, 1), (185, 2), (186, 0), (186, 1), 82, 308]
    codes = [probe.code(ENERGY_CALL, handle), *probe.field_codes(handle, [*ids, 81])[:-1]]
    assert probe.field_codes(handle, [83, 81])[0] == codes[0]
    gpm = probe.call("nvmlGpmQueryDeviceSupport", handle)["isSupportedDevice"]
    codes += [OK if gpm else NOT_SUPPORTED]
    codes += [probe.code(name, handle) for name in ("nvmlDeviceGetMigMode", "nvmlDeviceGetMemoryInfo")]
    wanted = [OK if sign == "+" else NOT_SUPPORTED for sign in MATRIX[key].replace(" ", "")]
    assert codes == wanted


@pytest.mark.parametrize("key", list(PROFILES))
def test_names_and_numbers_of_each_board(make_double: MakeDouble, make_probe: MakeProbe, key: str) -> None:
    double = make_double(key)
    probe, identity = make_probe(double), PROFILES[key].identity
    handle = probe.handle()
    assert probe.call("nvmlDeviceGetName", handle) == identity.name
    assert probe.call("nvmlDeviceGetUUID", handle) == double.gpu(0).uuid
    assert probe.call("nvmlDeviceGetArchitecture", handle) == identity.architecture
    assert probe.call("nvmlDeviceGetCudaComputeCapability", handle) == list(identity.compute)
    assert probe.call("nvmlDeviceGetPciInfo", handle)["busId"] == "00000000:10:00.0"
    assert probe.code("nvmlDeviceGetSerial", handle) == (OK if PROFILES[key].has & Has.SERIAL else NOT_SUPPORTED)


@pytest.mark.parametrize("key", list(PROFILES))
def test_a_context_raises_power_and_clocks_in_one_update_and_keeps_them(
    make_double: MakeDouble, make_probe: MakeProbe, key: str
) -> None:
    double = make_double(key)
    probe, board, idle = make_probe(double), double.gpu(0), PROFILES[key].idle
    field = (186, 1 if key == "gh200" else 0)

    def sight() -> tuple[object, ...]:
        (mw,) = probe.fields(probe.handle(), [field])
        assert mw is not None
        sm = probe.call("nvmlDeviceGetClockInfo", probe.handle(), 1)
        return mw / 1000, sm, probe.call("nvmlDeviceGetPerformanceState", probe.handle())

    half_w = PROFILES[key].publication.quantum_mw / 2000
    assert sight() == (pytest.approx(idle.bare_w, abs=half_w), idle.sm[0], idle.pstate[0])
    board.process(4242)
    double.advance(0.35)
    loaded = (pytest.approx(idle.context_w, abs=half_w), idle.sm[1], idle.pstate[1])
    assert sight() == loaded
    double.advance(2048)
    assert sight() == loaded
    board.end_process(4242, decay_s=3)
    double.advance(2.5)
    assert sight() == loaded
    double.advance(1)
    assert sight() == (pytest.approx(idle.bare_w, abs=half_w), idle.sm[0], idle.pstate[0])


def test_without_perf_boost_a_context_costs_nothing(double: NvmlDouble, probe: Probe) -> None:
    double.gpu(0).process(7, perf_boost=False)
    double.advance(5)
    assert probe.fields(probe.handle(), [(186, 0)]) == [71_800]
    assert probe.call("nvmlDeviceGetClockInfo", probe.handle(), 1) == 345
    assert len(probe.call("nvmlDeviceGetComputeRunningProcesses", probe.handle())) == 1


def test_warm_up_drifts_to_its_end_value(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("l40s")
    probe, board = make_probe(double), double.gpu(0)
    board.warm_up(102.1, 105.3, 160)
    drift = []
    for _ in range(4):
        double.advance(40)
        drift += [mw for mw in probe.fields(probe.handle(), [(185, 0)]) if mw is not None]
    assert drift == sorted(set(drift))
    assert drift[-1] == pytest.approx(105_300, abs=20)


def test_a_vgpu_guest_shows_neither_power_nor_energy(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    probe = make_probe(make_double(GpuSpec("h100", virtualization=VGPU_GUEST)))
    handle = probe.handle()
    names = (POWER_CALL, ENERGY_CALL, "nvmlDeviceGetEnforcedPowerLimit")
    assert [probe.code(name, handle) for name in names] == [NOT_SUPPORTED] * 3
    assert probe.code("nvmlDeviceGetPcieThroughput", handle, 0) == NOT_SUPPORTED
    assert probe.call("nvmlDeviceGetVirtualizationMode", handle) == VGPU_GUEST


def test_cumulative_counters_move_with_load(double: NvmlDouble, probe: Probe) -> None:
    board, handle = double.gpu(0), probe.handle()
    every_link = (138, 0xFFFFFFFF)
    board.traffic(pcie_tx=3_000_000, pcie_rx=1_000_000, nvlink_tx=18 * 1024 * 1000)
    board.throttle("sw_power_cap", "hw_thermal")
    double.advance(2)
    board.throttle()
    double.advance(3)
    values = probe.fields(handle, [197, 198, every_link, (138, 4), 74, 270, 269])
    assert values == [15_000_000, 5_000_000, 18_000 * 5, 1000 * 5, 2_000_000_000, 2_000_000_000, 0]
    double.advance(2000)
    assert probe.fields(handle, [197]) == [3_000_000 * 2005 % 2**32]
    assert probe.field_codes(handle, [81, (138, 18)]) == [OK, INVALID]
    assert probe.call("nvmlDeviceGetPcieThroughput", handle, 0) == 3_000_000 // 1024


@pytest.mark.parametrize(("key", "links"), [("volta", 6), ("a100", 12), ("h100", 18), ("b200", 18)])
def test_nvlinks_of_a_board_are_up_until_the_test_takes_them_down(
    make_double: MakeDouble, make_probe: MakeProbe, key: str, links: int
) -> None:
    double = make_double(key)
    probe, board = make_probe(double), double.gpu(0)
    handle, name = probe.handle(), "nvmlDeviceGetNvLinkState"

    def down() -> list[int]:
        return [link for link in range(links) if not probe.call(name, handle, link)]

    assert [probe.code(name, handle, link) for link in range(links, 36)] == [INVALID] * (36 - links)
    assert down() == []
    board.nvlink_down(0, links - 1)
    assert down() == [0, links - 1]
    board.nvlink_down(2)
    assert down() == [2]
    board.nvlink_down()
    assert down() == []
    with pytest.raises(ValueError, match=f"has {links}"):
        board.nvlink_down(links)


def test_boards_without_nvlink_refuse_every_link_and_mig_takes_all_down(
    make_double: MakeDouble, make_probe: MakeProbe
) -> None:
    double = make_double("l40s", "h100")
    probe, name = make_probe(double), "nvmlDeviceGetNvLinkState"
    assert [probe.code(name, probe.handle(0), link) for link in (0, 17, 35)] == [NOT_SUPPORTED] * 3
    double.gpu(1).mig(["3g.40gb"])
    assert [probe.call(name, probe.handle(1), link) for link in range(18)] == [0] * 18


def test_event_reasons_follow_the_test_and_idleness(double: NvmlDouble, probe: Probe) -> None:
    board, handle = double.gpu(0), probe.handle()
    reasons = "nvmlDeviceGetCurrentClocksEventReasons"
    assert probe.call(reasons, handle) == 0x1
    board.throttle("sw_power_cap", "sw_thermal")
    assert probe.call(reasons, handle) == 0x24
    assert probe.call("nvmlDeviceGetCurrentClocksThrottleReasons", handle) == 0x24
    board.throttle()
    board.utilisation(gpu=80)
    double.advance(0.5)
    assert probe.call(reasons, handle) == 0


def test_utilisation_is_held_for_a_sample_period(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double(GpuSpec("h100", phase_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    double.advance_ns(-double.now_ns % 167_000_000)
    board.utilisation(gpu=80, memory=30, encoder=5)
    double.advance_ns(166_000_000)
    seen = [probe.call("nvmlDeviceGetUtilizationRates", probe.handle())["gpu"]]
    double.advance_ns(1_000_000)
    rates = probe.call("nvmlDeviceGetUtilizationRates", probe.handle())
    assert (seen, rates) in (([80], {"gpu": 80, "memory": 30}), ([0], {"gpu": 80, "memory": 30}))
    assert probe.call("nvmlDeviceGetEncoderUtilization", probe.handle()) == [5, 167_000]


def test_overrides_of_clocks_temperature_memory_and_limits(double: NvmlDouble, probe: Probe) -> None:
    board, handle = double.gpu(0), probe.handle()
    board.clocks(sm=1200)
    board.pstate(2)
    board.temperature(61.125, memory=78)
    board.memory(5 << 30)
    board.process(1, 3 << 30)
    board.power_limit(450)
    board.remapped(corrected=2, pending=True)
    board.ecc(corrected=7, uncorrected=1)
    double.advance(1)
    assert probe.call("nvmlDeviceGetClockInfo", handle, 1) == 1200
    assert probe.call("nvmlDeviceGetPerformanceState", handle) == 2
    assert probe.fields(handle, [308, 82, (190, 0), 142, 144, 5, 6]) == [61.125, 78, 450_000, 2, 1, 7, 1]
    assert probe.call("nvmlDeviceGetTemperature", handle, 0) == 61
    assert probe.call("nvmlDeviceGetTemperatureV", handle, 0) == 61
    info = probe.call("nvmlDeviceGetMemoryInfo", handle, 0x2000000 | 40)
    assert (info["used"], info["reserved"]) == (8 << 30, 500 << 20)
    assert info["total"] == info["used"] + info["reserved"] + info["free"]
    assert probe.call("nvmlDeviceGetMemoryInfo", handle)["used"] == (8 << 30) + (500 << 20)
    board.clocks()
    double.advance(1)
    assert probe.call("nvmlDeviceGetClockInfo", handle, 1) == 1980


def test_power_smoothing_shows_its_floor(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("b200", "h100")
    probe = make_probe(double)
    double.gpu(0).power_smoothing(floor_w=400)
    double.advance(2)
    assert probe.fields(probe.handle(0), [251, 254, 255, 309]) == [1, 1000, 400, 2_000_000_000]
    assert probe.field_codes(probe.handle(1), [81, 251, 255, 309])[1:] == [NOT_SUPPORTED] * 3


def test_struct_versions_are_checked(probe: Probe) -> None:
    handle = probe.handle()
    for name, structure, good in (
        ("nvmlDeviceGetMemoryInfo_v2", "c_nvmlMemory_v2_t", 0x2000000 | 40),
        ("nvmlGpmQueryDeviceSupport", "c_nvmlGpmSupport_t", 1),
    ):
        assert probe.code("raw_version", name, structure, good, handle) == OK
        assert probe.code("raw_version", name, structure, good + 1, handle) == 25


def test_an_old_driver_lacks_new_fields_and_functions(double: NvmlDouble, probe: Probe) -> None:
    double.driver(version="525.105.17", old=True)
    handle = probe.handle()
    assert probe.field_codes(handle, [(191, 0), 308, 309, 251, 9999]) == [OK, INVALID, INVALID, INVALID, INVALID]
    with pytest.raises(ProbeError, match="FunctionNotFound"):
        probe.call("uptime_s", handle)
    assert probe.code("nvmlDeviceGetComputeRunningProcesses_v3", handle) == OK
    assert probe.call("nvmlSystemGetDriverVersion") == "525.105.17"
    double.driver(old=True, unknown_field_code=NOT_SUPPORTED)
    assert probe.field_codes(handle, [(191, 0), 308]) == [OK, NOT_SUPPORTED]


@pytest.mark.parametrize(("state", "code"), [("absent", 9), ("mismatch", 18), ("unknown_error", 999)])
def test_a_driver_that_is_not_there_fails_init(
    make_double: MakeDouble, make_probe: MakeProbe, state: DriverState, code: int
) -> None:
    double = make_double("h100")
    double.driver(state=state)
    probe = make_probe(double, init=False)
    assert probe.code("nvmlInit") == code
    assert probe.code("nvmlDeviceGetCount") == 1
    double.driver(state="loaded")
    assert [probe.code("nvmlInit"), probe.code("nvmlDeviceGetCount")] == [OK, OK]


def test_order_changes_the_index_and_not_the_board(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("h100", "a100", "l40s")
    probe = make_probe(double)
    before = probe.handle(1)
    double.order([2, 0, 1])
    assert probe.call("nvmlDeviceGetIndex", before) == 2
    uuids = [probe.call("nvmlDeviceGetUUID", probe.handle(index)) for index in range(3)]
    assert uuids == [double.gpu(slot).uuid for slot in (2, 0, 1)]
    double.order([0, 2])
    assert probe.call("nvmlDeviceGetCount") == 2
    assert probe.code(POWER_CALL, before) == LOST
    assert probe.code("nvmlDeviceGetHandleByIndex", 2) == INVALID
    assert probe.code("nvmlDeviceGetHandleByUUID", double.gpu(1).uuid) == NOT_FOUND
    found = probe.call("nvmlDeviceGetHandleByPciBusId", double.gpu(2).bdf)
    assert probe.call("nvmlDeviceGetUUID", found) == double.gpu(2).uuid


def test_a_sleeping_board_is_woken_by_the_first_call(double: NvmlDouble, probe: Probe, tmp_path: Path) -> None:
    handle = probe.handle()
    status = double.gpu(0).suspend(tmp_path / "sys")
    assert status == tmp_path / "sys/bus/pci/devices/0000:10:00.0/power/runtime_status"
    probe.call("nvmlDeviceGetCount")
    assert (status.read_text(), double.gpu(0).wakes) == ("suspended\n", 0)
    for _ in range(2):
        probe.call(POWER_CALL, handle)
    assert (status.read_text(), double.gpu(0).wakes) == ("active\n", 1)


def test_calls_are_counted_by_function_and_board(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("h100", "h100")
    probe, other = make_probe(double), make_probe(double)
    handle = probe.handle(1)
    double.reset_calls()
    probe.call(POWER_CALL, handle)
    probe.call(POWER_CALL, handle)
    probe.field_codes(handle, [(186, 0), 83])
    other.call(POWER_CALL, other.handle(0))
    batch, open_call = "nvmlDeviceGetFieldValues", "nvmlDeviceGetHandleByIndex_v2"
    assert double.calls() == {POWER_CALL: 3, batch: 1, open_call: 1}
    assert double.calls(1) == {POWER_CALL: 2, batch: 1}
    assert (double.total_calls(), double.fields_read(1), double.fields_read(0)) == (5, 2, 0)


def test_every_offered_function_is_exported_once() -> None:
    library = build_double() / "libnvidia-ml.so.1"
    script = "import ctypes, sys; l = ctypes.CDLL(sys.argv[1]); print([n for n in sys.argv[2:] if not hasattr(l, n)])"
    done = subprocess.run(
        [sys.executable, "-c", script, str(library), *FUNCTION_NAMES], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert len(set(FUNCTION_NAMES)) == len(FUNCTION_NAMES)


def test_a_build_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="gcc"):
        build_double(tmp_path)


def test_a_control_file_of_another_build_is_refused(double: NvmlDouble, make_probe: MakeProbe) -> None:
    double.control.size += 8
    assert make_probe(double, init=False).code("nvmlInit") == 9
