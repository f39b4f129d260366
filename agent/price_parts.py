"""What the desk of prices is made of: its settings, the names of its chains of feeds, and what it asks of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wattledger.exporter.feeds import FeedHealth
    from wattledger.rules.chain.chain import PowerPath
    from wattledger.rules.feeds.fallback import Resolved
    from wattledger.rules.feeds.span import Span
    from wattledger.rules.pricing.hour import Cover
    from wattledger.rules.tariff.prices import PricePoint

LOCATION, RESIDUAL, MARGINAL, PUE, SUPPLY = "location", "residual", "marginal", "pue", "supply:"
CARBON_FREE = "carbon_free"
"""Chains of feeds by what they are for; that of a meter has the name of its supply behind."""


class Feeds(Protocol):
    """Values by chain of feeds. No call blocks."""

    def start(self) -> None:
        """Begin to ask."""
        ...

    def changes(self) -> Mapping[str, Sequence[Span]]:
        """Give where values changed since the last call, by chain."""
        ...

    def resolve(self, chain: str, start_wall_ns: int, end_wall_ns: int) -> Sequence[Resolved]:
        """Give the values of a chain, which tile the stretch."""
        ...

    def health(self) -> tuple[FeedHealth, ...]:
        """Give how each feed is doing."""
        ...

    def close(self) -> None:
        """Ask no more."""
        ...


class Supplies(Protocol):
    """What covers the load before the mix of the grid does."""

    @property
    def is_sequential(self) -> bool:
        """Tell whether an hour depends on those before it."""
        ...

    def cover(self, hour: int, load_mj: int, metered: Callable[[str], int | None]) -> Cover:
        """Match an hour on what the hours before it left."""
        ...

    def settle(self, hour: int) -> Mapping[str, int]:
        """Note that an hour is priced for good; give what the ledger is to keep of certificates and batteries."""
        ...


class Tariffs(Protocol):
    """What a kWh costs, hour by hour."""

    def points(self, start_wall_ns: int, end_wall_ns: int) -> Sequence[PricePoint]:
        """Give the prices of a stretch, which tile it."""
        ...


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """What the configuration says of grams and money: how long an hour waits, and which values there are at all.

    `zone` is that of energy that no feed has a value for. `path` leads from the node to the meter of
    the house, and is None where a feed gives the PUE or nothing does.
    """

    open_ns: int
    zone: str = ""
    currency: str = ""
    has_carbon: bool = False
    has_residual: bool = False
    has_carbon_free: bool = False
    path: PowerPath | None = None
    has_pue_feed: bool = False
