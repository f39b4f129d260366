"""Families of the device's own sensors: utilisation, clocks, temperatures, memory, and why clocks are held down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Quantity

from .family import Row
from .rows import carried, device, measured

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import DeviceView

# Bits of nvmlClocksEventReason* in nvml.h, in bit order.
CLOCK_EVENTS = (
    "gpu_idle",
    "applications_clocks_setting",
    "sw_power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "display_clock_setting",
    "board_limit",
    "reliability",
)
_CLOCK_EVENT_BITS = tuple(((name,), bit) for bit, name in enumerate(CLOCK_EVENTS))


def _clock_events(view: DeviceView) -> Iterator[Row]:
    mask = view.reading.integer(Quantity.CLOCK_EVENT_REASONS)
    if mask is None:
        return
    for extra, bit in _CLOCK_EVENT_BITS:
        yield extra, mask >> bit & 1
    yield ("other",), int(mask >> len(CLOCK_EVENTS) != 0)


FAMILIES = (
    measured(
        "wattledger_gpu_utilization_ratio",
        "Share of the last sample period (1/6 s to 1 s) in which a kernel ran. One small kernel gives 1; "
        "see the activity families for how much of the device worked. Not offered in MIG mode.",
        Quantity.UTILIZATION_GPU_RATIO,
    ),
    measured(
        "wattledger_gpu_memory_utilization_ratio",
        "Share of the last sample period in which device memory was read or written. Not its fill level.",
        Quantity.UTILIZATION_MEMORY_RATIO,
    ),
    measured(
        "wattledger_gpu_encoder_utilization_ratio",
        "Utilisation of the video encoder.",
        Quantity.UTILIZATION_ENCODER_RATIO,
    ),
    measured(
        "wattledger_gpu_decoder_utilization_ratio",
        "Utilisation of the video decoder.",
        Quantity.UTILIZATION_DECODER_RATIO,
    ),
    measured(
        "wattledger_gpu_graphics_activity_ratio",
        "Share of time in which any compute or graphics engine was active (GPM, Hopper and newer).",
        Quantity.ACTIVITY_GRAPHICS_RATIO,
    ),
    measured(
        "wattledger_gpu_sm_activity_ratio",
        "Share of time in which an SM had work, mean over all SMs (GPM, Hopper and newer).",
        Quantity.ACTIVITY_SM_RATIO,
    ),
    measured(
        "wattledger_gpu_sm_occupancy_ratio",
        "Resident warps over the possible ones, mean over all SMs (GPM, Hopper and newer).",
        Quantity.ACTIVITY_SM_OCCUPANCY_RATIO,
    ),
    measured(
        "wattledger_gpu_tensor_activity_ratio",
        "Share of cycles in which the tensor cores were active (GPM, Hopper and newer).",
        Quantity.ACTIVITY_TENSOR_RATIO,
    ),
    measured(
        "wattledger_gpu_dram_activity_ratio",
        "Used share of the bandwidth of device memory (GPM, Hopper and newer).",
        Quantity.ACTIVITY_DRAM_RATIO,
    ),
    measured(
        "wattledger_gpu_clock_hertz",
        "Present clock by domain.",
        {
            "graphics": Quantity.CLOCK_GRAPHICS_HZ,
            "sm": Quantity.CLOCK_SM_HZ,
            "memory": Quantity.CLOCK_MEMORY_HZ,
            "video": Quantity.CLOCK_VIDEO_HZ,
        },
        label="domain",
    ),
    measured(
        "wattledger_gpu_clock_max_hertz",
        "Highest clock by domain.",
        {
            "graphics": Quantity.CLOCK_MAX_GRAPHICS_HZ,
            "sm": Quantity.CLOCK_MAX_SM_HZ,
            "memory": Quantity.CLOCK_MAX_MEMORY_HZ,
            "video": Quantity.CLOCK_MAX_VIDEO_HZ,
        },
        label="domain",
    ),
    replace(
        device(
            "wattledger_gpu_clock_event_active",
            "Whether a reason holds the clocks down now (1) or not (0); several may. other: a reason this version "
            "does not know.",
            _clock_events,
            labels=("reason",),
        ),
        quantities=(Quantity.CLOCK_EVENT_REASONS,),
    ),
    carried(
        "wattledger_gpu_throttle_seconds_total",
        "Time in which the clocks were held down, by reason. Reasons overlap: they do not sum to a whole.",
        {
            "power_cap": Quantity.THROTTLE_POWER_CAP_NS,
            "sw_thermal": Quantity.THROTTLE_SW_THERMAL_NS,
            "hw_thermal": Quantity.THROTTLE_HW_THERMAL_NS,
            "power_brake": Quantity.THROTTLE_POWER_BRAKE_NS,
            "sync_boost": Quantity.THROTTLE_SYNC_BOOST_NS,
            "board_limit": Quantity.THROTTLE_BOARD_LIMIT_NS,
            "reliability": Quantity.THROTTLE_RELIABILITY_NS,
        },
        label="reason",
        scale=NS_PER_SECOND,
    ),
    measured(
        "wattledger_gpu_performance_state",
        "Performance state: 0 is P0, the fastest. No sign of work: an idle datacentre board may stay in P0.",
        Quantity.PERFORMANCE_STATE,
    ),
    measured(
        "wattledger_gpu_temperature_celsius",
        "Temperature by sensor.",
        {"gpu": Quantity.TEMPERATURE_GPU_CELSIUS, "memory": Quantity.TEMPERATURE_MEMORY_CELSIUS},
        label="sensor",
    ),
    measured(
        "wattledger_gpu_temperature_limit_celsius",
        "Temperature at which the device slows down or shuts down, and the highest it works at (gpu, memory).",
        {
            "shutdown": Quantity.TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS,
            "slowdown": Quantity.TEMPERATURE_LIMIT_SLOWDOWN_CELSIUS,
            "memory": Quantity.TEMPERATURE_LIMIT_MEMORY_CELSIUS,
            "gpu": Quantity.TEMPERATURE_LIMIT_GPU_CELSIUS,
        },
        label="limit",
    ),
    measured(
        "wattledger_gpu_fan_speed_ratio",
        "Intended fan speed over its maximum; may be above 1. Absent on boards cooled by the chassis.",
        Quantity.FAN_SPEED_RATIO,
    ),
    measured("wattledger_gpu_memory_size_bytes", "Device memory, all of it.", Quantity.MEMORY_TOTAL_BYTES),
    measured("wattledger_gpu_memory_used_bytes", "Device memory held by processes.", Quantity.MEMORY_USED_BYTES),
    measured("wattledger_gpu_memory_free_bytes", "Device memory held by nobody.", Quantity.MEMORY_FREE_BYTES),
    measured(
        "wattledger_gpu_memory_reserved_bytes",
        "Device memory that driver and firmware keep for themselves.",
        Quantity.MEMORY_RESERVED_BYTES,
    ),
    measured(
        "wattledger_gpu_processes",
        "Processes that hold a context on the device, by the driver's lists.",
        Quantity.PROCESSES,
    ),
    measured(
        "wattledger_gpu_uptime_seconds",
        "Time since the GPU was initialised; falls at a reboot, driver reload or GPU reset.",
        Quantity.UPTIME_SECONDS,
    ),
)
