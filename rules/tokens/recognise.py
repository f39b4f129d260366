"""Which server a page is of, and what can be told of that server from its page and its command line."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .command import CommandLine, engine_devices_of, ranks_of
from .model import CounterClass, Role, TokenKind
from .spec import Doubling, Pattern, RoleSigns, Samples, ServerSpec, Way

_DOUBLED = (1.9, 2.1)  # tokens counted over tokens of ended requests
_DOUBLED_LEAST_TOKENS = 1000
_DOUBLED_LEAST_REQUESTS = 20  # ended, for each that runs: the tokens of those that run must not matter


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What was told of one server. `version` and `known_bad` are empty where nothing tells.

    `remote`: some of its ranks are on other hosts. `local_engines` are then the engines on this host, None where that
    cannot be told: pages are read for these alone, so that their tokens may be held against energy.
    `engine_devices`: on how many devices one engine works, wherever they are; 1 where nothing tells.
    """

    role: Role
    counter_class: CounterClass
    remote: bool
    version: str
    known_bad: str
    local_engines: frozenset[str] | None = None
    engine_devices: int = 1


def name_filter(catalogue: Sequence[ServerSpec]) -> Pattern:
    """Give a pattern that matches a line of a page, or a name, that begins with a name worth parsing."""
    names = dict.fromkeys(pattern.pattern for spec in catalogue for pattern in spec.names())
    return re.compile(f"(?:{'|'.join(f'(?:{name})' for name in names)})(?![a-zA-Z0-9_:])" if names else r"(?!)")


def recognise(catalogue: Sequence[ServerSpec], names: Collection[str]) -> ServerSpec | None:
    """Give the first entry all of whose signs are among *names*; None where there is none.

    The catalogue is in order: servers come before what stands in front of them, and what is told by names of its own
    before what is told by common ones. So a page that passes the names of an engine on is read as that engine's.
    """
    for spec in catalogue:
        if all(any(sign.fullmatch(name) for name in names) for sign in spec.signs):
            return spec
    return None


def inspect(spec: ServerSpec, samples: Samples, command: Sequence[str]) -> ServerFacts:
    """Tell what is known of a server now.

    *command* is that of the process that was started as the server: those that it started have other titles. Some
    facts show only once there have been requests, so ask again with each page.
    """
    line = CommandLine(command)
    way = way_of(spec, samples)
    remote, local_engines = ranks_of(spec.ranks, line)
    version = _version(spec, samples)
    return ServerFacts(
        role=_role(spec.role, way, samples, line),
        counter_class=way.counter_class,
        remote=remote,
        version=version,
        known_bad=_known_bad(spec, samples, version),
        local_engines=local_engines,
        engine_devices=engine_devices_of(spec.ranks, line),
    )


def way_of(spec: ServerSpec, samples: Samples) -> Way:
    """Give the first way to count whose names are on the page; the last, which needs least, where none is."""
    names = {name for name, _, _ in samples}
    for way in spec.ways:
        if all(any(need.fullmatch(name) for name in names) for need in way.needs):
            return way
    return spec.ways[-1]


def _role(signs: RoleSigns, way: Way, samples: Samples, line: CommandLine) -> Role:
    for sign in signs.labels:
        if any(
            label == sign.label and sign.value.fullmatch(value) for _, labels, _ in samples for label, value in labels
        ):
            return sign.role
    for flag in signs.flags:
        if line.says(flag):
            return flag.role
    if signs.received is not None and total(samples, signs.received) > 0:
        return Role.DECODE
    if signs.ended is not None and line.has(signs.transfers):
        given = sum(
            value
            for name, labels, value in samples
            for counter in way.counters
            if counter.kind is TokenKind.OUTPUT and counter.finds(name, labels)
        )
        if 0 < given <= total(samples, signs.ended):
            return Role.PREFILL
    return Role.UNIFIED


def _version(spec: ServerSpec, samples: Samples) -> str:
    for sign in spec.versions:
        for name, labels, _ in samples:
            if sign.name.fullmatch(name):
                told = dict(labels).get(sign.label, "") if sign.label else sign.version
                if told:
                    return told
    return ""


def _known_bad(spec: ServerSpec, samples: Samples, version: str) -> str:
    for bad in spec.known_bad:
        if bad.version is not None and version and bad.version.fullmatch(version):
            return bad.reason
        if bad.doubling is not None and _doubled(bad.doubling, spec, samples):
            return bad.reason
    return ""


def _doubled(doubling: Doubling, spec: ServerSpec, samples: Samples) -> bool:
    tokens = total(samples, doubling.sum)
    running = 0.0 if spec.running is None else total(samples, spec.running)
    if tokens < _DOUBLED_LEAST_TOKENS or total(samples, doubling.count) < _DOUBLED_LEAST_REQUESTS * max(1.0, running):
        return False
    least, most = _DOUBLED
    return least <= total(samples, doubling.counter) / tokens <= most


def total(samples: Samples, name: Pattern) -> float:
    """Give the sum over every series of that name."""
    return sum(value for found, _, value in samples if name.fullmatch(found))
