"""What a source gives on one tick; plain data that crosses the sampler's pipe, captures and tests alike."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from .instant import Instant
from .quantity import Gap, Quantity


class SourceKind(StrEnum):
    """Where samples come from. Shown wherever their numbers are shown."""

    NVML = "nvml"
    SIM = "sim"
    REPLAY = "replay"
    DCGM = "dcgm"


# Those that measure boards of this host, by the same counters.
REAL_SOURCES = frozenset({SourceKind.NVML, SourceKind.DCGM})


class ProcessKind(StrEnum):
    """Which of the driver's lists names the process."""

    COMPUTE = "compute"
    GRAPHICS = "graphics"
    MPS = "mps"


class EnergyScope(StrEnum):
    """What power and energy of a device cover: the board, or on Grace Hopper CPU and GPU together."""

    GPU = "gpu"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds a context on a device. `pid` is as the driver tells it (host PID namespace).

    `sm_ratio` is what it used of the SMs since the reading before; None where the driver does not tell, or where
    nobody asked because the process is alone on its device.
    """

    pid: int
    kind: ProcessKind
    memory_bytes: int | None = None
    gpu_instance: int | None = None
    compute_instance: int | None = None
    sm_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Facts of a board that stay as they are while the driver is loaded. Empty text means not offered."""

    uuid: str
    index: int
    name: str
    pci_bus_id: str = ""
    architecture: str = ""
    serial: str = ""
    vbios_version: str = ""
    compute_capability: str = ""
    energy_scope: EnergyScope = EnergyScope.GPU


Values = dict[Quantity, int | float]
Gaps = dict[Quantity, Gap]


@dataclass(frozen=True, slots=True)
class MigInstance:
    """A MIG compute instance. It has no power, energy, temperature or utilisation of its own."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    profile: str
    values: Values = field(default_factory=dict)
    gaps: Gaps = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """One device at one moment. Every quantity of the source stands in `values` or, with its reason, in `gaps`.

    `at` is when the batch with power and energy was read. `up` is false when the device itself does not answer;
    then `values` is empty. Values of a slower cadence than the tick are as last read successfully at their own
    cadence; one that then fails moves to `gaps` at once. `processes` is None exactly when its list could not be
    read (`gaps[Quantity.PROCESSES]`).
    """

    identity: DeviceIdentity
    at: Instant
    up: bool = True
    values: Values = field(default_factory=dict)
    gaps: Gaps = field(default_factory=dict)
    processes: tuple[GpuProcess, ...] | None = None
    instances: tuple[MigInstance, ...] = ()

    def get(self, quantity: Quantity) -> int | float | None:
        """Give the value, or None when it is absent."""
        return self.values.get(quantity)

    def integer(self, quantity: Quantity) -> int | None:
        """Give a whole-numbered value, or None when it is absent."""
        value = self.values.get(quantity)
        return None if value is None else int(value)


def without_values(reading: Reading, reason: Gap) -> Reading:
    """Give the reading of a device that no longer answers: nothing but reasons."""
    gaps = dict.fromkeys((*reading.values, Quantity.PROCESSES), reason)
    return replace(reading, up=False, values={}, gaps=reading.gaps | gaps, processes=None, instances=())


@dataclass(frozen=True, slots=True)
class XidEvent:
    """A driver error event. `xid` is NVIDIA's number; see its Xid catalogue."""

    uuid: str
    xid: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Driver and host, as the source sees them. `boot_id` tells one boot of the kernel from another."""

    driver_version: str = ""
    nvml_version: str = ""
    cuda_version: str = ""
    boot_id: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How values come where a source has them from a collector that goes by its own clock, ns.

    `period_ns` lies about between two of them. What is older than `stale_ns` is not given any more.
    """

    period_ns: int
    stale_ns: int


@dataclass(frozen=True, slots=True)
class Sample:
    """All devices at one tick. `ticks_missed` counts scheduled ticks skipped since the source was opened.

    `pace` is None where devices are read at each tick; it stays as it is while the source is open.
    """

    at: Instant
    source: SourceKind
    host: HostFacts
    devices: tuple[Reading, ...]
    events: tuple[XidEvent, ...] = ()
    duration_ns: int = 0
    ticks_missed: int = 0
    driver_calls: int = 0  # calls into the driver library since the source was opened
    driver_busy_ns: int = 0  # time spent inside them
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class SourceFailure:
    """The source as a whole gave nothing, and why; `detail` is for people, `code` is NVML's when there is one."""

    at: Instant
    source: SourceKind
    reason: Gap
    detail: str
    code: int | None = None
