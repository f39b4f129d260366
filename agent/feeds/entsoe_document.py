"""The price documents of ENTSO-E (IEC 62325-451-3) to candidates for points; what is asked for is not known here.

A period has a start, an end and a resolution, all in UTC, so that the days on which clocks change need no care: they
have 23 or 25 hours. On a curve A03 a position that is missing repeats the one before; on a curve A01 it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from wattledger.rules.feeds.model import PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from .base import FeedError, Skipped, Trouble
from .gathering import Gathering
from .numbers import ValueUnusable, price_millionths_per_kwh
from .preference import Candidate
from .times import wall_ns_of

_MINUTE_NS = 60 * NS_PER_SECOND
_STEPS = {
    "PT1M": _MINUTE_NS,
    "PT5M": 5 * _MINUTE_NS,
    "PT15M": 15 * _MINUTE_NS,
    "PT30M": 30 * _MINUTE_NS,
    "PT60M": NS_PER_HOUR,
    "PT1H": NS_PER_HOUR,
}
_MOST_POSITIONS = 40_000  # more than the quarter hours of a year, the longest time that can be asked for
_DAY_AHEAD = "A01"
_REPEATS = "A03"
_NOTHING = "no matching data"


def root_of(body: bytes) -> ET.Element:
    """Parse a document. Raises FeedError: INVALID, or EMPTY where the answer is that there is nothing."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FeedError(Trouble.INVALID, "the answer is not in UTF-8; check the key url") from None
    if "<!doctype" in text.lower() or "<!ENTITY" in text:
        raise FeedError(
            Trouble.INVALID,
            f"the answer is no price document, it begins with {text[:80]!r}; check the key url, "
            "and whether a proxy answers in its place",
        )
    try:
        root = ET.fromstring(text)  # noqa: S314  (no declarations, so nothing expands; the size is limited)
    except ET.ParseError as error:
        raise FeedError(Trouble.INVALID, f"the answer is no whole XML ({error}); was it cut off?") from None
    name = _name(root)
    if name == "Acknowledgement_MarketDocument":
        raise refusal(" ".join(_texts(root, "Reason", "text")) or "no reason given")
    if name != "Publication_MarketDocument":
        raise FeedError(Trouble.INVALID, f"the answer is a {name[:80]}, not a price document; check the key url")
    return root


def refusal(reason: str) -> FeedError:
    """Make the error for the *reason* that ENTSO-E gives instead of prices."""
    if _NOTHING in reason.lower():
        return FeedError(Trouble.EMPTY, f"{reason[:200]}; see at transparency.entsoe.eu whether the zone has prices")
    return FeedError(Trouble.INVALID, f"ENTSO-E refuses: {reason[:200]}")


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """One series of a document: which prices they are, and its periods. What is not said is empty."""

    zone: str
    contract: str
    currency: str
    per: str
    curve: str
    sequence: str
    periods: tuple[ET.Element, ...]


def series_in(root: ET.Element) -> Iterator[PriceSeries]:
    """Give the series of a document."""
    for found in _children(root, "TimeSeries"):
        yield PriceSeries(
            zone=_text(found, "in_Domain.mRID"),
            contract=_text(found, "contract_MarketAgreement.type"),
            currency=_text(found, "currency_Unit.name"),
            per=_text(found, "price_Measure_Unit.name"),
            curve=_text(found, "curveType"),
            sequence=_text(found, "classificationSequence_AttributeInstanceComponent.position"),
            periods=tuple(_children(found, "Period")),
        )


def day_ahead_of(root: ET.Element, eic: str, currency: str, gathered: Gathering) -> list[PriceSeries]:
    """Give the day-ahead series of a zone in one currency. Raises FeedError (WRONG_ZONE, INVALID).

    Others are left out as long as there are some of these: several auctions, or prices in two currencies.
    """
    all_series = list(series_in(root))
    here = [each for each in all_series if each.zone == eic]
    gathered.skip(Skipped.OTHER_ZONE, len(all_series) - len(here))
    if all_series and not here:
        told = ", ".join(sorted({each.zone[:40] or "no zone" for each in all_series}))
        raise FeedError(Trouble.WRONG_ZONE, f"the answer is about {told}, asked for was {eic}; check the key zone")
    day_ahead = [each for each in here if each.contract in ("", _DAY_AHEAD)]
    wanted = [each for each in day_ahead if each.currency == currency]
    if day_ahead and not wanted:
        told = ", ".join(sorted({each.currency[:20] or "no currency" for each in day_ahead}))
        raise FeedError(
            Trouble.INVALID,
            f"the answer has prices in {told} and the tariff is in {currency}; set tariff.currency to that of the "
            "zone, currencies are not converted",
        )
    for each in wanted:
        if each.per != "MWH":
            raise FeedError(Trouble.INVALID, f"the answer has prices per {each.per[:20] or 'nothing'}, not per MWH")
    return wanted


def candidates_of(series: PriceSeries, gathered: Gathering) -> Iterator[Candidate]:
    """Give the prices of *series*. Of several auctions the first stands before the others, which are estimates of it.

    Of equals the shorter steps stand before the longer. Raises FeedError(INVALID).
    """
    sequence = int(series.sequence) if series.sequence.isdecimal() and len(series.sequence) < 5 else 1
    for period in series.periods:
        start_ns, step_ns, positions = _grid(period)
        kind = PointKind.ACTUAL if sequence <= 1 else PointKind.ESTIMATED
        unit = f"{series.currency}/MWh"
        for place, price in _filled(_points(period, positions, unit, gathered), series.curve, positions):
            begins = start_ns + place * step_ns
            yield Candidate((sequence, step_ns), begins, begins + step_ns, price, kind)


def _grid(period: ET.Element) -> tuple[int, int, int]:
    """Give start, step and number of positions. Raises FeedError(INVALID)."""
    resolution = _text(period, "resolution")
    step_ns = _STEPS.get(resolution)
    if step_ns is None:
        raise FeedError(
            Trouble.INVALID, f"a period has the resolution {resolution[:20]!r}; known are {', '.join(_STEPS)}"
        )
    interval = next(iter(_children(period, "timeInterval")), period)
    try:
        start_ns, end_ns = wall_ns_of(_text(interval, "start")), wall_ns_of(_text(interval, "end"))
    except ValueError as error:
        raise FeedError(Trouble.INVALID, f"a period has no sound start and end: {error}") from None
    positions, rest = divmod(end_ns - start_ns, step_ns)
    if rest or not 0 < positions <= _MOST_POSITIONS:
        raise FeedError(Trouble.INVALID, f"a period does not hold whole steps of {resolution}, or too many")
    return start_ns, step_ns, positions


def _points(period: ET.Element, positions: int, unit: str, gathered: Gathering) -> dict[int, int | None]:
    """Give the prices by place, from 0; None where the document has a position without a usable price."""
    prices: dict[int, int | None] = {}
    for point in _children(period, "Point"):
        position = _text(point, "position")
        place = int(position) - 1 if position.isdecimal() and len(position) < 9 else -1
        if not 0 <= place < positions:
            gathered.skip(Skipped.BAD_TIME)
        elif place in prices:
            gathered.skip(Skipped.DUPLICATE)
        else:
            try:
                prices[place] = price_millionths_per_kwh(_text(point, "price.amount") or None, unit)
            except ValueUnusable as unusable:
                gathered.skip(unusable.why)
                prices[place] = None
    return prices


def _filled(prices: dict[int, int | None], curve: str, positions: int) -> Iterator[tuple[int, int]]:
    # A position with a price that cannot be used ends the one before: what holds then is not known.
    last: int | None = None
    for place in range(positions):
        if place in prices or curve != _REPEATS:
            last = prices.get(place)
        if last is not None:
            yield place, last


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in element if _name(child) == name)


def _text(element: ET.Element, name: str) -> str:
    return next((child.text or "" for child in _children(element, name)), "").strip()


def _texts(element: ET.Element, outer: str, inner: str) -> Iterator[str]:
    return (text for child in _children(element, outer) if (text := _text(child, inner)))
