"""The charge for the highest mean power of whole months, as far as the energy of hours can tell."""

from collections.abc import Iterable, Iterator
from datetime import date

from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import SLOT_NS, SLOTS_PER_HOUR
from wattledger.rules.supply.model import OWN_LAYERS
from wattledger.rules.tariff.demand import MeteredEnergy, demand_charges
from wattledger.rules.tariff.model import Demand, UtcOffset

from .model import DemandMonth, DemandSum, HourPoint, Report

_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def demand_of(report: Report, demand: Demand, offset_at: UtcOffset) -> DemandSum:
    """Give the charges of the local months that lie in the report wholly, for the energy that came over the grid.

    An hour counts with its mean power: with windows that are shorter, and with hours missing, a charge is a lower
    bound.
    """
    months = []
    for charge in demand_charges(_quarters(report.hours), demand, offset_at):
        start, end = _month(charge.year, charge.month, offset_at)
        if report.start_wall_ns <= start and end <= report.end_wall_ns:
            hours = charge.windows * demand.window_ns // NS_PER_HOUR
            months.append(DemandMonth(charge, hours, (end - start) // NS_PER_HOUR))
    return DemandSum(demand, tuple(months))


def _quarters(hours: Iterable[HourPoint]) -> Iterator[MeteredEnergy]:
    for point in hours:
        own_mj = sum(energy_mj for layer, energy_mj in point.layers.items() if layer in OWN_LAYERS)
        grid_mj = max(0, point.priced.energy_mj - own_mj)
        for number in range(SLOTS_PER_HOUR):
            yield MeteredEnergy(point.hour * NS_PER_HOUR + number * SLOT_NS, grid_mj // SLOTS_PER_HOUR)


def _month(year: int, month: int, offset_at: UtcOffset) -> tuple[int, int]:
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return _midnight(year, month, offset_at), _midnight(*following, offset_at)


def _midnight(year: int, month: int, offset_at: UtcOffset) -> int:
    """Give when a month begins on local clocks."""
    local = (date(year, month, 1).toordinal() - _EPOCH_ORDINAL) * _DAY_SECONDS
    return (local - offset_at(local - offset_at(local))) * NS_PER_SECOND
