"""From the configuration to what prices energy: feeds, supply and tariff, each loaded only where it is configured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from wattledger.rules.instant import NS_PER_SECOND

from .config.facility_schema import Facility
from .ledger import Ledger
from .price_desk import PriceDesk
from .price_parts import CARBON_FREE, LOCATION, MARGINAL, PUE, RESIDUAL, SUPPLY, PriceSettings

if TYPE_CHECKING:
    from pathlib import Path

    from wattledger.rules.chain.chain import PowerPath
    from wattledger.rules.feeds.model import Measure

    from .clock import Clock
    from .config import Config
    from .config.facility_schema import RedfishEntry
    from .config.feed_schema import Feed
    from .feeds.base import Web
    from .feeds.desk import FeedDesk
    from .feeds.poller import Member
    from .hourly_prices import HourlyPrices
    from .ledger import Prices
    from .node_desk import NodeDesk
    from .supply_desk import SupplyDesk

PRICE = "price"

# Without a value that may come later an hour waits for energy alone: that of a service is known when its tokens are
# read again, which may be after the hour in which it was drawn. What comes when that has closed finds no price.
_LATE_NS = 900 * NS_PER_SECOND


def price_desk(
    config: Config,
    *,
    clock: Clock,
    ledger: Ledger,
    state_dir: Path | None,
    environment: Mapping[str, str],
    has_meters: bool,
) -> PriceDesk:
    """Give what prices the energy of this host. *state_dir* keeps what the web gave; None: nothing is kept.

    *has_meters*: what this host's own meters say is of the GPUs that are read.
    """
    feeds = _feeds(config, clock=clock, state_dir=state_dir, environment=environment)
    prices = ledger.load_prices()
    tariff, carbon = config.tariff, config.carbon
    settings = PriceSettings(
        open_ns=_LATE_NS if feeds is None else carbon.open_ns,
        zone=_zone(carbon.feeds),
        currency="" if tariff is None else tariff.currency,
        has_carbon=bool(carbon.feeds),
        has_residual=bool(carbon.residual),
        has_carbon_free=bool(carbon.carbon_free),
        path=_path(config),
        has_pue_feed=config.facility.feed is not None,
    )
    return PriceDesk(
        prices,
        settings,
        feeds=feeds,
        supplies=_supplies(config, prices.certificates),
        tariffs=_tariffs(config, feeds),
        node=_node(config, prices, clock=clock, environment=environment) if has_meters else None,
    )


def _path(config: Config) -> PowerPath | None:
    if config.facility == Facility():
        return None
    from .host_energy.build import power_path  # noqa: PLC0415  (a chain is read from a catalogue)

    return power_path(config.facility)


def _node(config: Config, prices: Prices, *, clock: Clock, environment: Mapping[str, str]) -> NodeDesk:
    from .host_energy.build import host_meters  # noqa: PLC0415  (only where meters are)
    from .node_desk import NodeDesk  # noqa: PLC0415

    def web_of(entry: RedfishEntry) -> Web:
        from .feeds.web import WebSession  # noqa: PLC0415  (only where a controller is asked)

        return WebSession(clock, environment, timeout_ns=entry.timeout_ns, ca_file=entry.ca_file, asks_anew=True)

    return NodeDesk(
        host_meters(config.facility.node, clock=clock, web_of=web_of),
        prices.nodes,
        {(slot, key): energy for slot, found in prices.open_slots.items() for key, energy in found.meters.items()},
        overhead_mw=config.facility.host_overhead_mw,
    )


def _zone(feeds: Sequence[Feed]) -> str:
    return next((feed.zone or feed.region for feed in feeds if feed.zone or feed.region), "")


def _supplies(config: Config, stored: Mapping[str, int]) -> SupplyDesk | None:
    if not config.supply:
        return None
    from .supply import SupplyPlan  # noqa: PLC0415  (only where there is supply)
    from .supply_desk import SupplyDesk  # noqa: PLC0415

    return SupplyDesk.resumed(SupplyPlan(config.supply), stored)


def _tariffs(config: Config, feeds: FeedDesk | None) -> HourlyPrices | None:
    if config.tariff is None:
        return None
    from .hourly_prices import HourlyPrices  # noqa: PLC0415  (only where there is a tariff)
    from .tariff import make_tariff  # noqa: PLC0415

    resolve = None if feeds is None else lambda start, end: feeds.resolve(PRICE, start, end)
    return HourlyPrices(make_tariff(config.tariff), resolve)


def _feeds(
    config: Config, *, clock: Clock, state_dir: Path | None, environment: Mapping[str, str]
) -> FeedDesk | None:
    wanted = dict(_wanted(config))
    if not wanted:
        return None
    from .feeds.desk import Chain, FeedDesk  # noqa: PLC0415  (only where there is a feed)

    currency = "" if config.tariff is None else config.tariff.currency
    chains = [
        Chain(
            name,
            tuple(_member(feed, measure, currency=currency, clock=clock, environment=environment) for feed in feeds),
        )
        for name, (measure, feeds) in wanted.items()
    ]
    return FeedDesk(chains, clock=clock, state_dir=state_dir)


def _wanted(config: Config) -> Iterator[tuple[str, tuple[Measure, Sequence[Feed]]]]:
    from wattledger.rules.feeds.model import Measure  # noqa: PLC0415

    for name, feeds in (
        (LOCATION, config.carbon.feeds),
        (RESIDUAL, config.carbon.residual),
        (MARGINAL, config.carbon.marginal),
    ):
        if feeds:
            yield name, (Measure.INTENSITY, feeds)
    if config.carbon.carbon_free:
        yield CARBON_FREE, (Measure.CARBON_FREE, config.carbon.carbon_free)
    if config.tariff is not None and config.tariff.feed is not None:
        yield PRICE, (Measure.PRICE, (config.tariff.feed,))
    if config.facility.feed is not None:
        yield PUE, (Measure.PUE, (config.facility.feed,))
    for entry in config.supply:
        if entry.meter is not None:
            yield SUPPLY + entry.name, (Measure.ENERGY, (entry.meter,))


def _member(feed: Feed, measure: Measure, *, currency: str, clock: Clock, environment: Mapping[str, str]) -> Member:
    from .feeds.catalogue import build_provider, keys_of  # noqa: PLC0415
    from .feeds.origin import origin_of  # noqa: PLC0415
    from .feeds.poller import Member  # noqa: PLC0415
    from .feeds.registration import Wants  # noqa: PLC0415
    from .feeds.secrets import credential_of, secret_of  # noqa: PLC0415

    wants = Wants(measure, currency=currency, secret=secret_of(feed, environment), credential=credential_of(feed))
    provider = build_provider(feed, wants)
    if not keys_of(feed.kind).web:
        return Member(provider)
    from .feeds.web import WebSession  # noqa: PLC0415  (only where something is asked over the web)

    return Member(
        provider,
        WebSession(clock, environment, timeout_ns=feed.timeout_ns, ca_file=feed.ca_file),
        origin_of(feed),
    )
