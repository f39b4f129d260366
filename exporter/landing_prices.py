"""Grams and money on the landing page, and how the feeds are doing that they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import Accounting, Measure
from wattledger.rules.pricing.model import Boundary, TotalKind, grams, money

from .feeds import in_use
from .landing_text import duration, escaped, kwh, percent, significant

if TYPE_CHECKING:
    from .feeds import FeedHealth
    from .prices import PricesView

_BOUNDARIES = {
    Boundary.GPU: "GPUs",
    Boundary.NODE: "whole host",
    Boundary.FACILITY: "at the meter of the house",
}
_ABSENT = '<span class="dim">not known</span>'
_UNITS = {
    Measure.INTENSITY: "g/kWh",
    Measure.PRICE: "per kWh",
    Measure.PUE: "",
    Measure.ENERGY: "",
    Measure.CARBON_FREE: "carbon-free",
}


def price_section(prices: PricesView, feeds: tuple[FeedHealth, ...]) -> str:
    """Give the section; empty text where neither grams nor money are asked for."""
    if not feeds and not prices.currency:
        return ""
    rows = "".join(_row(prices, boundary, words) for boundary, words in _BOUNDARIES.items())
    table = (
        '<div class="scroll"><table class="narrow">\n<thead><tr><th>Energy</th><th class="number">kWh</th>'
        '<th class="number">CO2, location-based</th><th class="number">CO2, market-based</th>'
        f'<th class="number">Cost</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
    )
    return f'<h2 id="carbon">Carbon and cost</h2>\n{table}{_now(prices)}{_supply(prices)}{_feeds(feeds)}'


def _row(prices: PricesView, boundary: Boundary, words: str) -> str:
    load_mj = _total(prices, TotalKind.LOAD, boundary)
    if load_mj is None:
        return ""
    return (
        f'<tr><td class="name">{words}</td><td class="number">{kwh(load_mj)}</td>'
        f'<td class="number">{_mass(prices, Accounting.LOCATION, boundary)}</td>'
        f'<td class="number">{_mass(prices, Accounting.MARKET, boundary)}</td>'
        f'<td class="number">{_cost(prices, boundary)}</td></tr>\n'
    )


def _total(prices: PricesView, kind: TotalKind, *labels: str) -> int | None:
    """Give the sum of the counters of *kind* that have all *labels*; None where there is none."""
    found = [total.shown for total in prices.totals if total.kind is kind and set(labels) <= set(total.labels)]
    return sum(found) if found else None


def _mass(prices: PricesView, accounting: Accounting, boundary: Boundary) -> str:
    product = _total(prices, TotalKind.EMISSIONS, accounting, boundary)
    if product is None:
        return _ABSENT
    value = grams(product)
    return f"{significant(value / 1000)} kg" if value >= 1000 else f"{significant(value)} g"


def _cost(prices: PricesView, boundary: Boundary) -> str:
    product = _total(prices, TotalKind.COST, boundary)
    if product is None:
        return _ABSENT
    credit = _total(prices, TotalKind.CREDIT, boundary) or 0
    paid = f"<small>and {significant(money(credit))} paid by negative prices</small>" if credit else ""
    return f"{significant(money(product))} {escaped(prices.currency)}{paid}"


def _now(prices: PricesView) -> str:
    told = []
    if prices.price is not None:
        label = f" ({escaped(prices.price.label)})" if prices.price.label else ""
        told.append(f"a kWh costs {prices.price.value / 1e6:.4f} {escaped(prices.currency)}{label}")
    if prices.pue is not None:
        told.append(f"PUE {prices.pue:.3f}")
    open_mj = prices.open_uncovered_mj.get(Accounting.LOCATION, 0)
    if open_mj:
        told.append(f"{kwh(open_mj)} kWh wait for a carbon intensity")
    return f'<p class="legend">Now: {"; ".join(told)}.</p>\n' if told else ""


def _supply(prices: PricesView) -> str:
    layers = [(total.labels[0], total.shown) for total in prices.totals if total.kind is TotalKind.SUPPLY]
    whole_mj = sum(energy_mj for _, energy_mj in layers)
    if not whole_mj:
        return ""
    parts = ", ".join(f"{escaped(layer)} {percent(energy_mj, whole_mj)}" for layer, energy_mj in layers if energy_mj)
    matched_mj = _total(prices, TotalKind.MATCHED) or 0
    return (
        f'<p class="legend">Supply: {parts}. Matched hour by hour with carbon-free supply: '
        f"{percent(matched_mj, whole_mj)}{_with_grid(prices, whole_mj)}.</p>\n"
    )


def _with_grid(prices: PricesView, whole_mj: int) -> str:
    """Give the same with the grid, and of how much of the load that is; nothing where nobody asks for it."""
    score_mj = _total(prices, TotalKind.WITH_GRID)
    if score_mj is None:
        return ""
    covered_mj = score_mj + (_total(prices, TotalKind.WITH_GRID_REST) or 0)
    score = percent(score_mj, covered_mj) or "not known"
    of_load = "" if covered_mj >= whole_mj else f" (of {percent(covered_mj, whole_mj)} of the load)"
    return f"; with the carbon-free share of the grid: {score}{of_load}"


def _feeds(feeds: tuple[FeedHealth, ...]) -> str:
    if not feeds:
        return ""
    used = in_use(feeds)
    rows = "".join(_feed(feed, used=(feed.chain, feed.level) in used) for feed in feeds)
    return (
        '<div class="scroll"><table class="narrow">\n<thead><tr><th>Feed</th><th>Zone</th><th>Provider</th>'
        f'<th>State</th><th class="number">Now</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
    )


def _feed(feed: FeedHealth, *, used: bool) -> str:
    value = _ABSENT
    if feed.value is not None and feed.kind is not None:
        value = f"{feed.value / 1e6:,.3f} {_UNITS[feed.series.measure]}<small>{feed.kind}</small>"
    age = "" if feed.age_ns is None else f"<small>newest value {duration(feed.age_ns)} old</small>"
    trouble = f'<small class="down">{escaped(feed.trouble)}: {escaped(feed.detail)}</small>' if feed.trouble else ""
    mark = " <b>in use</b>" if used else ""
    state = f'<span class="down">{feed.state}</span>' if feed.state is not FeedState.FRESH else feed.state.value
    caliber = f"<small>{escaped(str(feed.series.caliber))}</small>" if feed.series.caliber else ""
    return (
        f'<tr><td class="name">{escaped(feed.chain)} {feed.level + 1}{mark}</td><td>{escaped(feed.zone)}</td>'
        f'<td class="name">{escaped(feed.provider)}{caliber}</td><td class="name">{state}{age}{trouble}</td>'
        f'<td class="number">{value}</td></tr>\n'
    )
