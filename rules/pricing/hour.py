"""One UTC hour of a host, priced: what its energy came to at each boundary, given what is known of that hour."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import ge

from wattledger.rules.apportion import apportion
from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.feeds.model import Accounting, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.tariff.prices import PricePoint

from .model import SLOT_NS, Boundary, FactorUse, HourPrice, Priced, SupplyUse, TotalKind
from .spread import parts
from .with_grid import score_with_grid

Quarters = tuple[int, ...]
"""A number for each quarter of the hour."""

TotalKey = tuple[TotalKind, tuple[str, ...]]
Factors = dict[tuple[Accounting, Series, PointKind, int], list[int]]
"""Energy and product by what a value was of."""

_WIDEST = (Boundary.FACILITY, Boundary.NODE, Boundary.GPU)


@dataclass(frozen=True, slots=True)
class Cover:
    """What the supply covered of the load of an hour, in whole millijoules, and what that emitted, as products.

    `own_mj` never came over the grid; `own_product` is by its own factors. `sold_mj` and `sold_product` are the part
    of both whose certificates went to others: in the market-based method that is the residual mix. `contract_product`
    is of the contracts and certificates that cover `contract_mj`, and counts for the market-based method. The rest of
    the load is the grid's in both. `matched_mj` is what carbon-free supply of this hour covered.
    """

    own_mj: int = 0
    own_product: int = 0
    sold_mj: int = 0
    sold_product: int = 0
    contract_mj: int = 0
    contract_product: int = 0
    matched_mj: int = 0
    uses: tuple[SupplyUse, ...] = ()


@dataclass(frozen=True, slots=True)
class HourFacts:
    """What is known of an hour. `energies` has GPU always; intensities and prices tile the hour.

    `residual` is None where the factor for what no contract covers is that of the location. `zone` is that of
    energy that no feed had a value for. `until_wall_ns` is how far time has come in an hour that is not over: what
    was drawn in its running quarter was drawn before that. `carbon_free` is the share of the grid, None where nobody
    asks for it.
    """

    hour: int
    energies: Mapping[Boundary, Quarters]
    location: Sequence[Resolved] = ()
    residual: Sequence[Resolved] | None = None
    prices: Sequence[PricePoint] = ()
    cover: Cover | None = None  # None: supply is not accounted for
    currency: str = ""
    zone: str = ""
    losses: Mapping[str, int] = field(default_factory=dict)  # mJ between the node and the meter, by stage
    until_wall_ns: int | None = None
    carbon_free: Sequence[Resolved] | None = None

    @property
    def load(self) -> Boundary:
        """Give what supply and prices are about: the widest boundary that was measured all through the hour."""
        gpu = self.energies[Boundary.GPU]
        return next(
            boundary
            for boundary in _WIDEST
            if boundary in self.energies and all(map(ge, self.energies[boundary], gpu))
        )

    @property
    def has_carbon(self) -> bool:
        """Tell whether grams are asked for at all."""
        return bool(self.location)

    def quarter(self, number: int) -> tuple[int, int]:
        """Give from when to when the energy of a quarter was drawn."""
        start = self.hour * NS_PER_HOUR + number * SLOT_NS
        until = self.until_wall_ns
        return start, start + SLOT_NS if until is None or until <= start else min(until, start + SLOT_NS)


@dataclass(slots=True)
class _Quarter:
    """A quarter of the load while it is priced; products of emissions by zone."""

    energy_mj: int
    location: dict[str, int] = field(default_factory=dict)
    market: dict[str, int] = field(default_factory=dict)
    location_covered_mj: int = 0
    market_covered_mj: int = 0
    cost: int = 0
    credit: int = 0
    priced_mj: int = 0


@dataclass(frozen=True, slots=True)
class PricedHour:
    """An hour with its prices: the row that is kept, its quarters by boundary, and what it adds to each counter."""

    row: HourPrice
    quarters: Mapping[Boundary, tuple[Priced, ...]]
    totals: Mapping[TotalKey, int]


def price_hour(facts: HourFacts) -> PricedHour:
    """Price the hour of *facts*.

    The load is priced, a quarter at a time, with energy spread evenly over each quarter, or over what has gone of it
    (law 5: the sum over any cut is the same). Another boundary has the part of the load's products that its energy is
    of the load's.
    """
    load = facts.energies[facts.load]
    cover = facts.cover or Cover()
    own = apportion(cover.own_mj, load)
    sold = apportion(cover.sold_mj, own)
    # Both by the whole load could give a quarter a millijoule more than it drew, and the rest of it would be below 0.
    contract = apportion(cover.contract_mj, [mj - own_mj for mj, own_mj in zip(load, own, strict=True)])
    factors: Factors = {}
    quarters = [_Quarter(energy_mj) for energy_mj in load]
    own_products = apportion(cover.own_product, load)
    market_products = apportion(cover.own_product - cover.sold_product + cover.contract_product, load)
    residual = facts.location if facts.residual is None else facts.residual
    for number, quarter in enumerate(quarters):
        if not quarter.energy_mj:
            continue
        time = facts.quarter(number)
        grid_mj = quarter.energy_mj - own[number]
        rest_mj = grid_mj - contract[number] + sold[number]
        covered_mj = _emit(quarter.location, Accounting.LOCATION, parts(grid_mj, facts.location, time), factors)
        quarter.location_covered_mj = own[number] + covered_mj
        covered_mj = _emit(quarter.market, Accounting.MARKET, parts(rest_mj, residual, time), factors)
        quarter.market_covered_mj = quarter.energy_mj - rest_mj + covered_mj
        _add(quarter.location, facts.zone, own_products[number])
        _add(quarter.market, facts.zone, market_products[number])
        if facts.currency:
            _charge(quarter, parts(grid_mj, facts.prices, time))
            quarter.priced_mj += own[number]  # what was made here is not bought
    by_boundary = {
        boundary: [_narrowed(quarter, energy_mj) for quarter, energy_mj in zip(quarters, energies, strict=True)]
        for boundary, energies in facts.energies.items()
    }
    priced = {boundary: tuple(map(_sum, narrowed)) for boundary, narrowed in by_boundary.items()}
    row = HourPrice(
        hour=facts.hour,
        boundaries={boundary: sum(quarters, Priced()) for boundary, quarters in priced.items()},
        factors=tuple(_factor_uses(factors)),
        supply=cover.uses,
        currency=facts.currency,
        with_grid=_with_grid(facts),
    )
    return PricedHour(row, priced, _totals(facts, row, by_boundary))


def _with_grid(facts: HourFacts) -> GridScore | None:
    if facts.cover is None or facts.carbon_free is None:
        return None
    load = facts.energies[facts.load]
    times = [facts.quarter(number) for number in range(len(load))]
    return score_with_grid(facts.cover.uses, load, facts.carbon_free, times)


def _emit(
    products: dict[str, int], accounting: Accounting, spans: Sequence[tuple[Resolved, int]], factors: Factors
) -> int:
    """Add the emissions of energy by its spans; give how much of it a value is known for."""
    covered_mj = 0
    for span, part_mj in spans:
        if span.value is None or span.series is None or span.kind is None or span.level is None:
            continue
        covered_mj += part_mj
        _add(products, span.series.zone, part_mj * span.value)
        use = factors.setdefault((accounting, span.series, span.kind, span.level), [0, 0])
        use[0] += part_mj
        use[1] += part_mj * span.value
    return covered_mj


def _charge(quarter: _Quarter, spans: Sequence[tuple[PricePoint, int]]) -> None:
    for span, part_mj in spans:
        if span.value is None:
            continue
        quarter.priced_mj += part_mj
        if span.value < 0:
            quarter.credit -= part_mj * span.value
        else:
            quarter.cost += part_mj * span.value


def _add(products: dict[str, int], zone: str, product: int) -> None:
    if product:
        products[zone] = products.get(zone, 0) + product


def _narrowed(quarter: _Quarter, energy_mj: int) -> _Quarter:
    """Give the part of a quarter of the load that *energy_mj* is of its energy."""
    load_mj = quarter.energy_mj
    if energy_mj == load_mj:
        return quarter

    def part(number: int) -> int:
        return number * energy_mj // load_mj if load_mj else 0

    return _Quarter(
        energy_mj,
        {zone: part(product) for zone, product in quarter.location.items()},
        {zone: part(product) for zone, product in quarter.market.items()},
        part(quarter.location_covered_mj),
        part(quarter.market_covered_mj),
        part(quarter.cost),
        part(quarter.credit),
        part(quarter.priced_mj),
    )


def _sum(quarter: _Quarter) -> Priced:
    return Priced(
        energy_mj=quarter.energy_mj,
        location=sum(quarter.location.values()),
        location_covered_mj=quarter.location_covered_mj,
        market=sum(quarter.market.values()),
        market_covered_mj=quarter.market_covered_mj,
        cost=quarter.cost,
        credit=quarter.credit,
        priced_mj=quarter.priced_mj,
    )


def _factor_uses(factors: Factors) -> Iterator[FactorUse]:
    for (accounting, series, kind, level), (energy_mj, product) in factors.items():
        if series.caliber is not None:
            yield FactorUse(
                accounting=accounting,
                zone=series.zone,
                provider=series.provider,
                caliber=series.caliber,
                kind=kind,
                level=level,
                energy_mj=energy_mj,
                product=product,
                source=series.source,
            )


def _totals(
    facts: HourFacts, row: HourPrice, by_boundary: Mapping[Boundary, Sequence[_Quarter]]
) -> dict[TotalKey, int]:
    totals: dict[TotalKey, int] = {}

    def add(kind: TotalKind, labels: tuple[str, ...], number: int) -> None:
        totals[kind, labels] = totals.get((kind, labels), 0) + number

    for boundary, quarters in by_boundary.items():
        for quarter in quarters:
            for accounting, products in (
                (Accounting.LOCATION, quarter.location),
                (Accounting.MARKET, quarter.market),
            ):
                for zone, product in products.items():
                    add(TotalKind.EMISSIONS, (accounting, zone, boundary), product)
            add(TotalKind.LOAD, (boundary,), quarter.energy_mj)
            if facts.has_carbon:
                missing_mj = quarter.energy_mj - quarter.location_covered_mj
                add(TotalKind.UNCOVERED, (Accounting.LOCATION, boundary), missing_mj)
                add(TotalKind.UNCOVERED, (Accounting.MARKET, boundary), quarter.energy_mj - quarter.market_covered_mj)
            if facts.currency:
                if quarter.priced_mj:  # a cost of 0 is one that is known
                    add(TotalKind.COST, (facts.currency, boundary), quarter.cost)
                    add(TotalKind.CREDIT, (facts.currency, boundary), quarter.credit)
                add(TotalKind.UNPRICED, (facts.currency, boundary), quarter.energy_mj - quarter.priced_mj)
    for stage, energy_mj in facts.losses.items():
        add(TotalKind.LOSS, (stage,), energy_mj)
    if facts.cover is not None:
        for use in facts.cover.uses:
            add(TotalKind.SUPPLY, (use.layer,), use.energy_mj)
        add(TotalKind.MATCHED, (), facts.cover.matched_mj)
        add(TotalKind.UNMATCHED, (), sum(facts.energies[facts.load]) - facts.cover.matched_mj)
    if row.with_grid is not None:
        add(TotalKind.WITH_GRID, (), row.with_grid.energy_mj)
        add(TotalKind.WITH_GRID_REST, (), row.with_grid.covered_mj - row.with_grid.energy_mj)
    return totals
