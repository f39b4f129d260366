"""The six states of a GPU and how its joules were got; names that dashboards rely on."""

from enum import StrEnum


class State(StrEnum):
    """What an interval of a device was spent on."""

    ACTIVE = "active"
    HELD = "held"
    ALLOCATED = "allocated"
    PARKED = "parked"
    UNOBSERVED = "unobserved"
    UNKNOWN = "unknown"


# Energy in these states did no work. What is unobserved or unknown is neither work nor waste.
IDLE_STATES = frozenset({State.HELD, State.ALLOCATED, State.PARKED})


class Method(StrEnum):
    """How a delta of energy was measured, best first."""

    COUNTER = "counter"
    AVERAGE_POWER = "average_power"
    INSTANT_POWER = "instant_power"


class BaselineKind(StrEnum):
    """Idle draw without any process, and with a process that does nothing."""

    BARE = "bare"
    CONTEXT = "context"


class BaselineOrigin(StrEnum):
    """Where a baseline comes from."""

    LEARNT = "learnt"
    CONFIGURED = "configured"
    PRIOR = "prior"
