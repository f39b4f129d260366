"""An estimate of what each MIG GPU instance draws of its board; a model, as no instance has power of its own."""

import re
from collections.abc import Iterable, Mapping, Sequence

from wattledger.rules.apportion import apportion
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import MigInstance

from .workload import UNATTRIBUTED, Allocation, Holder, Holding, Workload

Claimants = list[tuple[Workload, str]]
"""Workloads and the services they run there."""

# "3g.40gb", "1g.10gb+me", and "1c.3g.40gb" for a compute instance of a GPU instance of three slices.
_SLICES = re.compile(r"(\d+)g\.")
# GPM tells these for each GPU instance, as a ratio of its own SMs.
_ACTIVITY = (Quantity.ACTIVITY_SM_RATIO, Quantity.ACTIVITY_GRAPHICS_RATIO)
_MILLION = 1_000_000


def is_cut(holding: Holding, instances: Sequence[MigInstance]) -> bool:
    """Tell whether the device is used by the instance. One that is only given away as a whole need not be cut up."""
    return (
        (bool(instances) and bool(holding.holders))
        or any(holder.gpu_instance is not None for holder in holding.holders)
        or any(allocation.gpu_instance is not None for allocation in holding.allocations)
    )


def instance_parts(
    energy_mj: int,
    idle_mj: int,
    *,
    holders: Sequence[Holder],
    allocations: Sequence[Allocation],
    instances: Sequence[MigInstance],
) -> list[tuple[Workload, str, int]]:
    """Split the energy of a board that is cut; *idle_mj* is the part of it that needs no work.

    The idle part goes by the size of the instances, the rest by size times activity; where no activity is known or
    there was none, by the size of the instances that are held, else of all. What is not cut off the board has no
    part: how large it is is not known, and the instances are the reason why the board is on. Several holders of one
    instance share it equally, as no use of SMs is told for the processes of an instance.
    """
    known = _by_number(instances)
    named = {holder.gpu_instance for holder in holders} | {allocation.gpu_instance for allocation in allocations}
    numbers = sorted(known.keys() | {number for number in named if number is not None})
    sizes = _sizes(numbers, known)
    claimants, held = _claimants(numbers, holders, allocations)
    works = [
        size * max((_activity_ppm(one) for one in known.get(number, ())), default=0)
        for number, size in zip(numbers, sizes, strict=True)
    ]
    if not any(works):
        works = [size if number in held else 0 for number, size in zip(numbers, sizes, strict=True)]
    if not any(works):
        works = sizes
    # idle * size / all sizes + rest * work / all work, over a common denominator, so that it is rounded once.
    whole, worked, rest_mj = sum(sizes), sum(works), energy_mj - idle_mj
    weights = [idle_mj * size * worked + rest_mj * work * whole for size, work in zip(sizes, works, strict=True)]
    found: list[tuple[Workload, str, int]] = []
    for number, part_mj in zip(numbers, apportion(energy_mj, weights), strict=True):
        its = claimants[number]
        shares_mj = apportion(part_mj, [1] * len(its)) if len(its) > 1 else (part_mj,)
        found += [(workload, service, share_mj) for (workload, service), share_mj in zip(its, shares_mj, strict=True)]
    return found


def _claimants(
    numbers: list[int], holders: Sequence[Holder], allocations: Sequence[Allocation]
) -> tuple[dict[int, Claimants], set[int]]:
    """Tell to whom each instance goes, and which are held: to its holders, else its owners, else the board's.

    Holders that are not known to be on any instance are taken to be on those that are given to their workload, else
    on those that nobody has, else on all, beside those who have them.
    """
    held: dict[int, Claimants] = {number: [] for number in numbers}
    given: dict[int, Claimants] = {number: [] for number in numbers}
    board: Claimants = []
    for allocation in allocations:
        where = board if allocation.gpu_instance is None else given[allocation.gpu_instance]
        where.append((allocation.workload, ""))
    lost: Claimants = []
    for holder in holders:
        claimant = (holder.workload, holder.service)
        places = [holder.gpu_instance] if holder.gpu_instance is not None else _given_to(holder.workload, given)
        for number in places:
            held[number].append(claimant)
        if not places:
            lost.append(claimant)
    free = [number for number in numbers if not held[number] and not given[number]]
    if lost:
        for number in free or numbers:
            held[number] = (held[number] or given[number]) + lost
    claimants = {
        number: _distinct(held[number] or given[number] or board or [(UNATTRIBUTED, "")]) for number in numbers
    }
    return claimants, {number for number in numbers if held[number]}


def _given_to(workload: Workload, given: Mapping[int, Claimants]) -> list[int]:
    return [number for number, claimants in given.items() if any(owner.key == workload.key for owner, _ in claimants)]


def _distinct(claimants: Claimants) -> Claimants:
    return list({(workload.key, service): (workload, service) for workload, service in claimants}.values())


def _by_number(instances: Iterable[MigInstance]) -> dict[int, list[MigInstance]]:
    """Group compute instances by their GPU instance, which owns the SMs and the memory."""
    found: dict[int, list[MigInstance]] = {}
    for instance in instances:
        found.setdefault(instance.gpu_instance, []).append(instance)
    return found


def _sizes(numbers: list[int], known: Mapping[int, list[MigInstance]]) -> list[int]:
    """Give the sizes in one unit that is known of all: compute slices, else bytes of memory, else one each."""
    for measure in (_slices, _memory_bytes):
        sizes = [max(map(measure, known.get(number, ())), default=0) for number in numbers]
        if all(sizes):
            return sizes
    return [1] * len(numbers)


def _slices(instance: MigInstance) -> int:
    found = _SLICES.search(instance.profile)
    return int(found[1]) if found else 0


def _memory_bytes(instance: MigInstance) -> int:
    return max(0, int(instance.values.get(Quantity.MEMORY_TOTAL_BYTES, 0)))


def _activity_ppm(instance: MigInstance) -> int:
    """Give the activity in millionths; 0 where it is not told, as of an instance at rest."""
    ratio = next((instance.values[quantity] for quantity in _ACTIVITY if quantity in instance.values), 0)
    return max(0, round(ratio * _MILLION))
