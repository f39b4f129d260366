"""How green many hours were: shares by layer, the hourly-matched (24/7) score, and the hours that lacked supply."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

from .grid import GridScore, Use, grid_mj, grid_score
from .hour import HourSupply, LayerEnergy
from .model import Layer

WORST_HOURS = 10


@dataclass(frozen=True, slots=True)
class UnmatchedHour:
    """A UTC hour (number since the Unix epoch), and the load that no carbon-free supply of it covered."""

    hour: int
    unmatched_mj: int


@dataclass(frozen=True, slots=True)
class GreenShare:
    """Sums over hours, which add up however the hours are cut. Every joule of load counts once, surplus never.

    `layers` is all that each layer covered, GRID the rest; they sum to the load. `green` is the part of them that
    counts as green. An hour is unmatched where any of its load had no carbon-free supply of that hour, and unmetered
    where the meter of a source had no value: what that gave is in no sum. `worst` are the hours that lacked most.
    `with_grid` is of the hours alone whose carbon-free share of the grid is known.
    """

    load_mj: int = 0
    layers: Mapping[Layer, int] = field(default_factory=dict)
    green: Mapping[Layer, int] = field(default_factory=dict)
    matched_mj: int = 0
    hours: int = 0
    unmatched_hours: int = 0
    unmetered_hours: int = 0
    worst: tuple[UnmatchedHour, ...] = ()
    with_grid: GridScore = field(default_factory=GridScore)

    @property
    def green_share(self) -> float | None:
        """Give the green part of the load, certificates included; None without load. At most 1."""
        return _ratio(sum(self.green.values()), self.load_mj)

    @property
    def green_share_without_certificates(self) -> float | None:
        """Give the green part of the load that came from sources and contracts; None without load."""
        certificates_mj = self.green.get(Layer.CERTIFICATES, 0)
        return _ratio(sum(self.green.values()) - certificates_mj, self.load_mj)

    def share_of(self, layer: Layer) -> float | None:
        """Give the part of the load that a layer covered; None without load."""
        return _ratio(self.layers.get(layer, 0), self.load_mj)

    @property
    def hourly_matched(self) -> float | None:
        """Give the 24/7 score without the grid: sum of min(load, carbon-free supply) by the hour, over the load."""
        return _ratio(self.matched_mj, self.load_mj)

    @property
    def hourly_matched_with_grid(self) -> float | None:
        """Give the 24/7 score in which what came from the grid counts by its carbon-free share."""
        return self.with_grid.ratio

    def __add__(self, other: "GreenShare") -> "GreenShare":
        """Give the sums over the hours of both, which have none in common."""
        return GreenShare(
            load_mj=self.load_mj + other.load_mj,
            layers=_added(self.layers, other.layers),
            green=_added(self.green, other.green),
            matched_mj=self.matched_mj + other.matched_mj,
            hours=self.hours + other.hours,
            unmatched_hours=self.unmatched_hours + other.unmatched_hours,
            unmetered_hours=self.unmetered_hours + other.unmetered_hours,
            worst=tuple(
                nsmallest(WORST_HOURS, self.worst + other.worst, key=lambda one: (-one.unmatched_mj, one.hour))
            ),
            with_grid=self.with_grid + other.with_grid,
        )


def share_of_hour(hour: int, supply: HourSupply, *, grid_free_ppm: int | None = None) -> GreenShare:
    """Give the sums of one hour. *grid_free_ppm* is the carbon-free share of the grid in it, None: not known."""
    rest = LayerEnergy(Layer.GRID, "", supply.unmatched_mj, is_green=False, is_matched=False)
    return share_of_uses(
        hour, (*supply.layers, rest), is_unmetered=bool(supply.unmetered), grid_free_ppm=grid_free_ppm
    )


def share_of_uses(
    hour: int, uses: Iterable[Use], *, is_unmetered: bool = False, grid_free_ppm: int | None = None
) -> GreenShare:
    """Give the same from what is kept of an hour: all uses of its load, that of the grid among them."""
    layers: dict[Layer, int] = {}
    green: dict[Layer, int] = {}
    matched_mj = 0
    uses = tuple(uses)
    for use in uses:
        layers[use.layer] = layers.get(use.layer, 0) + use.energy_mj
        if use.is_green:
            green[use.layer] = green.get(use.layer, 0) + use.energy_mj
        if use.is_matched:
            matched_mj += use.energy_mj
    load_mj = sum(layers.values())
    unmatched_mj = load_mj - matched_mj
    return GreenShare(
        load_mj=load_mj,
        layers=layers,
        green=green,
        matched_mj=matched_mj,
        hours=1,
        unmatched_hours=int(unmatched_mj > 0),
        unmetered_hours=int(is_unmetered),
        worst=(UnmatchedHour(hour, unmatched_mj),) if unmatched_mj else (),
        with_grid=grid_score(uses, [(grid_mj(uses), grid_free_ppm)]),
    )


def green_share(shares: Iterable[GreenShare]) -> GreenShare:
    """Give the sums over hours that are told one by one."""
    return sum(shares, GreenShare())


def _added(one: Mapping[Layer, int], other: Mapping[Layer, int]) -> dict[Layer, int]:
    return {layer: one.get(layer, 0) + other.get(layer, 0) for layer in Layer if layer in one or layer in other}


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
