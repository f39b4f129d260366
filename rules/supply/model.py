"""What is offered to the load of one hour, and what of it was taken; whence offers come is not known here."""

from dataclasses import dataclass, replace
from enum import StrEnum

MILLION = 1_000_000


class Layer(StrEnum):
    """What covers load, in the order in which it does (carbon.md section 4.1)."""

    ONSITE = "onsite"  # generation behind the meter of the house
    STORAGE = "storage"  # what batteries behind that meter give back
    DIRECT_LINE = "direct_line"
    CONTRACT_INTRA = "contract_intra"  # within a province
    CONTRACT_INTER = "contract_inter"  # from another one
    CERTIFICATES = "certificates"
    GRID = "grid"  # what nothing else covers


PRIORITY = tuple(Layer)
OWN_LAYERS = frozenset({Layer.ONSITE, Layer.STORAGE})
"""Layers whose power never came over the grid."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one source has for one hour: `energy_mj`, and `share_ppm` millionths of whatever the load is.

    `intensity` is in micrograms per kWh. `renewable` counts in the green share, `carbon_free` in the 24/7 score;
    power whose certificates were sold counts in neither. `hourly` is False for what another hour generated.
    """

    layer: Layer
    name: str
    energy_mj: int = 0
    intensity: int = 0
    share_ppm: int = 0
    renewable: bool = True
    carbon_free: bool = True
    certificates_sold: bool = False
    hourly: bool = True

    @property
    def is_green(self) -> bool:
        """Tell whether it counts in the green share."""
        return self.renewable and not self.certificates_sold

    @property
    def is_matched(self) -> bool:
        """Tell whether it counts in the 24/7 score."""
        return self.carbon_free and self.hourly and not self.certificates_sold

    def available_mj(self, load_mj: int) -> int:
        """Give all that it has for a load; a share is rounded down."""
        return self.energy_mj + load_mj * self.share_ppm // MILLION


@dataclass(frozen=True, slots=True)
class Take:
    """What the load took of an offer, and what was left over."""

    offer: Offer
    energy_mj: int
    surplus_mj: int = 0

    @property
    def product(self) -> int:
        """Give millijoules x micrograms per kWh."""
        return self.energy_mj * self.offer.intensity


@dataclass(frozen=True, slots=True)
class HourMatch:
    """Who covered the load of one hour. What was taken and `unmatched_mj` sum to the load exactly."""

    load_mj: int
    taken: tuple[Take, ...]
    unmatched_mj: int

    def with_more(self, takes: tuple[Take, ...]) -> "HourMatch":
        """Give the match in which *takes* cover of what was unmatched; they are not more than that."""
        covered_mj = sum(take.energy_mj for take in takes)
        return replace(self, taken=self.taken + takes, unmatched_mj=self.unmatched_mj - covered_mj)
