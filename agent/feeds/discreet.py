"""A provider whose words hold no secret, not even one that a server repeats in an answer that looks sound."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wattledger.rules.feeds.model import Series

from .base import Answer, FeedError, Pace, Provider, Secret, Web, Window

_HIDDEN = "***"
# As much of the beginning gives a secret away, where a text was cut within it.
_TELLING_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class Discreet:
    """Passes on what *provider* gives, and its words without *secret*."""

    provider: Provider
    secret: Secret

    @property
    def series(self) -> Series:
        """Give that of the provider."""
        return self.provider.series

    @property
    def pace(self) -> Pace:
        """Give that of the provider."""
        return self.provider.pace

    @property
    def credential(self) -> str:
        """Give that of the provider."""
        return self.provider.credential

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for *window*. Raises FeedError."""
        try:
            answer = self.provider.fetch(web, window)
        except FeedError as error:
            detail = self._hidden(error.detail)
            raise FeedError(error.trouble, detail, retry_after_ns=error.retry_after_ns) from None
        return replace(answer, warnings=tuple(map(self._hidden, answer.warnings))) if answer.warnings else answer

    def _hidden(self, text: str) -> str:
        try:
            return without(text, self.secret())
        except FeedError:  # there is none, so none was sent
            return text


def without(text: str, secret: str) -> str:
    """Give *text* with `***` for *secret*, and for the beginning of it that a cut has left."""
    start = secret[:_TELLING_CHARACTERS]
    at = text.find(start)
    while at >= 0:
        length = len(start)
        while length < len(secret) and text[at : at + length + 1] == secret[: length + 1]:
            length += 1
        text = f"{text[:at]}{_HIDDEN}{text[at + length :]}"
        at = text.find(start, at + len(_HIDDEN))
    return text
