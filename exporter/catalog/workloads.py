"""Families of workloads: what each used of each device, and how well that could be found out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wattledger.rules.state import State

from .family import Row
from .rows import host, host_value, workload
from .units import joules, seconds

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import Snapshot
    from wattledger.exporter.usage import UsageView

_SPLIT = ("state", "method")


def _energy(view: UsageView) -> Iterator[Row]:
    for total in view.totals:
        yield (total.state, total.method), joules(total.energy_mj)


def _avoidable(view: UsageView) -> Iterator[Row]:
    held = [total for total in view.totals if total.state is State.HELD]
    if held:
        yield (), joules(sum(total.avoidable_mj for total in held))


def _seconds(view: UsageView) -> Iterator[Row]:
    for total in view.totals:
        yield (total.state, total.method), seconds(total.duration_ns)


def _are_listed(snapshot: Snapshot) -> bool:
    """Tell whether processes are looked at, and devices say now which there are."""
    return snapshot.usage.limit is not None and snapshot.source.success


def _unresolved(snapshot: Snapshot) -> Iterator[Row]:
    if _are_listed(snapshot):
        for reason, number in snapshot.usage.unresolved:
            yield (reason,), number


FAMILIES = (
    workload(
        "wattledger_workload_energy_joules_total",
        "Energy of a device by who used it, by the state of the device and by how the part was determined: exclusive "
        "(nobody else held it), sm_share (measured use of the SMs; the idle part equally), estimated (MIG: size and "
        "activity of instances), equal (several holders, nothing tells them apart), allocated (given to it and "
        'unused), remainder. kind="unattributed" is what belongs to nobody, kind="folded" what workloads beyond the '
        "limit used together. Each joule of a device is in exactly one of them. The label job is that of Slurm; "
        "Prometheus shows it as exported_job unless it scrapes with honor_labels.",
        _energy,
        labels=_SPLIT,
    ),
    workload(
        "wattledger_workload_seconds_total",
        "Time for which a workload had to do with the device, by the state of the device. Workloads that share a "
        "device have the same seconds.",
        _seconds,
        labels=_SPLIT,
    ),
    workload(
        "wattledger_workload_avoidable_energy_joules_total",
        "The workload's part of the energy above the bare baseline while processes held the device and did no work.",
        _avoidable,
    ),
    host_value(
        "wattledger_workloads",
        "Workloads that have series of their own.",
        lambda snapshot: None if snapshot.usage.limit is None else snapshot.usage.shown,
    ),
    host_value(
        "wattledger_workloads_folded",
        'Workloads beyond the limit, which share kind="folded".',
        lambda snapshot: None if snapshot.usage.limit is None else snapshot.usage.folded,
    ),
    host_value(
        "wattledger_workloads_limit",
        "Workloads that may have series of their own (workloads.limit).",
        lambda snapshot: snapshot.usage.limit,
    ),
    host_value(
        "wattledger_gpu_holding_processes",
        "Processes that hold a context on a device of this host.",
        lambda snapshot: snapshot.usage.processes if _are_listed(snapshot) else None,
    ),
    host(
        "wattledger_gpu_holding_processes_unresolved",
        "Processes that hold a device and whose workload is not known, by reason. Their energy goes to the only "
        "workload that the device was given to, or is unattributed.",
        _unresolved,
        labels=("reason",),
    ),
)
