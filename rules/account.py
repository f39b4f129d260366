"""What the ledger keeps of a device: totals, anchors and baselines, as values; storing them is not its matter."""

from dataclasses import dataclass, field

from .instant import Instant
from .quantity import Quantity
from .state import BaselineKind, BaselineOrigin, Method, State


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last reading that energy was booked up to.

    `counter_mj` is the hardware counter's raw value, None where the device has none. `boot_id`, `uptime_seconds`
    and `driver_version` tell whether a later counter value is of the same epoch.
    """

    at: Instant
    boot_id: str
    driver_version: str
    counter_mj: int | None = None
    uptime_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An interval of one device in one state. Whole millijoules; `avoidable_mj` is part of `energy_mj`."""

    uuid: str
    state: State
    start: Instant
    end: Instant
    energy_mj: int
    avoidable_mj: int = 0
    method: Method | None = None  # None when no energy could be had: duration alone is booked

    @property
    def duration_ns(self) -> int:
        """Give the length by the monotonic clock, or by the wall clock where the boots differ (start set so)."""
        return self.end.mono_ns - self.start.mono_ns


@dataclass(frozen=True, slots=True)
class StateTotal:
    """Energy and time of one device in one state since the ledger began."""

    energy_mj: int = 0
    duration_ns: int = 0


@dataclass(frozen=True, slots=True)
class Carried:
    """A hardware counter carried on over its resets: `total` is exported, `last_raw` is what the device said."""

    total: int
    last_raw: int


@dataclass(frozen=True, slots=True)
class XidCount:
    """How often one Xid came, and when last."""

    count: int
    last_wall_ns: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """Idle draw of one board, with the circumstances it was learnt under."""

    kind: BaselineKind
    origin: BaselineOrigin
    power_mw: int
    samples: int = 0
    learnt_wall_ns: int = 0
    driver_version: str = ""
    vbios_version: str = ""
    temperature_celsius: float | None = None
    sm_clock_hz: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceAccount:
    """Everything the ledger keeps of one device. Sum over `states` = sum over `methods` = energy, exactly."""

    uuid: str
    name: str = ""
    states: dict[State, StateTotal] = field(default_factory=dict)
    methods: dict[Method, int] = field(default_factory=dict)  # energy_mj by method
    avoidable_mj: int = 0
    unknown_ns: int = 0  # time whose energy could not be known (up to a counter reset, rejected segments)
    counter_resets: int = 0
    rejected_segments: int = 0
    anchor: Anchor | None = None
    counters: dict[Quantity, Carried] = field(default_factory=dict)
    xids: dict[int, XidCount] = field(default_factory=dict)
    baselines: dict[BaselineKind, Baseline] = field(default_factory=dict)

    @property
    def energy_mj(self) -> int:
        """Give the energy of the device since the ledger began, in millijoules."""
        return sum(total.energy_mj for total in self.states.values())
