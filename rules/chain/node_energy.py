"""What the whole node took in a stretch of time: by its best meter, by an estimate that says so, or not claimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_SECOND

from .node_model import DRAM, NODE, PACKAGE, PSYS, MeteredAt, NodeInterval, NodeKey, NodeSource

# The best first. Where a psys meter sits depends on the board; it is taken to sit behind the power supplies.
WHOLE_METERS: tuple[tuple[NodeKey, MeteredAt], ...] = (
    ((NODE, NodeSource.REDFISH), MeteredAt.SUPPLY_INPUT),
    ((NODE, NodeSource.IPMI), MeteredAt.SUPPLY_INPUT),
    ((NODE, NodeSource.HWMON), MeteredAt.SUPPLY_INPUT),
    ((PSYS, NodeSource.RAPL), MeteredAt.SUPPLY_OUTPUT),
)
# Of the parts of a node, who is believed first.
_PART_SOURCES = (NodeSource.RAPL, NodeSource.HWMON)
# A meter that was silent for more than a tenth of the stretch does not speak for it.
LEAST_COVERAGE_PERMILLE = 900
# And parts are held against it only where it was hardly silent at all.
WHOLE_COVERAGE_PERMILLE = 990


class NodeBasis(StrEnum):
    """How the energy of a node is known."""

    METERED = "metered"
    ESTIMATED = "estimated"  # GPUs, and a configured power for all else
    PARTIAL = "partial"  # parts of it alone: no energy is claimed for the whole


@dataclass(frozen=True, slots=True)
class DomainEnergy:
    """What one meter counted within a stretch, and how much of the time it covers."""

    energy_mj: int = 0
    covered_ns: int = 0

    def __add__(self, other: "DomainEnergy") -> "DomainEnergy":
        """Give the sum, term by term."""
        return DomainEnergy(self.energy_mj + other.energy_mj, self.covered_ns + other.covered_ns)

    def __sub__(self, other: "DomainEnergy") -> "DomainEnergy":
        """Give the difference, term by term."""
        return DomainEnergy(self.energy_mj - other.energy_mj, self.covered_ns - other.covered_ns)

    def __bool__(self) -> bool:
        """Give whether there is anything in it."""
        return bool(self.energy_mj or self.covered_ns)


@dataclass(frozen=True, slots=True)
class NodeEnergy:
    """The node in a stretch, in whole millijoules. What is not known is None, and `reason` says why.

    `meter` and `at` tell by which meter and where it sits. `residual_mj` is what is left of the node after GPUs,
    processors and memory: fans, disks, network, boards, and the loss in power supplies where the meter sits in front
    of them. Below 0 the meters contradict each other, and it is left as it is. `unmetered_ns` is the time of the
    stretch that the meter was silent in; nothing is put in its place.
    """

    basis: NodeBasis
    energy_mj: int | None
    meter: NodeKey | None = None
    at: MeteredAt = MeteredAt.SUPPLY_INPUT
    gpu_mj: int = 0
    cpu_mj: int | None = None
    dram_mj: int | None = None
    residual_mj: int | None = None
    unmetered_ns: int = 0
    reason: str = ""


def node_energy(
    sums: Mapping[NodeKey, DomainEnergy], *, gpu_mj: int, duration_ns: int, overhead_mw: int | None = None
) -> NodeEnergy:
    """Give what the node took in *duration_ns*, of which *gpu_mj* went to its GPUs.

    *sums* has what each meter counted in it. *overhead_mw* is the configured power of all but the GPUs; a meter that
    answers comes before it.
    """
    cpu_mj = _part(sums, PACKAGE, duration_ns)
    dram_mj = _part(sums, DRAM, duration_ns)
    parts_mj = gpu_mj + (cpu_mj or 0) + (dram_mj or 0)
    chosen = _chosen(sums, duration_ns, has_parts=parts_mj > 0)
    if chosen is not None:
        key, at = chosen
        metered = sums[key]
        whole = _covers(metered, duration_ns, WHOLE_COVERAGE_PERMILLE)
        return NodeEnergy(
            basis=NodeBasis.METERED,
            energy_mj=metered.energy_mj,
            meter=key,
            at=at,
            gpu_mj=gpu_mj,
            cpu_mj=cpu_mj,
            dram_mj=dram_mj,
            residual_mj=metered.energy_mj - parts_mj if whole else None,
            unmetered_ns=max(0, duration_ns - metered.covered_ns),
        )
    if overhead_mw is not None:
        return NodeEnergy(
            basis=NodeBasis.ESTIMATED,
            energy_mj=gpu_mj + overhead_mw * duration_ns // NS_PER_SECOND,
            at=MeteredAt.SUPPLY_OUTPUT,
            gpu_mj=gpu_mj,
            cpu_mj=cpu_mj,
            dram_mj=dram_mj,
            reason="GPUs, and the configured power of the rest",
        )
    return NodeEnergy(
        basis=NodeBasis.PARTIAL,
        energy_mj=None,
        gpu_mj=gpu_mj,
        cpu_mj=cpu_mj,
        dram_mj=dram_mj,
        unmetered_ns=duration_ns,
        reason=_why_not(sums),
    )


def slots_of(interval: NodeInterval, slot_ns: int) -> list[tuple[int, DomainEnergy]]:
    """Cut *interval* at the borders of slots of wall time; give each slot since the Unix epoch with its part.

    The parts sum to the interval exactly, in energy and in time. An interval whose energy is not known has none.
    """
    if interval.energy_mj is None or interval.duration_ns <= 0:
        return []
    end_ns = interval.end.wall_ns
    start_ns = end_ns - interval.duration_ns
    first, last = start_ns // slot_ns, (end_ns - 1) // slot_ns
    edges = [start_ns, *(slot * slot_ns for slot in range(first + 1, last + 1)), end_ns]
    lengths = [after - before for before, after in pairwise(edges)]
    energies = apportion(interval.energy_mj, lengths)
    return [
        (first + place, DomainEnergy(energy_mj, length_ns))
        for place, (energy_mj, length_ns) in enumerate(zip(energies, lengths, strict=True))
    ]


def _chosen(
    sums: Mapping[NodeKey, DomainEnergy], duration_ns: int, *, has_parts: bool
) -> tuple[NodeKey, MeteredAt] | None:
    """Give the meter that speaks for the node: the best of those that covered the stretch."""
    for key, at in WHOLE_METERS:
        metered = sums.get(key)
        if metered is None or not _covers(metered, duration_ns, LEAST_COVERAGE_PERMILLE):
            continue
        if metered.energy_mj == 0 and has_parts:
            continue  # some boards have a psys counter that is wired to nothing
        return key, at
    return None


def _part(sums: Mapping[NodeKey, DomainEnergy], prefix: str, duration_ns: int) -> int | None:
    """Give the energy of all domains with *prefix* by one source; None where it does not cover the stretch."""
    for source in _PART_SOURCES:
        found = [part for (domain, of), part in sums.items() if of is source and domain.startswith(prefix)]
        if found and all(_covers(part, duration_ns, WHOLE_COVERAGE_PERMILLE) for part in found):
            return sum(part.energy_mj for part in found)
    return None


def _covers(part: DomainEnergy, duration_ns: int, permille: int) -> bool:
    return part.covered_ns * 1000 >= duration_ns * permille


def _why_not(sums: Mapping[NodeKey, DomainEnergy]) -> str:
    known = [f"{domain} by {source}" for (domain, source), _ in WHOLE_METERS if (domain, source) in sums]
    if known:
        return f"the meters of the whole node were silent for too long, or dead: {', '.join(known)}"
    return "no meter of the whole node: redfish, ipmi, hwmon power_meter, or psys of rapl"
