"""Power and energy in the documents of Redfish, as whole numbers; where the documents are found is not known here.

Schemas of DMTF: EnvironmentMetrics, Power, PowerSupplyMetrics, Sensor. What makers put elsewhere stands here too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NoReturn

Document = Mapping[str, object]

_MOST_WATTS = 1_000_000
_LARGEST_EXPONENT = 18
# What a power is of, where a list has several: the entry of the whole has none of its own, or says so.
_WHOLE = (None, "Chassis", "PowerSupply", "Intake", "SystemBoard")
_ABSENT = "Absent"


@dataclass(frozen=True, slots=True)
class Metered:
    """A counter in microjoules, a power in milliwatts, or both."""

    energy_uj: int | None = None
    power_mw: int | None = None

    def __bool__(self) -> bool:
        """Give whether there is anything in it."""
        return self.energy_uj is not None or self.power_mw is not None


def decode(body: bytes) -> Document:
    """Read a document; numbers keep their digits. Raises ValueError."""
    found = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004  (what came is wrong, not how it is used)
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def of_environment(document: Document) -> Metered:
    """Give what EnvironmentMetrics says. Its kilowatt-hours are too coarse for minutes, and are not used."""
    energy_uj = _scaled(_reading(document, "EnergyJoules"), 1_000_000)
    return Metered(energy_uj, _milliwatts(_reading(document, "PowerWatts")))


def of_power(document: Document) -> Metered:
    """Give what Power says: its first PowerControl that is of the whole, else where some makers put it."""
    controls = document.get("PowerControl")
    for control in controls if isinstance(controls, list) else ():
        if not isinstance(control, dict) or control.get("PhysicalContext") not in _WHOLE:
            continue
        power_mw = _milliwatts(control.get("PowerConsumedWatts"))
        if power_mw is not None:
            return Metered(power_mw=power_mw)
    for names in (("Oem", "ts_fujitsu", "ChassisPowerConsumption", "CurrentPowerConsumptionW"), _INSPUR):
        power_mw = _milliwatts(_below(document, *names))
        if power_mw is not None:
            return Metered(power_mw=power_mw)
    return Metered()


_INSPUR = ("Oem", "Public", "TotalPower")


def of_supply(document: Document) -> Metered:
    """Give what PowerSupplyMetrics says of one power supply's input."""
    return Metered(power_mw=_milliwatts(_reading(document, "InputPowerWatts"), idle=True))


def of_sensor(document: Document) -> Metered:
    """Give what a Sensor of power says."""
    if document.get("ReadingType") != "Power":
        return Metered()
    return Metered(power_mw=_milliwatts(document.get("Reading")))


def is_absent(document: Document) -> bool:
    """Tell whether the document is of something that is not plugged in."""
    return _below(document, "Status", "State") == _ABSENT


def link(document: Document, name: str) -> str:
    """Give the path of the document that *name* leads to, empty where there is none.

    As the controller writes it: iLO answers a path without the slash at its end with a redirect alone.
    """
    return _path(document.get(name))


def links(document: Document, name: str = "Members") -> list[str]:
    """Give the paths in a list of links."""
    found = document.get(name)
    return [path for item in (found if isinstance(found, list) else ()) if (path := _path(item))]


def inside(document: Document) -> str:
    """Give the path of the chassis that this one is part of, empty where there is none."""
    return _path(_below(document, "Links", "ContainedBy"))


def text(document: Document, name: str) -> str:
    """Give a text, empty where there is none."""
    found = document.get(name)
    return found if isinstance(found, str) else ""


def _path(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    path = item.get("@odata.id")
    return path.partition("#")[0] if isinstance(path, str) else ""


def _below(document: Document, *names: str) -> object:
    found: object = document
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _reading(document: Document, name: str) -> object:
    return _below(document, name, "Reading")


def _milliwatts(value: object, *, idle: bool = False) -> int | None:
    """Give a power; None where there is none, or one that no running node takes. *idle*: 0 is a power too."""
    power_mw = _scaled(value, 1_000)
    if power_mw is None or power_mw > _MOST_WATTS * 1_000 or (power_mw == 0 and not idle):
        return None
    return power_mw


def _scaled(value: object, scale: int) -> int | None:
    """Give a number of 0 or more in a smaller unit, cut to whole ones; some controllers write numbers as text."""
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except InvalidOperation:
            return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    if not number.is_finite() or number < 0 or number.adjusted() > _LARGEST_EXPONENT:
        return None
    return int(number * scale)
