"""Hours of the host as they are now: what is closed and what is open of each; where they are kept is not said."""

from collections.abc import Iterable
from dataclasses import replace

from wattledger.rules.pricing.model import FactorUse, HourPrice, SupplyUse
from wattledger.rules.supply.grid import GridScore

from .waiting import Step

HostHours = dict[tuple[int, bool], HourPrice]
"""By hour, and whether it is what is closed of it. An hour that late energy opened again has both."""


def take(hours: HostHours, step: Step) -> None:
    """Go on by a step: rows replace what is there, but with its closing an hour adds to what is closed of it."""
    for hour, row in step.hours.items():
        if hour not in step.closings:
            hours[hour, row.final] = row
    for hour in step.closings:
        still_open = hours.pop((hour, False), None)
        added = step.hours.get(hour, still_open)
        if added is not None:
            closed = hours.get((hour, True))
            hours[hour, True] = replace(added if closed is None else merged(closed, added), final=True)


def as_they_are(hours: HostHours) -> dict[int, HourPrice]:
    """Give each hour with what is closed and what is open of it together, in order; it is final with nothing open."""
    whole: dict[int, HourPrice] = {}
    for hour, is_final in sorted(hours, reverse=True):
        row = hours[hour, is_final]
        # What is closed comes first.
        whole[hour] = replace(merged(whole[hour], row), final=False) if hour in whole else row
    return dict(sorted(whole.items()))


def merged(first: HourPrice, second: HourPrice) -> HourPrice:
    """Give the sum of two parts of an hour; what a boundary is not known for in one of them is that of the other.

    Its money is of one currency: where that of the second is another than that of the first, it is left out.
    """
    currency = second.currency or first.currency
    if first.currency not in ("", currency) and _has_money(first):
        currency, second = first.currency, _without_money(second)
    boundaries = dict(first.boundaries)
    for boundary, priced in second.boundaries.items():
        boundaries[boundary] = boundaries[boundary] + priced if boundary in boundaries else priced
    return HourPrice(
        first.hour,
        boundaries,
        _factors((*first.factors, *second.factors)),
        _supply((*first.supply, *second.supply)),
        currency=currency,
        final=second.final,
        with_grid=_with_grid(first.with_grid, second.with_grid),
    )


def _with_grid(first: GridScore | None, second: GridScore | None) -> GridScore | None:
    return second if first is None else first if second is None else first + second


def _has_money(hour: HourPrice) -> bool:
    return any(priced.priced_mj for priced in hour.boundaries.values())


def _without_money(hour: HourPrice) -> HourPrice:
    boundaries = {
        boundary: replace(priced, cost=0, credit=0, priced_mj=0) for boundary, priced in hour.boundaries.items()
    }
    return replace(hour, boundaries=boundaries)


def _factors(uses: Iterable[FactorUse]) -> tuple[FactorUse, ...]:
    known: dict[FactorUse, FactorUse] = {}
    for use in uses:
        same = replace(use, energy_mj=0, product=0)
        before = known.get(same, same)
        known[same] = replace(use, energy_mj=before.energy_mj + use.energy_mj, product=before.product + use.product)
    return tuple(known.values())


def _supply(uses: Iterable[SupplyUse]) -> tuple[SupplyUse, ...]:
    known: dict[SupplyUse, SupplyUse] = {}
    for use in uses:
        same = replace(use, energy_mj=0)
        known[same] = replace(use, energy_mj=known.get(same, same).energy_mj + use.energy_mj)
    return tuple(known.values())
