"""What can be true of a value of dcgm-exporter, and what DCGM writes where it has none; it reads no page.

Names and units of both generations are those of `wattledger.exporter.dcgm.names`. The unit goes by the name alone: of
a number it cannot be told whether it is percent or a ratio.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from wattledger.exporter.dcgm.names import (
    BYTE,
    CELSIUS,
    COUNT,
    FIELDS,
    HERTZ,
    JOULE,
    LABELS,
    MEBIBYTE,
    MEGAHERTZ,
    MILLIJOULE,
    NANOSECOND,
    PERCENT,
    RATIO,
    SECOND,
    WATT,
    XID_LAST,
    XID_TOTAL,
    DcgmField,
    Spelling,
    Unit,
)
from wattledger.rules.quantity import COUNTERS, Gap, Quantity

_Q = Quantity

# dcgm_structs.h, "blank values": a base, and above it not found, not supported, not permitted.
_BLANK_INT32: Final = 0x7FFFFFF0
_BLANK_FLOAT: Final = float(1 << 47)
_BLANK_INT64: Final = 9.2e18  # 0x7FFFFFFFFFFFFFF0; as a float its last bits are lost
_NOT_PERMITTED: Final = 3
_BLANKS: Final = 16

# A board's whole life at full power is far below what DCGM writes for "none".
_RANGES: Final[dict[Unit, tuple[float, float]]] = {
    WATT: (0.001, 20_000),
    MILLIJOULE: (0, _BLANK_FLOAT - 1),
    JOULE: (0, _BLANK_FLOAT / 1000),
    PERCENT: (0, 100),
    RATIO: (0, 1),
    MEGAHERTZ: (0, 100_000),
    HERTZ: (0, 100_000_000_000),
    MEBIBYTE: (0, 10_000_000),
    BYTE: (0, 10_000_000 << 20),
    CELSIUS: (1, 200),
    SECOND: (0, _BLANK_INT32 - 1),
    COUNT: (0, _BLANK_INT32 - 1),
}
_HIGHEST: Final[dict[Quantity, float]] = {
    _Q.PERFORMANCE_STATE: 15,
    _Q.PCIE_LINK_GENERATION: 16,
    _Q.PCIE_LINK_WIDTH: 32,
    _Q.REMAPPED_ROWS_PENDING: 1,
    _Q.REMAPPED_ROWS_FAILURE: 1,
    _Q.RETIRED_PAGES_PENDING: 1,
}
_POWERS: Final = (_Q.POWER_INSTANT_MW, _Q.POWER_AVERAGE_MW)
_HIGHEST_WATTS: Final = 3000  # above this no board draws; a limit may be written higher
_FAN_OVER_ALL: Final = 2.5  # times the nominal maximum, on some boards (nvml.h, nvmlDeviceGetFanSpeed)
_UTILIZATION: Final = (
    _Q.UTILIZATION_GPU_RATIO,
    _Q.UTILIZATION_MEMORY_RATIO,
    _Q.UTILIZATION_ENCODER_RATIO,
    _Q.UTILIZATION_DECODER_RATIO,
)
_MEMORY: Final = (_Q.MEMORY_TOTAL_BYTES, _Q.MEMORY_USED_BYTES, _Q.MEMORY_FREE_BYTES, _Q.MEMORY_RESERVED_BYTES)


class Mig(Enum):
    """What the rows of MIG instances say of a value."""

    REPEATED = auto()  # what their board has, once for each instance (NVIDIA/dcgm-exporter#317)
    OWN = auto()  # what the instance has
    NOTHING = auto()  # utilisation is 0 whatever they do (NVIDIA/dcgm-exporter#216)


@dataclass(frozen=True, slots=True)
class Row:
    """One name: raw in [low, high] gives raw * times / over, else there is no value."""

    name: str
    quantity: Quantity
    low: float
    high: float
    times: int = 1
    over: int = 1
    mig: Mig = Mig.REPEATED

    def read(self, raw: float) -> int | float | Gap:
        """Give the value of *raw*, or why it is none."""
        if not self.low <= raw <= self.high:
            # What cannot be 0, as the temperature of a memory without a sensor, is 0 where there is none.
            return Gap.UNSUPPORTED if raw == 0 else _why_none(raw)
        scaled = raw * self.times if self.over == 1 else raw * self.times / self.over
        return scaled if self.quantity.endswith(("ratio", "celsius")) else round(scaled)


def _why_none(raw: float) -> Gap:
    if raw >= _BLANK_INT64:
        return Gap.UNSUPPORTED
    for base in (_BLANK_INT32, _BLANK_FLOAT):
        if base <= raw < base + _BLANKS:
            return Gap.NO_PERMISSION if raw == base + _NOT_PERMITTED else Gap.UNSUPPORTED
    return Gap.FAILED


def _rows() -> Iterator[Row]:
    # First the power of the moment where it has a name of its own, then field 155, which is that or a mean.
    for field in sorted(FIELDS, key=lambda field: field.quantity is _Q.POWER_AVERAGE_MW):
        for spelling in (field.legacy, field.current):
            # Whether the older throttle times are in us or in ns, NVIDIA's own lists do not agree.
            if spelling is not None and spelling.unit is not NANOSECOND:
                yield _row(field, spelling)
    yield Row("DCGM_FI_DEV_MIG_MODE", _Q.MIG_MODE, 0, 1)


def _row(field: DcgmField, spelling: Spelling) -> Row:
    quantity, unit = field.quantity, spelling.unit
    low, high = _RANGES[unit]
    high = _HIGHEST.get(quantity, high)
    if quantity in _POWERS:
        # Field 155 is the mean of a second on some boards, the power of the moment on others (nvml.h), and the page
        # does not say which: the weaker of the two is claimed.
        quantity, high = _Q.POWER_INSTANT_MW, _HIGHEST_WATTS
    elif quantity is _Q.FAN_SPEED_RATIO:
        high *= _FAN_OVER_ALL
    elif unit is BYTE and quantity in COUNTERS:
        high = _BLANK_INT64
    return Row(
        spelling.name,
        quantity,
        low,
        high,
        times=unit.times,
        over=unit.over,
        mig=_mig(quantity, spelling.name),
    )


def _mig(quantity: Quantity, name: str) -> Mig:
    if quantity in _UTILIZATION:
        return Mig.NOTHING
    return Mig.OWN if "_PROF_" in name or quantity in _MEMORY else Mig.REPEATED


# Of several names of one quantity the first that has a value is taken.
ROWS: Final = tuple(dict.fromkeys(_rows()))  # some names are the same in both generations
LAST_XID: Final = tuple(XID_LAST.values())
HIGHEST_XID: Final = 9999
WANTED: Final = re.compile("(?:" + "|".join((*(row.name for row in ROWS), *LAST_XID, XID_TOTAL)) + r")\Z")

# Labels, the first that is there.
UUID: Final = ("UUID", "uuid")
MODEL: Final = ("modelName", "model_name")
BUS: Final = ("pci_bus_id",)
PROFILE: Final = ("GPU_I_PROFILE",)
INSTANCE: Final = ("GPU_I_ID",)
SERIAL: Final = ("DCGM_FI_DEV_SERIAL",)
VBIOS: Final = ("DCGM_FI_DEV_VBIOS_VERSION",)
DRIVER: Final = tuple(label.driver_version for label in LABELS.values())
NVML: Final = ("DCGM_FI_NVML_VERSION", "DCGM_FI_SYSTEM_NVML_VERSION")
BLANK_TEXT: Final = "<<<"  # how the blanks of texts begin: <<<NULL>>>, <<<NOT_SUPPORTED>>>
