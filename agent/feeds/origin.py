"""What of the configuration makes the numbers of a feed what they are, beyond its series; it tells no secret."""

from __future__ import annotations

from hashlib import sha256

from ..config.feed_schema import Feed

_CHARACTERS = 16


def origin_of(feed: Feed) -> str:
    """Give what is one for feeds that read the same numbers in the same way; empty where the kind says all of it.

    It is a hash: a url may hold a key.
    """
    asked = (feed.url, feed.query, feed.product, feed.tariff)
    read = (feed.values, feed.times, feed.ends, feed.unit, feed.timezone, feed.step_ns)
    told = [str(one or "") for one in (*asked, *read)]
    if not any(told):
        return ""
    return sha256("\x1f".join(told).encode("utf-8", "surrogateescape")).hexdigest()[:_CHARACTERS]
