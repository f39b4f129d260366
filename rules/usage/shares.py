"""How one booked interval of a device is shared among those who have to do with it; who they are is told to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from wattledger.rules.account import Entry
from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import MigInstance
from wattledger.rules.state import IDLE_STATES, State

from .instances import instance_parts, is_cut
from .workload import UNATTRIBUTED, Allocation, Holder, Holding, Part, ShareMethod, Workload, WorkloadKey

Claim = tuple[Workload, str, ShareMethod, int]
"""Whose it is, for which service, by which method, and how many millijoules."""


@dataclass(frozen=True, slots=True)
class ShareSignals:
    """What is known of a device besides its holders.

    `idle_mw` is what it draws with contexts and no work, corrected: the context baseline, else the bare one; None
    where neither is known.
    """

    idle_mw: int | None
    instances: tuple[MigInstance, ...] = ()


def split(entry: Entry, holding: Holding, signals: ShareSignals) -> tuple[Part, ...]:
    """Share *entry* out. The parts sum to it exactly, and the order of holders and allocations does not matter.

    Time in which nobody looked is nobody's, and no service's. A part tells how it was determined: services of one
    workload that has the device to itself are shared among like any holders, by SM use or equally.
    """
    if entry.state is State.UNOBSERVED:
        return _parts(entry, [_remainder(entry)], "")
    return _parts(entry, _claims(entry, holding, signals), holding.service)


def holders_method(holding: Holding, signals: ShareSignals) -> ShareMethod:
    """Give how the workloads that hold a device, of which there is at least one, are told apart."""
    if is_cut(holding, signals.instances):
        return ShareMethod.ESTIMATED
    if len({holder.workload.key for holder in holding.holders}) == 1:
        return ShareMethod.EXCLUSIVE
    return _signal_method(holding.holders)


def _claims(entry: Entry, holding: Holding, signals: ShareSignals) -> list[Claim]:
    holders = sorted(holding.holders, key=_order_of_holders) if len(holding.holders) > 1 else holding.holders
    if is_cut(holding, signals.instances):
        idle_mj = _idle_mj(entry, signals.idle_mw)
        allocations = sorted(holding.allocations, key=_order_of_allocations)
        shares = instance_parts(
            entry.energy_mj, idle_mj, holders=holders, allocations=allocations, instances=signals.instances
        )
        return [(workload, service, ShareMethod.ESTIMATED, energy) for workload, service, energy in shares]
    if len(holders) == 1:
        return [(holders[0].workload, holders[0].service, ShareMethod.EXCLUSIVE, entry.energy_mj)]
    if holders:
        return _by_use(entry, holders, signals.idle_mw)
    if holding.allocations:
        return _by_allocation(entry, holding.allocations)
    return [_remainder(entry)]


def _remainder(entry: Entry) -> Claim:
    return UNATTRIBUTED, "", ShareMethod.REMAINDER, entry.energy_mj


def _by_allocation(entry: Entry, allocations: Sequence[Allocation]) -> list[Claim]:
    """Split equally among those the device is given to, whatever it did: nobody is seen to hold it."""
    owners = _distinct([allocation.workload for allocation in sorted(allocations, key=_order_of_allocations)])
    energies = apportion(entry.energy_mj, [1] * len(owners))
    return [(owner, "", ShareMethod.ALLOCATED, energy_mj) for owner, energy_mj in zip(owners, energies, strict=True)]


def _by_use(entry: Entry, holders: Sequence[Holder], idle_mw: int | None) -> list[Claim]:
    """Split the idle part equally, the rest by SM use, or equally too where none of it is known or was made.

    A holder whose use is not known beside others whose use is counts as unused: the driver lists only users.
    """
    method = _signal_method(holders)
    uses = [holder.sm_ppm or 0 for holder in holders]
    used = sum(uses)
    if used:
        idle_mj = _idle_mj(entry, idle_mw)
        # idle / n + rest * use / used, over a common denominator, so that it is rounded once.
        rest = (entry.energy_mj - idle_mj) * len(uses)
        weights = [idle_mj * used + rest * use for use in uses]
    else:
        weights = [1] * len(uses)
    energies = apportion(entry.energy_mj, weights)
    return [
        (holder.workload, holder.service, method, energy_mj)
        for holder, energy_mj in zip(holders, energies, strict=True)
    ]


def _signal_method(holders: Sequence[Holder]) -> ShareMethod:
    known = any(holder.sm_ppm is not None for holder in holders)
    return ShareMethod.SM_SHARE if known else ShareMethod.EQUAL


def _idle_mj(entry: Entry, idle_mw: int | None) -> int:
    """Give the part that would have been drawn without any work.

    Where the idle draw is not known, all of it in a state without work and none of it otherwise: what runs is then
    charged with the idle draw too, in proportion, rather than with a floor that was made up.
    """
    if idle_mw is None:
        return entry.energy_mj if entry.state in IDLE_STATES else 0
    return min(entry.energy_mj, idle_mw * entry.duration_ns // NS_PER_SECOND)


def _parts(entry: Entry, claims: list[Claim], service: str) -> tuple[Part, ...]:
    """Make one part of all that goes to one workload for one service by one method; *service* overrides theirs."""
    merged: dict[tuple[WorkloadKey, str, ShareMethod], tuple[Workload, int]] = {}
    for workload, its_service, method, energy_mj in claims:
        key = (workload.key, service or its_service, method)
        known, sum_mj = merged.get(key, (workload, 0))
        merged[key] = (known, sum_mj + energy_mj)
    # By energy, so that the part above the baseline never exceeds the energy it is part of.
    energies = [energy_mj for _, energy_mj in merged.values()]
    avoidables = apportion(entry.avoidable_mj, energies) if entry.avoidable_mj else [0] * len(energies)
    return tuple(
        Part(
            uuid=entry.uuid,
            workload=workload,
            state=entry.state,
            method=method,
            start=entry.start,
            end=entry.end,
            energy_mj=energy_mj,
            avoidable_mj=avoidable_mj,
            service=its_service,
        )
        for ((_, its_service, method), (workload, energy_mj)), avoidable_mj in zip(
            merged.items(), avoidables, strict=True
        )
    )


def _distinct(workloads: list[Workload]) -> list[Workload]:
    return list({workload.key: workload for workload in workloads}.values())


def _order_of_holders(holder: Holder) -> tuple[object, ...]:
    """Order by identity: parts of a millijoule go to the earlier, whatever order the processes were found in."""
    workload, instance = holder.workload, holder.gpu_instance
    return (*workload.key, holder.service, -1 if instance is None else instance, workload.title, workload.names)


def _order_of_allocations(allocation: Allocation) -> tuple[object, ...]:
    workload, instance = allocation.workload, allocation.gpu_instance
    return (*workload.key, -1 if instance is None else instance, workload.title, workload.names)
