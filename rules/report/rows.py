"""The hourly rows that a report is made of, whether they come from one ledger or from a fleet's Prometheus."""

from dataclasses import dataclass, field

from wattledger.rules.pricing.model import NOTHING, HourPrice, Priced
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.usage.workload import Names, WorkloadKind

from .choices import Origin


@dataclass(frozen=True, slots=True)
class DeviceHour:
    """One device in one state during a UTC hour (number since the Unix epoch). `avoidable_mj` is part of energy.

    `priced` is of all energy but `open_mj`, a part of it that is not priced for good yet. Of `unpriced_mj` nothing
    is known yet; `settle` tells it.
    """

    host: str
    hour: int
    uuid: str
    state: State
    energy_mj: int
    duration_ns: int
    avoidable_mj: int = 0
    priced: Priced = NOTHING
    open_mj: int = 0
    unpriced_mj: int = 0

    def at(self, priced: Priced, unpriced_mj: int = 0) -> "DeviceHour":
        """Give the row with other prices, and how much of its energy is in none."""
        return DeviceHour(
            self.host,
            self.hour,
            self.uuid,
            self.state,
            self.energy_mj,
            self.duration_ns,
            self.avoidable_mj,
            priced,
            self.open_mj,
            unpriced_mj,
        )


@dataclass(frozen=True, slots=True)
class OwnerHour:
    """What one workload used of one device in one state during an hour."""

    host: str
    hour: int
    uuid: str
    kind: WorkloadKind
    title: str
    names: Names
    state: State
    energy_mj: int
    duration_ns: int
    avoidable_mj: int = 0
    priced: Priced = NOTHING
    open_mj: int = 0
    unpriced_mj: int = 0

    def at(self, priced: Priced, unpriced_mj: int = 0) -> "OwnerHour":
        """Give the row with other prices, and how much of its energy is in none."""
        return OwnerHour(
            self.host,
            self.hour,
            self.uuid,
            self.kind,
            self.title,
            self.names,
            self.state,
            self.energy_mj,
            self.duration_ns,
            self.avoidable_mj,
            priced,
            self.open_mj,
            unpriced_mj,
        )


@dataclass(frozen=True, slots=True)
class ServiceHour:
    """One service and model during an hour: energy that goes with its tokens, idle share included, and the tokens."""

    host: str
    hour: int
    service: str
    model: str
    active_mj: int = 0
    total_mj: int = 0
    tokens: dict[TokenKind, int] = field(default_factory=dict)
    priced: Priced = NOTHING
    open_mj: int = 0
    unpriced_mj: int = 0

    def at(self, priced: Priced, unpriced_mj: int = 0) -> "ServiceHour":
        """Give the row with other prices, and how much of its energy is in none."""
        return ServiceHour(
            self.host,
            self.hour,
            self.service,
            self.model,
            self.active_mj,
            self.total_mj,
            self.tokens,
            priced,
            self.open_mj,
            unpriced_mj,
        )


@dataclass(frozen=True, slots=True)
class HostHour:
    """What a host came to during an hour, at each boundary that is known.

    `matched_mj` is what carbon-free supply covered where its uses do not tell which of them count; then they do not
    tell either which are green.
    """

    host: str
    price: HourPrice
    matched_mj: int | None = None


@dataclass(frozen=True, slots=True)
class ReportRows:
    """All rows of a stretch of time. `names` has the boards by host and uuid, for people.

    `simulated` are the hosts whose boards are made up. `notes` say what could not be had; they stand on the report.
    """

    devices: tuple[DeviceHour, ...] = ()
    owners: tuple[OwnerHour, ...] = ()
    services: tuple[ServiceHour, ...] = ()
    hours: tuple[HostHour, ...] = ()
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    origin: Origin = Origin.LEDGER
    simulated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
