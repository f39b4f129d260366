"""What a provider of timed values is, what it may ask of the web, and how it says what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from wattledger.rules.feeds.model import Point, Series


class Trouble(StrEnum):
    """What kind of answer, or none, a provider got."""

    UNREACHABLE = "unreachable"  # no connection, no name, TLS refused
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"  # 401, 403, or no secret: asking again does not help
    NOT_FOUND = "not_found"  # 404: no such zone, file or metric
    THROTTLED = "throttled"  # 429
    SERVER = "server"  # 5xx
    INVALID = "invalid"  # not what the provider promises
    WRONG_ZONE = "wrong_zone"  # an answer about a place that was not asked about
    EMPTY = "empty"  # a sound answer without one usable value


class FeedError(Exception):
    """No values were got. The text is for the operator, names the cure where there is one, and holds no secret."""

    def __init__(self, trouble: Trouble, detail: str, *, retry_after_ns: int | None = None) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail
        self.retry_after_ns = retry_after_ns


class Skipped(StrEnum):
    """Why single values of an answer were left out."""

    NULL = "null"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    OUTSIDE_WINDOW = "outside_window"
    BAD_TIME = "bad_time"
    OTHER_ZONE = "other_zone"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Window:
    """Which stretch of wall time (ns since the Unix epoch) values are wanted for; `now` lies in it."""

    start_wall_ns: int
    end_wall_ns: int
    now_wall_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider gave. `points` are in order of time; those that overlap are for the caller to sort out.

    `whole` false: the provider held back part of it (a page cap, a limit of history). `warnings` are its own words.
    """

    points: tuple[Point, ...]
    skipped: Mapping[Skipped, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """A success. Header names are in small letters. With `unchanged` the server says the body is that of before,
    which is then given again from the cache of the session.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    unchanged: bool = False


class Web(Protocol):
    """What a provider may do over HTTP. It has a deadline, a size limit, follows no redirect, and verifies TLS.

    A status that is no success, and no answer at all, raise FeedError of the kind that fits: 401 and 403, 404, 429
    with its Retry-After, 5xx, other 4xx as INVALID with the beginning of the body.
    """

    def get(
        self,
        url: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Response:
        """Give the body of a success. *query* is percent-encoded and added to what *url* has. Raises FeedError."""
        ...

    def post(self, url: str, body: bytes, *, content_type: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send *body*; else as `get`. Raises FeedError."""
        ...


Secret = Callable[[], str]
"""Gives a secret, read from its file or the environment at each use. Raises FeedError(UNAUTHORIZED)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a provider has news, and how long its newest value may stand in for what is missing.

    `step_ns` is the usual length of its points, `lag_ns` how late a measured one comes, `max_age_ns` how long after
    its end the newest point is held on to (0 never: a price or a metered energy is not guessed), `poll_ns` how often
    to ask. A provider of files and constants has `poll_ns` for how often to look at the file. `asks_all`: a value is
    understood beside its neighbours alone, so that each time all is asked for, not only what may be new.
    """

    step_ns: int
    lag_ns: int
    max_age_ns: int
    poll_ns: int
    asks_all: bool = False


class Provider(Protocol):
    """One provider for one zone and one measure. It is called by one thread, and keeps no point of its own."""

    @property
    def series(self) -> Series:
        """Give what its points are of; constant."""
        ...

    @property
    def pace(self) -> Pace:
        """Give how often to ask; constant."""
        ...

    @property
    def credential(self) -> str:
        """Give what providers that share a quota have in common (host and hash of the secret); empty without one."""
        ...

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for *window*. Raises FeedError."""
        ...
