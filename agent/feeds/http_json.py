"""Any JSON over HTTP: the configuration says where in the answer the values and their times stand.

`values`, `times` and `ends` are paths (see json_path). A value holds from its time to its end; without `ends` for
`step`, without that until the next time. With `ends` alone it holds for `step` before its end.
In the url {from}, {to} (ISO 8601), {from_epoch}, {to_epoch} (seconds) and {zone} stand for what is asked for.
What lies ahead of now is a forecast, except for prices, which are made ahead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import quote

from wattledger.rules.feeds.model import Measure, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Pace, Skipped, Trouble, Web, Window
from .conversion import Convert, conversion
from .declared import SOURCE_KEYS, pace_of, series_of
from .gathering import Gathering
from .json_path import Found, JsonPath
from .json_times import Timing, timed
from .numbers import ValueUnusable
from .registration import FeedKeys, Wants
from .times import iso_of, zone_of
from .web_access import ACCESS_KEYS, Access, access_mistakes

KEYS = FeedKeys(
    required=("url", "values"),
    optional=("times", "ends", "unit", "step", "timezone", *ACCESS_KEYS, *SOURCE_KEYS),
    measures=tuple(Measure),
    web=True,
)

_POLL_NS = 15 * 60 * NS_PER_SECOND
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_FILLERS: Mapping[str, Callable[[Window, str], str]] = {
    "from": lambda window, _: iso_of(window.start_wall_ns),
    "to": lambda window, _: iso_of(window.end_wall_ns),
    "from_epoch": lambda window, _: str(window.start_wall_ns // NS_PER_SECOND),
    "to_epoch": lambda window, _: str(window.end_wall_ns // NS_PER_SECOND),
    "zone": lambda _, zone: zone,
}


def build(feed: Feed, wants: Wants) -> HttpJson:
    """Make the provider. Raises ValueError for what `mistakes` tells."""
    for key, message in mistakes(feed, wants):
        raise ValueError(f"{key}: {message}")
    # What holds until the next begins has its length from its neighbours.
    asks_all = not feed.ends and feed.step_ns is None
    holds = wants.measure in (Measure.INTENSITY, Measure.PUE, Measure.CARBON_FREE)
    return HttpJson(
        series=series_of(feed, wants),
        pace=replace(pace_of(feed, poll_ns=_POLL_NS, max_age_ns=2 * NS_PER_HOUR if holds else 0), asks_all=asks_all),
        url=feed.url,
        values=JsonPath(feed.values),
        times=JsonPath(feed.times) if feed.times else None,
        ends=JsonPath(feed.ends) if feed.ends else None,
        timing=Timing(zone_of(feed.timezone), feed.step_ns),
        convert=conversion(wants.measure, feed.unit, wants.currency),
        access=Access.of(feed, wants),
        credential=wants.credential,
    )


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    for key, path in (("values", feed.values), ("times", feed.times), ("ends", feed.ends)):
        try:
            if path:
                JsonPath(path)
        except ValueError as error:
            yield key, str(error)
    if not feed.times and not feed.ends:
        yield "times", "is missing; write the path to the times of the values"
    elif not feed.times and feed.step_ns is None:
        yield "step", "is missing; with `ends` alone it says how long before its end a value began"
    try:
        conversion(wants.measure, feed.unit, wants.currency)
    except ValueError as error:
        yield "unit", str(error)
    for name in _PLACEHOLDER.findall(feed.url):
        if name not in _FILLERS:
            known = ", ".join(f"{{{filler}}}" for filler in _FILLERS)
            yield "url", f"holds {{{name}}}, which stands for nothing; what does is {known}"
    if "{zone}" in feed.url and not feed.zone:
        yield "zone", "is missing; the url asks for it"
    yield from access_mistakes(feed)


@dataclass(frozen=True, slots=True)
class HttpJson:
    """One address. At least one of `times` and `ends` is there."""

    series: Series
    pace: Pace
    url: str
    values: JsonPath
    times: JsonPath | None
    ends: JsonPath | None
    timing: Timing
    convert: Convert
    access: Access
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask once. Raises FeedError."""
        tree = _tree(self.access.get(web, self._filled(window)).body)
        values, times, ends = (self._found(tree, path) for path in (self.values, self.times, self.ends))
        for name, others in (("times", times), ("ends", ends)):
            if others is not None:
                _check_side_by_side(values or [], others, name)
        gathered = Gathering(window)
        try:
            spans = timed(
                None if times is None else [one.value for one in times],
                None if ends is None else [one.value for one in ends],
                self.timing,
            )
        except ValueError as error:
            raise FeedError(Trouble.INVALID, f"times of the answer: {error}") from None
        for found, span in zip(values or [], spans, strict=True):
            if isinstance(span, Skipped):
                gathered.skip(span)
            else:
                self._add(gathered, *span, value=found.value, now_wall_ns=window.now_wall_ns)
        return gathered.answer(empty="check `values`, `times` and the url against the answer")

    def _add(self, gathered: Gathering, start: int, end: int, *, value: object, now_wall_ns: int) -> None:
        ahead = start > now_wall_ns and self.series.measure is not Measure.PRICE
        try:
            whole = self.convert(value, end - start)
        except ValueUnusable as error:
            gathered.skip(error.why)
        else:
            gathered.add(start, end, whole, PointKind.FORECAST if ahead else PointKind.ACTUAL)

    def _filled(self, window: Window) -> str:
        def fill(match: re.Match[str]) -> str:
            return quote(_FILLERS[match[1]](window, self.series.zone), safe="")

        return _PLACEHOLDER.sub(fill, self.url)

    def _found(self, tree: object, path: JsonPath | None) -> list[Found] | None:
        if path is None:
            return None
        try:
            return path.find(tree)
        except ValueError as error:
            raise FeedError(Trouble.INVALID, f"path {path.text!r}: {error}; correct the path") from None


def _check_side_by_side(values: list[Found], others: list[Found], name: str) -> None:
    """Raise FeedError(INVALID) where the two are not of the same items: they would be paired wrongly."""
    if [one.indices for one in values] != [one.indices for one in others]:
        raise FeedError(
            Trouble.INVALID,
            f"`values` leads to {len(values)} places and `{name}` to {len(others)}, not side by side; "
            "let both go through the same lists",
        )


def _tree(body: bytes) -> object:
    try:
        tree: object = json.loads(body, parse_float=Decimal, parse_constant=str)
    except (ValueError, RecursionError):
        shown = repr(body[:80].decode("utf-8", "replace")) if body else "nothing"
        raise FeedError(
            Trouble.INVALID, f"the answer is no whole JSON, it begins with {shown}; check the url in a browser"
        ) from None
    return tree
