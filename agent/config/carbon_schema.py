"""The keys below `carbon`: whence grams come, and how long an hour waits for better numbers."""

from typing import Annotated

import msgspec

from wattledger.rules.instant import NS_PER_HOUR

from .feed_schema import Feed
from .scalars import duration_key
from .section import Section


class Carbon(Section, frozen=True, kw_only=True):
    """Carbon intensity. The first feed that has a value for a moment gives it.

    `residual` gives the factor of what no contract covers, for market-based grams; without one it is that of `feeds`.
    `marginal` is for advice alone and enters no account. `carbon_free` gives the carbon-free share of the grid, for
    the 24/7 score that counts it. `open` is how long an hour may still be priced anew.
    """

    feeds: tuple[Feed, ...] = ()
    residual: tuple[Feed, ...] = ()
    marginal: tuple[Feed, ...] = ()
    carbon_free: tuple[Feed, ...] = ()
    open_ns: Annotated[int, duration_key("1h", "72h")] = msgspec.field(default=6 * NS_PER_HOUR, name="open")
