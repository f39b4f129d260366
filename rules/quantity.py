"""The closed list of what can be read from a GPU, with the unit in each name, and why a value may be missing."""

from enum import StrEnum


class Gap(StrEnum):
    """Why a value is missing. Exported as a label, so the set is closed."""

    UNSUPPORTED = "unsupported"  # the device, driver or mode does not offer it
    NO_PERMISSION = "no_permission"
    LOST = "lost"  # the device fell off the bus or needs a reset
    TIMEOUT = "timeout"  # the driver did not answer in time
    FAILED = "failed"  # any other error, and answers that cannot be true
    ASLEEP = "asleep"  # at rest, and left so: reading would wake it (device in D3, profiling counters in deep idle)
    RELEASED = "released"  # let go of on request, for maintenance of the driver
    NO_DRIVER = "no_driver"  # driver absent, not loaded, or of another version than its library


class Quantity(StrEnum):
    """One readable value of a device or MIG instance. Integers unless the name ends in ratio or celsius."""

    POWER_AVERAGE_MW = "power_average_mw"  # mean over one second
    POWER_INSTANT_MW = "power_instant_mw"
    POWER_LIMIT_MIN_MW = "power_limit_min_mw"
    POWER_LIMIT_MAX_MW = "power_limit_max_mw"
    POWER_LIMIT_DEFAULT_MW = "power_limit_default_mw"
    POWER_LIMIT_ENFORCED_MW = "power_limit_enforced_mw"
    POWER_LIMIT_REQUESTED_MW = "power_limit_requested_mw"
    POWER_FLOOR_MW = "power_floor_mw"  # applied power-smoothing floor; 0 when smoothing is off
    ENERGY_MJ = "energy_mj"  # hardware counter since driver load
    # Since GPU initialisation: the epoch of the hardware counters. Read seldom, so a source carries it on to `at`,
    # and reads it again in the very tick in which the energy counter is lower than before.
    UPTIME_SECONDS = "uptime_seconds"

    UTILIZATION_GPU_RATIO = "utilization_gpu_ratio"
    UTILIZATION_MEMORY_RATIO = "utilization_memory_ratio"
    UTILIZATION_ENCODER_RATIO = "utilization_encoder_ratio"
    UTILIZATION_DECODER_RATIO = "utilization_decoder_ratio"
    ACTIVITY_GRAPHICS_RATIO = "activity_graphics_ratio"  # the activity_* values come from GPM
    ACTIVITY_SM_RATIO = "activity_sm_ratio"
    ACTIVITY_SM_OCCUPANCY_RATIO = "activity_sm_occupancy_ratio"
    ACTIVITY_TENSOR_RATIO = "activity_tensor_ratio"
    ACTIVITY_DRAM_RATIO = "activity_dram_ratio"

    CLOCK_GRAPHICS_HZ = "clock_graphics_hz"
    CLOCK_SM_HZ = "clock_sm_hz"
    CLOCK_MEMORY_HZ = "clock_memory_hz"
    CLOCK_VIDEO_HZ = "clock_video_hz"
    CLOCK_MAX_GRAPHICS_HZ = "clock_max_graphics_hz"
    CLOCK_MAX_SM_HZ = "clock_max_sm_hz"
    CLOCK_MAX_MEMORY_HZ = "clock_max_memory_hz"
    CLOCK_MAX_VIDEO_HZ = "clock_max_video_hz"
    CLOCK_EVENT_REASONS = "clock_event_reasons"  # bit mask, nvml.h nvmlClocksEventReason*
    PERFORMANCE_STATE = "performance_state"  # 0 is P0

    TEMPERATURE_GPU_CELSIUS = "temperature_gpu_celsius"
    TEMPERATURE_MEMORY_CELSIUS = "temperature_memory_celsius"
    TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS = "temperature_limit_shutdown_celsius"
    TEMPERATURE_LIMIT_SLOWDOWN_CELSIUS = "temperature_limit_slowdown_celsius"
    TEMPERATURE_LIMIT_MEMORY_CELSIUS = "temperature_limit_memory_celsius"
    TEMPERATURE_LIMIT_GPU_CELSIUS = "temperature_limit_gpu_celsius"
    FAN_SPEED_RATIO = "fan_speed_ratio"

    MEMORY_TOTAL_BYTES = "memory_total_bytes"
    MEMORY_USED_BYTES = "memory_used_bytes"
    MEMORY_FREE_BYTES = "memory_free_bytes"
    MEMORY_RESERVED_BYTES = "memory_reserved_bytes"

    THROTTLE_POWER_CAP_NS = "throttle_power_cap_ns"  # throttle_* are hardware counters
    THROTTLE_SW_THERMAL_NS = "throttle_sw_thermal_ns"
    THROTTLE_HW_THERMAL_NS = "throttle_hw_thermal_ns"
    THROTTLE_POWER_BRAKE_NS = "throttle_power_brake_ns"
    THROTTLE_SYNC_BOOST_NS = "throttle_sync_boost_ns"
    THROTTLE_BOARD_LIMIT_NS = "throttle_board_limit_ns"
    THROTTLE_RELIABILITY_NS = "throttle_reliability_ns"

    PCIE_TRANSMIT_BYTES = "pcie_transmit_bytes"  # hardware counters
    PCIE_RECEIVE_BYTES = "pcie_receive_bytes"
    PCIE_REPLAYS = "pcie_replays"
    PCIE_LINK_GENERATION = "pcie_link_generation"
    PCIE_LINK_WIDTH = "pcie_link_width"
    NVLINK_TRANSMIT_BYTES = "nvlink_transmit_bytes"
    NVLINK_RECEIVE_BYTES = "nvlink_receive_bytes"
    NVLINK_LINKS = "nvlink_links"  # links the board has, up or not
    NVLINK_LINKS_ACTIVE = "nvlink_links_active"

    ECC_CORRECTED_VOLATILE = "ecc_corrected_volatile"  # since driver load
    ECC_UNCORRECTED_VOLATILE = "ecc_uncorrected_volatile"
    ECC_CORRECTED_AGGREGATE = "ecc_corrected_aggregate"  # life of the board
    ECC_UNCORRECTED_AGGREGATE = "ecc_uncorrected_aggregate"
    REMAPPED_ROWS_CORRECTABLE = "remapped_rows_correctable"
    REMAPPED_ROWS_UNCORRECTABLE = "remapped_rows_uncorrectable"
    REMAPPED_ROWS_PENDING = "remapped_rows_pending"
    REMAPPED_ROWS_FAILURE = "remapped_rows_failure"
    RETIRED_PAGES_SINGLE_BIT = "retired_pages_single_bit"
    RETIRED_PAGES_DOUBLE_BIT = "retired_pages_double_bit"
    RETIRED_PAGES_PENDING = "retired_pages_pending"

    PROCESSES = "processes"  # length of the process list; its Gap is that of the list
    MIG_MODE = "mig_mode"  # 1 when enabled


# Hardware counters of the device: they restart with the driver, the page carries them on.
COUNTERS = frozenset(
    {
        Quantity.THROTTLE_POWER_CAP_NS,
        Quantity.THROTTLE_SW_THERMAL_NS,
        Quantity.THROTTLE_HW_THERMAL_NS,
        Quantity.THROTTLE_POWER_BRAKE_NS,
        Quantity.THROTTLE_SYNC_BOOST_NS,
        Quantity.THROTTLE_BOARD_LIMIT_NS,
        Quantity.THROTTLE_RELIABILITY_NS,
        Quantity.PCIE_TRANSMIT_BYTES,
        Quantity.PCIE_RECEIVE_BYTES,
        Quantity.PCIE_REPLAYS,
        Quantity.NVLINK_TRANSMIT_BYTES,
        Quantity.NVLINK_RECEIVE_BYTES,
        Quantity.ECC_CORRECTED_VOLATILE,
        Quantity.ECC_UNCORRECTED_VOLATILE,
        Quantity.ECC_CORRECTED_AGGREGATE,
        Quantity.ECC_UNCORRECTED_AGGREGATE,
    }
)
