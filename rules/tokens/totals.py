"""What is kept of services: windows in which energy and tokens were joined, and their totals."""

from dataclasses import dataclass, field
from enum import StrEnum

from wattledger.rules.instant import Instant

from .model import TokenKind

ServiceKey = tuple[str, str]
"""Service and model; the model is empty where a service counts for several or tells none."""

Tokens = dict[TokenKind, int]


class Scope(StrEnum):
    """Which energy a ratio divides: what was drawn while devices worked, or all of it."""

    ACTIVE = "active"
    TOTAL = "total"


class Phase(StrEnum):
    """What a service was about while its devices drew energy. The phases of a service sum to all of its energy."""

    SERVING = "serving"  # tokens came, or requests ran
    IDLE = "idle"  # its counters were read, and nobody asked for anything
    STARTING = "starting"  # from the start of its process to the first request
    RESTART = "restart"  # from the last read of a process to the start of the next: what it counted then is lost
    UNREAD = "unread"  # its counters could not be read, or nobody looked, and it cannot be told what they counted


# Energy of these phases has token counts to go with, be they zero; ratios are made of nothing else.
COVERED_PHASES = frozenset({Phase.SERVING, Phase.IDLE})


@dataclass(frozen=True, slots=True)
class ServiceWindow:
    """One stretch between two moments at which a service's tokens are known, with its energy, in one phase.

    Whole millijoules; `active_mj` is part of `total_mj`, and so are each of `unknown_mj` (it cannot be told whether
    devices worked), `shared_mj` (devices that others held too, by any method) and its part `equal_mj` (by none).
    `tokens` by model; a kind that is not there is not known, one that is known and did not come is 0. Energy belongs
    to the service as a whole.
    """

    service: str
    start: Instant
    end: Instant
    phase: Phase
    active_mj: int
    total_mj: int
    tokens: dict[str, Tokens] = field(default_factory=dict)
    preemptions: int = 0
    drafts_wasted: int = 0  # proposed by speculative decoding and rejected
    drafts: int = 0  # proposed
    requests: int = 0  # that ended
    request_ns: int = 0  # how long they took together
    unknown_mj: int = 0
    shared_mj: int = 0
    equal_mj: int = 0
    lossy: bool = False  # a counter fell in it: there were more tokens than it says

    @property
    def duration_ns(self) -> int:
        """Give the length by the monotonic clock."""
        return self.end.mono_ns - self.start.mono_ns


@dataclass(frozen=True, slots=True)
class ServiceTotal:
    """Sums over the windows of a service since the ledger first saw it. No number ever falls.

    A service with one model has one row, with the model's name. One with several has a row with an empty model that
    holds the energy, and a row for each model that holds its tokens. It is the models of one process of the server
    that count: one that is started with another model goes on in another row. `active_mj` and `total_mj` are over
    the phases that are covered; `phases` holds the whole energy of each phase.
    """

    service: str
    model: str = ""
    active_mj: int = 0
    total_mj: int = 0
    phases: dict[Phase, int] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=dict)
    preemptions: int = 0
    drafts_wasted: int = 0
    last_wall_ns: int = 0

    @property
    def key(self) -> ServiceKey:
        """Give the identity."""
        return self.service, self.model
