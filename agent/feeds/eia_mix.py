"""What a grid generated in each hour, by fuel, to its intensity; where the numbers come from is not known here.

Intensity = sum(energy x factor) / sum(energy), in decimals. Factors, in g CO2eq/kWh of life cycle and direct, are
medians of IPCC AR5 WG3, annex III, table A.III.2 (2014): coal (PC), gas (combined cycle), biomass (dedicated),
geothermal, hydro, nuclear, solar (PV, utility), wind (onshore). Oil and what is not known, which that table lacks,
have the defaults of Electricity Maps, API v3.

Storage is left out: what it gives back was generated in another hour. So is negative generation, a plant's own use.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from wattledger.rules.feeds.model import Factors, PointKind

SOURCE = (
    "factors: IPCC AR5 WG3 annex III table A.III.2, medians (2014); oil and unknown: defaults of Electricity Maps v3"
)

_STORAGE = frozenset({"BAT", "PS", "OES", "UES"})
_FACTORS = MappingProxyType(
    {
        "COL": (820, 760),
        "NG": (490, 370),
        "OIL": (650, 406),
        "BIO": (230, 0),
        "SUN": (48, 0),
        "SNB": (48, 0),  # solar with a battery of its own
        "GEO": (38, 0),
        "WAT": (24, 0),
        "NUC": (12, 0),
        "WND": (11, 0),
        "WNB": (11, 0),  # wind with a battery of its own
    }
)
_UNKNOWN_FACTORS = (700, 575)  # OTH, UNK, and codes that came after this was written
_MOST_UNKNOWN = Decimal("0.05")


class Unusable(Enum):
    """Why an hour has no intensity, in words."""

    NOTHING = "no generation is told"
    UNKNOWN_FUEL = "more than 5 % is of unknown fuel"
    LACKING_FUEL = "a fuel with more than 5 % of the hours around is missing"


def is_generation(fuel: str) -> bool:
    """Tell whether a code of EIA-930 is of a fuel, not of storage."""
    return fuel not in _STORAGE


@dataclass(slots=True)
class FuelMix:
    """Energy by fuel (one unit for all, such as MWh) of hours, which any whole numbers in order stand for."""

    _by_fuel: dict[str, dict[int, Decimal]] = field(default_factory=dict)

    def add(self, hour: int, fuel: str, energy: Decimal) -> bool:
        """Keep what *fuel* generated. Gives False, and keeps what was told before, where it comes twice."""
        hours = self._by_fuel.setdefault(fuel, {})
        if hour in hours:
            return False
        hours[hour] = energy
        return True

    def intensities(self, factors: Factors) -> Mapping[int, tuple[Decimal, PointKind] | Unusable]:
        """Give the intensity of every hour in g/kWh, or why there is none.

        An hour that lacks a fuel that others have is estimated, as long as that fuel is small around it.
        """
        column = 0 if factors is Factors.LIFECYCLE else 1
        hours = sorted({hour for fuel in self._by_fuel.values() for hour in fuel})
        around = {fuel: _Around(known) for fuel, known in self._by_fuel.items()}
        return {hour: self._intensity(hour, around, column) for hour in hours}

    def _intensity(
        self, hour: int, around: Mapping[str, _Around], column: int
    ) -> tuple[Decimal, PointKind] | Unusable:
        generated = {fuel: known[hour] for fuel, known in self._by_fuel.items() if hour in known and known[hour] > 0}
        total = _sum(generated.values())
        if not total:
            return Unusable.NOTHING
        unknown = _sum(energy for fuel, energy in generated.items() if fuel not in _FACTORS)
        if unknown > total * _MOST_UNKNOWN:
            return Unusable.UNKNOWN_FUEL
        lacking = [each.beside(hour) for fuel, each in around.items() if hour not in self._by_fuel[fuel]]
        if _sum(lacking) > (total + _sum(lacking)) * _MOST_UNKNOWN:
            return Unusable.LACKING_FUEL
        emitted = _sum(energy * _FACTORS.get(fuel, _UNKNOWN_FACTORS)[column] for fuel, energy in generated.items())
        return emitted / total, PointKind.ESTIMATED if lacking else PointKind.ACTUAL


class _Around:
    """What one fuel generated in the hours on both sides of one that lacks it."""

    def __init__(self, known: Mapping[int, Decimal]) -> None:
        self._known = known
        self._hours = sorted(known)

    def beside(self, hour: int) -> Decimal:
        """Give the greater of the two nearest values, 0 where none is positive."""
        after = bisect_left(self._hours, hour)
        nearest = self._hours[max(0, after - 1) : after + 1]
        return max(Decimal(0), *(self._known[each] for each in nearest))


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))
