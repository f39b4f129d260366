"""Sensors of the kernel: what is known to measure the node or a part of it, and nothing else."""

from pathlib import Path

import pytest

from tests.agent.host_energy.fake_sys import FakeSys
from wattledger.agent.host_energy.hwmon import HwmonMeter
from wattledger.agent.sources.base import SourceError
from wattledger.rules.chain.node_model import NodeReading
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

AT = Instant(7 * NS_PER_SECOND, 1_790_000_000 * NS_PER_SECOND)
GRACE_HOPPER = {
    1: ("Module Power Socket 0", 612_000_000),
    2: ("Grace Power Socket 0", 133_000_000),
    3: ("CPU Power Socket 0", 71_000_000),
    4: ("SysIO Power Socket 0", 32_000_000),
}


@pytest.fixture
def sys(tmp_path: Path) -> FakeSys:
    return FakeSys(tmp_path)


def read(sys: FakeSys) -> dict[str, int | None]:
    meter = HwmonMeter(sys.root)
    try:
        return {reading.domain: _number(reading) for reading in meter.read(AT)}
    finally:
        meter.close()


def _number(reading: NodeReading) -> int | None:
    return reading.power_mw if reading.energy_uj is None else reading.energy_uj


def nothing_is_read(sys: FakeSys) -> bool:
    with pytest.raises(SourceError) as caught:
        read(sys)
    return caught.value.gap is Gap.UNSUPPORTED and not HwmonMeter(sys.root).is_there()


def test_the_acpi_meter_is_that_of_the_node(sys: FakeSys) -> None:
    sys.chip(0, "coretemp", temp1_input="45000")
    sys.acpi_meter(1, 742_000_000, "Intel(R) Node Manager")
    assert read(sys) == {"node": 742_000}


def test_its_values_may_stand_in_the_folder_of_the_chip_too(sys: FakeSys) -> None:
    files = {"power1_average": "742000000", "power1_input": "999000000", "power1_is_battery": "0"}
    sys.chip(0, "power_meter", **files)
    sys.acpi_meter(0, 742_000_000)
    assert read(sys) == {"node": 742_000}


def test_a_battery_is_no_meter(sys: FakeSys) -> None:
    sys.acpi_meter(0, 742_000_000, battery="1")
    assert nothing_is_read(sys)


def test_two_meters_without_a_name_are_not_taken_for_the_node(sys: FakeSys) -> None:
    sys.acpi_meter(0, 742_000_000)
    sys.acpi_meter(1, 512_000_000)
    assert nothing_is_read(sys)


def test_sockets_of_grace_are_modules_and_processors_and_never_the_node(sys: FakeSys) -> None:
    for number, (oem_info, microwatts) in GRACE_HOPPER.items():
        sys.acpi_meter(number, microwatts, oem_info)
    assert read(sys) == {"module-0": 612_000, "package-0": 133_000}


def test_one_chip_may_have_the_meters_of_a_whole_socket(sys: FakeSys) -> None:
    device = sys.acpi_meter(0, 93_000_000, "Total Power socket 1")
    for name, content in {
        "power2_average": "51000000",
        "power2_oem_info": "CPU Power socket 1",
        "power3_average": "9000000",
        "power3_oem_info": "DRAM Power socket 1",
    }.items():
        (device / name).write_text(content + "\n")
    assert read(sys) == {"package-1": 93_000}


def test_counters_of_sockets_of_amd_are_read_and_those_of_cores_are_not(sys: FakeSys) -> None:
    sys.chip(
        0,
        "amd_energy",
        energy1_label="Ecore000",
        energy1_input="5",
        energy65_label="Esocket0",
        energy65_input="123456789",
    )
    assert read(sys) == {"package-0": 123_456_789}


def test_power_supplies_are_told_by_the_mains_at_their_input(sys: FakeSys) -> None:
    pin = {"power1_label": "pin", "in1_label": "vin", "power2_label": "pout1", "power2_input": "1"}
    sys.chip(10, "cffps", **pin, power1_input="411000000", in1_input="229500")
    sys.chip(9, "cffps", **pin, power1_input="404000000", in1_input="380000")
    sys.chip(2, "isl68137", **pin, power1_input="88000000", in1_input="12050")  # a converter on the board
    sys.chip(3, "lm5066", **pin, power1_input="700000000", in1_input="54100")
    sys.chip(4, "novin", power1_label="pin", power1_input="1")
    assert read(sys) == {"psu-0": 404_000, "psu-1": 411_000}


def test_an_unknown_sensor_of_power_is_nobodys(sys: FakeSys) -> None:
    sys.chip(0, "amdgpu", power1_average="37000000", power1_label="PPT")
    sys.chip(1, "corsairpsu", power1_input="300000000", power1_label="power total")
    sys.chip(2, "i915", energy1_input="5")
    assert nothing_is_read(sys)


def test_a_meter_that_reads_0_does_not_measure(sys: FakeSys) -> None:
    sys.acpi_meter(0, 0)
    with pytest.raises(SourceError, match="0 W") as caught:
        read(sys)
    assert caught.value.gap is Gap.FAILED
    assert HwmonMeter(sys.root).is_there()


def test_a_meter_that_says_that_it_failed_is_not_taken_for_4_megawatts(sys: FakeSys) -> None:
    device = sys.acpi_meter(0, 4_294_967_295_000)
    meter = HwmonMeter(sys.root)
    with pytest.raises(SourceError, match="failed") as caught:
        meter.read(AT)
    assert caught.value.gap is Gap.FAILED
    (device / "power1_average").write_text("742000000\n")
    assert [reading.power_mw for reading in meter.read(AT)] == [742_000]
    meter.close()


def test_one_that_cannot_be_read_does_not_take_the_others_along(sys: FakeSys) -> None:
    module = sys.acpi_meter(0, 612_000_000, "Module Power Socket 0")
    sys.acpi_meter(1, 133_000_000, "Grace Power Socket 0")
    (module / "power1_average").write_text("n/a\n")
    assert read(sys) == {"package-0": 133_000}


def test_a_host_without_sensors_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="acpi_power_meter") as caught:
        HwmonMeter(tmp_path / "none").read(AT)
    assert caught.value.gap is Gap.UNSUPPORTED
