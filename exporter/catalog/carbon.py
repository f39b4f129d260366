"""Families of grams, money, supply and the feeds that they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from wattledger.exporter.feeds import in_use
from wattledger.rules.feeds.model import Measure
from wattledger.rules.pricing.model import TotalKind, grams, money

from .family import Family, Row
from .rows import host, host_value
from .units import joules, seconds

if TYPE_CHECKING:
    from wattledger.exporter.feeds import FeedHealth
    from wattledger.exporter.snapshot import Snapshot

_FEED = ("feed", "level", "zone", "provider")
_MICRO = 1_000_000
_JOULES_PER_KWH = 3_600_000


def _total(
    name: str,
    text: str,
    kind: TotalKind,
    number_of: Callable[[int], float],
    *,
    labels: tuple[str, ...] = (),
    closed: bool = False,
) -> Family:
    """Make a counter of the host; *closed* counts only hours that closed, as it may fall while they are open."""

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for total in snapshot.prices.totals:
            if total.kind is kind:
                yield total.labels, number_of(total.closed if closed else total.shown)

    return host(name, text, rows, labels=labels)


def _names(feed: FeedHealth) -> tuple[str, ...]:
    """Give the values of `_FEED`: only the level tells apart two files of one zone."""
    return feed.chain, str(feed.level), feed.zone, feed.provider


def _of_feed(
    name: str, text: str, read: Callable[[FeedHealth], Iterable[Row]], *, labels: tuple[str, ...] = ()
) -> Family:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for feed in snapshot.feeds:
            for extra, number in read(feed):
                yield (*_names(feed), *extra), number

    return host(name, text, rows, labels=(*_FEED, *labels))


def _intensities(snapshot: Snapshot) -> Iterator[Row]:
    for feed in snapshot.feeds:
        series = feed.series
        if series.measure is Measure.INTENSITY and feed.value is not None and feed.kind is not None:
            caliber = series.caliber
            assert caliber is not None  # noqa: S101  (every intensity has one)
            yield (*_names(feed), caliber.signal, caliber.factors, caliber.gas, feed.kind), feed.value / _MICRO


def _carbon_free(snapshot: Snapshot) -> Iterator[Row]:
    for feed in snapshot.feeds:
        if feed.series.measure is Measure.CARBON_FREE and feed.value is not None and feed.kind is not None:
            yield (*_names(feed), feed.kind), feed.value / _MICRO


def _with_grid_load(snapshot: Snapshot) -> Iterator[Row]:
    found = [
        total.shown
        for total in snapshot.prices.totals
        if total.kind in (TotalKind.WITH_GRID, TotalKind.WITH_GRID_REST)
    ]
    if found:
        yield (), joules(sum(found))


def _in_use(snapshot: Snapshot) -> Iterator[Row]:
    used = in_use(snapshot.feeds)
    for feed in snapshot.feeds:
        yield _names(feed), int((feed.chain, feed.level) in used)


def _open_uncovered(snapshot: Snapshot) -> Iterator[Row]:
    for accounting, energy_mj in snapshot.prices.open_uncovered_mj.items():
        yield (accounting,), joules(energy_mj)


def _price(snapshot: Snapshot) -> Iterator[Row]:
    prices = snapshot.prices
    if prices.price is not None:
        yield (prices.currency, prices.price.label), prices.price.value / _MICRO


def _service_grams(snapshot: Snapshot) -> Iterator[Row]:
    for view in snapshot.services:
        rate = snapshot.prices.rates.get(view.service)
        if rate is None:
            continue
        for ratio in view.ratios:
            for accounting, per_kwh in rate.grams_per_kwh.items():
                labels = (view.service, ratio.model, ratio.per, ratio.scope, accounting, rate.boundary)
                yield labels, ratio.joules * per_kwh / _JOULES_PER_KWH


def _service_money(snapshot: Snapshot) -> Iterator[Row]:
    for view in snapshot.services:
        rate = snapshot.prices.rates.get(view.service)
        if rate is None or rate.money_per_kwh is None:
            continue
        for ratio in view.ratios:
            labels = (view.service, ratio.model, ratio.per, ratio.scope, snapshot.prices.currency, rate.boundary)
            yield labels, ratio.joules * rate.money_per_kwh / _JOULES_PER_KWH


FAMILIES = (
    _total(
        "wattledger_emissions_grams_total",
        "CO2 of the energy of this host, by the quarter hour in which it was drawn. accounting: location (the mix of "
        "the grid) or market (contracts and certificates, and a residual mix for the rest); boundary: gpu, node, or "
        "facility (up to the meter of the house). The zone is that of the feed whose value counted. A correction "
        "that lowers an open hour is shown as a standstill.",
        TotalKind.EMISSIONS,
        grams,
        labels=("accounting", "zone", "boundary"),
    ),
    _total(
        "wattledger_emissions_uncovered_energy_joules_total",
        "Energy of hours that closed without a carbon intensity: it is in no gram.",
        TotalKind.UNCOVERED,
        joules,
        labels=("accounting", "boundary"),
        closed=True,
    ),
    host(
        "wattledger_emissions_open_uncovered_energy_joules",
        "Energy of open hours that no carbon intensity is known for yet.",
        _open_uncovered,
        labels=("accounting",),
    ),
    host(
        "wattledger_carbon_intensity_grams_per_kwh",
        "The intensity that each feed gives for now. feed: location, residual or marginal (for advice, in no "
        "account); level: its place in its list, 0 the first; factors: direct or lifecycle; kind: actual, estimated, "
        "forecast, or factor (of a year or longer).",
        _intensities,
        labels=(*_FEED, "signal", "factors", "gas", "kind"),
    ),
    _of_feed(
        "wattledger_feed_age_seconds",
        "Time since the end of the newest value of a feed that is no forecast; 0 where that is yet to come.",
        lambda feed: () if feed.age_ns is None else (((), seconds(feed.age_ns)),),
    ),
    _of_feed(
        "wattledger_feed_state_info",
        "How old the newest value of a feed is, always 1: fresh, late (overdue, and still held on to) or stale.",
        lambda feed: (((feed.state,), 1),),
        labels=("state",),
    ),
    _of_feed(
        "wattledger_feed_success",
        "Whether the last attempt to read the feed succeeded (1) or not (0).",
        lambda feed: (((), int(not feed.trouble)),),
    ),
    _of_feed(
        "wattledger_feed_failures_total",
        "Attempts that gave no value, by reason.",
        lambda feed: (((reason,), count) for reason, count in feed.errors.items()),
        labels=("reason",),
    ),
    _of_feed(
        "wattledger_feed_skipped_values_total",
        "Single values of answers that were left out, by reason.",
        lambda feed: (((reason,), count) for reason, count in feed.skipped.items()),
        labels=("reason",),
    ),
    host(
        "wattledger_feed_in_use",
        "Whether the feed is the one that counts now (1): the first of its list that has a value. level: its place "
        "in the list, 0 the first.",
        _in_use,
        labels=_FEED,
    ),
    host_value(
        "wattledger_feed_corrections_total",
        "Values that came anew for hours that had closed, and changed nothing.",
        lambda snapshot: snapshot.prices.corrections if snapshot.feeds else None,
    ),
    _total(
        "wattledger_supply_energy_joules_total",
        "Load that each layer of the supply covered, matched hour by hour in the order of the configuration: onsite, "
        "storage, direct_line, contract_intra, contract_inter, certificates, and grid for the rest.",
        TotalKind.SUPPLY,
        joules,
        labels=("layer",),
    ),
    _total(
        "wattledger_hourly_matched_energy_joules_total",
        "Load that carbon-free supply of the same hour covered: over all load it is the 24/7 score. What a meter "
        "tells late is shown as more load is drawn, so that no time has more matched than load.",
        TotalKind.MATCHED,
        joules,
    ),
    _total(
        "wattledger_hourly_matched_with_grid_energy_joules_total",
        "The same, and of what came from the grid its carbon-free share in that hour. It is of those hours alone "
        "whose share is known: over wattledger_hourly_matched_with_grid_load_joules_total it is the score.",
        TotalKind.WITH_GRID,
        joules,
    ),
    host(
        "wattledger_hourly_matched_with_grid_load_joules_total",
        "All load of hours whose carbon-free share of the grid is known; what it lacks of all load is in no score.",
        _with_grid_load,
    ),
    host(
        "wattledger_grid_carbon_free_ratio",
        "The carbon-free share of the grid that each feed gives for now. kind: actual, estimated, forecast, or "
        "factor (of a year or longer).",
        _carbon_free,
        labels=(*_FEED, "kind"),
    ),
    host_value(
        "wattledger_pue_ratio",
        "The PUE that counts now, configured or from a feed.",
        lambda snapshot: snapshot.prices.pue,
    ),
    _total(
        "wattledger_cost_total",
        "What the energy of this host cost by the tariff, in the currency of its label.",
        TotalKind.COST,
        money,
        labels=("currency", "boundary"),
    ),
    _total(
        "wattledger_cost_credit_total",
        "What negative prices paid for energy of this host: it is not taken off wattledger_cost_total.",
        TotalKind.CREDIT,
        money,
        labels=("currency", "boundary"),
    ),
    _total(
        "wattledger_cost_uncovered_energy_joules_total",
        "Energy of hours that closed without a price: it is in no cost.",
        TotalKind.UNPRICED,
        joules,
        labels=("currency", "boundary"),
        closed=True,
    ),
    host(
        "wattledger_price_per_kwh",
        "What a kWh costs now; period is the label of the tariff's period, empty where it has none.",
        _price,
        labels=("currency", "period"),
    ),
    host(
        "wattledger_service_grams_per_token",
        "Grams of CO2 per token: the joules per token of the same window, at what a kWh of that time emitted, up to "
        "the widest boundary that is known.",
        _service_grams,
        labels=("service", "model", "per", "scope", "accounting", "boundary"),
    ),
    host(
        "wattledger_service_cost_per_token",
        "Money per token: the joules per token of the same window, at what a kWh of that time cost, up to the widest "
        "boundary that is known.",
        _service_money,
        labels=("service", "model", "per", "scope", "currency", "boundary"),
    ),
)
