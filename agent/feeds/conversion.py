"""A provider's value to the whole number of a measure, by the unit that the provider or the configuration says."""

from __future__ import annotations

from collections.abc import Callable

from wattledger.rules.feeds.model import Measure
from wattledger.rules.instant import NS_PER_HOUR

from .base import Skipped
from .numbers import (
    ValueUnusable,
    energy_factor_mj,
    energy_mj_of_power,
    intensity_factor,
    is_power_unit,
    price_unit,
    pue_millionths,
    share_factor,
    whole,
)
from .plausible import energy_is_plausible, intensity_is_plausible, price_is_plausible, share_is_plausible

Convert = Callable[[object, int], int]
"""Gives the whole number for a value that holds for so many nanoseconds. Raises ValueUnusable."""


def conversion(measure: Measure, unit: str, currency: str = "") -> Convert:
    """Give how values in *unit* are read. Raises ValueError with what is wrong with the unit, and the cure.

    Without a unit an intensity is in g/kWh, a price in *currency* per kWh, and a share is a ratio; an energy needs
    one. A power (W, kW, MW) is taken for the mean of its stretch and gives its energy. An energy of more than an hour
    is BAD_TIME: it says nothing of the hours in it, and the sun of a day must not cover the load of the night.
    """
    match measure:
        case Measure.INTENSITY:
            return _intensity(unit or "g/kWh")
        case Measure.PRICE:
            return _price(unit or "/kWh", currency)
        case Measure.ENERGY:
            return _energy(unit)
        case Measure.PUE:
            if unit not in ("", "1", "ratio"):
                raise ValueError(f"unit {unit!r} is not taken: a PUE is a plain ratio; leave the unit out")
            return lambda value, _: pue_millionths(value)
        case Measure.CARBON_FREE:
            share = share_factor(unit)
            return lambda value, _: whole(value, share, share_is_plausible)


def _intensity(unit: str) -> Convert:
    factor = intensity_factor(unit)
    return lambda value, _: whole(value, factor, intensity_is_plausible)


def _price(unit: str, currency: str) -> Convert:
    said = price_unit(unit)
    if said.currency and currency and said.currency != currency:
        raise ValueError(
            f"unit {unit!r} is in {said.currency} and the tariff in {currency}; currencies are not converted"
        )
    return lambda value, _: whole(value, said.millionths, price_is_plausible)


def _energy(unit: str) -> Convert:
    if not unit:
        raise ValueError("a metered energy has no unit of its own; set `unit`, such as kWh, or kW for a mean power")
    is_power = is_power_unit(unit)
    factor = None if is_power else energy_factor_mj(unit)

    def convert(value: object, duration_ns: int) -> int:
        if duration_ns > NS_PER_HOUR:
            raise ValueUnusable(Skipped.BAD_TIME)
        if factor is None:
            return energy_mj_of_power(value, unit, duration_ns)
        return whole(value, factor, energy_is_plausible)

    return convert
