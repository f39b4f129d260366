"""Knows what runs on one board: processes, utilisation, clocks, traffic, MIG, events, health."""

import ctypes
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from .faults import Faults
from .layout import ANY_SCOPE, EVENTS, FIELD_FAULTS, GPM_VALUES, MIGS, NOT_AVAILABLE, PROCESSES, Has
from .power import NS, PowerControl, Timeline, milli, rewriting, set_rate
from .profiles import GpuSpec, Profile, mig_shape, stable_uuid

NO_INSTANCE = 0xFFFFFFFF
KINDS = {"compute": 1, "graphics": 2, "mps": 4}
XID_EVENT = 0x8
_FUTEX = {"x86_64": 202, "aarch64": 98}

# Event-reason bit, and the places of the nanosecond counters that run while it is set
# (fields 74, 75, 76, 77, 78, 79, 81, 269, 270, 271).
REASONS: dict[str, tuple[int, tuple[int, ...]]] = {
    "gpu_idle": (0x1, ()),
    "applications_clocks": (0x2, ()),
    "sw_power_cap": (0x4, (0,)),
    "hw_slowdown": (0x8, ()),
    "sync_boost": (0x10, (2,)),
    "sw_thermal": (0x20, (1, 7)),
    "hw_thermal": (0x40, (8,)),
    "hw_power_brake": (0x80, (9,)),
    "display_clock": (0x100, ()),
    "board_limit": (0x200, (3,)),
    "reliability": (0x400, (5,)),
}


class GpuControl(PowerControl, Faults):
    """One board, as the test moves it."""

    def __init__(self, timeline: Timeline, slot: int, *, spec: GpuSpec, profile: Profile) -> None:
        PowerControl.__init__(self, timeline, slot, spec=spec, profile=profile)
        Faults.__init__(self, timeline.control, slot)
        self.uuid: str = self.shared.uuid.decode()
        self.bdf: str = self.shared.bus_id.decode().lower()[-12:]  # sysfs writes four digits of domain
        self._boosted: dict[int, bool] = {}
        self._own_memory = int(self.shared.memory_used)
        self._fixed_clocks: dict[str, int] = {}

    # -- processes ---------------------------------------------------------------------------------

    def process(
        self,
        pid: int,
        memory_bytes: int | None = 1 << 30,
        *,
        kind: str = "compute",
        gpu: int = 0,
        memory: int = 0,
        mig: int | None = None,
        perf_boost: bool = True,
    ) -> None:
        """Start a process, or change one: its context raises power and clocks within one update.

        *gpu* and *memory* are its own utilisation in percent; *mig* the position of its instance;
        *memory_bytes* None is NVML's "not available". kind: compute, graphics, mps.
        """
        instance = None if mig is None else self.shared.migs[mig]
        rows = self._rows()
        index = rows.get(pid, len(rows))
        if index >= PROCESSES:
            raise ValueError(f"more than {PROCESSES} processes on one board")
        with rewriting(self.shared, "list_seq"):
            row = self.shared.processes[index]
            row.pid, row.kinds = pid, KINDS[kind]
            row.gpu_instance = NO_INSTANCE if instance is None else instance.gpu_instance
            row.compute_instance = NO_INSTANCE if instance is None else instance.compute_instance
            row.memory_bytes = NOT_AVAILABLE if memory_bytes is None else memory_bytes
            row.start_ns = row.start_ns if pid in rows else self.timeline.effective_ns()
            row.sm, row.memory = gpu, memory
            self.shared.process_count = max(len(rows), index + 1)
        self._boosted[pid] = perf_boost
        self._follow_processes(self.timeline.effective_ns())

    def end_process(self, pid: int, decay_s: float = 0) -> None:
        """End a process; power and clocks stay up for *decay_s* more. Raises KeyError for an unknown pid."""
        rows = self._rows()
        with rewriting(self.shared, "list_seq"):
            last = int(self.shared.process_count) - 1
            if rows[pid] != last:
                self.shared.processes[rows[pid]] = self.shared.processes[last]
            self.shared.process_count = last
        del self._boosted[pid]
        self._follow_processes(self.timeline.effective_ns() + round(decay_s * NS))

    def _rows(self) -> dict[int, int]:
        count = int(self.shared.process_count)
        return {int(self.shared.processes[index].pid): index for index in range(count)}

    def _follow_processes(self, at_ns: int) -> None:
        boosted = any(self._boosted.values())
        idle = self.profile.idle
        self._share_memory()
        context_mw, bare_mw = milli(idle.context_w), milli(idle.bare_w)
        if (context_mw if boosted else bare_mw) != self._automatic_mw:
            self._set_idle_mw(context_mw if boosted else bare_mw, at_ns)
        for name, pair in (("sm_clock", idle.sm), ("mem_clock", idle.mem), ("pstate", idle.pstate)):
            wanted = self._fixed_clocks.get(name, pair[boosted])
            if getattr(self.shared, name).after != wanted:
                self._set(name, wanted, at_ns)

    def _share_memory(self) -> None:
        shared = self.shared
        rows = [shared.processes[index] for index in range(shared.process_count)]
        known = [row for row in rows if row.memory_bytes != NOT_AVAILABLE]
        shared.memory_used = self._own_memory + sum(row.memory_bytes for row in known)
        for instance in shared.migs[: shared.mig_count]:
            own = (row.memory_bytes for row in known if row.gpu_instance == instance.gpu_instance)
            instance.memory_used = sum(own)

    # -- activity ----------------------------------------------------------------------------------

    def utilisation(
        self, gpu: int = 0, memory: int = 0, *, encoder: int | None = None, decoder: int | None = None
    ) -> None:
        """Set utilisation in percent, held until changed; GPM's graphics and SM utilisation follow."""
        named = {"util_gpu": gpu, "util_memory": memory, "util_encoder": encoder, "util_decoder": decoder}
        for name, value in named.items():
            if value is not None:
                self._set(name, value)
        self.gpm({1: gpu, 2: gpu})

    def clocks(self, sm: int | None = None, mem: int | None = None) -> None:
        """Fix clocks in MHz; without arguments they follow the processes again."""
        if sm is None and mem is None:
            self._fixed_clocks = {k: v for k, v in self._fixed_clocks.items() if k == "pstate"}
        self._fixed_clocks |= {} if sm is None else {"sm_clock": sm}
        self._fixed_clocks |= {} if mem is None else {"mem_clock": mem}
        self._follow_processes(self.timeline.effective_ns())

    def pstate(self, number: int | None) -> None:
        """Fix the P-state; None lets it follow the processes again."""
        self._fixed_clocks.pop("pstate", None)
        self._fixed_clocks |= {} if number is None else {"pstate": number}
        self._follow_processes(self.timeline.effective_ns())

    def temperature(self, celsius: float, *, memory: float | None = None) -> None:
        """Set the temperatures; field 308 shows thousandths, the others whole degrees."""
        self.shared.temperature_mc = milli(celsius)
        if memory is not None:
            self.shared.memory_temperature_mc = milli(memory)

    def memory(self, used_bytes: int) -> None:
        """Set what is used besides the processes."""
        self._own_memory = used_bytes
        self._share_memory()

    def fan(self, percent: int) -> None:
        """Set every fan."""
        self.shared.fan_percent = percent

    def throttle(self, *reasons: str) -> None:
        """Set the clock event reasons, by the names of REASONS; their counters run. No argument clears."""
        bits, running = 0, set[int]()
        for reason in reasons:
            bit, places = REASONS[reason]
            bits |= bit
            running.update(places)
        at_ns = self.timeline.effective_ns()
        self.shared.reasons = bits
        self.shared.reasons_fixed = int("gpu_idle" in reasons)
        for place, counter in enumerate(self.shared.reason_ns):
            set_rate(counter, NS if place in running else 0, at_ns=at_ns)

    def traffic(self, *, pcie_tx: int = 0, pcie_rx: int = 0, nvlink_tx: int = 0, nvlink_rx: int = 0) -> None:
        """Set the rates of the cumulative counters, in bytes per second."""
        at_ns = self.timeline.effective_ns()
        rates = {"pcie_tx": pcie_tx, "pcie_rx": pcie_rx, "nvlink_tx": nvlink_tx, "nvlink_rx": nvlink_rx}
        for name, rate in rates.items():
            set_rate(getattr(self.shared, name), rate, at_ns=at_ns)

    def gpm(self, values: Mapping[int, float], mig: int | None = None) -> None:
        """Set GPM metrics by id, for the board or the instance at position *mig*."""
        shared, at_ns = self.shared, self.timeline.effective_ns()
        place = -1 if mig is None else mig
        with rewriting(shared, "list_seq"):
            for metric, value in values.items():
                for index in range(shared.gpm_count):
                    entry = shared.gpm[index]
                    if (entry.metric, entry.mig) == (metric, place):
                        break
                else:
                    if shared.gpm_count == GPM_VALUES:
                        raise ValueError(f"more than {GPM_VALUES} GPM values on one board")
                    entry = shared.gpm[shared.gpm_count]
                    entry.metric, entry.mig, entry.value, entry.sum, entry.since_ns = metric, place, 0, 0, at_ns
                    shared.gpm_count += 1
                entry.sum += entry.value * (at_ns - entry.since_ns)
                entry.since_ns, entry.value = at_ns, value

    def power_limit(self, watts: float) -> None:
        """Set the enforced and requested power limit."""
        self.shared.limit_mw = milli(watts)

    def power_smoothing(self, floor_w: int) -> None:
        """Enable power smoothing with this floor (0 disables); its limited time runs while enabled."""
        self.shared.smoothing_floor_w = floor_w
        set_rate(self.shared.smoothing_ns, NS if floor_w else 0, at_ns=self.timeline.effective_ns())

    # -- MIG, events, health -----------------------------------------------------------------------

    def mig(self, profiles: Sequence[str] | None) -> None:
        """Lay out MIG instances ("3g.40gb"), each with a new UUID; None turns MIG off. Ends all processes."""
        shared = self.shared
        if profiles is not None and not shared.supports & Has.MIG:
            raise ValueError(f"{self.profile.key} has no MIG")
        if len(profiles or ()) > MIGS - 1:
            raise ValueError("MIG: at most 7 instances")
        for pid in self._rows():
            self.end_process(pid)
        with rewriting(shared, "list_seq"):
            shared.mig_generation += 1
            shared.mig_enabled = int(profiles is not None)
            shared.mig_count = len(profiles or ())
            for index, name in enumerate(profiles or ()):
                shape = mig_shape(name)
                instance = shared.migs[index]
                instance.uuid = stable_uuid(f"{self.uuid}/{shared.mig_generation}/{index}", "MIG").encode()
                instance.profile = name.encode()
                instance.gpu_instance, instance.compute_instance = index + 1, 0
                instance.profile_id, instance.slices = shape.profile_id, shape.slices
                instance.sm_count, instance.copy_engines = 16 * shape.slices, shape.slices
                instance.decoders = max(1, shape.slices // 2)
                instance.memory_total, instance.memory_used = shape.memory_bytes, 0

    @property
    def mig_uuids(self) -> list[str]:
        """UUIDs of the present instances, in order."""
        return [instance.uuid.decode() for instance in self.shared.migs[: self.shared.mig_count]]

    def xid(self, number: int, *, mig: int | None = None) -> None:
        """Send an XID event."""
        self.event(XID_EVENT, number, mig=mig)

    def event(self, kind: int, data: int = 0, *, mig: int | None = None) -> None:
        """Send an event (nvmlEventType bit) to every set that registered for it."""
        shared, control = self.shared, self.timeline.control
        row = shared.events[shared.event_count % EVENTS]
        row.type, row.data = kind, data
        row.gpu_instance = NO_INSTANCE if mig is None else shared.migs[mig].gpu_instance
        row.compute_instance = NO_INSTANCE if mig is None else shared.migs[mig].compute_instance
        shared.event_count += 1
        control.event_seq += 1
        address = ctypes.addressof(control) + type(control).event_seq.offset
        wake_all = (ctypes.c_long(1), ctypes.c_int(2**31 - 1))  # FUTEX_WAKE
        ctypes.CDLL(None).syscall(ctypes.c_long(_FUTEX[platform.machine()]), ctypes.c_void_p(address), *wake_all)

    def ecc(self, *, corrected: int = 0, uncorrected: int = 0) -> None:
        """Set the ECC error counters."""
        self.shared.ecc_corrected, self.shared.ecc_uncorrected = corrected, uncorrected

    def remapped(
        self, corrected: int = 0, uncorrected: int = 0, *, pending: bool = False, failed: bool = False
    ) -> None:
        """Set the row remapper."""
        self.shared.remapped_corrected, self.shared.remapped_uncorrected = corrected, uncorrected
        self.shared.remapped_pending, self.shared.remapped_failed = int(pending), int(failed)

    def retired(self, single: int = 0, double: int = 0, *, pending: bool = False) -> None:
        """Set retired pages (before Ampere)."""
        self.shared.retired_single, self.shared.retired_double = single, double
        self.shared.retired_pending = int(pending)

    def nvlink_down(self, *links: int) -> None:
        """Let these NVLinks be down and the others up; no argument brings all up."""
        beyond = [link for link in links if not 0 <= link < self.shared.nvlinks]
        if beyond:
            raise ValueError(f"NVLinks {beyond}: {self.profile.key} has {self.shared.nvlinks}, counted from 0")
        self.shared.nvlinks_down = sum(1 << link for link in set(links))

    def field_error(self, field_id: int, code: int, scope: int | None = None) -> None:
        """Let one field fail with *code* inside a batch that succeeds; code 0 makes it work again."""
        shared = self.shared
        wanted = ANY_SCOPE if scope is None else scope
        with rewriting(shared, "list_seq"):
            for index in range(shared.field_fault_count):
                if (shared.field_faults[index].field, shared.field_faults[index].scope) == (field_id, wanted):
                    break
            else:
                index = int(shared.field_fault_count)
                if index == FIELD_FAULTS:
                    raise ValueError(f"more than {FIELD_FAULTS} failing fields on one board")
                shared.field_fault_count += 1
            row = shared.field_faults[index]
            row.field, row.scope, row.code = field_id, wanted, code

    def clear_faults(self) -> None:
        """End every fault of this board, failing fields included."""
        Faults.clear_faults(self)
        with rewriting(self.shared, "list_seq"):
            self.shared.field_fault_count = 0

    # -- runtime D3 --------------------------------------------------------------------------------

    def suspend(self, sysfs: Path) -> Path:
        """Put the board to sleep below this sysfs root; gives its runtime_status file. NVML calls wake it."""
        status = sysfs / "bus/pci/devices" / self.bdf / "power/runtime_status"
        status.parent.mkdir(parents=True, exist_ok=True)
        status.write_text("suspended\n", encoding="ascii")
        self.shared.rtd3_path = str(status).encode()
        self.shared.asleep = 1
        return status

    @property
    def wakes(self) -> int:
        """How often an NVML call woke the board."""
        return int(self.shared.wakes)
