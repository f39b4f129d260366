"""The table of what is read: for each quantity its field or call, how often, its unit and what can be true.

It makes no call and does not know which of these a device supports. Field ids are those of nvml.h (NVML_FI_*); 308
is newer than the constants of the binding, so all of them stand here as numbers.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import Final

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Quantity

from .nvml_query import Signature


class Cadence(IntEnum):
    """How often a value is read, in seconds; TICK is every tick, however long that is."""

    TICK = 0
    CONTEXT = 5
    LISTING = 10
    SLOW = 60
    FACTS = 600  # what changes with the driver at most; asked again in case it failed

    @property
    def period_ns(self) -> int:
        """Give the period, ns."""
        return self.value * NS_PER_SECOND


class FieldScope(Enum):
    """What goes into scopeId of a field."""

    NONE = 0
    PROBED = 1  # GPU or MODULE, found per device: power and energy
    ALL_LINKS = 2  # UINT_MAX: the driver sums the NVLinks
    EACH_LINK = 3  # one entry a link, summed here


class Aux(StrEnum):
    """Values that are read only to compute a quantity from them."""

    SMOOTHING_ENABLED = "smoothing_enabled"
    SMOOTHING_FLOOR_MW = "smoothing_floor_mw"
    TLIMIT_SHUTDOWN = "tlimit_shutdown"
    TLIMIT_SLOWDOWN = "tlimit_slowdown"
    TLIMIT_MEMORY = "tlimit_memory"
    TLIMIT_GPU = "tlimit_gpu"
    MARGIN = "margin"


Key = Quantity | Aux

KIB: Final = 1024
MEGAHERTZ: Final = 1_000_000
PERCENT: Final = 100
WATT_IN_MW: Final = 1000
UINT_MAX: Final = 0xFFFFFFFF
ULLONG_MAX: Final = 0xFFFFFFFFFFFFFFFF
NVLINK_MAX_LINKS: Final = 18  # NVML_NVLINK_MAX_LINKS

# Above this no board draws; used where the board tells no limit. A library bug answered 3.7 million mW.
POWER_CEILING_MW: Final = 3_000_000
POWER_CEILING_OF_LIMIT: Final = 1.5  # times the highest limit that can be set


@dataclass(frozen=True, slots=True)
class Output:
    """Where a raw number goes: raw in [low, high] gives raw * factor / divisor, else the answer cannot be true."""

    key: Key
    factor: int = 1
    low: int | float = 0
    high: int | float = ULLONG_MAX - 1  # the largest is NVML_VALUE_NOT_AVAILABLE
    divisor: int = 1

    def of(self, raw: float) -> int | float:
        """Give the value of *raw*. Percent are divided, not multiplied: 70 % is 0.7 and not 0.7000000000000001."""
        scaled = raw * self.factor
        return scaled if self.divisor == 1 else scaled / self.divisor


@dataclass(frozen=True, slots=True)
class Field:
    """A value read in a batch. Of several for one key the first that the device offers is taken."""

    field_id: int
    output: Output
    cadence: Cadence
    scope: FieldScope = FieldScope.NONE


@dataclass(frozen=True, slots=True)
class Call:
    """Values read by a call of their own, for keys that no field gives. None skips a number of the answer."""

    signature: Signature
    outputs: tuple[Output | None, ...]
    cadence: Cadence


def _power(key: Key) -> Output:
    return Output(key, low=1, high=POWER_CEILING_MW)  # the plan lowers it to this board's own


def _limit(key: Key) -> Output:
    return Output(key, low=1, high=20_000_000)


def _ratio(key: Key) -> Output:
    return Output(key, 1, 0, 100, PERCENT)


def _hertz(key: Key) -> Output:
    return Output(key, MEGAHERTZ, 0, 100_000)


def _celsius(key: Key) -> Output:
    return Output(key, 1, -60, 200)


def _flag(key: Key) -> Output:
    return Output(key, 1, 0, 1)


_Q = Quantity
_TICK, _CONTEXT, _LISTING = Cadence.TICK, Cadence.CONTEXT, Cadence.LISTING
_SLOW, _FACTS = Cadence.SLOW, Cadence.FACTS
_PROBED = FieldScope.PROBED

FIELD_ENERGY: Final = 191
FIELD_POWER_INSTANT: Final = 186
FIELD_POWER_MAX_LIMIT: Final = 188

# Power and energy stand first, side by side: they are read as near to each other as NVML allows.
FIELDS: Final = (
    Field(FIELD_ENERGY, Output(_Q.ENERGY_MJ), _TICK, _PROBED),
    Field(83, Output(_Q.ENERGY_MJ), _TICK),
    Field(FIELD_POWER_INSTANT, _power(_Q.POWER_INSTANT_MW), _TICK, _PROBED),
    Field(185, _power(_Q.POWER_AVERAGE_MW), _TICK, _PROBED),
    Field(190, _limit(_Q.POWER_LIMIT_ENFORCED_MW), _TICK, _PROBED),
    Field(308, _celsius(_Q.TEMPERATURE_GPU_CELSIUS), _TICK),
    Field(82, _celsius(_Q.TEMPERATURE_MEMORY_CELSIUS), _TICK),
    Field(74, Output(_Q.THROTTLE_POWER_CAP_NS), _TICK),
    Field(269, Output(_Q.THROTTLE_SW_THERMAL_NS), _TICK),
    Field(75, Output(_Q.THROTTLE_SW_THERMAL_NS), _TICK),  # the same role in older drivers
    Field(270, Output(_Q.THROTTLE_HW_THERMAL_NS), _TICK),
    Field(271, Output(_Q.THROTTLE_POWER_BRAKE_NS), _TICK),
    Field(76, Output(_Q.THROTTLE_SYNC_BOOST_NS), _TICK),
    Field(77, Output(_Q.THROTTLE_BOARD_LIMIT_NS), _TICK),
    Field(79, Output(_Q.THROTTLE_RELIABILITY_NS), _TICK),
    Field(197, Output(_Q.PCIE_TRANSMIT_BYTES), _TICK),
    Field(198, Output(_Q.PCIE_RECEIVE_BYTES), _TICK),
    Field(138, Output(_Q.NVLINK_TRANSMIT_BYTES, KIB), _TICK, FieldScope.ALL_LINKS),
    Field(139, Output(_Q.NVLINK_RECEIVE_BYTES, KIB), _TICK, FieldScope.ALL_LINKS),
    Field(202, Output(_Q.NVLINK_TRANSMIT_BYTES), _CONTEXT, FieldScope.EACH_LINK),  # NVLink 5
    Field(204, Output(_Q.NVLINK_RECEIVE_BYTES), _CONTEXT, FieldScope.EACH_LINK),
    Field(187, _limit(_Q.POWER_LIMIT_MIN_MW), _SLOW, _PROBED),
    Field(FIELD_POWER_MAX_LIMIT, _limit(_Q.POWER_LIMIT_MAX_MW), _SLOW, _PROBED),
    Field(189, _limit(_Q.POWER_LIMIT_DEFAULT_MW), _SLOW, _PROBED),
    Field(192, _limit(_Q.POWER_LIMIT_REQUESTED_MW), _SLOW, _PROBED),
    Field(251, _flag(Aux.SMOOTHING_ENABLED), _SLOW),
    Field(255, Output(Aux.SMOOTHING_FLOOR_MW, WATT_IN_MW, 0, 10_000), _SLOW),
    Field(193, _celsius(Aux.TLIMIT_SHUTDOWN), _SLOW),
    Field(194, _celsius(Aux.TLIMIT_SLOWDOWN), _SLOW),
    Field(195, _celsius(Aux.TLIMIT_MEMORY), _SLOW),
    Field(196, _celsius(Aux.TLIMIT_GPU), _SLOW),
    Field(94, Output(_Q.PCIE_REPLAYS), _SLOW),
    Field(3, Output(_Q.ECC_CORRECTED_VOLATILE), _SLOW),
    Field(4, Output(_Q.ECC_UNCORRECTED_VOLATILE), _SLOW),
    Field(5, Output(_Q.ECC_CORRECTED_AGGREGATE), _SLOW),
    Field(6, Output(_Q.ECC_UNCORRECTED_AGGREGATE), _SLOW),
    Field(142, Output(_Q.REMAPPED_ROWS_CORRECTABLE), _SLOW),
    Field(143, Output(_Q.REMAPPED_ROWS_UNCORRECTABLE), _SLOW),
    Field(144, _flag(_Q.REMAPPED_ROWS_PENDING), _SLOW),
    Field(145, _flag(_Q.REMAPPED_ROWS_FAILURE), _SLOW),
    Field(29, Output(_Q.RETIRED_PAGES_SINGLE_BIT), _SLOW),
    Field(30, Output(_Q.RETIRED_PAGES_DOUBLE_BIT), _SLOW),
    Field(31, _flag(_Q.RETIRED_PAGES_PENDING), _SLOW),
)

POWER_USAGE: Final = Signature("nvmlDeviceGetPowerUsage")


def _one(name: str, output: Output, cadence: Cadence, *arguments: int) -> Call:
    return Call(Signature(name, arguments), (output,), cadence)


def _mask(name: str) -> Call:
    return Call(Signature(name, buffers=("=Q",)), (Output(_Q.CLOCK_EVENT_REASONS),), _CONTEXT)


_MEMORY_V2 = 40 | 2 << 24  # NVML_STRUCT_VERSION(Memory, 2)
_MARGIN_V1 = 8 | 1 << 24  # NVML_STRUCT_VERSION(MarginTemperature, 1)
_TEMPERATURE_V1 = 12 | 1 << 24  # NVML_STRUCT_VERSION(Temperature, 1)
_GRAPHICS, _SM, _MEMORY, _VIDEO = 0, 1, 2, 3  # nvmlClockType_t
_MEMORY_OUTPUTS = (
    Output(_Q.MEMORY_TOTAL_BYTES, low=1),
    Output(_Q.MEMORY_RESERVED_BYTES),
    Output(_Q.MEMORY_FREE_BYTES),
    Output(_Q.MEMORY_USED_BYTES),
)

MEMORY_CALLS: Final = (
    Call(
        Signature("nvmlDeviceGetMemoryInfo_v2", buffers=("=IIQQQQ",), version=_MEMORY_V2),
        (None, None, *_MEMORY_OUTPUTS),
        _CONTEXT,
    ),
    # The first version counts reserved memory as used.
    Call(
        Signature("nvmlDeviceGetMemoryInfo", buffers=("=QQQ",)),
        (_MEMORY_OUTPUTS[0], _MEMORY_OUTPUTS[2], _MEMORY_OUTPUTS[3]),
        _CONTEXT,
    ),
)

CALLS: Final = (
    Call(
        Signature("nvmlDeviceGetUtilizationRates", buffers=("=II",)),
        (_ratio(_Q.UTILIZATION_GPU_RATIO), _ratio(_Q.UTILIZATION_MEMORY_RATIO)),
        _TICK,
    ),
    _one("nvmlDeviceGetClockInfo", _hertz(_Q.CLOCK_SM_HZ), _TICK, _SM),
    Call(Signature("nvmlDeviceGetTotalEnergyConsumption", buffers=("=Q",)), (Output(_Q.ENERGY_MJ),), _TICK),
    *MEMORY_CALLS,
    _mask("nvmlDeviceGetCurrentClocksEventReasons"),
    _mask("nvmlDeviceGetCurrentClocksThrottleReasons"),  # its name until driver 535
    Call(Signature("nvmlDeviceGetTemperature", (0,)), (_celsius(_Q.TEMPERATURE_GPU_CELSIUS),), _CONTEXT),
    Call(
        Signature("nvmlDeviceGetTemperatureV", buffers=("=IIi",), version=_TEMPERATURE_V1),
        (None, None, _celsius(_Q.TEMPERATURE_GPU_CELSIUS)),
        _CONTEXT,
    ),
    _one("nvmlDeviceGetClockInfo", _hertz(_Q.CLOCK_MEMORY_HZ), _LISTING, _MEMORY),
    _one("nvmlDeviceGetPerformanceState", Output(_Q.PERFORMANCE_STATE, 1, 0, 15), _SLOW),
    Call(Signature("nvmlDeviceGetMigMode", buffers=("=I", "=I")), (_flag(_Q.MIG_MODE), None), _LISTING),
    Call(
        Signature("nvmlDeviceGetEncoderUtilization", buffers=("=I", "=I")),
        (_ratio(_Q.UTILIZATION_ENCODER_RATIO), None),
        _SLOW,
    ),
    Call(
        Signature("nvmlDeviceGetDecoderUtilization", buffers=("=I", "=I")),
        (_ratio(_Q.UTILIZATION_DECODER_RATIO), None),
        _SLOW,
    ),
    _one("nvmlDeviceGetClockInfo", _hertz(_Q.CLOCK_GRAPHICS_HZ), _SLOW, _GRAPHICS),
    _one("nvmlDeviceGetClockInfo", _hertz(_Q.CLOCK_VIDEO_HZ), _SLOW, _VIDEO),
    _one("nvmlDeviceGetMaxClockInfo", _hertz(_Q.CLOCK_MAX_GRAPHICS_HZ), _FACTS, _GRAPHICS),
    _one("nvmlDeviceGetMaxClockInfo", _hertz(_Q.CLOCK_MAX_SM_HZ), _FACTS, _SM),
    _one("nvmlDeviceGetMaxClockInfo", _hertz(_Q.CLOCK_MAX_MEMORY_HZ), _FACTS, _MEMORY),
    _one("nvmlDeviceGetMaxClockInfo", _hertz(_Q.CLOCK_MAX_VIDEO_HZ), _FACTS, _VIDEO),
    # Intended speed; above 100 % of the nominal maximum on some boards (nvml.h, nvmlDeviceGetFanSpeed).
    _one("nvmlDeviceGetFanSpeed", Output(_Q.FAN_SPEED_RATIO, 1, 0, 250, PERCENT), _SLOW),
    _one("nvmlDeviceGetCurrPcieLinkGeneration", Output(_Q.PCIE_LINK_GENERATION, 1, 1, 16), _SLOW),
    _one("nvmlDeviceGetCurrPcieLinkWidth", Output(_Q.PCIE_LINK_WIDTH, 1, 1, 32), _SLOW),
    _one("nvmlDeviceGetGpuUptime_v1", Output(_Q.UPTIME_SECONDS, 1, 0, UINT_MAX - 1), _LISTING),
    _one("nvmlDeviceGetTemperatureThreshold", _celsius(_Q.TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS), _FACTS, 0),
    _one("nvmlDeviceGetTemperatureThreshold", _celsius(_Q.TEMPERATURE_LIMIT_SLOWDOWN_CELSIUS), _FACTS, 1),
    _one("nvmlDeviceGetTemperatureThreshold", _celsius(_Q.TEMPERATURE_LIMIT_MEMORY_CELSIUS), _FACTS, 2),
    _one("nvmlDeviceGetTemperatureThreshold", _celsius(_Q.TEMPERATURE_LIMIT_GPU_CELSIUS), _FACTS, 3),
    Call(
        Signature("nvmlDeviceGetMarginTemperature", buffers=("=Ii",), version=_MARGIN_V1),
        (None, _celsius(Aux.MARGIN)),
        _SLOW,
    ),
    Call(
        Signature("nvmlDeviceGetPowerManagementLimitConstraints", buffers=("=I", "=I")),
        (_limit(_Q.POWER_LIMIT_MIN_MW), _limit(_Q.POWER_LIMIT_MAX_MW)),
        _SLOW,
    ),
    _one("nvmlDeviceGetPowerManagementDefaultLimit", _limit(_Q.POWER_LIMIT_DEFAULT_MW), _SLOW),
    _one("nvmlDeviceGetPowerManagementLimit", _limit(_Q.POWER_LIMIT_REQUESTED_MW), _SLOW),
    _one("nvmlDeviceGetEnforcedPowerLimit", _limit(_Q.POWER_LIMIT_ENFORCED_MW), _CONTEXT),
)

# Quantities that are not in the tables above: each has a reader of its own.
ACTIVITIES: Final = (
    Quantity.ACTIVITY_GRAPHICS_RATIO,
    Quantity.ACTIVITY_SM_RATIO,
    Quantity.ACTIVITY_SM_OCCUPANCY_RATIO,
    Quantity.ACTIVITY_TENSOR_RATIO,
    Quantity.ACTIVITY_DRAM_RATIO,
)
