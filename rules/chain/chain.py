"""From the node's energy to that at the meter of the house, stage by stage; whole millijoules that sum exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .cooling import Cooling
from .curve import PPM
from .node_model import MeteredAt
from .pdu import Pdu
from .psu import Psu
from .ups import Ups

PJ_PER_MJ = 1_000_000_000


class Stage(StrEnum):
    """Where energy is lost between the boards and the meter of the house."""

    PSU = "psu"
    PDU = "pdu"
    UPS = "ups"
    COOLING = "cooling"
    OVERHEAD = "overhead"  # of a PUE: all of it between the node and the meter, not told apart


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages that are known; one that is None is taken to lose nothing."""

    psu: Psu | None = None
    pdu: Pdu | None = None
    ups: Ups | None = None
    cooling: Cooling | None = None


@dataclass(frozen=True, slots=True)
class Pue:
    """A PUE in millionths, metered at the inputs of the nodes. It holds every stage behind them already.

    Raises ValueError below 1.
    """

    ppm: int

    def __post_init__(self) -> None:
        """Refuse what no house can have."""
        if self.ppm < PPM:
            raise ValueError(f"a PUE of {self.ppm} millionths is below 1")


PowerPath = Chain | Pue
"""Either of the two, never both: a PUE times its own components would count them twice."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What one stage takes for itself. `load_ppm` is its load in millionths of its rating, None where it has none."""

    stage: Stage
    energy_mj: int
    load_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class FacilityEnergy:
    """Energy at the meter of the house, from the inside out.

    `load_mj` and all losses sum to `total_mj` exactly. `load_mj` is behind the power supplies where their loss is
    known, else at their inputs. `node_mj` is at their inputs, which is what a PUE is a multiple of; where the node
    was metered behind them and no curve is known, their loss is not in it, and `without_psu` says so.
    """

    load_mj: int
    node_mj: int
    losses: tuple[Loss, ...] = ()
    without_psu: bool = False

    @property
    def total_mj(self) -> int:
        """Give the energy at the meter of the house."""
        return self.load_mj + sum(loss.energy_mj for loss in self.losses)


@dataclass(frozen=True, slots=True)
class _Level:
    """Energy that has come in up to and with a stage."""

    stage: Stage
    energy_pj: int
    load_ppm: int | None = None


def facility_energy(
    path: PowerPath, node_mj: int, duration_ns: int, *, at: MeteredAt = MeteredAt.SUPPLY_INPUT
) -> FacilityEnergy:
    """Give what the house took for the *node_mj* that the node took in *duration_ns*, metered *at* that side.

    Curves are read at the mean load of the time, so it should be short: minutes. Raises ValueError for an energy
    below 0 or a time that is not above 0.
    """
    if node_mj < 0 or duration_ns <= 0:
        raise ValueError(f"energy of {node_mj} mJ in {duration_ns} ns")
    psu = path.psu if isinstance(path, Chain) else None
    metered_pj = node_mj * PJ_PER_MJ
    inside_pj = metered_pj
    if psu is not None and at is MeteredAt.SUPPLY_INPUT:
        inside_pj = psu.output_pj(metered_pj, duration_ns)
    levels: list[_Level] = []
    node_pj = metered_pj
    if psu is not None:
        if at is MeteredAt.SUPPLY_OUTPUT:
            node_pj = psu.input_pj(inside_pj, duration_ns)
        levels.append(_Level(Stage.PSU, node_pj, psu.load_ppm(inside_pj, duration_ns)))
    levels += _outside(path, node_pj, duration_ns)
    # Rounded as they add up, and told apart afterwards: so no stage is below 0 and none is lost in the sum.
    load_mj = reached_mj = _millijoules(inside_pj)
    losses: list[Loss] = []
    for level in levels:
        through_mj = _millijoules(level.energy_pj)
        losses.append(Loss(level.stage, through_mj - reached_mj, level.load_ppm))
        reached_mj = through_mj
    without_psu = psu is None and at is MeteredAt.SUPPLY_OUTPUT
    return FacilityEnergy(load_mj, _millijoules(node_pj), tuple(losses), without_psu=without_psu)


def _outside(path: PowerPath, node_pj: int, duration_ns: int) -> Iterator[_Level]:
    """Give what has come in at each stage outside the node, from the inside out."""
    if isinstance(path, Pue):
        yield _Level(Stage.OVERHEAD, node_pj * path.ppm // PPM)
        return
    through_pj = node_pj
    if path.pdu is not None:
        through_pj = path.pdu.input_pj(through_pj)
        yield _Level(Stage.PDU, through_pj)
    if path.ups is not None:
        load_ppm = path.ups.load_ppm(through_pj, duration_ns)
        through_pj = path.ups.input_pj(through_pj, duration_ns)
        yield _Level(Stage.UPS, through_pj, load_ppm)
    if path.cooling is not None:
        yield _Level(Stage.COOLING, through_pj + path.cooling.energy_pj(node_pj, through_pj))


def _millijoules(energy_pj: int) -> int:
    return (2 * energy_pj + PJ_PER_MJ) // (2 * PJ_PER_MJ)
