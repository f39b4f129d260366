"""A GPU that integrates its own power, so that counter, power and truth cannot disagree."""

from dataclasses import dataclass, field

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import (
    DeviceIdentity,
    EnergyScope,
    GpuProcess,
    HostFacts,
    ProcessKind,
    Reading,
    Sample,
    SourceKind,
)

WALL_START_NS = 1_700_000_000 * NS_PER_SECOND
MAX_LIMIT_MW = 700_000


@dataclass(slots=True)
class GpuModel:
    """One board: power is what the test sets, the counter is its integral, floored to a millijoule when read."""

    uuid: str = "GPU-1"
    index: int = 0
    name: str = "Model GPU"
    power_mw: int = 100_000
    mono_ns: int = 50 * NS_PER_SECOND
    boot_id: str = "boot-1"
    driver_version: str = "580.1"
    truth_mw_ns: int = 0  # ever drawn
    counter_from_mw_ns: int = 0  # truth at the last reset of the counter
    initialised_ns: int = 0
    booted_wall_ns: int = WALL_START_NS
    has_uptime: bool = True
    uptime_every_ns: int = 0  # how long an uptime is good for before it is read again
    uptime_is_carried: bool = True  # on to each reading, as a source does; else it stands still
    uptime_ppm: int = 0  # by which the device's clock runs fast
    uptime_read: tuple[int, int] | None = None  # when it was last read, and what it said
    has_counter: bool = True
    has_average: bool = True
    utilization: float | None = 0.0
    pids: tuple[int, ...] | None = ()
    temperature: float = 40.0
    clock_sm_hz: int = 345_000_000
    energy_scope: EnergyScope = EnergyScope.GPU
    gaps: dict[Quantity, Gap] = field(default_factory=dict)
    overrides: dict[Quantity, int | float] = field(default_factory=dict)

    def advance(self, seconds: float) -> None:
        """Let time pass at the present power."""
        ns = round(seconds * NS_PER_SECOND)
        self.mono_ns += ns
        self.truth_mw_ns += self.power_mw * ns

    def reset(self) -> None:
        """Reload the driver: counter and uptime begin anew, and the source reads the uptime when the counter fell."""
        self.uptime_read = None
        self.counter_from_mw_ns = self.truth_mw_ns
        self.initialised_ns = self.mono_ns

    def reboot(self, boot_id: str) -> None:
        """Restart the host: another boot, and its clock begins anew."""
        self.boot_id = boot_id
        self.booted_wall_ns += self.mono_ns
        self.mono_ns = 0
        self.uptime_read = None
        self.reset()

    @property
    def truth_mj(self) -> int:
        """Give all energy ever drawn."""
        return self.truth_mw_ns // NS_PER_SECOND

    @property
    def at(self) -> Instant:
        """Give the present moment."""
        return Instant(self.mono_ns, self.booted_wall_ns + self.mono_ns)

    @property
    def host(self) -> HostFacts:
        """Give driver and boot."""
        return HostFacts(driver_version=self.driver_version, boot_id=self.boot_id)

    def reading(self, *, up: bool = True) -> Reading:
        """Read the board as the driver would."""
        identity = DeviceIdentity(self.uuid, self.index, self.name, energy_scope=self.energy_scope)
        if not up:
            return Reading(identity, self.at, up=False, gaps={Quantity.ENERGY_MJ: Gap.LOST})
        values: dict[Quantity, int | float] = {
            Quantity.POWER_INSTANT_MW: self.power_mw,
            Quantity.POWER_LIMIT_MAX_MW: MAX_LIMIT_MW,
            Quantity.TEMPERATURE_GPU_CELSIUS: self.temperature,
            Quantity.CLOCK_SM_HZ: self.clock_sm_hz,
            Quantity.CLOCK_MAX_SM_HZ: 1_980_000_000,
        }
        gaps: dict[Quantity, Gap] = {}
        if self.has_average:
            values[Quantity.POWER_AVERAGE_MW] = self.power_mw
        if self.has_counter:
            values[Quantity.ENERGY_MJ] = (self.truth_mw_ns - self.counter_from_mw_ns) // NS_PER_SECOND
        else:
            gaps[Quantity.ENERGY_MJ] = Gap.UNSUPPORTED
        if self.has_uptime:
            values[Quantity.UPTIME_SECONDS] = self._uptime_seconds()
        if self.utilization is not None:
            values[Quantity.UTILIZATION_GPU_RATIO] = self.utilization
        values |= self.overrides
        for quantity, gap in self.gaps.items():
            values.pop(quantity, None)
            gaps[quantity] = gap
        processes = None if self.pids is None else tuple(GpuProcess(pid, ProcessKind.COMPUTE) for pid in self.pids)
        return Reading(identity, self.at, values=values, gaps=gaps, processes=processes)

    def _uptime_seconds(self) -> int:
        if self.uptime_read is None or self.mono_ns - self.uptime_read[0] >= self.uptime_every_ns:
            life_ns = self.mono_ns - self.initialised_ns
            self.uptime_read = (self.mono_ns, life_ns * (1_000_000 + self.uptime_ppm) // (1_000_000 * NS_PER_SECOND))
        read_ns, seconds = self.uptime_read
        return seconds + (self.mono_ns - read_ns) // NS_PER_SECOND * self.uptime_is_carried

    def sample(self) -> Sample:
        """Give a sample of this board alone."""
        return Sample(self.at, SourceKind.SIM, self.host, (self.reading(),))
