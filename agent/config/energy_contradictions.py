"""What cannot be meant below `carbon`, `supply`, `facility` and `tariff`; loaded only where one of them is set."""

from collections.abc import Iterable, Iterator

from wattledger.rules.feeds.model import Accounting, Caliber, Measure, Signal

from ..feeds.catalogue import build_provider, mistakes
from ..feeds.registration import Wants
from ..feeds.secrets import secret_of
from ..tariff import tariff_doubts, tariff_mistakes
from .facility_schema import facility_mistakes
from .feed_schema import Feed
from .problem import Places, Problem
from .schema import Config
from .supply_mistakes import supply_mistakes

Told = tuple[str, str]
"""A key path and what is wrong there."""


def energy_contradictions(config: Config, places: Places) -> Iterator[Problem]:
    """Give what cannot be meant. *places* tells where it stands."""
    return (_problem(key, message, places) for key, message in _contradictions(config))


def energy_doubts(config: Config, places: Places) -> Iterator[Problem]:
    """Give what is allowed and does less than it seems to; of a configuration without contradictions."""
    return (_problem(key, message, places) for key, message in _doubts(config))


def feeds_of(config: Config) -> Iterator[tuple[str, Measure, Feed]]:
    """Give every feed with its key path and what is asked of it."""
    for name, feeds in (
        ("feeds", config.carbon.feeds),
        ("residual", config.carbon.residual),
        ("marginal", config.carbon.marginal),
    ):
        for number, feed in enumerate(feeds):
            yield f"carbon.{name}[{number}]", Measure.INTENSITY, feed
    for number, feed in enumerate(config.carbon.carbon_free):
        yield f"carbon.carbon_free[{number}]", Measure.CARBON_FREE, feed
    for number, entry in enumerate(config.supply):
        if entry.meter is not None:
            yield f"supply[{number}].meter", Measure.ENERGY, entry.meter
    if config.facility.feed is not None:
        yield "facility.feed", Measure.PUE, config.facility.feed
    if config.tariff is not None and config.tariff.feed is not None:
        yield "tariff.feed", Measure.PRICE, config.tariff.feed


def _contradictions(config: Config) -> Iterator[Told]:
    currency = "" if config.tariff is None else config.tariff.currency
    sound: dict[str, Caliber | None] = {}
    for at, measure, feed in feeds_of(config):
        found = list(mistakes(feed, measure, at, currency=currency))
        yield from found
        if not found and measure is Measure.INTENSITY:
            sound[at] = _caliber(feed)
    for at, caliber in sound.items():
        marginal = caliber is not None and caliber.signal is Signal.MARGINAL
        if marginal is not at.startswith("carbon.marginal"):
            yield (
                at,
                "is marginal, which enters no account; put it under carbon.marginal"
                if marginal
                else "is not marginal; put it under carbon.feeds",
            )
        elif caliber is not None and caliber.accounting is Accounting.MARKET and at.startswith("carbon.feeds"):
            yield at, "is a factor for power by contract, of no place; put it under carbon.residual"
    yield from supply_mistakes(config.supply)
    yield from _below("facility", facility_mistakes(config.facility))
    if config.tariff is not None:
        yield from _below("tariff", tariff_mistakes(config.tariff))
    if config.carbon.residual and not config.carbon.feeds:
        yield "carbon.residual", "stands without feeds, whose energy it is for; add feeds"


def _doubts(config: Config) -> Iterator[Told]:
    if config.tariff is not None:
        yield from _below("tariff", tariff_doubts(config.tariff))
    if config.carbon.feeds:
        first = _caliber(config.carbon.feeds[0])
        for number, feed in enumerate(config.carbon.feeds[1:], start=1):
            caliber = _caliber(feed)
            if first is not None and caliber is not None and not _are_alike(first, caliber):
                unlike = f"is of another caliber ({caliber}) than the first feed ({first}), and grams of both add up"
                yield f"carbon.feeds[{number}]", f"{unlike}; give feeds of one caliber where you can"
    if config.carbon.carbon_free and not config.supply:
        yield "carbon.carbon_free", "is for the load that `supply` leaves to the grid, and there is none; add supply"
    if config.supply and not config.carbon.feeds:
        yield "supply", "covers load and no gram is counted; add carbon.feeds for what it does not cover"


def _caliber(feed: Feed) -> Caliber | None:
    # Made to be asked what it is, and never asked for a value: no secret is read.
    return build_provider(feed, Wants(Measure.INTENSITY, secret=secret_of(feed, {}))).series.caliber


def _are_alike(one: Caliber, other: Caliber) -> bool:
    """Tell whether grams of both may be added up; whose power it is of (basis) may differ from zone to zone."""
    return (one.signal, one.factors, one.gas, one.accounting) == (
        other.signal,
        other.factors,
        other.gas,
        other.accounting,
    )


def _below(section: str, told: Iterable[Told]) -> Iterator[Told]:
    for key, message in told:
        joint = "" if not key or key.startswith("[") else "."
        yield f"{section}{joint}{key}", message


def _problem(key: str, message: str, places: Places) -> Problem:
    """Give the problem at its key, or at the nearest one above it that stands in the file."""
    path = key
    while path and path not in places:
        path = path.rpartition(".")[0] if "." in path else ""
    return Problem(places[path or key], key, message)
