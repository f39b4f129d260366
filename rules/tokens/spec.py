"""What an entry of the catalogue of servers says of one server; how pages are read with it stands elsewhere."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .model import CounterClass, Role, TokenKind

Labels = tuple[tuple[str, str], ...]
Samples = Sequence[tuple[str, Labels, float]]
"""A page as read: name, labels in order of their names, value."""

Pattern = re.Pattern[str]  # holds for a whole name or value, never for a part of it
Where = Mapping[str, Pattern]


@dataclass(frozen=True, slots=True)
class TokenSeries:
    """Series that count tokens of one kind: a name, and labels as one of `where` wants them; none means any labels.

    A label that is not there has the empty text, as in PromQL. `late` series are made when they first count: where
    others count and these are not there, they have counted nothing.
    """

    kind: TokenKind
    name: Pattern
    where: tuple[Where, ...] = ()
    late: bool = False

    def finds(self, name: str, labels: Labels) -> bool:
        """Tell whether a series is one of these."""
        if self.name.fullmatch(name) is None:
            return False
        given = dict(labels)
        return not self.where or any(
            all(value.fullmatch(given.get(label, "")) for label, value in wanted.items()) for wanted in self.where
        )


@dataclass(frozen=True, slots=True)
class Way:
    """One way to count the tokens of a server, taken where every name in `needs` is on the page.

    No two of its series count the same tokens as the same kind.
    """

    counter_class: CounterClass
    counters: tuple[TokenSeries, ...]
    needs: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSign:
    """A label that tells the role."""

    label: str
    value: Pattern
    role: Role


@dataclass(frozen=True, slots=True)
class FlagSign:
    """A flag of the command line, and the role that it tells where it tells one.

    Without `value` its presence does; with `key` the value is that of a key of the JSON object that the flag takes.
    """

    flag: str
    role: Role = Role.UNIFIED
    key: str = ""
    value: Pattern | None = None


@dataclass(frozen=True, slots=True)
class RoleSigns:
    """What tells the role of a server, the surest first; without any sign it does all of the work.

    `received` counts prompts that came from a prefill server. A server that has one of the flags `transfers`, and has
    given at least one token but no more than it has ended requests (`ended`), hands requests on after the first.
    """

    labels: tuple[LabelSign, ...] = ()
    flags: tuple[FlagSign, ...] = ()
    received: Pattern | None = None
    transfers: tuple[str, ...] = ()
    ended: Pattern | None = None


@dataclass(frozen=True, slots=True)
class RankFlags:
    """Flags of the command line that tell whether devices of other hosts work for what the page counts."""

    elsewhere: tuple[str, ...] = ()  # their mere presence
    hosts: tuple[str, ...] = ()  # a number of hosts
    engines: tuple[str, ...] = ()  # how many engines there are
    local: tuple[str, ...] = ()  # how many of them are on this host
    first: tuple[str, ...] = ()  # the number of the first of those
    apart: tuple[str, ...] = ()  # each host has a page that counts its own engines alone
    placed: tuple[FlagSign, ...] = ()  # a scheduler places engines on any host, unless `local` is told
    devices: tuple[tuple[str, ...], ...] = ()  # numbers whose product is how many devices one engine works on


@dataclass(frozen=True, slots=True)
class VersionSign:
    """A name that tells the version: the value of `label`, or `version` where only its presence does."""

    name: Pattern
    label: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Doubling:
    """A counter that moves twice for each token, seen by a histogram of tokens a request, which does not."""

    counter: Pattern
    sum: Pattern
    count: Pattern


@dataclass(frozen=True, slots=True)
class KnownBad:
    """Versions whose counters are known to be wrong, told by the version or by the numbers themselves."""

    reason: str
    version: Pattern | None = None
    doubling: Doubling | None = None


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One server: where its page is, how it is told from others, and what its series mean.

    A page is this server's if each of `signs` is a name on it, and those of no earlier entry are. `proxy` marks one
    that counts tokens which other servers make. `port` and `enable` (how its page is switched on) are for people.
    """

    key: str
    title: str
    paths: tuple[str, ...]
    signs: tuple[Pattern, ...]
    ways: tuple[Way, ...]
    models_path: str = ""
    port: int = 0
    enable: str = ""
    proxy: bool = False
    model_labels: tuple[str, ...] = ()  # the first that is there names the model
    engine_label: str = ""  # tells engines (data parallel ranks) apart
    rank_labels: tuple[str, ...] = ()  # ranks of one engine that count the same tokens: the lowest is kept
    running: Pattern | None = None
    waiting: Pattern | None = None
    preemptions: Pattern | None = None
    drafts_proposed: Pattern | None = None
    drafts_accepted: Pattern | None = None
    requests_finished: Pattern | None = None
    request_seconds: Pattern | None = None
    role: RoleSigns = field(default_factory=RoleSigns)
    ranks: RankFlags = field(default_factory=RankFlags)
    versions: tuple[VersionSign, ...] = ()
    known_bad: tuple[KnownBad, ...] = ()

    def names(self) -> Iterator[Pattern]:
        """Give every pattern of a name that this entry looks for on a page."""
        yield from self.signs
        for way in self.ways:
            yield from way.needs
            yield from (counter.name for counter in way.counters)
        yield from (sign.name for sign in self.versions)
        doublings = [bad.doubling for bad in self.known_bad if bad.doubling is not None]
        for doubling in doublings:
            yield from (doubling.counter, doubling.sum, doubling.count)
        singles = (
            *(self.running, self.waiting, self.preemptions, self.drafts_proposed, self.drafts_accepted),
            *(self.requests_finished, self.request_seconds, self.role.received, self.role.ended),
        )
        yield from (pattern for pattern in singles if pattern is not None)
