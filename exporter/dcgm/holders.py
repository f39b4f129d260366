"""Which pod and which Slurm job have a device or an instance of it now: as the labels that dcgm-exporter has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wattledger.exporter.render import storable
from wattledger.rules.usage.workload import WorkloadKind

if TYPE_CHECKING:
    from wattledger.rules.usage.workload import Allocation, Holder, Holding, Workload

Pairs = tuple[tuple[str, str], ...]

_POD_LABELS = ("container", "namespace", "pod")  # in the order of dcgm-exporter, which sorts them


def holder_labels(holding: Holding, gpu_instance: int | None = None) -> Pairs:
    """Give the further labels of a device, or of one GPU instance of it: of its pod and of its job, where it has one.

    One that several pods share has none: dcgm-exporter names one of them, or repeats the whole device for each, and
    then its watts and joules count several times. `wattledger_workload_*` has the part of each.
    """
    found = list(_workloads(holding, gpu_instance))
    pods = {_pod(workload) for workload in found if workload.kind is WorkloadKind.POD}
    jobs: set[Pairs] = {
        (("hpc_job", dict(workload.names).get("job", workload.title)),)
        for workload in found
        if workload.kind is WorkloadKind.SLURM
    }
    if len(pods) > 1:  # a pod may have several containers: then none of them is named
        pods = {tuple(pair for pair in pairs if pair[0] != "container") for pairs in pods}
    return tuple((name, storable(text)) for pairs in (_only(pods), _only(jobs)) for name, text in pairs)


def _workloads(holding: Holding, gpu_instance: int | None) -> Iterator[Workload]:
    everyone: tuple[Holder | Allocation, ...] = (*holding.holders, *holding.allocations)
    for one in everyone:
        if one.gpu_instance == gpu_instance:
            yield one.workload


def _pod(workload: Workload) -> Pairs:
    names = dict(workload.names)
    return tuple((name, names[name]) for name in _POD_LABELS if name in names)


def _only(found: set[Pairs]) -> Pairs:
    return next(iter(found)) if len(found) == 1 else ()
