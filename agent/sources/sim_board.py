"""What the driver would answer about one simulated board at a moment: values, processes, MIG instances."""

from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import DeviceIdentity, Gaps, GpuProcess, MigInstance, ProcessKind, Reading, Values

from .sim_chance import chance
from .sim_physics import ACTIVITY_WINDOW_NS, Physics
from .sim_profiles import MIB
from .sim_story import LOADS, Doing, Load, Role

# Linux gives no pid from 2^22 on (PID_MAX_LIMIT), so no real process of the host is ever taken for a simulated one.
FIRST_PID = 5_000_000
_PIDS = 8 * 64 * 16  # of one board: slice, number on it, generation
_EVENT_IDLE = 0x1  # nvml.h nvmlClocksEventReasonGpuIdle
_EVENT_POWER_CAP = 0x4  # nvml.h nvmlClocksEventReasonSwPowerCap
_ECC_PERIOD_NS = 420 * NS_PER_SECOND

_UTILIZATION = (
    Quantity.UTILIZATION_GPU_RATIO,
    Quantity.UTILIZATION_MEMORY_RATIO,
    Quantity.UTILIZATION_ENCODER_RATIO,
    Quantity.UTILIZATION_DECODER_RATIO,
)
_ACTIVITY = (
    (Quantity.ACTIVITY_GRAPHICS_RATIO, [load.kernel for load in LOADS]),
    (Quantity.ACTIVITY_SM_RATIO, [load.sm for load in LOADS]),
    (Quantity.ACTIVITY_SM_OCCUPANCY_RATIO, [load.occupancy for load in LOADS]),
    (Quantity.ACTIVITY_TENSOR_RATIO, [load.tensor for load in LOADS]),
    (Quantity.ACTIVITY_DRAM_RATIO, [load.dram for load in LOADS]),
)
_KERNEL = [load.kernel for load in LOADS]
_DRAM = [load.dram for load in LOADS]
_CAPPED = [int(load.capped) for load in LOADS]
_PCIE_OUT = [load.pcie_out for load in LOADS]
_PCIE_IN = [load.pcie_in for load in LOADS]
_NVLINK = [load.nvlink for load in LOADS]

# What a driver that answers slowly does not tell; power and energy still come.
_BLIND = (
    Quantity.PROCESSES,
    Quantity.CLOCK_GRAPHICS_HZ,
    Quantity.CLOCK_SM_HZ,
    Quantity.CLOCK_EVENT_REASONS,
    *_UTILIZATION,
    *(quantity for quantity, _ in _ACTIVITY),
)


def board_of(pid: int) -> int | None:
    """Give the index of the board that a simulated process is on; None for a number that no board gives."""
    return (pid - FIRST_PID) // _PIDS if pid >= FIRST_PID else None


@dataclass(frozen=True, slots=True)
class Slice:
    """A MIG instance: its share of the board in eighths of memory, and whether it works when the board does."""

    uuid: str
    gpu_instance: int
    profile: str
    eighths: int
    works: bool


class Board:
    """One board with its place in the host. `processes` is the number that hold it, or each of its slices."""

    __slots__ = ("_absent", "_busy_eighths", "_processes", "_role", "_seed", "_slices", "identity", "physics")

    def __init__(
        self,
        identity: DeviceIdentity,
        physics: Physics,
        role: Role,
        *,
        seed: int,
        slices: tuple[Slice, ...] = (),
        processes: int = 1,
    ) -> None:
        self.identity = identity
        self.physics = physics
        self._role = role
        self._seed = seed
        self._slices = slices
        self._processes = processes
        self._busy_eighths = sum(part.eighths for part in slices if part.works)
        absent = set(physics.profile.unsupported)
        if slices:
            absent.update(_UTILIZATION)  # a board in MIG mode has none
        self._absent = tuple(quantity for quantity in Quantity if quantity in absent)

    @property
    def role(self) -> Role:
        """Give what the board is for."""
        return self._role

    def reading(self, at: Instant) -> Reading:
        """Give what the driver answers at *at*."""
        now = at.mono_ns
        doing = self.physics.story.doing(now)
        load = LOADS[doing]
        processes = self._processes_of(doing, now)
        values: Values = {
            **self._power(now),
            **self._work(now),
            **self._clocks(load),
            **self._health(now),
            **self._memory(processes),
            **self._traffic(now),
            Quantity.PROCESSES: len(processes),
        }
        gaps: Gaps = dict.fromkeys(self._absent, Gap.UNSUPPORTED)
        for quantity in self._absent:
            values.pop(quantity, None)
        if not load.readable:
            for quantity in _BLIND:
                if values.pop(quantity, None) is not None:
                    gaps[quantity] = Gap.TIMEOUT
        return Reading(
            identity=self.identity,
            at=at,
            values=values,
            gaps=gaps,
            processes=tuple(processes) if load.readable else None,
            instances=self._instances(now, processes),
        )

    def _power(self, now: int) -> Values:
        physics, profile = self.physics, self.physics.profile
        return {
            Quantity.POWER_AVERAGE_MW: physics.average_mw(now),
            Quantity.POWER_INSTANT_MW: physics.instant_mw(now),
            Quantity.ENERGY_MJ: physics.counter_mj(now),
            Quantity.UPTIME_SECONDS: max(0, now) // NS_PER_SECOND,
            Quantity.POWER_LIMIT_MIN_MW: profile.limit_min_mw,
            Quantity.POWER_LIMIT_MAX_MW: profile.limit_mw,
            Quantity.POWER_LIMIT_DEFAULT_MW: profile.limit_mw,
            Quantity.POWER_LIMIT_ENFORCED_MW: profile.limit_mw,
            Quantity.POWER_LIMIT_REQUESTED_MW: profile.limit_mw,
            Quantity.POWER_FLOOR_MW: 0,
        }

    def _work(self, now: int) -> Values:
        spread = self.physics.utilization_spread(now)
        whole = sum(spread)
        values: Values = {
            Quantity.UTILIZATION_GPU_RATIO: _dot(spread, _KERNEL) // (10 * whole) / 100,
            Quantity.UTILIZATION_MEMORY_RATIO: _dot(spread, _DRAM) // (10 * whole) / 100,
            Quantity.UTILIZATION_ENCODER_RATIO: 0.0,
            Quantity.UTILIZATION_DECODER_RATIO: 0.0,
        }
        values.update(self._activity(now, 8 if not self._slices else self._busy_eighths))
        return values

    def _activity(self, now: int, eighths: int) -> Values:
        spread = self.physics.spread(now, ACTIVITY_WINDOW_NS)
        return {
            quantity: round(_dot(spread, rates) * eighths / 8 / 1000 / ACTIVITY_WINDOW_NS, 4)
            for quantity, rates in _ACTIVITY
        }

    def _clocks(self, load: Load) -> Values:
        profile, context = self.physics.profile, int(load.context)
        # 7 % below the boost clock while the limit holds them down.
        sm_hz = profile.sm_mhz[context] * (930_000 if load.capped else 1_000_000)
        idle = 0 if load.kernel else _EVENT_IDLE
        return {
            Quantity.CLOCK_GRAPHICS_HZ: sm_hz,
            Quantity.CLOCK_SM_HZ: sm_hz,
            Quantity.CLOCK_MEMORY_HZ: profile.memory_mhz[context] * 1_000_000,
            Quantity.CLOCK_VIDEO_HZ: profile.video_mhz[context] * 1_000_000,
            Quantity.CLOCK_MAX_GRAPHICS_HZ: profile.sm_mhz[2] * 1_000_000,
            Quantity.CLOCK_MAX_SM_HZ: profile.sm_mhz[2] * 1_000_000,
            Quantity.CLOCK_MAX_MEMORY_HZ: profile.memory_mhz[2] * 1_000_000,
            Quantity.CLOCK_MAX_VIDEO_HZ: profile.video_mhz[2] * 1_000_000,
            Quantity.CLOCK_EVENT_REASONS: _EVENT_POWER_CAP if load.capped else idle,
            Quantity.PERFORMANCE_STATE: 0 if load.context else profile.idle_performance_state,
        }

    def _health(self, now: int) -> Values:
        profile = self.physics.profile
        celsius = self.physics.temperature_celsius(now)
        corrected = max(0, now) // _ECC_PERIOD_NS if self.identity.index % 8 == 1 else 0
        return {
            Quantity.TEMPERATURE_GPU_CELSIUS: celsius,
            Quantity.TEMPERATURE_MEMORY_CELSIUS: round(celsius * 1.08 + 4, 1),
            Quantity.TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS: profile.slowdown_celsius + 3,
            Quantity.TEMPERATURE_LIMIT_SLOWDOWN_CELSIUS: profile.slowdown_celsius,
            Quantity.TEMPERATURE_LIMIT_MEMORY_CELSIUS: profile.slowdown_celsius + 6,
            Quantity.TEMPERATURE_LIMIT_GPU_CELSIUS: profile.slowdown_celsius - 2,
            Quantity.FAN_SPEED_RATIO: max(0, min(100, 2 * int(celsius) - 50)) / 100,
            Quantity.ECC_CORRECTED_VOLATILE: corrected,
            Quantity.ECC_UNCORRECTED_VOLATILE: 0,
            Quantity.ECC_CORRECTED_AGGREGATE: chance(self._seed, self.identity.index) % 20 + corrected,
            Quantity.ECC_UNCORRECTED_AGGREGATE: 0,
            Quantity.REMAPPED_ROWS_CORRECTABLE: int(self.identity.index % 8 == 1),
            Quantity.REMAPPED_ROWS_UNCORRECTABLE: 0,
            Quantity.REMAPPED_ROWS_PENDING: 0,
            Quantity.REMAPPED_ROWS_FAILURE: 0,
            Quantity.RETIRED_PAGES_SINGLE_BIT: 0,
            Quantity.RETIRED_PAGES_DOUBLE_BIT: 0,
            Quantity.RETIRED_PAGES_PENDING: 0,
            Quantity.MIG_MODE: int(bool(self._slices)),
        }

    def _memory(self, processes: list[GpuProcess]) -> Values:
        total = self.physics.profile.memory_mib * MIB
        reserved = self.physics.profile.reserved_mib * MIB
        used = sum(process.memory_bytes or 0 for process in processes)
        return {
            Quantity.MEMORY_TOTAL_BYTES: total,
            Quantity.MEMORY_USED_BYTES: used,
            Quantity.MEMORY_FREE_BYTES: total - reserved - used,
            Quantity.MEMORY_RESERVED_BYTES: reserved,
        }

    def _traffic(self, now: int) -> Values:
        profile = self.physics.profile
        generation, lanes = profile.pcie

        def moved(rates: list[int], bytes_per_second: int) -> int:
            return max(0, self.physics.since_boot(rates, now)) * bytes_per_second // (1000 * NS_PER_SECOND)

        nvlink = moved(_NVLINK, profile.nvlink_bytes_per_second)
        return {
            Quantity.PCIE_TRANSMIT_BYTES: moved(_PCIE_OUT, profile.pcie_bytes_per_second),
            Quantity.PCIE_RECEIVE_BYTES: moved(_PCIE_IN, profile.pcie_bytes_per_second),
            Quantity.PCIE_REPLAYS: 0,
            Quantity.PCIE_LINK_GENERATION: generation,
            Quantity.PCIE_LINK_WIDTH: lanes,
            Quantity.NVLINK_TRANSMIT_BYTES: nvlink,
            Quantity.NVLINK_RECEIVE_BYTES: nvlink,
            Quantity.NVLINK_LINKS: profile.nvlinks,
            Quantity.NVLINK_LINKS_ACTIVE: profile.nvlinks,
            Quantity.THROTTLE_POWER_CAP_NS: max(0, self.physics.since_boot(_CAPPED, now)),
            Quantity.THROTTLE_SW_THERMAL_NS: 0,
            Quantity.THROTTLE_HW_THERMAL_NS: 0,
            Quantity.THROTTLE_POWER_BRAKE_NS: 0,
            Quantity.THROTTLE_SYNC_BOOST_NS: 0,
            Quantity.THROTTLE_BOARD_LIMIT_NS: 0,
            Quantity.THROTTLE_RELIABILITY_NS: 0,
        }

    def _processes_of(self, doing: Doing, now: int) -> list[GpuProcess]:
        if not LOADS[doing].context:
            return []
        generation = self.physics.story.cycle(now) % 16 if self._role.restarts else 0
        fill = self._role.memory // 2 if doing is Doing.LOADING else self._role.memory
        parts: tuple[Slice | None, ...] = self._slices or (None,)
        found = []
        for place, part in enumerate(parts):
            total = self.physics.profile.memory_mib * MIB * (part.eighths if part else 8) // 8
            for number in range(self._processes):
                serial = ((self.identity.index * 8 + place) * 64 + number) * 16 + generation
                found.append(
                    GpuProcess(
                        pid=FIRST_PID + serial,
                        kind=ProcessKind.COMPUTE,
                        memory_bytes=total * fill // 1000 // self._processes,
                        gpu_instance=part.gpu_instance if part else None,
                        compute_instance=0 if part else None,
                    )
                )
        return found

    def _instances(self, now: int, processes: list[GpuProcess]) -> tuple[MigInstance, ...]:
        found = []
        for part in self._slices:
            total = self.physics.profile.memory_mib * MIB * part.eighths // 8
            used = sum(p.memory_bytes or 0 for p in processes if p.gpu_instance == part.gpu_instance)
            values: Values = {
                Quantity.MEMORY_TOTAL_BYTES: total,
                Quantity.MEMORY_USED_BYTES: used,
                Quantity.MEMORY_FREE_BYTES: total - used,
                # A working slice is as busy as the story says; its part of the board follows from its size.
                **self._activity(now, 8 if part.works else 0),
            }
            gaps: Gaps = {}
            for quantity, _ in _ACTIVITY:
                if quantity in self._absent:
                    del values[quantity]
                    gaps[quantity] = Gap.UNSUPPORTED
            found.append(
                MigInstance(
                    uuid=part.uuid,
                    gpu_instance=part.gpu_instance,
                    compute_instance=0,
                    profile=part.profile,
                    values=values,
                    gaps=gaps,
                )
            )
        return tuple(found)


def _dot(times_ns: list[int], rates: list[int]) -> int:
    return sum(time_ns * rate for time_ns, rate in zip(times_ns, rates, strict=True))
