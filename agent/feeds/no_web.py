# ruff: noqa: ARG002  (whatever is asked for is refused)
"""What a provider of this host alone, such as a file or a constant, gets for a web."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .base import FeedError, Response, Trouble


class NoWeb:
    """Refuses everything, without a connection."""

    def get(
        self,
        url: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Response:
        """Raise FeedError(INVALID)."""
        raise FeedError(Trouble.INVALID, "this kind of feed reads its own host and asks no web")

    def post(self, url: str, body: bytes, *, content_type: str, headers: Mapping[str, str] | None = None) -> Response:
        """Raise FeedError(INVALID)."""
        raise FeedError(Trouble.INVALID, "this kind of feed reads its own host and asks no web")
