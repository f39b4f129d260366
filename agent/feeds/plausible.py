"""Which values of each measure can be true at all; what is beyond is a mistake of the source, and is left out.

The limits are wide: they catch a wrong unit or a zero that stands for "no data", not a bad day of a grid.
"""

_MICRO = 1_000_000

HIGHEST_INTENSITY = 1_500 * _MICRO
"""Micrograms per kWh. The dirtiest plants emit about 1100 g; more is kilograms or pounds taken for grams."""

HIGHEST_PRICE = 1_000_000 * _MICRO
"""Millionths of a currency per kWh. Above every currency's price of a scarce hour, and far within 64 bits."""

HIGHEST_ENERGY_MJ = 10**18
"""Millijoules in one stretch: 278 GWh, more than any site, and within 64 bits."""

LOWEST_PUE = _MICRO
HIGHEST_PUE = 10 * _MICRO
"""Millionths, as for the key `facility.pue`."""

HIGHEST_SHARE = _MICRO
"""Millionths. More than the whole is percent taken for a ratio."""


def intensity_is_plausible(micrograms: int) -> bool:
    """Tell whether a kWh can emit so much.

    Zero is refused: whole grids never are, and sources write it for "no data". A provider that knows better lets it
    through itself.
    """
    return 0 < micrograms <= HIGHEST_INTENSITY


def price_is_plausible(millionths: int) -> bool:
    """Tell whether a kWh can cost so much. Negative prices are legal."""
    return -HIGHEST_PRICE <= millionths <= HIGHEST_PRICE


def energy_is_plausible(energy_mj: int) -> bool:
    """Tell whether a meter can have counted so many millijoules in one stretch; zero is a sound reading."""
    return 0 <= energy_mj <= HIGHEST_ENERGY_MJ


def pue_is_plausible(millionths: int) -> bool:
    """Tell whether a house can take so much for each unit that reaches its computers; never less than one."""
    return LOWEST_PUE <= millionths <= HIGHEST_PUE


def share_is_plausible(millionths: int) -> bool:
    """Tell whether so much of a grid's energy can be carbon-free; none of it is what small grids have."""
    return 0 <= millionths <= HIGHEST_SHARE
