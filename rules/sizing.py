"""What a planned cluster draws, uses, emits and costs: exact decimal arithmetic on what is given, on nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)

HOURS_A_YEAR = 8_760  # of 365 days
_W_PER_MW = 1_000_000
_MW_PER_GW = 1_000
_KWH_PER_GWH = 1_000_000
# Products of a few numbers of at most 30 digits have all their digits; quotients are rounded to 28.
_EXACT_DIGITS = 400
_QUOTIENT = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[DivisionByZero, InvalidOperation, Overflow])


@dataclass(frozen=True, slots=True)
class Plan:
    """What is given of a cluster; None is not given, and nothing is taken for it.

    `it_w` is the rated power of all servers in watts, `utilisation` the mean share of it that is drawn, both measured
    where servers take their power. Factors are grams per kWh; `residual` is that of power without a contract, None
    where it is that of the grid. `price` is of a kWh at the meter.
    """

    it_w: Decimal
    gpus: int | None = None
    pue: Decimal | None = None
    utilisation: Decimal | None = None
    grid_g_per_kwh: Decimal | None = None
    residual_g_per_kwh: Decimal | None = None
    green_share: Decimal | None = None
    price_per_kwh: Decimal | None = None
    years: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of some time with what it emits (tonnes) and costs (in the currency of the price).

    `location` is by the factor of the grid for all of it, `market` by the residual factor for what is not green.
    """

    it_gwh: Decimal | None
    facility_gwh: Decimal | None
    overhead_gwh: Decimal | None
    green_gwh: Decimal | None
    location_tonnes: Decimal | None
    market_tonnes: Decimal | None
    cost: Decimal | None
    gpu_kwh: Decimal | None  # of one GPU, at the meter


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a plan comes to. What lacks one of its factors is None.

    Rated and mean power are in megawatts; `gpu_w` is that of one GPU with its part of the server.
    """

    it_mw: Decimal
    it_mean_mw: Decimal | None
    facility_mw: Decimal | None
    facility_mean_mw: Decimal | None
    gpu_w: Decimal | None
    year: Energy
    lifetime: Energy


def size(plan: Plan) -> Sizing:
    """Give what *plan* comes to."""
    with _exactly():
        it_mw = plan.it_w / _W_PER_MW
        it_mean_mw = _product(it_mw, plan.utilisation)
        return Sizing(
            it_mw=it_mw,
            it_mean_mw=it_mean_mw,
            facility_mw=_product(it_mw, plan.pue),
            facility_mean_mw=_product(it_mean_mw, plan.pue),
            gpu_w=_share(plan.it_w, plan.gpus),
            year=_energy(plan, Decimal(1)),
            lifetime=_energy(plan, plan.years),
        )


def _energy(plan: Plan, years: Decimal | None) -> Energy:
    hours = _product(years, Decimal(HOURS_A_YEAR))
    it_gwh = _product(plan.it_w / _W_PER_MW / _MW_PER_GW, plan.utilisation, hours)
    facility_gwh = _product(it_gwh, plan.pue)
    green_gwh = _product(facility_gwh, plan.green_share)
    rest_gwh = None if facility_gwh is None or green_gwh is None else facility_gwh - green_gwh
    residual = plan.grid_g_per_kwh if plan.residual_g_per_kwh is None else plan.residual_g_per_kwh
    return Energy(
        it_gwh=it_gwh,
        facility_gwh=facility_gwh,
        overhead_gwh=None if facility_gwh is None or it_gwh is None else facility_gwh - it_gwh,
        green_gwh=green_gwh,
        # A GWh at a gram a kWh is a tonne.
        location_tonnes=_product(facility_gwh, plan.grid_g_per_kwh),
        market_tonnes=_product(rest_gwh, residual),
        cost=_product(facility_gwh, Decimal(_KWH_PER_GWH), plan.price_per_kwh),
        gpu_kwh=_share(_product(facility_gwh, Decimal(_KWH_PER_GWH)), plan.gpus),
    )


@contextmanager
def _exactly() -> Iterator[None]:
    """Compute without rounding; what would need it raises."""
    traps = [Inexact, DivisionByZero, InvalidOperation, Overflow]
    with localcontext(Context(prec=_EXACT_DIGITS, traps=traps)):
        yield


def _product(*factors: Decimal | None) -> Decimal | None:
    product = Decimal(1)
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product + 0  # a negative price of nothing is 0, and not -0


def _share(total: Decimal | None, count: int | None) -> Decimal | None:
    return None if total is None or count is None else _QUOTIENT.divide(total, Decimal(count))
