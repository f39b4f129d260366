"""The keys of a feed: one mapping for all providers; which kind takes which keys is said by the provider itself."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from wattledger.rules.feeds.model import Basis, Factors, Gas, Signal
from wattledger.rules.instant import NS_PER_SECOND

from .feed_scalars import EXPRESSION, TIME_ZONE, VARIABLE_NAME, ZONE
from .rule_scalars import URL
from .scalars import NAME, PATH, choice_key, decimal_key, duration_key, whole_key
from .section import Section


class FeedKind(StrEnum):
    """The providers, by the word that configurations use."""

    STATIC = "static"
    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    HTTP_JSON = "http_json"
    PROMETHEUS = "prometheus"
    ELECTRICITY_MAPS = "electricity_maps"
    WATTTIME = "watttime"
    GB = "gb"
    RTE = "rte"
    ENERGY_CHARTS = "energy_charts"
    EIA = "eia"
    ENTSOE = "entsoe"
    OCTOPUS = "octopus"


class Feed(Section, frozen=True, kw_only=True):
    """One provider of values. What a kind does not take is refused with the place."""

    shared: ClassVar[str] = "feed"

    kind: Annotated[FeedKind, choice_key(FeedKind)]
    zone: Annotated[str, ZONE] = ""
    # How it is asked.
    poll_ns: Annotated[int | None, duration_key("10s", "7d")] = msgspec.field(default=None, name="poll")
    max_age_ns: Annotated[int | None, duration_key("0s", "3660d")] = msgspec.field(default=None, name="max_age")
    timeout_ns: Annotated[int, duration_key("1s", "5m")] = msgspec.field(default=10 * NS_PER_SECOND, name="timeout")
    url: Annotated[str, URL] = ""
    ca_file: Annotated[Path | None, PATH] = None
    token_file: Annotated[Path | None, PATH] = None
    token_variable: Annotated[str, VARIABLE_NAME] = ""
    token_header: Annotated[str, NAME] = ""
    username: Annotated[str, NAME] = ""
    password_file: Annotated[Path | None, PATH] = None
    # What number it is, where the provider does not say it.
    unit: Annotated[str, NAME] = ""
    signal: Annotated[Signal | None, choice_key(Signal)] = None
    factors: Annotated[Factors | None, choice_key(Factors)] = None
    gas: Annotated[Gas | None, choice_key(Gas)] = None
    basis: Annotated[Basis | None, choice_key(Basis)] = None
    citation: Annotated[str, NAME] = ""
    # Where the number stands.
    value_micro: Annotated[int | None, decimal_key("-10000", "100000", decimals=6)] = msgspec.field(
        default=None, name="value"
    )
    source: Annotated[str, NAME] = ""
    region: Annotated[str, ZONE] = ""
    year: Annotated[int | None, whole_key(1990, 2100)] = None
    path: Annotated[Path | None, PATH] = None
    query: Annotated[str, EXPRESSION] = ""
    values: Annotated[str, EXPRESSION] = ""  # path to the values in a JSON answer
    times: Annotated[str, EXPRESSION] = ""  # path to their times
    ends: Annotated[str, EXPRESSION] = ""  # path to their ends, where the answer has them
    step_ns: Annotated[int | None, duration_key("1m", "366d")] = msgspec.field(default=None, name="step")
    timezone: Annotated[str, TIME_ZONE] = ""
    product: Annotated[str, NAME] = ""
    tariff: Annotated[str, NAME] = ""
