"""Every kind of feed, and the file of its provider, which is imported when a configuration names it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

import msgspec

from wattledger.rules.feeds.model import Measure

from ..config.feed_schema import Feed, FeedKind
from ..config.problem import guess
from .base import FeedError, Provider, Trouble
from .declared import CALIBER_KEYS
from .discreet import Discreet
from .registration import FeedKeys, Wants

# A module has the name of its kind, unless that is one of the standard library.
_MODULES = {FeedKind.CSV: "csv_file", FeedKind.JSON: "json_file"}

_COMMON_KEYS = ("kind", "zone", "poll", "max_age")
_WEB_KEYS = ("timeout", "url", "ca_file")


class _ProviderFile(Protocol):
    """What each provider's file offers."""

    KEYS: FeedKeys

    def build(self, feed: Feed, wants: Wants) -> Provider:
        """Make the provider. Raises ValueError or FeedError."""
        ...


def module_of(kind: FeedKind) -> str:
    """Give the name of the module of *kind* in this package."""
    return _MODULES.get(kind, kind.value)


def keys_of(kind: FeedKind) -> FeedKeys:
    """Give which keys *kind* takes."""
    return _file(kind).KEYS


def build_provider(feed: Feed, wants: Wants) -> Provider:
    """Make the provider of *feed*. Raises FeedError for what `mistakes` tells."""
    try:
        provider = _file(feed.kind).build(feed, wants)
    except ValueError as error:
        raise FeedError(Trouble.INVALID, str(error)) from None
    return provider if wants.secret is None else Discreet(provider, wants.secret)


def mistakes(feed: Feed, measure: Measure, at: str, *, currency: str = "") -> Iterator[tuple[str, str]]:
    """Give the path of a key and what is wrong with it, in words that follow the path.

    *at* is the path of the feed, such as `carbon.feeds[0]`: what is missing is told there, what is wrong at its key.
    *currency* is that of the tariff, for prices. A key that is set to its default cannot be told from one left out.
    """
    keys = keys_of(feed.kind)
    if measure not in keys.measures:
        known = ", ".join(keys.measures)
        yield f"{at}.kind", f"{feed.kind} gives no {measure}; it gives {known}"
        return
    found = list(_key_mistakes(feed, keys))
    found += [
        (key, f"is of carbon intensities alone, and this is a feed of {measure}; leave it out")
        for key in CALIBER_KEYS
        if measure is not Measure.INTENSITY and key in _given(feed)
    ]
    if not found:
        # The provider judges values; where keys lack it would name them again.
        judge = getattr(_file(feed.kind), "mistakes", None)
        if judge is not None:
            found += judge(feed, Wants(measure, currency=currency))
    yield from ((f"{at}.{key}" if key else at, message) for key, message in found)


def _key_mistakes(feed: Feed, keys: FeedKeys) -> Iterator[tuple[str, str]]:
    given = _given(feed)
    for key in keys.required:
        if key not in given:
            yield "", f"lacks the key `{key}`, which {feed.kind} needs; add it"
    for group in keys.one_of:
        present = [key for key in group if key in given]
        if not present:
            yield "", f"lacks one of the keys {_listed(group)}, which {feed.kind} needs; add one"
        for key in present[1:]:
            yield key, f"stands beside {present[0]}; keep one of them"
    taken = [*_COMMON_KEYS, *(_WEB_KEYS if keys.web else ()), *keys.required, *keys.optional]
    taken += [key for group in keys.one_of for key in group]
    taken = list(dict.fromkeys(taken))
    for key in given:
        if key not in taken:
            cure = guess(key, taken) or f"it takes {', '.join(taken)}"
            yield key, f"is not taken by {feed.kind}; {cure}"


def _given(feed: Feed) -> list[str]:
    """Give the names of the keys that are not at their defaults."""
    return [
        info.encode_name
        for info in msgspec.structs.fields(feed)
        if info.required or getattr(feed, info.name) != info.default
    ]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _file(kind: FeedKind) -> _ProviderFile:
    return cast("_ProviderFile", import_module(f".{module_of(kind)}", __package__))
