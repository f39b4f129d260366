"""Token counters as a server shows them, and a service as it was found; no network, no clock."""

from dataclasses import dataclass
from enum import StrEnum

from wattledger.rules.instant import Instant


class TokenKind(StrEnum):
    """What a token was. prompt = prompt_cached + prompt_computed, where a server tells them apart."""

    PROMPT = "prompt"
    PROMPT_CACHED = "prompt_cached"
    PROMPT_COMPUTED = "prompt_computed"
    OUTPUT = "output"


class CounterClass(StrEnum):
    """When a server's output counter moves: with each engine step, or when a request ends."""

    ITERATION = "iteration"
    FINISH = "finish"


class Role(StrEnum):
    """What a server does of the work on a request."""

    UNIFIED = "unified"
    PREFILL = "prefill"  # hands the request on after its first token
    DECODE = "decode"
    TRAINING = "training"  # no requests at all: tokens that a job has consumed


class Attribution(StrEnum):
    """How sure it is which devices a service runs on."""

    EXCLUSIVE = "exclusive"  # found through its processes, and nobody else holds its devices
    SHARED = "shared"  # others hold its devices too; its part is measured by SM share
    CONFIGURED = "configured"  # the configuration says so
    NONE = "none"  # no device is known


class Withheld(StrEnum):
    """Why no ratio is shown. The order is that in which reasons are told when several hold."""

    NO_PERMISSION = "no_permission"  # its sockets may not be looked at
    UNREACHABLE = "unreachable"  # its page does not answer
    NOT_UNDERSTOOD = "not_understood"  # it answers, and its page has no token counters
    KNOWN_BAD = "known_bad"  # a version whose counters are known to be wrong
    NO_GPU = "no_gpu"  # no device of this host is its own
    REMOTE_RANKS = "remote_ranks"  # its tokens come from devices of other hosts too
    SHARED = "shared"  # its devices are shared and nothing tells the holders apart
    STARTING = "starting"  # it has not served anything yet
    COVERAGE = "coverage"  # too much of its energy has no tokens to go with
    SHORT_WINDOW = "short_window"  # too little time was seen for a counter that moves when requests end
    FEW_TOKENS = "few_tokens"  # too few tokens in the window to divide by
    NO_TOKENS = "no_tokens"  # none at all


SeriesKey = tuple[str, tuple[tuple[str, str], ...]]
"""Name and all labels of a series, sorted: labels come and go, so only all of them together are an identity."""


@dataclass(frozen=True, slots=True)
class Count:
    """One token counter of one page: what it counts, for which model, and its present value."""

    kind: TokenKind
    model: str
    value: float


@dataclass(frozen=True, slots=True)
class TokenPage:
    """What one page of a server says, as its entry in the catalogue reads it.

    `counts` holds every series that counts, by its full identity: series that would count twice (other ranks, a
    prefill server's output) are left out already. None where the server does not tell. `engines` is the number of
    engines (data parallel ranks) that the page speaks of. `requests_finished` and `request_seconds` count requests
    that ended and how long they took together.
    """

    counts: dict[SeriesKey, Count]
    running: float | None = None
    waiting: float | None = None
    engines: int = 1
    preemptions: dict[SeriesKey, float] | None = None
    drafts_proposed: dict[SeriesKey, float] | None = None
    drafts_accepted: dict[SeriesKey, float] | None = None
    requests_finished: dict[SeriesKey, float] | None = None
    request_seconds: dict[SeriesKey, float] | None = None


@dataclass(frozen=True, slots=True)
class TokenRead:
    """One attempt to read a service's counters. `page` is None when it failed, and `problem` says why.

    `at` is the middle of the request. `process` names the serving process and its start (it changes exactly when
    the counters begin anew); empty where that is not known. `started` is when that process began. `not_serving`: it
    was seen that nothing was counted yet, since nobody listened, or said that it was loading.
    """

    service: str
    at: Instant
    page: TokenPage | None
    process: str = ""
    started: Instant | None = None
    problem: Withheld | None = None
    detail: str = ""
    not_serving: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it was found or configured. `name` is its identity and stays over restarts of the server.

    `pids` are those of its processes that may hold devices. `devices` are the uuids that the configuration gives
    it; then `pids` is empty.
    """

    name: str
    server: str  # key of the catalogue, or the kind of input for training jobs
    role: Role
    counter_class: CounterClass
    pids: frozenset[int] = frozenset()
    devices: tuple[str, ...] = ()
    endpoint: str = ""
    version: str = ""
    remote: bool = False  # some of its ranks are on other hosts
    engine_devices: int = 1  # on which each of its engines works, wherever they are
    problem: Withheld | None = None
    detail: str = ""
