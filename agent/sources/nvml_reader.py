"""All reads that hang on one handle and one plan; thrown away when the device is lost or planned anew."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Gaps, GpuProcess, MigInstance, Values

from .nvml import Handle, Nvml
from .nvml_derived import put_power_floor, put_temperature_limits
from .nvml_fields import Carried
from .nvml_fields import Gaps as RawGaps
from .nvml_fields import Values as RawValues
from .nvml_gpm import ACTIVITIES, Gpm, open_window, supports_gpm
from .nvml_groups import Due, Group
from .nvml_links import LinkStates
from .nvml_mig import MigInstances
from .nvml_probe import Chip, make_plan
from .nvml_processes import ProcessLists
from .nvml_quantities import Cadence
from .nvml_steps import ContextSteps
from .nvml_use import ProcessUse

_BUSY_AFTERGLOW_NS: Final = 5 * NS_PER_SECOND  # one window of GPM without a kernel ends its use
_TEMPERATURE: Final = Quantity.TEMPERATURE_GPU_CELSIUS


@dataclass(frozen=True, slots=True)
class Observation:
    """What a device that answers told on one tick. `at` is the middle of the batch with power and energy."""

    at: Instant
    values: Values
    gaps: Gaps
    processes: tuple[GpuProcess, ...] | None
    instances: tuple[MigInstance, ...]
    answered: bool  # whether this tick itself gave any value
    idle: bool  # nothing runs and nobody holds a context


class DeviceReader:
    """Reads what is due. Everything may raise DeviceLostError and DriverGoneError.

    `stale` is set when MIG was switched: another set of values is then on offer, and another reader must be made.
    """

    def __init__(
        self, nvml: Nvml, handle: Handle, chip: Chip, *, gpm: Gpm, carried: Carried, shift_ns: int = 0
    ) -> None:
        self.plan = make_plan(nvml, handle, chip)
        self._nvml, self._handle, self._gpm = nvml, handle, gpm
        groups = {
            cadence: Group(nvml, handle, self.plan, cadence=cadence, carried=carried, shift_ns=shift_ns)
            for cadence in Cadence
        }
        self.stale = False
        self._tick = groups.pop(Cadence.TICK)
        self._listing, self._slow = groups[Cadence.LISTING], groups[Cadence.SLOW]
        self._slower = tuple(groups.values())
        self._uptime_read_at: Instant | None = None
        self._energy_mj = 0
        self._slow_values: RawValues = {}
        self._slow_gaps: RawGaps = {}
        self._limits: RawValues = {}
        self._links = LinkStates(nvml, handle)
        self._lists = ProcessLists(nvml, handle)
        self._use = ProcessUse(nvml, handle)
        self._list_due = Due(Cadence.LISTING.period_ns, shift_ns)
        self._listed: tuple[GpuProcess, ...] | Gap = Gap.TIMEOUT
        self._steps = ContextSteps()
        self._busy_until_ns = 0
        self._mig: MigInstances | None = None
        self._mig_planned: bool | None = None
        self._mig_due = Due(Cadence.LISTING.period_ns, shift_ns)
        self._no_gpm = supports_gpm(nvml, handle)
        self._base_gaps: RawGaps = dict(self.plan.gaps)
        window = self._no_gpm or open_window(gpm, handle)
        self._window = None if isinstance(window, Gap) else window
        if isinstance(window, Gap):
            self._base_gaps |= dict.fromkeys(ACTIVITIES, window)

    def read(self, at: Instant, now: Callable[[], Instant]) -> Observation:
        """Give every quantity as value or gap: those due are read, the others are as last read."""
        tick = self._tick
        before = now()
        tick.read_batch()
        after = now()
        tick.read_calls()
        self._read_slower(at)
        self._read_mig(at)
        self._read_processes(at)
        self._read_activity(at)
        # nvml_derived took out what is no quantity.
        values = cast("Values", self._slow_values | tick.values)
        gaps = cast("Gaps", self._slow_gaps | tick.gaps)
        self._carry_uptime_on(values, at)
        if self._window is not None:
            values |= self._window.values
            gaps |= self._window.gaps
        listed = self._listed
        if isinstance(listed, Gap):
            gaps[Quantity.PROCESSES] = listed
        else:
            values[Quantity.PROCESSES] = len(listed)
        return Observation(
            at=Instant((before.mono_ns + after.mono_ns) // 2, (before.wall_ns + after.wall_ns) // 2),
            values=values,
            gaps=gaps,
            processes=None if isinstance(listed, Gap) else self._use.put_into(listed, at),
            instances=self._mig.snapshot() if self._mig is not None else (),
            answered=bool(tick.values),
            idle=listed == () and not tick.values.get(Quantity.UTILIZATION_GPU_RATIO),
        )

    def close(self) -> None:
        """Give back what the driver allocated."""
        if self._window is not None:
            self._window.close()
            self._window = None
        if self._mig is not None:
            self._mig.close()
            self._mig = None

    def _read_slower(self, at: Instant) -> None:
        energy_mj = int(self._tick.values.get(Quantity.ENERGY_MJ, self._energy_mj))
        # A counter that fell may have restarted: only an uptime read now can tell.
        fell, self._energy_mj = energy_mj < self._energy_mj, energy_mj
        due = [group for group in self._slower if group.due.now(at) or (fell and group is self._listing)]
        if not due:
            return
        if self._listing in due:
            self._uptime_read_at = at
        for group in due:
            group.read_batch()
            group.read_calls()
        if self._slow in due:
            self._links.read(mig=bool(self._listing.values.get(Quantity.MIG_MODE)))
        values: RawValues = dict(self._links.values)
        gaps: RawGaps = self._base_gaps | self._links.gaps
        for group in self._slower:
            values |= group.values
            gaps |= group.gaps
        put_power_floor(values, gaps)
        temperature = self._tick.values.get(_TEMPERATURE, values.get(_TEMPERATURE))
        put_temperature_limits(values, gaps, known=self._limits, temperature=temperature)
        self._slow_values, self._slow_gaps = values, gaps

    def _carry_uptime_on(self, values: Values, at: Instant) -> None:
        """Bring the uptime, which is read seldom, up to *at*: what stands still would look like a restart."""
        uptime = values.get(Quantity.UPTIME_SECONDS)
        if uptime is not None and self._uptime_read_at is not None:
            values[Quantity.UPTIME_SECONDS] = uptime + at.ns_since(self._uptime_read_at) // NS_PER_SECOND

    def _read_mig(self, at: Instant) -> None:
        enabled = bool(self._listing.values.get(Quantity.MIG_MODE))
        if self._mig_planned is None:
            self._mig_planned = enabled
            if enabled:
                self._mig = MigInstances(self._nvml, self._handle, self._gpm, self._no_gpm)
        elif enabled != self._mig_planned and Quantity.MIG_MODE in self._listing.values:
            self.stale = True
        if self._mig is not None and self._mig_due.now(at):
            self._mig.list_again()

    def _read_processes(self, at: Instant) -> None:
        stepped = self._steps.stepped(at, self._tick.values, listed_none=self._listed == ())
        if not (self._list_due.now(at) or stepped):
            return
        self._steps.listed(at)
        self._listed = self._lists.read()
        # Whoever may not ask the device as a whole may still ask the instances that are its own.
        if self._listed is Gap.NO_PERMISSION and self._mig is not None:
            self._listed = self._mig.processes()

    def _read_activity(self, at: Instant) -> None:
        if self._mig is not None:
            self._mig.read_activity(at, self._busy_instances())
        window = self._window
        if window is None:
            return
        gpu = self._tick.values.get(Quantity.UTILIZATION_GPU_RATIO)
        if gpu:
            self._busy_until_ns = at.mono_ns + _BUSY_AFTERGLOW_NS
        # Without utilisation (MIG) only the absence of processes tells that nothing runs.
        at_work = self._listed != () if gpu is None else at.mono_ns < self._busy_until_ns
        if at_work:
            window.read(at)
        else:
            window.rest()

    def _busy_instances(self) -> set[int] | None:
        if isinstance(self._listed, Gap) or any(process.gpu_instance is None for process in self._listed):
            return None
        return {process.gpu_instance for process in self._listed if process.gpu_instance is not None}
