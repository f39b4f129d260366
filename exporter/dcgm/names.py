"""The names and units of dcgm-exporter beside our quantities, both generations; it reads nothing and writes nothing.

Import it as `wattledger.exporter.dcgm.names`; it needs `wattledger.rules.quantity` and nothing else. The legacy
generation: `etc/default-counters.csv` of NVIDIA/dcgm-exporter 4.8 (commit 7ad5832), and the list of fields of DCGM
for what that file leaves out. The current one: the release notes of dcgm-exporter 4.9.0, `dcgm_fields.py` of DCGM 4.7
and the tests of go-dcgm for it. A name that no source spells out is None.

The parser of prometheus_client adds _total to the names of counters that have none, so to all counters here.
"""

from dataclasses import dataclass
from enum import StrEnum

from wattledger.rules.quantity import Quantity


class Generation(StrEnum):
    """Which names a page has. A page has one of them; what reads a page takes both, by the name alone."""

    LEGACY = "legacy"  # until dcgm-exporter 4.8; Grafana 12239 asks for these
    CURRENT = "current"  # from dcgm-exporter 4.9.0, in base units


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of dcgm-exporter: a number of it times *times*, over *over*, is in the unit of our quantity.

    *whole* units are written as whole numbers, rounded down, as DCGM keeps them.
    """

    word: str
    times: int = 1
    over: int = 1
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Spelling:
    """What one generation calls a thing, and in which unit it gives it."""

    name: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class DcgmField:
    """One thing that both know. A *counter* is one to dcgm-exporter, whatever it is to us."""

    quantity: Quantity
    legacy: Spelling
    current: Spelling | None
    counter: bool = False

    def spelling(self, generation: Generation) -> Spelling | None:
        """Give how *generation* has it; None where its name is not known."""
        return self.legacy if generation is Generation.LEGACY else self.current


@dataclass(frozen=True, slots=True)
class LabelNames:
    """The labels of a series of a GPU that the generations spell differently."""

    host: str
    driver_version: str


LABELS = {
    Generation.LEGACY: LabelNames("Hostname", "DCGM_FI_DRIVER_VERSION"),
    Generation.CURRENT: LabelNames("hostname", "DCGM_FI_SYSTEM_DRIVER_VERSION"),
}

# Gauges of bytes a second, in both generations; ours are the byte counters.
RATES = {
    Quantity.PCIE_TRANSMIT_BYTES: "DCGM_FI_PROF_PCIE_TX_BYTES",
    Quantity.PCIE_RECEIVE_BYTES: "DCGM_FI_PROF_PCIE_RX_BYTES",
}

# The last Xid, which never clears. It is no quantity: Xids are events.
XID_LAST = {Generation.LEGACY: "DCGM_FI_DEV_XID_ERRORS", Generation.CURRENT: "DCGM_FI_DEV_XID_ERROR"}
# Xids counted, by the label `xid`; since dcgm-exporter 4.8.3, off there by default.
XID_TOTAL = "DCGM_EXP_XID_ERRORS_TOTAL"

WATT = Unit("W", times=1_000)
MILLIJOULE = Unit("mJ", whole=True)
JOULE = Unit("J", times=1_000)
PERCENT = Unit("%", over=100, whole=True)
RATIO = Unit("ratio")
MEGAHERTZ = Unit("MHz", times=1_000_000, whole=True)
HERTZ = Unit("Hz", whole=True)
MEBIBYTE = Unit("MiB", times=1 << 20, whole=True)
BYTE = Unit("B", whole=True)
CELSIUS = Unit("C")
NANOSECOND = Unit("ns", whole=True)
SECOND = Unit("s", times=1_000_000_000)
COUNT = Unit("", whole=True)

_Q = Quantity
_DEV = "DCGM_FI_DEV_"


def _dev(
    quantity: Quantity,
    legacy: str,
    legacy_unit: Unit,
    current: str | None,
    current_unit: Unit | None = None,
    *,
    counter: bool = False,
) -> DcgmField:
    newer = None if current is None else Spelling(_DEV + current, current_unit or legacy_unit)
    return DcgmField(quantity, Spelling(_DEV + legacy, legacy_unit), newer, counter)


def _prof(quantity: Quantity, legacy: str, current: str, unit: Unit = RATIO, *, counter: bool = False) -> DcgmField:
    prefix = "DCGM_FI_PROF_"
    return DcgmField(quantity, Spelling(prefix + legacy, unit), Spelling(prefix + current, unit), counter)


FIELDS: tuple[DcgmField, ...] = (
    _dev(_Q.CLOCK_SM_HZ, "SM_CLOCK", MEGAHERTZ, "SM_CLOCK_HERTZ", HERTZ),
    _dev(_Q.CLOCK_MEMORY_HZ, "MEM_CLOCK", MEGAHERTZ, "MEMORY_CLOCK_HERTZ", HERTZ),
    _dev(_Q.CLOCK_VIDEO_HZ, "VIDEO_CLOCK", MEGAHERTZ, "VIDEO_CLOCK_HERTZ", HERTZ),
    _dev(_Q.CLOCK_MAX_SM_HZ, "MAX_SM_CLOCK", MEGAHERTZ, "SM_MAX_CLOCK_HERTZ", HERTZ),
    _dev(_Q.CLOCK_MAX_MEMORY_HZ, "MAX_MEM_CLOCK", MEGAHERTZ, "MEMORY_MAX_CLOCK_HERTZ", HERTZ),
    _dev(_Q.CLOCK_MAX_VIDEO_HZ, "MAX_VIDEO_CLOCK", MEGAHERTZ, "VIDEO_MAX_CLOCK_HERTZ", HERTZ),
    _dev(_Q.CLOCK_EVENT_REASONS, "CLOCK_THROTTLE_REASONS", COUNT, "CLOCKS_EVENT_REASONS"),
    _dev(_Q.PERFORMANCE_STATE, "PSTATE", COUNT, "GPU_PSTATE"),
    _dev(_Q.TEMPERATURE_MEMORY_CELSIUS, "MEMORY_TEMP", CELSIUS, "MEMORY_TEMP_CELSIUS"),
    _dev(_Q.TEMPERATURE_GPU_CELSIUS, "GPU_TEMP", CELSIUS, "GPU_TEMP_CELSIUS"),
    _dev(_Q.TEMPERATURE_LIMIT_SLOWDOWN_CELSIUS, "SLOWDOWN_TEMP", CELSIUS, "GPU_TEMP_SLOWDOWN_CELSIUS"),
    _dev(_Q.TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS, "SHUTDOWN_TEMP", CELSIUS, "GPU_TEMP_SHUTDOWN_CELSIUS"),
    _dev(_Q.TEMPERATURE_LIMIT_MEMORY_CELSIUS, "MEM_MAX_OP_TEMP", CELSIUS, "MEMORY_MAX_OP_TEMP_CELSIUS"),
    _dev(_Q.TEMPERATURE_LIMIT_GPU_CELSIUS, "GPU_MAX_OP_TEMP", CELSIUS, "GPU_MAX_OP_TEMP_CELSIUS"),
    _dev(_Q.FAN_SPEED_RATIO, "FAN_SPEED", PERCENT, "FAN_SPEED_RATIO", RATIO),
    _dev(_Q.POWER_AVERAGE_MW, "POWER_USAGE", WATT, "BOARD_POWER_WATTS"),
    _dev(_Q.POWER_INSTANT_MW, "POWER_USAGE_INSTANT", WATT, "BOARD_POWER_RAW_WATTS"),
    _dev(_Q.POWER_LIMIT_REQUESTED_MW, "POWER_MGMT_LIMIT", WATT, "BOARD_POWER_LIMIT_REQUESTED_WATTS"),
    _dev(_Q.POWER_LIMIT_MIN_MW, "POWER_MGMT_LIMIT_MIN", WATT, "BOARD_POWER_LIMIT_MIN_WATTS"),
    _dev(_Q.POWER_LIMIT_MAX_MW, "POWER_MGMT_LIMIT_MAX", WATT, "BOARD_POWER_LIMIT_MAX_WATTS"),
    _dev(_Q.POWER_LIMIT_DEFAULT_MW, "POWER_MGMT_LIMIT_DEF", WATT, "BOARD_POWER_LIMIT_DEFAULT_WATTS"),
    _dev(_Q.POWER_LIMIT_ENFORCED_MW, "ENFORCED_POWER_LIMIT", WATT, "BOARD_POWER_LIMIT_ENFORCED_WATTS"),
    _dev(_Q.ENERGY_MJ, "TOTAL_ENERGY_CONSUMPTION", MILLIJOULE, "GPU_ENERGY_JOULES_TOTAL", JOULE, counter=True),
    _dev(_Q.UTILIZATION_GPU_RATIO, "GPU_UTIL", PERCENT, "GPU_UTIL_RATIO", RATIO),
    _dev(_Q.UTILIZATION_MEMORY_RATIO, "MEM_COPY_UTIL", PERCENT, "MEMORY_UTIL_RATIO", RATIO),
    _dev(_Q.UTILIZATION_ENCODER_RATIO, "ENC_UTIL", PERCENT, "ENC_UTIL_RATIO", RATIO),
    _dev(_Q.UTILIZATION_DECODER_RATIO, "DEC_UTIL", PERCENT, "DEC_UTIL_RATIO", RATIO),
    _dev(_Q.MEMORY_TOTAL_BYTES, "FB_TOTAL", MEBIBYTE, "FB_CAPACITY_BYTES", BYTE),
    _dev(_Q.MEMORY_FREE_BYTES, "FB_FREE", MEBIBYTE, "FB_FREE_BYTES", BYTE),
    _dev(_Q.MEMORY_USED_BYTES, "FB_USED", MEBIBYTE, "FB_USED_BYTES", BYTE),
    _dev(_Q.MEMORY_RESERVED_BYTES, "FB_RESERVED", MEBIBYTE, "FB_RESERVED_BYTES", BYTE),
    _dev(_Q.PCIE_REPLAYS, "PCIE_REPLAY_COUNTER", COUNT, "PCIE_REPLAY_TOTAL", counter=True),
    _prof(_Q.PCIE_TRANSMIT_BYTES, "PCIE_TX_BYTES_TOTAL", "PCIE_TX_BYTES_TOTAL", BYTE, counter=True),
    _prof(_Q.PCIE_RECEIVE_BYTES, "PCIE_RX_BYTES_TOTAL", "PCIE_RX_BYTES_TOTAL", BYTE, counter=True),
    _dev(_Q.NVLINK_TRANSMIT_BYTES, "NVLINK_COUNT_TX_BYTES", BYTE, "NVLINK_TX_BYTES_TOTAL", counter=True),
    _dev(_Q.NVLINK_RECEIVE_BYTES, "NVLINK_COUNT_RX_BYTES", BYTE, "NVLINK_RX_BYTES_TOTAL", counter=True),
    _dev(_Q.PCIE_LINK_GENERATION, "PCIE_LINK_GEN", COUNT, "PCIE_LINK_GEN"),
    _dev(_Q.PCIE_LINK_WIDTH, "PCIE_LINK_WIDTH", COUNT, "PCIE_LINK_WIDTH"),
    _dev(
        _Q.THROTTLE_POWER_CAP_NS,
        "POWER_VIOLATION",
        NANOSECOND,
        "GPU_POWER_THROTTLE_SECONDS_TOTAL",
        SECOND,
        counter=True,
    ),
    # Their names in base units are not spelt out by any source.
    _dev(_Q.THROTTLE_SW_THERMAL_NS, "THERMAL_VIOLATION", NANOSECOND, None, counter=True),
    _dev(_Q.THROTTLE_SYNC_BOOST_NS, "SYNC_BOOST_VIOLATION", NANOSECOND, None, counter=True),
    _dev(_Q.THROTTLE_BOARD_LIMIT_NS, "BOARD_LIMIT_VIOLATION", NANOSECOND, None, counter=True),
    _dev(_Q.THROTTLE_RELIABILITY_NS, "RELIABILITY_VIOLATION", NANOSECOND, None, counter=True),
    _dev(_Q.ECC_CORRECTED_VOLATILE, "ECC_SBE_VOL_TOTAL", COUNT, "ECC_SBE_VOL_TOTAL", counter=True),
    _dev(_Q.ECC_UNCORRECTED_VOLATILE, "ECC_DBE_VOL_TOTAL", COUNT, "ECC_DBE_VOL_TOTAL", counter=True),
    _dev(_Q.ECC_CORRECTED_AGGREGATE, "ECC_SBE_AGG_TOTAL", COUNT, "ECC_SBE_AGG_TOTAL", counter=True),
    _dev(_Q.ECC_UNCORRECTED_AGGREGATE, "ECC_DBE_AGG_TOTAL", COUNT, "ECC_DBE_AGG_TOTAL", counter=True),
    _dev(_Q.RETIRED_PAGES_SINGLE_BIT, "RETIRED_SBE", COUNT, "PAGE_RETIRED_SBE_TOTAL", counter=True),
    _dev(_Q.RETIRED_PAGES_DOUBLE_BIT, "RETIRED_DBE", COUNT, "PAGE_RETIRED_DBE_TOTAL", counter=True),
    _dev(_Q.RETIRED_PAGES_PENDING, "RETIRED_PENDING", COUNT, "PAGE_RETIRED_PENDING", counter=True),
    _dev(
        _Q.REMAPPED_ROWS_UNCORRECTABLE,
        "UNCORRECTABLE_REMAPPED_ROWS",
        COUNT,
        "ROW_REMAP_UNCORRECTABLE_TOTAL",
        counter=True,
    ),
    _dev(
        _Q.REMAPPED_ROWS_CORRECTABLE,
        "CORRECTABLE_REMAPPED_ROWS",
        COUNT,
        "ROW_REMAP_CORRECTABLE_TOTAL",
        counter=True,
    ),
    _dev(_Q.REMAPPED_ROWS_FAILURE, "ROW_REMAP_FAILURE", COUNT, "ROW_REMAP_FAILED"),
    _dev(_Q.REMAPPED_ROWS_PENDING, "ROW_REMAP_PENDING", COUNT, "ROW_REMAP_PENDING"),
    _prof(_Q.ACTIVITY_GRAPHICS_RATIO, "GR_ENGINE_ACTIVE", "GR_ENGINE_UTIL_RATIO"),
    _prof(_Q.ACTIVITY_SM_RATIO, "SM_ACTIVE", "SM_UTIL_RATIO"),
    _prof(_Q.ACTIVITY_SM_OCCUPANCY_RATIO, "SM_OCCUPANCY", "SM_OCCUPANCY_RATIO"),
    _prof(_Q.ACTIVITY_TENSOR_RATIO, "PIPE_TENSOR_ACTIVE", "TENSOR_UTIL_RATIO"),
    _prof(_Q.ACTIVITY_DRAM_RATIO, "DRAM_ACTIVE", "DRAM_UTIL_RATIO"),
)
