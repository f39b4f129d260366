"""What a page shows of grams and money: counters of the host, what holds now, and rates for services."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattledger.rules.feeds.model import Accounting
from wattledger.rules.pricing.model import Boundary, PriceTotal


@dataclass(frozen=True, slots=True)
class Rate:
    """What a kWh of GPUs came to lately, up to one boundary; None where too little of it has a value.

    Grams by accounting method, and money in the currency of the tariff.
    """

    boundary: Boundary
    grams_per_kwh: Mapping[Accounting, float]
    money_per_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class PriceNow:
    """What a kWh costs now, and the name of the tariff's period."""

    value: int  # millionths
    label: str = ""


@dataclass(frozen=True, slots=True)
class PricesView:
    """Grams and money as they are shown. `rates` are by service, over the time that its ratios are over."""

    totals: tuple[PriceTotal, ...] = ()
    currency: str = ""
    price: PriceNow | None = None
    rates: Mapping[str, Rate] = field(default_factory=dict)
    open_uncovered_mj: Mapping[Accounting, int] = field(default_factory=dict)  # at the widest boundary
    corrections: int = 0  # values that came anew for hours that had closed
    pue: float | None = None


NO_PRICES = PricesView()
