"""What meters of a node say, and what is kept of it; reading them is the agent's matter."""

from dataclasses import dataclass
from enum import StrEnum

from wattledger.rules.instant import NS_PER_SECOND, Instant


class NodeSource(StrEnum):
    """Who says it."""

    RAPL = "rapl"  # energy counters of the processor
    HWMON = "hwmon"  # sensors that the kernel shows
    IPMI = "ipmi"  # the management controller, from inside the host (DCMI)
    REDFISH = "redfish"  # the management controller, over the network


class MeteredAt(StrEnum):
    """On which side of the power supplies a meter sits."""

    SUPPLY_INPUT = "supply_input"
    SUPPLY_OUTPUT = "supply_output"


NODE = "node"  # all that the node takes
PSYS = "psys"  # all that the processor's platform takes; contains its packages
PACKAGE = "package-"  # and a number: one processor; its cores are in it
DRAM = "dram-"  # and a number: the memory of one processor, which is not in its package
MODULE = "module-"  # and a number: processor and GPUs of one module together (Grace)
SUPPLY = "psu-"  # and a number: the input of one power supply

NodeKey = tuple[str, NodeSource]
"""Domain and source: the identity of a meter."""


@dataclass(frozen=True, slots=True)
class NodeReading:
    """What one meter said at one moment: a counter in microjoules, a power in milliwatts, or both.

    A counter begins anew at 0 behind `wraps_uj`; None where it does not. `period_ns` is how often it is read.
    """

    domain: str
    source: NodeSource
    at: Instant
    energy_uj: int | None = None
    power_mw: int | None = None
    wraps_uj: int | None = None
    period_ns: int = NS_PER_SECOND

    @property
    def key(self) -> NodeKey:
        """Give the identity of the meter."""
        return self.domain, self.source


@dataclass(frozen=True, slots=True)
class NodeAnchor:
    """The last reading that a meter's energy is booked up to, and the boot of the host it was of."""

    at: Instant
    boot_id: str
    energy_uj: int | None = None
    power_mw: int | None = None
    period_ns: int = NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class NodeTotal:
    """All that is kept of one meter. No number of it ever falls, over restarts of agent, host and meter.

    `rest_half_pj` is what was measured and is not a whole millijoule yet, in half picojoules. `unmetered_ns` is time
    whose energy is not known: the meter or the agent did not answer, or a counter began anew. It is told once the
    meter answers again.
    """

    domain: str
    source: NodeSource
    energy_mj: int = 0
    rest_half_pj: int = 0
    unmetered_ns: int = 0
    resets: int = 0
    anchor: NodeAnchor | None = None

    @property
    def key(self) -> NodeKey:
        """Give the identity of the meter."""
        return self.domain, self.source


@dataclass(frozen=True, slots=True)
class NodeInterval:
    """What one meter adds: energy between two of its readings. None where it is not known."""

    domain: str
    source: NodeSource
    start: Instant
    end: Instant
    energy_mj: int | None

    @property
    def key(self) -> NodeKey:
        """Give the identity of the meter."""
        return self.domain, self.source

    @property
    def duration_ns(self) -> int:
        """Give the length by the monotonic clock, or by the wall clock where the boots differ (start set so)."""
        return self.end.mono_ns - self.start.mono_ns
