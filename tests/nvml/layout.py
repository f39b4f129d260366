"""Knows the bytes of the control file, the twin of control.h; knows nothing of what they mean to a test.

The build turns these classes into static assertions, so a drift between the two fails to compile.
"""

import ctypes
import re
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from pathlib import Path

MAGIC = 0x4C4D564E52545457
GPUS = 16
SEGMENTS = 1024
PROCESSES = 512
MIGS = 8
FAULTS = 64
FIELD_FAULTS = 32
EVENTS = 64
GPM_VALUES = 64
FUNCTIONS = 160
REASON_COUNTERS = 10
NVLINKS = 18
ANY_SCOPE = 0xFFFFFFFF
NOT_AVAILABLE = (1 << 64) - 1  # NVML_VALUE_NOT_AVAILABLE of an unsigned long long

FOLDER = Path(__file__).resolve().parent
FUNCTION_NAMES: tuple[str, ...] = tuple(
    re.findall(r"^WL_FN\((\w+)\)", (FOLDER / "functions.def").read_text(encoding="ascii"), re.MULTILINE)
)
FUNCTION_INDEX = {name: index for index, name in enumerate(FUNCTION_NAMES)}


class Has(IntFlag):
    """What a board supports: WL_HAS_* of control.h."""

    ENERGY = 0x1
    AVERAGE = 0x2
    SCOPE_GPU = 0x4
    SCOPE_MODULE = 0x8
    SCOPE_MEMORY = 0x10
    MEMORY_TEMP = 0x20
    GPM = 0x40
    ECC = 0x80
    MIG = 0x100
    FAN = 0x200
    NVLINK = 0x400
    SMOOTHING = 0x800
    FINE_TEMP = 0x1000
    RETIRED = 0x2000
    REMAPPED = 0x4000
    TLIMIT = 0x8000
    MEMORY_INFO = 0x10000
    LIMITS = 0x20000
    SERIAL = 0x40000
    PCIE_BYTES = 0x80000
    POWER = 0x100000
    MEM_CLOCK = 0x200000


class FaultKind(IntEnum):
    """WL_FAULT_* of control.h."""

    NONE = 0
    RETURN = 1
    HANG = 2
    UNKILLABLE = 3
    SEGV = 4
    ABORT = 5
    POWER_SET = 6
    ENERGY_SET = 7
    ENERGY_ADD = 8


_I32, _I64 = ctypes.c_int32, ctypes.c_int64
_U8, _U32, _U64, _F64, _CHAR = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_double, ctypes.c_char
_Fields = list[tuple[str, type]]


def _of(kind: type, *names: str) -> _Fields:
    return [(name, kind) for name in names]


class Segment(ctypes.Structure):
    """One piece of true power."""

    _fields_ = (
        *_of(_I64, "start_ns", "period_ns", "on_ns", "high_mw", "low_mw"),
        *_of(_U64, "sum_mj", "sum_pj"),
    )


class Step(ctypes.Structure):
    """A held value that changes at since_ns."""

    _fields_ = (*_of(_I64, "since_ns", "before", "after"),)


class Linear(ctypes.Structure):
    """A cumulative counter with a rate."""

    _fields_ = (*_of(_I64, "since_ns"), *_of(_U64, "base", "per_second"))


class Process(ctypes.Structure):
    """One row of the process lists."""

    _fields_ = (
        *_of(_U32, "pid", "kinds", "gpu_instance", "compute_instance"),
        *_of(_U64, "memory_bytes"),
        *_of(_I64, "start_ns"),
        *_of(_U32, "sm", "memory", "encoder", "decoder"),
    )


class Mig(ctypes.Structure):
    """One MIG instance."""

    _fields_ = (
        ("uuid", _CHAR * 96),
        ("profile", _CHAR * 32),
        *_of(_U32, "gpu_instance", "compute_instance", "profile_id", "slices"),
        *_of(_U32, "sm_count", "copy_engines", "decoders", "spare"),
        *_of(_U64, "memory_total", "memory_used"),
    )


class GpmValue(ctypes.Structure):
    """One GPM metric and its integral."""

    _fields_ = (*_of(_I32, "metric", "mig"), *_of(_I64, "since_ns"), *_of(_F64, "value", "sum"))


class FieldFault(ctypes.Structure):
    """A return code for one field."""

    _fields_ = (*_of(_U32, "field", "scope"), *_of(_I32, "code", "spare"))


class Event(ctypes.Structure):
    """One event of a board."""

    _fields_ = (*_of(_U64, "type", "data"), *_of(_U32, "gpu_instance", "compute_instance"))


class Fault(ctypes.Structure):
    """One fault rule."""

    _fields_ = (
        *_of(_U32, "kind"),
        *_of(_I32, "slot", "function", "code"),
        *_of(_I64, "remaining", "hang_ns", "value"),
        ("path", _CHAR * 256),
    )


class Gpu(ctypes.Structure):
    """One board."""

    _fields_ = (
        ("uuid", _CHAR * 96),
        ("name", _CHAR * 96),
        ("serial", _CHAR * 32),
        ("vbios", _CHAR * 32),
        ("part_number", _CHAR * 32),
        ("bus_id", _CHAR * 32),
        ("rtd3_path", _CHAR * 256),
        *_of(_U32, "pci_domain", "pci_bus", "pci_device", "pci_device_id", "pci_subsystem_id", "minor"),
        *_of(_U32, "architecture", "brand", "cc_major", "cc_minor", "cores", "bus_width"),
        *_of(_U32, "virtualization", "supports"),
        *_of(_I64, "update_ns", "window_ns", "average_window_ns", "usage_window_ns"),
        *_of(_I64, "lag_ns", "phase_ns", "jitter_ns"),
        *_of(_I64, "quantum_mw", "noise_mw", "gain_ppm", "offset_mw"),
        *_of(_U64, "seed"),
        *_of(_I64, "tau_ns", "counter_phase_ns", "counter_gain_ppm", "epoch_ns"),
        *_of(_U64, "epoch_mj", "epoch_pj"),
        *_of(_I64, "samples_from_ns", "util_period_ns"),
        *_of(Step, "sm_clock", "mem_clock", "util_gpu", "util_memory"),
        *_of(Step, "util_encoder", "util_decoder", "pstate"),
        *_of(_U32, "max_sm_clock", "max_mem_clock"),
        *_of(_I64, "temperature_mc", "memory_temperature_mc"),
        *_of(_I64, "limit_min_mw", "limit_max_mw", "limit_default_mw", "limit_mw", "smoothing_floor_w"),
        *_of(_U64, "memory_total", "memory_reserved", "memory_used", "bar1_total", "bar1_used", "reasons"),
        *_of(_I32, "reasons_fixed"),
        *_of(_U32, "fan_percent", "pcie_gen", "pcie_width", "pcie_max_gen", "pcie_max_width"),
        *_of(_U32, "nvlinks", "persistence"),
        ("reason_ns", Linear * REASON_COUNTERS),
        *_of(Linear, "pcie_tx", "pcie_rx", "nvlink_tx", "nvlink_rx", "smoothing_ns"),
        *_of(_U64, "pcie_replays", "ecc_corrected", "ecc_uncorrected"),
        *_of(_U32, "remapped_corrected", "remapped_uncorrected", "remapped_pending", "remapped_failed"),
        *_of(_U32, "retired_single", "retired_double", "retired_pending", "nvlinks_down"),
        *_of(_U32, "list_seq", "trace_seq", "segment_count", "process_count", "mig_count", "gpm_count"),
        *_of(_U32, "field_fault_count", "mig_enabled", "mig_generation", "asleep"),
        ("processes", Process * PROCESSES),
        ("migs", Mig * MIGS),
        ("gpm", GpmValue * GPM_VALUES),
        ("field_faults", FieldFault * FIELD_FAULTS),
        ("events", Event * EVENTS),
        *_of(_U64, "event_count"),
        ("calls", _U64 * FUNCTIONS),
        *_of(_U64, "fields_read", "wakes"),
        ("segments", Segment * SEGMENTS),
    )


class Control(ctypes.Structure):
    """The whole file."""

    _fields_ = (
        *_of(_U64, "magic", "size"),
        *_of(_I64, "now_ns", "wall_offset_ns"),
        *_of(_U32, "clock_mode", "driver_state", "gpu_count", "order_count"),
        ("order", _U32 * GPUS),
        ("driver_version", _CHAR * 80),
        ("nvml_version", _CHAR * 80),
        *_of(_I32, "cuda_version"),
        *_of(_U32, "field_limit"),
        *_of(_I32, "unknown_field_code"),
        *_of(_U32, "samples_epoch", "samples_not_found", "samples_fixed_size", "samples_garbage"),
        *_of(_U32, "conf_compute", "noise"),
        *_of(_I64, "race_window_ns"),
        ("removed", _U8 * FUNCTIONS),
        ("latency_us", _U32 * FUNCTIONS),
        *_of(_U32, "fault_count", "event_seq"),
        ("faults", Fault * FAULTS),
        ("calls", _U64 * FUNCTIONS),
        *_of(_U32, "field_race", "peak_concurrency", "fork_misuse", "hanging"),
        ("gpus", Gpu * GPUS),
    )


_C_NAMES: dict[type[ctypes.Structure], str] = {
    Segment: "wl_segment",
    Step: "wl_step",
    Linear: "wl_linear",
    Process: "wl_process",
    Mig: "wl_mig",
    GpmValue: "wl_gpm_value",
    FieldFault: "wl_field_fault",
    Event: "wl_event",
    Fault: "wl_fault",
    Gpu: "wl_gpu",
    Control: "wl_control",
}


def static_assertions() -> Iterator[str]:
    """Yield C lines that fail to compile where control.h and this module differ."""

    def equal(left: str, right: int) -> str:
        return f'_Static_assert(({left}) == {right}, "control.h and layout.py differ: {left}");'

    yield '#include <stddef.h>\n#include "control.h"'
    for structure, name in _C_NAMES.items():
        yield equal(f"sizeof({name})", ctypes.sizeof(structure))
        for member, *_ in structure._fields_:
            yield equal(f"offsetof({name}, {member})", getattr(structure, member).offset)
    for flag in Has:
        yield equal(f"WL_HAS_{flag.name}", flag.value)
    for kind in FaultKind:
        yield equal(f"WL_FAULT_{kind.name}", kind.value)
