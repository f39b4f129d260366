"""Power that the kernel's sensors show: the node's ACPI meter, modules of Grace, and power supplies.

Which chip measures what is known of a few kinds alone; all others are left out, as no name tells what they sit on.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.chain.node_model import MODULE, NODE, PACKAGE, SUPPLY, NodeReading, NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

from ..sources.base import SourceError
from ..sources.host import gap_of
from .sysfs import Attribute, number_of, text_of

_POWER = re.compile(r"power(?P<number>[0-9]+)_(?:average|input)")
# What the ACPI meters of NVIDIA Grace call themselves (power*_oem_info). Rails of a processor are inside its socket.
_SOCKET = re.compile(r"(?P<kind>.+) Power Socket (?P<number>[0-9]+)", re.IGNORECASE)
_SOCKET_DOMAINS = {"module": MODULE, "grace": PACKAGE, "total": PACKAGE}
_AMD_SOCKET = re.compile(r"Esocket(?P<number>[0-9]+)")
# The input of a power supply is the mains or a supply with high-voltage DC; converters on boards have 12 to 54 V.
_SUPPLY_LEAST_MILLIVOLTS = 80_000
_UW_PER_MW = 1_000
# What _PMM gives when it cannot tell (ACPI 6.5, 10.4.1: 0xFFFFFFFF mW), as kernels pass it on (lm-sensors #460).
_CANNOT_TELL_UW = 0xFFFF_FFFF * _UW_PER_MW


@dataclass(frozen=True, slots=True)
class _Sensor:
    domain: str
    value: Attribute
    counts: bool = False  # microjoules, not microwatts


class HwmonMeter:
    """Reads the sensors that are known to measure the node or a part of it."""

    source = NodeSource.HWMON
    period_ns = NS_PER_SECOND

    def __init__(self, sys_root: Path) -> None:
        self._folder = sys_root / "class/hwmon"
        self._sensors: tuple[_Sensor, ...] | None = None

    def is_there(self) -> bool:
        """Tell whether the host has a sensor that is known here."""
        return bool(self._find())

    def domains(self) -> list[str]:
        """Give what the sensors that are known here measure; reads none of them."""
        return [sensor.domain for sensor in self._find()]

    def read(self, at: Instant) -> tuple[NodeReading, ...]:
        """Give the sensors' values. Raises SourceError where none can be read.

        An ACPI meter may ask the management controller for it, which takes long: not for the tick.
        """
        if self._sensors is None:
            self._sensors = self._find()
        if not self._sensors:
            self._sensors = None
            raise SourceError(Gap.UNSUPPORTED, f"{self._folder} has no meter of the node; modprobe acpi_power_meter")
        readings: list[NodeReading] = []
        failure: SourceError | None = None
        for sensor in self._sensors:
            try:
                value = sensor.value.read()
            except OSError as error:
                failure = SourceError(gap_of(error), f"{sensor.value.path}: {error.strerror}")
            except ValueError as error:
                failure = SourceError(Gap.FAILED, str(error))
            else:
                if not sensor.counts and (value == 0 or value >= _CANNOT_TELL_UW):
                    failure = SourceError(Gap.FAILED, f"{sensor.value.path}: {_why_no_power(value)}")
                    continue
                readings.append(self._reading(sensor, value, at))
        if failure is not None and not readings:
            self.close()
            raise failure
        return tuple(readings)

    def close(self) -> None:
        """Let go of the files; the sensors are looked for anew by the next read."""
        for sensor in self._sensors or ():
            sensor.value.close()
        self._sensors = None

    def _reading(self, sensor: _Sensor, value: int, at: Instant) -> NodeReading:
        return NodeReading(
            sensor.domain,
            self.source,
            at,
            energy_uj=value if sensor.counts else None,
            power_mw=None if sensor.counts else value // _UW_PER_MW,
            period_ns=self.period_ns,
        )

    def _find(self) -> tuple[_Sensor, ...]:
        found: dict[str, _Sensor] = {}
        supplies = 0
        meters: list[_Sensor] = []
        for chip in sorted(_entries(self._folder), key=_place):
            name = text_of(chip / "name")
            if name == "power_meter":
                meters += _acpi_meters(chip)
            elif name == "amd_energy":
                found.update((sensor.domain, sensor) for sensor in _amd_sockets(chip))
            elif (value := _supply_input(chip)) is not None:
                domain = f"{SUPPLY}{supplies}"
                found[domain] = _Sensor(domain, Attribute(value))
                supplies += 1
        nodes = [sensor for sensor in meters if sensor.domain == NODE]
        # Several meters without a name cannot be told apart, so none of them is that of the node.
        found.update((sensor.domain, sensor) for sensor in meters if sensor.domain != NODE or len(nodes) == 1)
        return tuple(found.values())


def _why_no_power(value_uw: int) -> str:
    return "0 W, which no running host takes" if value_uw == 0 else f"{value_uw} uW, by which a meter says it failed"


def _place(chip: Path) -> tuple[str, int, str]:
    """Give where the chip sits, which stays over boots, unlike its number."""
    device = chip / "device"
    return os.path.realpath(device) if device.exists() else "", len(chip.name), chip.name


def _acpi_meters(chip: Path) -> Iterator[_Sensor]:
    taken: set[str] = set()
    for folder in (chip, chip / "device"):
        for path in sorted(_entries(folder)):  # the average of a meter before its input
            match = _POWER.fullmatch(path.name)
            if match is None or match["number"] in taken:
                continue
            number = match["number"]
            taken.add(number)
            if number_of(folder / f"power{number}_is_battery") == 1:
                continue
            domain = _acpi_domain(text_of(folder / f"power{number}_oem_info"))
            if domain is not None:
                yield _Sensor(domain, Attribute(path))


def _acpi_domain(oem_info: str) -> str | None:
    match = _SOCKET.fullmatch(oem_info)
    if match is None:
        return NODE
    prefix = _SOCKET_DOMAINS.get(match["kind"].lower())
    return None if prefix is None else f"{prefix}{match['number']}"


def _amd_sockets(chip: Path) -> Iterator[_Sensor]:
    for path in sorted(_entries(chip)):
        match = _AMD_SOCKET.fullmatch(text_of(path)) if path.name.endswith("_label") else None
        if match is not None:
            value = path.with_name(path.name.replace("_label", "_input"))
            yield _Sensor(f"{PACKAGE}{match['number']}", Attribute(value), counts=True)


def _supply_input(chip: Path) -> Path | None:
    """Give the file with the input power of a power supply; None where the chip is none."""
    labels = {path: text_of(path) for path in sorted(_entries(chip)) if path.name.endswith("_label")}
    volts = [number_of(_input(path)) or 0 for path, label in labels.items() if label == "vin"]
    powers = [_input(path) for path, label in labels.items() if label == "pin"]
    return powers[0] if powers and max(volts, default=0) >= _SUPPLY_LEAST_MILLIVOLTS else None


def _input(label: Path) -> Path:
    return label.with_name(label.name.replace("_label", "_input"))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
