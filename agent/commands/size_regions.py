"""The factor of a region out of the shipped tables, for `wattledger size`."""

from dataclasses import dataclass
from decimal import Decimal

from wattledger.agent.feeds.numbers import micrograms_per_kwh
from wattledger.agent.feeds.tabled import NoFactorError, Status, Table, TableSource


@dataclass(frozen=True, slots=True)
class RegionFactor:
    """Grams per kWh, and of what and which gases they are: empty for a number that was given."""

    g_per_kwh: Decimal
    of: str = ""
    gas: str = ""
    citation: str = ""


class NoRegionError(ValueError):
    """No table has the region; the text says what there is."""


def factor_of(region: str, *, residual: bool) -> RegionFactor:
    """Give the newest factor of *region*, or that of power without a contract there. Raises NoRegionError.

    China and its parts have the factors of the ministry, of burning and CO2 alone; other countries those of the table
    of the world, of the life cycle and all gases.
    """
    region = region.upper()
    is_chinese = region.split("-")[0] == "CN"
    if residual and not is_chinese:
        raise NoRegionError("no residual factor is shipped for it; write grams per kWh, or CN")
    source = TableSource.WORLD
    if is_chinese:
        source = TableSource.MEE_RESIDUAL if residual else TableSource.MEE
    try:
        factor = Table(source).find(region)
    except NoFactorError as error:
        raise NoRegionError(f"{error}; or write grams per kWh") from None
    citation = factor.citation + ("" if factor.status is Status.VERIFIED else " (not verified at its source)")
    micrograms = micrograms_per_kwh(factor.value, factor.unit)
    gas = "CO2" if is_chinese else "CO2e"
    return RegionFactor(Decimal(micrograms).scaleb(-6), factor.region, gas, citation)
