"""Grams, money, feeds and meters on snapshots: 2 kWh of GPUs at 400 g and 0.30 EUR, in a house with a PUE of 1.25."""

from __future__ import annotations

from dataclasses import replace

from wattledger.exporter.feeds import FeedHealth
from wattledger.exporter.node import NodeSourceHealth, NodeView
from wattledger.exporter.prices import PriceNow, PricesView, Rate
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.chain.chain import Stage
from wattledger.rules.chain.node_energy import NodeBasis
from wattledger.rules.chain.node_model import NodeSource, NodeTotal
from wattledger.rules.chain.totals import FacilityTotal
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import Accounting, Caliber, Factors, Gas, Measure, PointKind, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import Boundary, PriceTotal, TotalKind
from wattledger.rules.quantity import Gap
from wattledger.rules.supply.model import Layer

KWH = 3_600_000_000
GRAMS = 400_000_000  # micrograms per kWh
PRICE = 300_000  # millionths of a euro per kWh
LOAD = {Boundary.GPU: 2 * KWH, Boundary.FACILITY: 5 * KWH // 2}
LIVE = Series(Measure.INTENSITY, "electricity_maps", "DE", Caliber())
TABLE = Series(Measure.INTENSITY, "world", "DE", Caliber())
MARGINAL = Series(Measure.INTENSITY, "watttime", "DE", Caliber(Signal.MARGINAL, Factors.DIRECT, Gas.CO2))
SHARE = Series(Measure.CARBON_FREE, "electricity_maps", "DE")
DAY_AHEAD = Series(Measure.PRICE, "energy_charts", "DE-LU", currency="EUR")


def total(kind: TotalKind, number: int, *labels: str, open_part: int = 0) -> PriceTotal:
    """Give a counter that shows *number*, of which *open_part* is of hours that are open."""
    return PriceTotal(kind, labels, closed=number - open_part, shown=number)


def price_totals() -> tuple[PriceTotal, ...]:
    """Give every kind of counter; a fifth of the load is green, and 0.1 kWh of it closed without a value."""
    found = []
    for boundary, load_mj in LOAD.items():
        for accounting, part in ((Accounting.LOCATION, 5), (Accounting.MARKET, 4)):
            product = load_mj * GRAMS // 5 * part
            found.append(total(TotalKind.EMISSIONS, product, accounting, "DE", boundary, open_part=product // 2))
            found.append(total(TotalKind.UNCOVERED, KWH // 10, accounting, boundary))
        found += [
            total(TotalKind.LOAD, load_mj, boundary),
            total(TotalKind.COST, load_mj * PRICE, "EUR", boundary),
            total(TotalKind.CREDIT, KWH * 12_500, "EUR", boundary),
            total(TotalKind.UNPRICED, KWH // 20, "EUR", boundary),
        ]
    return (
        *found,
        total(TotalKind.SUPPLY, KWH // 2, Layer.CONTRACT_INTRA),
        total(TotalKind.SUPPLY, 0, Layer.CERTIFICATES),
        total(TotalKind.SUPPLY, 2 * KWH, Layer.GRID),
        total(TotalKind.MATCHED, KWH // 2),
        total(TotalKind.UNMATCHED, 2 * KWH),
        total(TotalKind.WITH_GRID, KWH),
        total(TotalKind.WITH_GRID_REST, KWH),
        total(TotalKind.LOSS, KWH // 2, Stage.OVERHEAD),
    )


def prices_view(**changes: object) -> PricesView:
    """Give all that is shown of grams and money; *changes* are fields of `PricesView`."""
    made = PricesView(
        totals=price_totals(),
        currency="EUR",
        price=PriceNow(PRICE, "peak"),
        rates={
            "chat": Rate(Boundary.FACILITY, {Accounting.LOCATION: 500.0, Accounting.MARKET: 400.0}, 0.375),
            "router": Rate(Boundary.GPU, {}),
        },
        open_uncovered_mj={Accounting.LOCATION: KWH // 4, Accounting.MARKET: 0},
        corrections=3,
        pue=1.25,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields are the caller's to get right


def feed(chain: str, series: Series, state: FeedState, *, level: int = 0, **changes: object) -> FeedHealth:
    """Give how a feed is doing; *changes* are fields of `FeedHealth`."""
    age_ns = None if state is FeedState.STALE else 0
    made = FeedHealth(chain, level, series.provider, series.zone, series, state, age_ns)
    return replace(made, **changes)  # type: ignore[arg-type]  # as above


def feeds_health() -> tuple[FeedHealth, ...]:
    """Give a list whose first feed is down and still held on to, an advisory feed without a value, and prices."""
    return (
        feed(
            "location",
            LIVE,
            FeedState.LATE,
            age_ns=5 * NS_PER_HOUR,
            trouble="throttled",
            detail="https://api.example.org/v3: status 429; too many requests",
            errors={"throttled": 4, "timeout": 1},
            skipped={"null": 2},
            value=GRAMS,
            kind=PointKind.ESTIMATED,
        ),
        feed("location", TABLE, FeedState.FRESH, level=1, value=344_100_000, kind=PointKind.FACTOR),
        feed("marginal", MARGINAL, FeedState.STALE, trouble="unauthorized", detail="<b>no</b>"),
        feed("carbon_free", SHARE, FeedState.FRESH, value=612_500, kind=PointKind.ACTUAL),
        feed("price", DAY_AHEAD, FeedState.FRESH, value=PRICE, kind=PointKind.ACTUAL),
    )


def node_view() -> NodeView:
    """Give a node whose management controller speaks for it, and one meter that does not answer."""
    meter = ("node", NodeSource.REDFISH)
    return NodeView(
        sources=(
            NodeSourceHealth(NodeSource.REDFISH, success=True, duration_ns=250_000),
            NodeSourceHealth(NodeSource.RAPL, reason=Gap.NO_PERMISSION, duration_ns=1),
        ),
        totals=(NodeTotal(*meter, energy_mj=9_000_000_500, unmetered_ns=90 * NS_PER_SECOND, resets=1),),
        powers_mw={meter: 2_143_250},
        basis=NodeBasis.METERED,
        meter=meter,
        residual_mw=312_500,
        facility=FacilityTotal(2 * KWH, {Stage.OVERHEAD: KWH // 2}),
    )


def priced(made: Snapshot) -> Snapshot:
    """Give *made* with grams, money, feeds and meters."""
    return replace(made, prices=prices_view(), feeds=feeds_health(), node=node_view())
