"""What every input of job tokens offers and what they have in common; where numbers come from it does not know."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import (
    Count,
    CounterClass,
    Role,
    SeriesKey,
    Service,
    TokenKind,
    TokenPage,
    TokenRead,
    Withheld,
)

_log = logging.getLogger(__name__)

NAME_LIMIT = 128  # characters of a job's or a model's name
# Of a float every whole number up to here is exact.
TOKENS_LIMIT = 2**53
# A job that lives and counts nothing (it saves, it evaluates) is told of so often: well before the book gives its
# energy up (TokenPolicy.despair_ns), and later than TensorBoard's writers flush (120 s), so that no value comes late.
REST_NS = 240 * NS_PER_SECOND

GpuNames = Callable[[str], str | None]
"""Gives the uuid of a GPU of this host by its index or uuid; None where there is none."""


def no_gpus(name: str) -> str | None:  # noqa: ARG001  (a GpuNames)
    """Know no GPU."""
    return None


@dataclass(frozen=True, slots=True)
class InputProblem:
    """What is wrong with one thing that an input looks at. `place` is a path, with a line where that helps."""

    place: str
    text: str


class TokenInput(Protocol):
    """A source of job tokens. `look` and `problems` are for one background thread, every few seconds."""

    def look(self, now: Instant) -> tuple[tuple[Service, ...], tuple[TokenRead, ...]]:
        """Give the jobs that are there now, and what is new of their counters. Never raises for what it finds."""
        ...

    def problems(self) -> tuple[InputProblem, ...]:
        """Give what was wrong at the last look."""
        ...

    def close(self) -> None:
        """Give back files and sockets."""
        ...


class Complaints:
    """Problems of one input: each is logged when it comes or changes, and once more when all are gone."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._current: dict[str, str] = {}

    def state(self, problems: Mapping[str, str]) -> None:
        """Take all problems that there are now, by place."""
        for place, text in problems.items():
            if self._current.get(place) != text:
                _log.warning("tokens input=%s place=%s problem=%r", self._name, place, text)
        if self._current and not problems:
            _log.info("tokens input=%s problems=none", self._name)
        self._current = dict(problems)

    def current(self) -> tuple[InputProblem, ...]:
        """Give all of them, by place."""
        return tuple(InputProblem(place, text) for place, text in sorted(self._current.items()))


class Pulse:
    """When one job's counter is told of: once it has moved, with the moment of that; seldom while it rests."""

    __slots__ = ("_last", "_told")

    def __init__(self) -> None:
        self._told: tuple[dict[SeriesKey, Count], str] | None = None
        self._last: Instant | None = None

    def read(
        self, service: str, now: Instant, *, counts: dict[SeriesKey, Count], process: str, moved: Instant
    ) -> tuple[TokenRead, ...]:
        """Give one read or none. *moved* is when the counter is believed to have got its present value.

        The moments of the reads of one job rise, and none is after *now*.
        """
        last = self._last
        if self._told == (counts, process):
            if last is not None and now.ns_since(last) < REST_NS:
                return ()
            at = now
        else:
            at = min(moved, now, key=_mono_ns)
        if last is not None and at.mono_ns <= last.mono_ns:
            at = Instant(last.mono_ns + 1, last.wall_ns + 1)
            if at.mono_ns > now.mono_ns:
                return ()  # two looks at one moment
        self._told, self._last = (counts, process), at
        return (TokenRead(service, at, TokenPage(counts), process),)

    def forget(self) -> None:
        """Tell the counter at the next look, moved or not: something else was told meanwhile."""
        self._told = None


def _mono_ns(instant: Instant) -> int:
    return instant.mono_ns


def instant_of_wall(wall_ns: int, now: Instant) -> Instant:
    """Give the moment of a time stamp of this host, which is not after *now*."""
    ago_ns = max(0, now.wall_ns - wall_ns)
    return Instant(now.mono_ns - ago_ns, now.wall_ns - ago_ns)


def count(kind: TokenKind, model: str, value: float, *, by: Iterable[tuple[str, str]] = ()) -> dict[SeriesKey, Count]:
    """Give one counter with its identity, of which *by* is what else tells it apart."""
    labels = tuple(sorted([("kind", kind.value), ("model", model), *by]))
    return {("wattledger_job_tokens_total", labels): Count(kind, model, float(value))}


def failed(service: str, now: Instant, problem: Withheld, detail: str) -> TokenRead:
    """Give a read that failed."""
    return TokenRead(service, now, None, problem=problem, detail=detail)


def job(
    name: str,
    server: str,
    *,
    pids: frozenset[int] = frozenset(),
    devices: tuple[str, ...] = (),
    endpoint: str = "",
    problem: Withheld | None = None,
    detail: str = "",
) -> Service:
    """Give a job as a service. Its counter moves with each step, so it is of the class of iterations."""
    return Service(
        name=name,
        server=server,
        role=Role.TRAINING,
        counter_class=CounterClass.ITERATION,
        pids=pids,
        devices=devices,
        endpoint=endpoint,
        problem=problem,
        detail=detail,
    )


def name_problem(what: str, name: str) -> str:
    """Give what is wrong with a name that becomes a label, "" for nothing."""
    if not name or len(name) > NAME_LIMIT:
        return f"{what} has {len(name)} characters; write a name of 1 to {NAME_LIMIT}"
    if not name.isprintable():
        return f"{what} {name!r} has control characters; write a printable name"
    return ""
