"""Numbers of providers to the whole units of the measures, exactly: from the decimal text, with no float between.

A value is a JSON number (int or float, whose shortest text is what the provider wrote), a Decimal, or numeric text.
Everything that is none raises ValueUnusable with why, so that a caller skips and counts it:
None is NULL; bool, "ND", "", "nan" and infinity are NOT_A_NUMBER; what cannot be true is OUT_OF_RANGE.
A unit that is not known raises ValueError: that is a mistake of the configuration or of the whole answer, not of
one value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from .base import Skipped
from .plausible import energy_is_plausible, intensity_is_plausible, price_is_plausible, pue_is_plausible

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_LONGEST = 40
# Digits enough for every product here to be exact: at most 40 of the text, and 20 of a factor.
_EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)

_MICRO = 1_000_000
_EMITTED = {
    "mg": Decimal(1_000),
    "g": Decimal(_MICRO),
    "kg": Decimal(10**9),
    "t": Decimal(10**12),
    "lb": Decimal(453_592_370),  # the international pound: 0.45359237 kg exactly
}
_PER_KWH = {"kwh": Decimal(1), "mwh": Decimal("0.001"), "gwh": Decimal("0.000001")}
_WORDS_FOR_MASS = {"lbs": "lb", "gram": "g", "grams": "g", "tonne": "t", "tonnes": "t"}
# Names of the gas, and what makers of APIs put around units; they change no number.
_NOISE = re.compile(r"co2(?:-?eq|e)?|[\s_()-]")

_ENERGY_MJ = {
    "J": Decimal(10**3),
    "kJ": Decimal(10**6),
    "MJ": Decimal(10**9),
    "Wh": Decimal(3_600_000),
    "kWh": Decimal(3_600_000_000),
    "MWh": Decimal(3_600_000_000_000),
    "GWh": Decimal(3_600_000_000_000_000),
}
_SHARES = {"": Decimal(_MICRO), "1": Decimal(_MICRO), "ratio": Decimal(_MICRO), "%": Decimal(10_000)}
_POWER_MW = {"W": Decimal(10**3), "kW": Decimal(10**6), "MW": Decimal(10**9)}

_SIGNS = {"€": "EUR", "£": "GBP"}
_HUNDREDTHS = {"p": "GBP", "ct": "", "c": "", "cent": "", "cents": "", "pence": "GBP"}
_PRICE = re.compile(r"(?P<money>[A-Za-z€£]*) ?(?:/|per) ?(?P<per>kWh|MWh)")
_CURRENCY = re.compile(r"[A-Z]{3}")


class ValueUnusable(Exception):  # noqa: N818  (it says what a value is)
    """One value that is left out; `why` is counted."""

    def __init__(self, why: Skipped) -> None:
        super().__init__(why.value)
        self.why = why


def decimal_of(value: object) -> Decimal:
    """Give *value* as the decimal number that was written. Raises ValueUnusable (NULL or NOT_A_NUMBER)."""
    if value is None:
        raise ValueUnusable(Skipped.NULL)
    if isinstance(value, bool):
        raise ValueUnusable(Skipped.NOT_A_NUMBER)
    if isinstance(value, int | float | Decimal | str):
        # repr of a float is the shortest text that gives it: 0.1 stays 0.1.
        text = repr(value) if isinstance(value, float) else str(value).strip()
        if len(text) <= _LONGEST and _NUMBER.fullmatch(text):
            return Decimal(text)
    raise ValueUnusable(Skipped.NOT_A_NUMBER)


def whole(value: object, factor: Decimal, is_plausible: Callable[[int], bool]) -> int:
    """Give *value* times *factor* as a whole number, rounded half to even. Raises ValueUnusable."""
    return _rounded(_EXACT.multiply(decimal_of(value), factor), is_plausible)


def micrograms_per_kwh(value: object, unit: str = "g/kWh") -> int:
    """Give a carbon intensity in micrograms per kWh, rounded half to even.

    *unit* is a mass (mg, g, kg, t, lb) per kWh, MWh or GWh, in any case, with or without the gas: `g/kWh`,
    `gCO2eq/kWh`, `lbs_co2_per_mwh`, `lb CO2 per MWh`. One lb/MWh is 0.45359237 g/kWh exactly.
    Raises ValueUnusable; zero, negative and more than 1500 g are OUT_OF_RANGE. Raises ValueError for an unknown unit.
    """
    return whole(value, intensity_factor(unit), intensity_is_plausible)


def intensity_factor(unit: str) -> Decimal:
    """Give the micrograms per kWh in one *unit*. Raises ValueError with what is taken."""
    plain = _NOISE.sub("", unit.casefold().replace("₂", "2")).replace("per", "/")
    mass, slash, energy = plain.partition("/")
    mass = _WORDS_FOR_MASS.get(mass, mass)
    if not slash or mass not in _EMITTED or energy not in _PER_KWH:
        raise ValueError(f"unit {unit!r} is no carbon intensity; write g/kWh, kg/kWh, kg/MWh, t/MWh or lb/MWh")
    return _EXACT.multiply(_EMITTED[mass], _PER_KWH[energy])


@dataclass(frozen=True, slots=True)
class PriceUnit:
    """What money a price is in (empty where the unit does not say) and how many millionths per kWh one of it is."""

    currency: str
    millionths: Decimal


def price_unit(unit: str) -> PriceUnit:
    """Read a unit of price: `EUR/MWh`, `EUR / MWh`, `CNY/kWh`, `p/kWh`, `ct/kWh`, `/kWh`. Raises ValueError."""
    match = _PRICE.fullmatch(unit.strip())
    money = _SIGNS.get(match["money"], match["money"]) if match else ""
    if match is None or not (money in _HUNDREDTHS or _CURRENCY.fullmatch(money) or not money):
        raise ValueError(f"unit {unit!r} is no price of energy; write the currency per kWh or MWh, such as EUR/MWh")
    per_kwh = Decimal(_MICRO if match["per"] == "kWh" else _MICRO // 1000)
    if money in _HUNDREDTHS:
        return PriceUnit(_HUNDREDTHS[money], per_kwh / 100)
    return PriceUnit(money, per_kwh)


def price_millionths_per_kwh(value: object, unit: str) -> int:
    """Give a price in millionths of its currency per kWh; negative prices are legal.

    Whether the currency of *unit* is the one that is wanted, the caller asks of `price_unit`.
    Raises ValueUnusable; ValueError for an unknown unit.
    """
    return whole(value, price_unit(unit).millionths, price_is_plausible)


def energy_factor_mj(unit: str) -> Decimal:
    """Give the millijoules in one *unit* of energy; case tells MJ from mJ. Raises ValueError with what is taken."""
    return _factor(unit, _ENERGY_MJ, "energy")


def energy_mj(value: object, unit: str) -> int:
    """Give a metered energy in millijoules. *unit* is J, kJ, MJ, Wh, kWh, MWh or GWh.

    Raises ValueUnusable; negative is OUT_OF_RANGE. Raises ValueError for an unknown unit.
    """
    return whole(value, energy_factor_mj(unit), energy_is_plausible)


def is_power_unit(unit: str) -> bool:
    """Tell whether *unit* is one of power: W, kW, MW."""
    return unit.strip() in _POWER_MW


def energy_mj_of_power(value: object, unit: str, duration_ns: int) -> int:
    """Give the energy in millijoules of a power that held for *duration_ns*. *unit* is W, kW or MW.

    Raises ValueUnusable; negative is OUT_OF_RANGE. Raises ValueError for an unknown unit.
    """
    # A milliwatt for a second is a millijoule.
    seconds = Decimal(duration_ns).scaleb(-9, _EXACT)
    return whole(value, _EXACT.multiply(_factor(unit, _POWER_MW, "power"), seconds), energy_is_plausible)


def pue_millionths(value: object) -> int:
    """Give a PUE in millionths. Raises ValueUnusable; below 1 and above 10 are OUT_OF_RANGE."""
    return whole(value, Decimal(_MICRO), pue_is_plausible)


def share_factor(unit: str) -> Decimal:
    """Give the millionths of the whole in one *unit*: `ratio` (or none), or `%`. Raises ValueError."""
    factor = _SHARES.get(unit.strip())
    if factor is None:
        raise ValueError(f"unit {unit!r} is none of a share; write % for percent, or ratio for numbers up to 1")
    return factor


def whole_micrograms(grams: Decimal) -> int:
    """Give a computed intensity (g/kWh) in micrograms per kWh. Raises ValueUnusable as `micrograms_per_kwh`."""
    if not grams.is_finite():
        raise ValueUnusable(Skipped.NOT_A_NUMBER)
    return _rounded(_EXACT.multiply(grams, Decimal(_MICRO)), intensity_is_plausible)


def _rounded(exact: Decimal, is_plausible: Callable[[int], bool]) -> int:
    # Beyond 64 bits nothing is plausible, and no long integer is made of an exponent.
    if exact.adjusted() < 20:
        units = int(exact.to_integral_value(context=_EXACT))
        if is_plausible(units):
            return units
    raise ValueUnusable(Skipped.OUT_OF_RANGE)


def _factor(unit: str, known: dict[str, Decimal], what: str) -> Decimal:
    factor = known.get(unit.strip())
    if factor is None:
        raise ValueError(f"unit {unit!r} is none of {what}; write {', '.join(known)} (capitals count)")
    return factor
