"""The functions that a template may call: what each takes and gives; how calls are written is unknown here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from . import humanize as human
from .comparison import (
    GREATER,
    GREATER_OR_EQUAL,
    LESS,
    LESS_OR_EQUAL,
    equal,
    indexed,
    length,
    not_equal,
)
from .durations import parse_duration_seconds
from .errors import ExpansionError
from .go_format import sprint, sprintf, sprintln
from .go_regex import compile_pattern, replaced
from .hosts import strip_domain, strip_port
from .values import Arguments, QuerySample, Value, is_true

# Runs a query at the instant that the template is expanded for. Raises ExpansionError.
QueryFunction = Callable[[str], Sequence[QuerySample]]


class Takes(Enum):
    """What a parameter accepts."""

    ANY = auto()
    TEXT = auto()
    VECTOR = auto()
    SAMPLE = auto()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What functions may ask for beside their arguments."""

    query: QueryFunction
    external_url: str = ""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function: its parameters, what further ones it takes when `rest` is set, and what it does."""

    takes: tuple[Takes, ...]
    call: Callable[[Surroundings, Sequence[Any]], Value]
    rest: Takes | None = None


# Evaluated argument by argument: the first that settles the result is the last that is computed.
SHORT_CIRCUIT = frozenset({"and", "or"})

# Marks that Unicode keeps within a word: MidLetter, MidNumLet and Single_Quote of UAX 29.
_WITHIN_WORDS = frozenset(".:'\u00b7\u2018\u2019\u2024\u2027")
_HTML = MappingProxyType(
    {ord("\0"): "\ufffd", ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&#34;", ord("'"): "&#39;"}
)

_A, _T, _V, _S = Takes.ANY, Takes.TEXT, Takes.VECTOR, Takes.SAMPLE


def _text(function: Callable[[str], Value]) -> FunctionSpec:
    return FunctionSpec((_T,), lambda _, a: function(a[0]))


def _number(function: Callable[[float], Value]) -> FunctionSpec:
    return FunctionSpec((_A,), lambda _, a: function(human.number_of_value(a[0])))


def _first(samples: Sequence[QuerySample]) -> QuerySample:
    if not samples:
        raise ExpansionError("first: the query gave no series")
    return samples[0]


def _sorted_by(label: str, samples: Sequence[QuerySample]) -> Sequence[QuerySample]:
    return tuple(sorted(samples, key=lambda sample: sample.labels.get(label, "")))


def _titled(text: str) -> str:
    """Raise the first letter of each word, as Prometheus 3 does: words are those of Unicode (UAX 29).

    A word goes on over letters, digits and underscores, and over a point, colon or apostrophe between two letters.
    Prometheus 2 raises the letter behind such a mark too.
    """
    out: list[str] = []
    inside = False
    for index, character in enumerate(text):
        out.append(character if inside else character.title())
        joins = (
            character in _WITHIN_WORDS and text[index - 1 : index].isalpha() and text[index + 1 : index + 2].isalpha()
        )
        inside = character.isalnum() or character == "_" or joins
    return "".join(out)


def _go_html(text: str) -> str:
    return text.translate(_HTML)


def _path_of(url: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415  (only for the texts that ask for it)

    return urlsplit(url).path


def _graph(expression: str, tab: int) -> str:
    return f"/graph?g0.expr={query_escaped(expression)}&g0.tab={tab}"


def query_escaped(text: str) -> str:
    """Escape *text* for a URL's query as Go's url.QueryEscape does."""
    from urllib.parse import quote_plus  # noqa: PLC0415  (only for the texts that ask for it)

    return quote_plus(text.encode("utf-8", "surrogateescape"), safe="~")


def _numbered(arguments: Sequence[Value]) -> Arguments:
    return Arguments({f"arg{index}": argument for index, argument in enumerate(arguments)})


FUNCTIONS: Mapping[str, FunctionSpec] = MappingProxyType(
    {
        # Go's own
        "and": FunctionSpec((_A,), lambda _, a: next((x for x in a if not is_true(x)), a[-1]), _A),
        "or": FunctionSpec((_A,), lambda _, a: next((x for x in a if is_true(x)), a[-1]), _A),
        "not": FunctionSpec((_A,), lambda _, a: not is_true(a[0])),
        "eq": FunctionSpec((_A,), lambda _, a: equal(a), _A),
        "ne": FunctionSpec((_A, _A), lambda _, a: not_equal(a)),
        "lt": FunctionSpec((_A, _A), lambda _, a: LESS(a)),
        "le": FunctionSpec((_A, _A), lambda _, a: LESS_OR_EQUAL(a)),
        "gt": FunctionSpec((_A, _A), lambda _, a: GREATER(a)),
        "ge": FunctionSpec((_A, _A), lambda _, a: GREATER_OR_EQUAL(a)),
        "len": FunctionSpec((_A,), lambda _, a: length(a[0])),
        "index": FunctionSpec((_A,), lambda _, a: indexed(a[0], a[1:]), _A),
        "print": FunctionSpec((), lambda _, a: sprint(a), _A),
        "printf": FunctionSpec((_T,), lambda _, a: sprintf(a[0], a[1:]), _A),
        "println": FunctionSpec((), lambda _, a: sprintln(a), _A),
        "html": FunctionSpec((), lambda _, a: _go_html(sprint(a)), _A),
        "urlquery": FunctionSpec((), lambda _, a: query_escaped(sprint(a)), _A),
        # Prometheus's: queries
        "query": FunctionSpec((_T,), lambda s, a: tuple(s.query(a[0]))),
        "first": FunctionSpec((_V,), lambda _, a: _first(a[0])),
        "label": FunctionSpec((_T, _S), lambda _, a: a[1].labels.get(a[0], "")),
        "value": FunctionSpec((_S,), lambda _, a: a[0].value),
        "strvalue": FunctionSpec((_S,), lambda _, a: a[0].labels.get("__value__", "")),
        "sortByLabel": FunctionSpec((_T, _V), lambda _, a: _sorted_by(a[0], a[1])),
        "args": FunctionSpec((), lambda _, a: _numbered(a), _A),
        # Prometheus's: numbers
        "humanize": _number(human.humanize),
        "humanize1024": _number(human.humanize1024),
        "humanizeDuration": _number(human.humanize_duration),
        "humanizePercentage": _number(human.humanize_percentage),
        "humanizeTimestamp": _number(human.humanize_timestamp),
        "toTime": _number(human.moment),
        "parseDuration": _text(parse_duration_seconds),
        # Prometheus's: texts
        "title": _text(_titled),
        "toUpper": _text(str.upper),
        "toLower": _text(str.lower),
        "match": FunctionSpec((_T, _T), lambda _, a: compile_pattern(a[0]).search(a[1]) is not None),
        "reReplaceAll": FunctionSpec((_T, _T, _T), lambda _, a: replaced(compile_pattern(a[0]), a[1], a[2])),
        "stripPort": _text(strip_port),
        "stripDomain": _text(strip_domain),
        "safeHtml": _text(lambda text: text),
        "graphLink": _text(lambda text: _graph(text, 0)),
        "tableLink": _text(lambda text: _graph(text, 1)),
        "externalURL": FunctionSpec((), lambda s, _: s.external_url),
        "pathPrefix": FunctionSpec((), lambda s, _: _path_of(s.external_url)),
    }
)
