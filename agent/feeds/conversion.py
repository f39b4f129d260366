"""A provider's value to the whole number of a measure, by the unit that the provider or the configuration says."""

from __future__ import annotations

from collections.abc import Callable

from wattledger.rules.feeds.model import Measure

from .numbers import (
    energy_factor_mj,
    energy_mj_of_power,
    intensity_factor,
    is_power_unit,
    price_unit,
    pue_millionths,
    whole,
)
from .plausible import energy_is_plausible, intensity_is_plausible, price_is_plausible

Convert = Callable[[object, int], int]
"""Gives the whole number for a value that holds for so many nanoseconds. Raises ValueUnusable."""


def conversion(measure: Measure, unit: str, currency: str = "") -> Convert:
    """Give how values in *unit* are read. Raises ValueError with what is wrong with the unit, and the cure.

    Without a unit an intensity is in g/kWh, a price in *currency* per kWh; an energy needs one. A power (W, kW, MW)
    is taken for the mean of its stretch and gives its energy.
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
    if is_power_unit(unit):
        return lambda value, duration_ns: energy_mj_of_power(value, unit, duration_ns)
    if not unit:
        raise ValueError("a metered energy has no unit of its own; set `unit`, such as kWh, or kW for a mean power")
    factor = energy_factor_mj(unit)
    return lambda value, _: whole(value, factor, energy_is_plausible)
