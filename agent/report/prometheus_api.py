"""Range queries of a server that speaks the API of Prometheus, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from wattledger.agent.clock import Clock
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import FeedError, Response, Trouble
from wattledger.agent.feeds.secrets import secret_of
from wattledger.agent.feeds.web import WebSession
from wattledger.rules.instant import NS_PER_SECOND

from .source import ReportError

_TIMEOUT_SECONDS = 120  # as Prometheus has it where it is not told otherwise
_BODY_BYTES = 64 << 20
_LONGEST_GET = 2_000  # characters of a query; longer ones go as a form
_TOO_MUCH = re.compile(r"too many samples|timed out|timeout|it has more than|exceed|limit", re.IGNORECASE)
_ERROR = re.compile(r"\{'status':.*'error':\s*'(.*?)'?\}?$")
_FORM = "application/x-www-form-urlencoded"
# What the transport says in the words of a configuration, in those of the command line.
_FLAGS = (
    (re.compile(r"^url: "), "--prometheus: "),
    (re.compile(r"^token_file "), "--bearer-token-file "),
    (re.compile(r"^password_file "), "--password-file "),
    (re.compile(r"^ca_file |`ca_file` "), "--ca-file "),
    (re.compile(r"`username` and `password_file`"), "--username and --password-file"),
    (re.compile(r"https://api\.example\.org/v3$"), "http://prometheus.example.org:9090"),
    (re.compile(r" \(`timeout`\)$"), ""),
)


@dataclass(frozen=True, slots=True)
class PrometheusPlace:
    """Where to ask, who asks, and about which series: `match` is label matchers, such as `cluster="a"`."""

    url: str
    bearer_token_file: Path | None = None
    ca_file: Path | None = None
    match: str = ""
    username: str = ""
    password_file: Path | None = None
    headers: tuple[tuple[str, str], ...] = ()  # of each request; none of them a secret

    @property
    def matchers(self) -> str:
        """Give the matchers without braces."""
        return self.match.strip().removeprefix("{").removesuffix("}").strip().removesuffix(",")


class TooMuch(ReportError):  # noqa: N818  (the name states the fact)
    """The answer would be too large or take too long; a shorter stretch may be had. `is_late`: we stopped waiting."""

    def __init__(self, detail: str, *, is_late: bool) -> None:
        super().__init__(f"{detail}; narrow it down with --match")
        self.is_late = is_late


class Series(msgspec.Struct, frozen=True):
    """A row of a matrix: labels, and samples of a time in seconds and a number as text."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct):
    resultType: str = ""  # noqa: N815  (as the API has it)
    result: list[Series] = []  # msgspec gives each answer its own


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error: str = ""
    warnings: list[str] | None = None


class PrometheusApi:
    """Asks one server. `warnings` are its own words about answers that are not whole."""

    def __init__(self, place: PrometheusPlace, *, environment: Mapping[str, str], clock: Clock) -> None:
        """Raises ReportError where half of what it takes to log in is missing."""
        if bool(place.username) is not (place.password_file is not None):
            raise ReportError("--username and --password-file go together; give both or none")
        if place.username and place.bearer_token_file is not None:
            raise ReportError("--bearer-token-file and --username are two ways to log in; give one")
        self._place = place
        self._url = f"{place.url.rstrip('/')}/api/v1/query_range"
        self._web = WebSession(
            clock,
            environment,
            timeout_ns=_TIMEOUT_SECONDS * NS_PER_SECOND,
            ca_file=place.ca_file,
            body_bytes=_BODY_BYTES,
        )
        login = Feed(
            kind=FeedKind.PROMETHEUS,
            url=place.url,
            token_file=place.bearer_token_file,
            username=place.username,
            password_file=place.password_file,
        )
        self._secret = secret_of(login, environment)
        self._decode = msgspec.json.Decoder(_Answer).decode
        self.warnings: dict[str, None] = {}

    def range(self, query: str, first_wall_ns: int, last_wall_ns: int, *, step_ns: int) -> list[Series]:
        """Give the values of *query* at *first*, and each step from there to *last*. Raises ReportError, TooMuch."""
        asked = {
            "query": query,
            "start": _seconds(first_wall_ns),
            "end": _seconds(last_wall_ns),
            "step": _seconds(step_ns),
            "timeout": f"{_TIMEOUT_SECONDS}s",
        }
        try:
            body = self._ask(asked).body
        except FeedError as error:
            raise self._told(error) from None
        try:
            answer = self._decode(body)
        except msgspec.MsgspecError:
            raise ReportError(
                f"{self._url}: the answer is none of Prometheus; give the address as Grafana's data source has it"
            ) from None
        if answer.status != "success" or answer.data is None:
            raise _refused(f"{self._url}: {answer.error[:300] or 'it gives no reason'}", is_late=False)
        self.warnings.update(dict.fromkeys(word[:200] for word in answer.warnings or ()))
        return answer.data.result

    def _ask(self, asked: Mapping[str, str]) -> Response:
        headers = self._headers()
        if len(asked["query"]) <= _LONGEST_GET:
            return self._web.get(self._url, query=tuple(asked.items()), headers=headers)
        return self._web.post(self._url, urlencode(asked).encode(), content_type=_FORM, headers=headers)

    def _headers(self) -> Mapping[str, str]:
        headers = dict(self._place.headers)
        if self._secret is None:
            return headers
        if not self._place.username:
            return headers | {"Authorization": f"Bearer {self._secret()}"}
        from wattledger.agent.feeds.web_transport import basic_header  # noqa: PLC0415  (loaded with the first request)

        return headers | {"Authorization": basic_header(self._place.username, self._secret())}

    def _told(self, error: FeedError) -> ReportError:
        """Give the failure with the cure that this command has."""
        found = _ERROR.search(error.detail)
        detail = error.detail if found is None else error.detail[: found.start()] + found[1].replace("\\'", "'")
        for words, flag in _FLAGS:
            detail = words.sub(flag, detail)
        match error.trouble:
            case Trouble.INVALID if self._place.match and "parse error" in detail:
                return ReportError(f'{detail}; write --match as PromQL has it: cluster="a",job="gpu"')
            case Trouble.UNREACHABLE if ";" not in detail:
                return ReportError(f"{detail}; check --prometheus, and whether a server listens there")
            case Trouble.NOT_FOUND:
                return ReportError(f"{self._url}: status 404; give the address as Grafana's data source has it")
            case Trouble.THROTTLED:
                return ReportError(f"{self._url}: status 429: it refuses so many requests; try again later")
            case Trouble.UNAUTHORIZED if self._secret is None:
                cure = "give --bearer-token-file, or --username and --password-file"
                return ReportError(f"{detail.rpartition(';')[0] or detail}; {cure}")
            case Trouble.TIMEOUT | Trouble.INVALID | Trouble.SERVER:
                return _refused(detail, is_late=error.trouble is Trouble.TIMEOUT)
            case _:
                return ReportError(detail)


def _refused(detail: str, *, is_late: bool) -> ReportError:
    return TooMuch(detail, is_late=is_late) if is_late or _TOO_MUCH.search(detail) else ReportError(detail)


def _seconds(ns: int) -> str:
    """Give seconds as a plain number, without a float between."""
    text = f"{Decimal(ns).scaleb(-9):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
