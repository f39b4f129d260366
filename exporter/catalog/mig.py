"""Families of MIG instances; they have no power or energy of their own, so there is none here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wattledger.rules.quantity import Quantity

from .family import Row
from .rows import instance, measured, measured_instance

if TYPE_CHECKING:
    from wattledger.rules.reading import MigInstance


def _absent(mig: MigInstance) -> Iterator[Row]:
    for quantity, gap in mig.gaps.items():
        yield (quantity, gap), 1


FAMILIES = (
    measured("wattledger_gpu_mig_mode", "Whether MIG is enabled (1) or not (0).", Quantity.MIG_MODE),
    instance(
        "wattledger_mig_info",
        "A MIG compute instance and its profile, always 1.",
        lambda mig: (((mig.profile,), 1),),
        labels=("profile",),
    ),
    measured_instance(
        "wattledger_mig_memory_size_bytes", "Memory of the instance, all of it.", Quantity.MEMORY_TOTAL_BYTES
    ),
    measured_instance(
        "wattledger_mig_memory_used_bytes", "Memory of the instance held by processes.", Quantity.MEMORY_USED_BYTES
    ),
    measured_instance(
        "wattledger_mig_memory_free_bytes", "Memory of the instance held by nobody.", Quantity.MEMORY_FREE_BYTES
    ),
    measured_instance(
        "wattledger_mig_memory_reserved_bytes",
        "Memory of the instance that driver and firmware keep for themselves.",
        Quantity.MEMORY_RESERVED_BYTES,
    ),
    measured_instance(
        "wattledger_mig_graphics_activity_ratio",
        "Share of time in which any compute or graphics engine of the instance was active (GPM).",
        Quantity.ACTIVITY_GRAPHICS_RATIO,
    ),
    measured_instance(
        "wattledger_mig_sm_activity_ratio",
        "Share of time in which an SM of the instance had work, mean over its SMs (GPM).",
        Quantity.ACTIVITY_SM_RATIO,
    ),
    measured_instance(
        "wattledger_mig_sm_occupancy_ratio",
        "Resident warps over the possible ones, mean over the SMs of the instance (GPM).",
        Quantity.ACTIVITY_SM_OCCUPANCY_RATIO,
    ),
    measured_instance(
        "wattledger_mig_tensor_activity_ratio",
        "Share of cycles in which the tensor cores of the instance were active (GPM).",
        Quantity.ACTIVITY_TENSOR_RATIO,
    ),
    measured_instance(
        "wattledger_mig_dram_activity_ratio",
        "Used share of the memory bandwidth of the instance (GPM).",
        Quantity.ACTIVITY_DRAM_RATIO,
    ),
    instance(
        "wattledger_mig_absent_info",
        "A value of the instance that could not be read and why, always 1.",
        _absent,
        labels=("value", "reason"),
    ),
)
