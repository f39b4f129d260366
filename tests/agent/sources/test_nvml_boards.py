"""What the NVML source finds on each kind of board, with old drivers and with functions missing."""

from pathlib import Path

import pytest

from tests.agent.sources.nvml_child import SourceChild, machine
from tests.nvml.double import NvmlDouble
from tests.nvml.layout import Has
from tests.nvml.profiles import PROFILES, GpuSpec
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import EnergyScope

Q = Quantity


@pytest.mark.parametrize("profile", PROFILES)
def test_every_quantity_of_every_board_is_a_value_or_a_gap(tmp_path: Path, profile: str) -> None:
    with machine(tmp_path, profile) as m:
        m.double.gpu(0).process(7)
        m.double.gpu(0).utilisation(gpu=50)  # GPM is left alone in deep idle
        m.child.tick(times=3)
        reading = m.tick(62)
        reading = m.tick(times=6)
        has = m.double.gpu(0).profile.has
        for flag, quantity in (
            (Has.ENERGY, Q.ENERGY_MJ),
            (Has.AVERAGE, Q.POWER_AVERAGE_MW),
            (Has.POWER, Q.POWER_INSTANT_MW),
            (Has.MEMORY_TEMP, Q.TEMPERATURE_MEMORY_CELSIUS),
            (Has.GPM, Q.ACTIVITY_SM_RATIO),
            (Has.ECC, Q.ECC_CORRECTED_VOLATILE),
            (Has.MIG, Q.MIG_MODE),
            (Has.FAN, Q.FAN_SPEED_RATIO),
            (Has.NVLINK, Q.NVLINK_TRANSMIT_BYTES),
            (Has.NVLINK, Q.NVLINK_LINKS),
            (Has.NVLINK, Q.NVLINK_LINKS_ACTIVE),
            (Has.SMOOTHING, Q.POWER_FLOOR_MW),
            (Has.RETIRED, Q.RETIRED_PAGES_SINGLE_BIT),
            (Has.REMAPPED, Q.REMAPPED_ROWS_PENDING),
            (Has.MEMORY_INFO, Q.MEMORY_USED_BYTES),
            (Has.LIMITS, Q.POWER_LIMIT_MAX_MW),
            (Has.PCIE_BYTES, Q.PCIE_TRANSMIT_BYTES),
        ):
            assert (quantity in reading.values) == bool(has & flag), (quantity, reading.gaps.get(quantity))


def test_power_and_energy_are_what_the_board_publishes(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        gpu.process(7, memory_bytes=40 << 30)
        m.one()
        gpu.burst(high_w=650, low_w=130, period_s=0.7, duty=0.4)
        for _ in range(5):
            reading = m.tick(1.3)
            now_ns = m.double.now_ns
            assert reading.values[Q.POWER_AVERAGE_MW] == gpu.published_mw("average", now_ns)
            assert reading.values[Q.POWER_INSTANT_MW] == gpu.published_mw("instant", now_ns)
            assert reading.values[Q.ENERGY_MJ] == gpu.counter_mj(now_ns)


def test_units_are_those_of_the_names(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        m.one()
        gpu.process(7)
        gpu.utilisation(gpu=37, memory=12, encoder=5, decoder=9)
        gpu.clocks(sm=1755)
        gpu.temperature(61.25, memory=70)
        gpu.throttle("sw_power_cap", "hw_thermal")
        gpu.traffic(nvlink_tx=1 << 30, nvlink_rx=1 << 20)
        reading = m.tick(64)
        before = reading.values
        reading = m.tick(2)
    assert reading.values[Q.UTILIZATION_GPU_RATIO] == pytest.approx(0.37)
    assert reading.values[Q.UTILIZATION_MEMORY_RATIO] == pytest.approx(0.12)
    assert reading.values[Q.UTILIZATION_ENCODER_RATIO] == pytest.approx(0.05)
    assert reading.values[Q.UTILIZATION_DECODER_RATIO] == pytest.approx(0.09)
    assert reading.values[Q.CLOCK_SM_HZ] == 1_755_000_000
    assert reading.values[Q.TEMPERATURE_GPU_CELSIUS] == 61.25
    assert reading.values[Q.TEMPERATURE_MEMORY_CELSIUS] == 70
    assert reading.values[Q.CLOCK_EVENT_REASONS] == 0x44
    assert reading.values[Q.THROTTLE_POWER_CAP_NS] - before[Q.THROTTLE_POWER_CAP_NS] == 2_000_000_000
    assert reading.values[Q.THROTTLE_HW_THERMAL_NS] - before[Q.THROTTLE_HW_THERMAL_NS] == 2_000_000_000
    assert reading.values[Q.NVLINK_TRANSMIT_BYTES] - before[Q.NVLINK_TRANSMIT_BYTES] == 2 << 30
    assert reading.values[Q.NVLINK_RECEIVE_BYTES] - before[Q.NVLINK_RECEIVE_BYTES] == 2 << 20
    assert reading.values[Q.POWER_LIMIT_ENFORCED_MW] == 700_000
    assert reading.values[Q.MEMORY_TOTAL_BYTES] == 80 << 30


def test_grace_hopper_is_read_at_module_scope_and_says_so(tmp_path: Path) -> None:
    with machine(tmp_path, "gh200") as m:
        reading = m.one()
    assert reading.identity.energy_scope is EnergyScope.MODULE
    assert reading.values[Q.POWER_INSTANT_MW] == 140_000
    assert Q.ENERGY_MJ in reading.values


def test_gb10_has_gpu_scope_only_and_no_limits(tmp_path: Path) -> None:
    with machine(tmp_path, "gb10") as m:
        reading = m.one()
    assert reading.identity.energy_scope is EnergyScope.GPU
    assert Q.ENERGY_MJ in reading.values
    assert reading.gaps[Q.POWER_LIMIT_MAX_MW] is Gap.UNSUPPORTED
    assert reading.gaps[Q.MEMORY_TOTAL_BYTES] is Gap.UNSUPPORTED


@pytest.mark.parametrize(
    ("profile", "quantity", "other"),
    [
        ("h100", Q.POWER_AVERAGE_MW, Q.POWER_INSTANT_MW),
        ("l40s", Q.POWER_AVERAGE_MW, Q.POWER_INSTANT_MW),
        ("rtx3090", Q.POWER_AVERAGE_MW, Q.POWER_INSTANT_MW),
        ("a100", Q.POWER_INSTANT_MW, Q.POWER_AVERAGE_MW),
        ("volta", Q.POWER_INSTANT_MW, Q.POWER_AVERAGE_MW),
        ("pascal", Q.POWER_INSTANT_MW, Q.POWER_AVERAGE_MW),
    ],
)
def test_without_the_fields_the_plain_power_call_gets_the_meaning_of_its_chip(
    tmp_path: Path, profile: str, quantity: Quantity, other: Quantity
) -> None:
    with NvmlDouble(tmp_path / "double", [profile]) as double, SourceChild(double) as child:
        gpu = double.gpu(0)
        for field in (185, 186):
            gpu.field_error(field, 3)
        child.open()
        child.read()
        gpu.burst(high_w=200, low_w=60, period_s=0.9, duty=0.5)
        (reading,) = child.tick(1.55).devices
        assert reading.values[quantity] == gpu.published_mw("usage", double.now_ns)
        assert reading.gaps[other] is Gap.UNSUPPORTED


def test_driver_530_publishes_instant_power_in_the_plain_call(tmp_path: Path) -> None:
    with (
        NvmlDouble(tmp_path / "double", [GpuSpec("rtx4090", usage_window_ms=100)]) as double,
        SourceChild(double) as child,
    ):
        double.driver(version="530.41.03")
        for field in (185, 186):
            double.gpu(0).field_error(field, 2)
        (reading,) = child.open().read().devices
    assert Q.POWER_INSTANT_MW in reading.values
    assert reading.gaps[Q.POWER_AVERAGE_MW] is Gap.UNSUPPORTED


@pytest.mark.parametrize("code", [2, 3])
@pytest.mark.parametrize("profile", ["volta", "a100", "h100", "b200"])
def test_an_old_driver_costs_only_what_it_does_not_know(tmp_path: Path, profile: str, code: int) -> None:
    with NvmlDouble(tmp_path / "double", [profile]) as double, SourceChild(double) as child:
        double.driver(old=True, unknown_field_code=code)
        child.open()
        (reading,) = child.read().devices
        assert Q.ENERGY_MJ in reading.values
        assert reading.gaps[Q.UPTIME_SECONDS] is Gap.UNSUPPORTED
        assert isinstance(reading.values[Q.TEMPERATURE_GPU_CELSIUS], int)  # the plain call gives whole degrees
        assert reading.gaps[Q.THROTTLE_HW_THERMAL_NS] is Gap.UNSUPPORTED
        assert Q.THROTTLE_SW_THERMAL_NS in reading.values  # field 75 in place of 269


@pytest.mark.parametrize(
    ("missing", "quantity"),
    [
        ("nvmlDeviceGetGpuUptime_v1", Q.UPTIME_SECONDS),
        ("nvmlDeviceGetUtilizationRates", Q.UTILIZATION_GPU_RATIO),
        ("nvmlDeviceGetMigMode", Q.MIG_MODE),
        ("nvmlDeviceGetComputeRunningProcesses_v3", Q.PROCESSES),
        ("nvmlGpmQueryDeviceSupport", Q.ACTIVITY_SM_RATIO),
        ("nvmlDeviceGetNvLinkState", Q.NVLINK_LINKS_ACTIVE),
    ],
)
def test_a_missing_function_is_one_gap(tmp_path: Path, missing: str, quantity: Quantity) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.remove_function(missing)
        (reading,) = child.open().read().devices
        (complete,) = child.tick().devices
    assert reading.gaps[quantity] is Gap.UNSUPPORTED
    assert Q.ENERGY_MJ in reading.values
    assert len(complete.values) > 50


@pytest.mark.parametrize(
    ("missing", "quantity"),
    [
        ("nvmlDeviceGetMemoryInfo_v2", Q.MEMORY_USED_BYTES),
        ("nvmlDeviceGetCurrentClocksEventReasons", Q.CLOCK_EVENT_REASONS),
    ],
)
def test_a_newer_function_falls_back_to_the_older(tmp_path: Path, missing: str, quantity: Quantity) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.remove_function(missing)
        (reading,) = child.open().read().devices
    assert quantity in reading.values


def test_energy_falls_back_to_the_older_field_and_then_to_the_call(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.gpu(0).field_error(191, 2)
        (reading,) = child.open().read().devices
        assert reading.values[Q.ENERGY_MJ] == double.gpu(0).counter_mj(double.now_ns)
        assert reading.identity.energy_scope is EnergyScope.GPU
        child.close()
        double.gpu(0).field_error(83, 2)
        double.reset_calls()
        (reading,) = child.open().read().devices
        assert reading.values[Q.ENERGY_MJ] == double.gpu(0).counter_mj(double.now_ns)
        assert double.calls(0)["nvmlDeviceGetTotalEnergyConsumption"] > 0


def test_nvlink_bytes_are_summed_over_links_where_the_driver_does_not(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["b200"]) as double, SourceChild(double) as child:
        gpu = double.gpu(0)
        for field in (138, 139):
            gpu.field_error(field, 3)
        child.open().read()
        gpu.traffic(nvlink_tx=1_000_003, nvlink_rx=17)
        (reading,) = child.tick(10).devices
        assert reading.values[Q.NVLINK_TRANSMIT_BYTES] == 10_000_030
        assert reading.values[Q.NVLINK_RECEIVE_BYTES] == 170
        gpu.field_error(202, 999, scope=4)
        (reading,) = child.tick(10).devices
        assert reading.gaps[Q.NVLINK_TRANSMIT_BYTES] is Gap.FAILED  # a sum with a part missing is no value
        assert reading.values[Q.NVLINK_RECEIVE_BYTES] == 340


def test_limits_told_as_distances_become_temperatures_and_stay_fixed(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.remove_function("nvmlDeviceGetTemperatureThreshold")
        gpu = double.gpu(0)
        gpu.temperature(50.0)
        (reading,) = child.open().read().devices
        shutdown = reading.values[Q.TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS]
        assert shutdown == reading.values[Q.TEMPERATURE_LIMIT_SLOWDOWN_CELSIUS] + 6  # distances -8 and -2
        assert 80 < shutdown < 110
        gpu.temperature(58.6)  # rounds up, while the margin counts whole degrees
        (reading,) = child.tick(61).devices
        assert reading.values[Q.TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS] == shutdown


def test_the_power_smoothing_floor_is_in_milliwatts_and_zero_when_off(tmp_path: Path) -> None:
    with machine(tmp_path, "b200") as m:
        assert m.one().values[Q.POWER_FLOOR_MW] == 0
        m.double.gpu(0).power_smoothing(420)
        assert m.tick(60).values[Q.POWER_FLOOR_MW] == 420_000


def test_identity_and_host_facts_are_told(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text("7a8f-boot\n")
    with machine(tmp_path, GpuSpec("h100", serial="1650", bus_id="00000000:65:00.0"), proc_root=proc) as m:
        sample = m.child.read()
    (reading,) = sample.devices
    identity = reading.identity
    assert (identity.name, identity.architecture, identity.compute_capability) == (
        "NVIDIA H100 80GB HBM3",
        "hopper",
        "9.0",
    )
    assert (identity.serial, identity.pci_bus_id, identity.index) == ("1650", "00000000:65:00.0", 0)
    assert sample.host.boot_id == "7a8f-boot"
    assert sample.host.driver_version == "580.105.08"
    assert sample.host.cuda_version == "13.0"


def test_a_reading_is_dated_in_the_middle_of_its_batch(tmp_path: Path) -> None:
    step_ns = 1000
    with (
        NvmlDouble(tmp_path / "double", ["h100"]) as double,
        SourceChild(double, step_ns=step_ns) as child,
    ):
        child.open()
        sample = child.read()
        (reading,) = sample.devices
    # One look for the start of the read, one before and one after the batch.
    assert reading.at.mono_ns - sample.at.mono_ns == step_ns + step_ns // 2
    assert reading.at.wall_ns - sample.at.wall_ns == step_ns + step_ns // 2


def test_the_uptime_goes_on_between_its_reads_and_is_read_anew_when_the_counter_falls(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        first = m.one().values[Q.UPTIME_SECONDS]
        for second in range(1, 25):
            assert m.tick().values[Q.UPTIME_SECONDS] == pytest.approx(first + second, abs=1)
        m.double.gpu(0).reset_counter()
        assert m.tick().values[Q.UPTIME_SECONDS] <= 2
