"""Knows the test double of NVML as a whole: clock, driver, boards, counters of calls. README.md is the manual."""

import ctypes
import mmap
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from .board import fill_gpu
from .build import build_double
from .faults import LATENCY_MODEL, MODEL_REST_S, Faults, function_index
from .gpu import GpuControl
from .layout import FUNCTION_NAMES, FUNCTIONS, GPUS, MAGIC, Control
from .power import NS, Timeline
from .profiles import GpuSpec

START_NS = 3600 * NS
START_WALL_NS = 1_750_000_000 * NS
CONTROL_ENV = "WATTLEDGER_NVML_DOUBLE"
DriverState = Literal["loaded", "absent", "mismatch", "unknown_error"]
_STATES: tuple[DriverState, ...] = ("loaded", "absent", "mismatch", "unknown_error")
_NEWEST_FIELD_LIMIT = 310
_OLD_FIELD_LIMIT = 251
_NEW_FUNCTIONS = ("nvmlDeviceGetGpuUptime_v1", "nvmlDeviceGetTemperatureV", "nvmlDeviceGetMarginTemperature")


class NvmlDouble:
    """A machine with GPUs that do not exist. A context manager; `env` goes into the child's environment."""

    def __init__(
        self,
        tmp_path: Path,
        gpus: Sequence[str | GpuSpec] = ("h100",),
        *,
        clock: Literal["virtual", "real"] = "virtual",
        noise: bool = False,
        boot_seed: int = 0,
    ) -> None:
        if not 0 <= len(gpus) <= GPUS:
            raise ValueError(f"{len(gpus)} GPUs: the double holds up to {GPUS}")
        self.library_dir = build_double()
        tmp_path.mkdir(parents=True, exist_ok=True)
        self.control_path = tmp_path / "nvml-double.control"
        with self.control_path.open("wb+") as file:
            file.truncate(ctypes.sizeof(Control))
            self._map = mmap.mmap(file.fileno(), 0)
        self.control = Control.from_buffer(self._map)
        self._faults = Faults(self.control, -1)
        self._timeline = Timeline(self.control, real=clock == "real", noise=noise)
        self._fill(noise=noise)
        specs = [GpuSpec(entry) if isinstance(entry, str) else entry for entry in gpus]
        self.gpus: list[GpuControl] = []
        for slot, spec in enumerate(specs):
            profile = spec.resolved()
            fill_gpu(self.control.gpus[slot], slot, spec=spec, profile=profile, boot_seed=boot_seed)
            self.gpus.append(GpuControl(self._timeline, slot, spec=spec, profile=profile))
        self.order(range(len(specs)))
        self.control.gpu_count = len(specs)
        self.control.magic = MAGIC  # last: the library refuses a file without it

    def _fill(self, *, noise: bool) -> None:
        control = self.control
        control.size = ctypes.sizeof(Control)
        control.clock_mode = int(self._timeline.real)
        control.now_ns = START_NS
        control.wall_offset_ns = START_WALL_NS
        control.noise = int(noise)
        self.samples()
        self.driver(version="580.105.08", nvml_version="13.580.105.08", cuda=13000, state="loaded", old=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let every hang go, so that no child stays behind in the library. The mapping stays readable."""
        self.clear_faults()

    @property
    def env(self) -> dict[str, str]:
        """What a child's environment needs."""
        return {"LD_LIBRARY_PATH": str(self.library_dir), CONTROL_ENV: str(self.control_path)}

    def gpu(self, slot: int) -> GpuControl:
        """Give the control of one board."""
        return self.gpus[slot]

    # -- clock -----------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Nanoseconds since boot, as the library sees them."""
        return self._timeline.now_ns

    @property
    def wall_ns(self) -> int:
        """Nanoseconds since 1970, as the library sees them."""
        return time.time_ns() if self._timeline.real else self.now_ns + int(self.control.wall_offset_ns)

    def advance(self, seconds: float) -> int:
        """Move the virtual clock on; gives the new time in ns."""
        return self.advance_ns(round(seconds * NS))

    def advance_ns(self, ns: int) -> int:
        """Move the virtual clock on; raises ValueError with the real clock or a negative step."""
        if self._timeline.real or ns < 0:
            raise ValueError(f"advance by {ns} ns: only the virtual clock moves, and only forward")
        target = self.control.now_ns + ns
        while True:
            # A long plan reaches the control file piece by piece; never pass what it knows.
            known = (gpu.shared_until_ns() for gpu in self.gpus)
            step = min((t - 1 for t in known if t is not None), default=target)
            self.control.now_ns = min(target, step)
            if step >= target:
                return int(target)

    # -- driver ----------------------------------------------------------------------------------

    def driver(
        self,
        *,
        version: str | None = None,
        nvml_version: str | None = None,
        cuda: int | None = None,
        state: DriverState | None = None,
        old: bool | None = None,
        unknown_field_code: int = 2,
    ) -> None:
        """Change the driver; what is None stays. *state* is judged when a process initialises NVML."""
        control = self.control
        if version is not None:
            control.driver_version = version.encode()
        if nvml_version is not None:
            control.nvml_version = nvml_version.encode()
        if cuda is not None:
            control.cuda_version = cuda
        if state is not None:
            control.driver_state = _STATES.index(state)
        if old is not None:
            control.field_limit = _OLD_FIELD_LIMIT if old else _NEWEST_FIELD_LIMIT
            control.unknown_field_code = unknown_field_code
            for name in _NEW_FUNCTIONS:
                control.removed[function_index(name)] = int(old)

    def remove_function(self, name: str) -> None:
        """Let *name* answer FUNCTION_NOT_FOUND, as a driver without the symbol does through pynvml."""
        self.control.removed[function_index(name)] = 1

    def order(self, slots: Iterable[int]) -> None:
        """Give NVML's order: index -> slot. Boards left out are lost to open handles."""
        wanted = list(slots)
        if len(set(wanted)) != len(wanted) or not set(wanted) <= set(range(len(self.gpus))):
            raise ValueError(f"order {wanted}: each of 0..{len(self.gpus) - 1} at most once")
        for index, slot in enumerate(wanted):
            self.control.order[index] = slot
        self.control.order_count = len(wanted)

    def samples(
        self,
        *,
        clock: Literal["boottime", "epoch"] = "boottime",
        idle: Literal["empty", "not_found"] = "not_found",
        fixed_size: int = 0,
        garbage: int = 0,
    ) -> None:
        """Choose the traps of GetSamples and process utilisation; fixed_size 0 reports the true size."""
        control = self.control
        control.samples_epoch, control.samples_not_found = int(clock == "epoch"), int(idle == "not_found")
        control.samples_fixed_size, control.samples_garbage = fixed_size, garbage

    def confidential_computing(self, on: bool) -> None:
        """Switch confidential computing: GPM refuses while it is on."""
        self.control.conf_compute = int(on)

    # -- faults and latency for everything -------------------------------------------------------

    def fault(self, function: str = "*", code: int = 999, count: int | None = None) -> None:
        """Answer *code* on every board and system call named."""
        self._faults.fault(function, code, count)

    def hang(self, function: str = "*", seconds: float | None = None, unkillable_path: str | None = None) -> None:
        """Hang every call named, until cleared."""
        self._faults.hang(function, seconds, unkillable_path)

    def crash(self, function: str = "*", how: Literal["segv", "abort"] = "segv") -> None:
        """Kill the process that makes the call."""
        self._faults.crash(function, how)

    def clear_faults(self) -> None:
        """End every fault of every board."""
        self._faults.clear_faults()
        for gpu in self.gpus:
            gpu.clear_faults()

    def latency(self, seconds: float, function: str = "*") -> None:
        """Let calls take that long (real sleep)."""
        index = function_index(function)
        for place in range(FUNCTIONS) if index < 0 else (index,):
            self.control.latency_us[place] = round(seconds * 1e6)

    def latency_model(self, on: bool) -> None:
        """Let calls take what they took on real machines, or nothing."""
        self.latency(MODEL_REST_S if on else 0)
        for name, seconds in LATENCY_MODEL.items() if on else ():
            self.latency(seconds, name)

    def race_window(self, seconds: float) -> None:
        """Keep each GetFieldValues open that long, so that an unlocked second thread is always seen."""
        self.control.race_window_ns = round(seconds * NS)

    # -- what the library saw --------------------------------------------------------------------

    def calls(self, slot: int | None = None) -> dict[str, int]:
        """Calls made so far by function, of all processes; of one board when *slot* is given."""
        counts = self.control.calls if slot is None else self.control.gpus[slot].calls
        return {name: counts[index] for index, name in enumerate(FUNCTION_NAMES) if counts[index]}

    def total_calls(self, slot: int | None = None) -> int:
        """Give the number of calls made so far."""
        return sum(self.calls(slot).values())

    def fields_read(self, slot: int) -> int:
        """Give the number of field ids asked for in batches of one board."""
        return int(self.control.gpus[slot].fields_read)

    def reset_calls(self) -> None:
        """Set every call counter to 0."""
        ctypes.memset(self.control.calls, 0, ctypes.sizeof(self.control.calls))
        for gpu in self.gpus:
            ctypes.memset(gpu.shared.calls, 0, ctypes.sizeof(gpu.shared.calls))
            gpu.shared.fields_read = 0

    @property
    def field_race_detected(self) -> bool:
        """Whether two threads of one process were in GetFieldValues at once."""
        return bool(self.control.field_race)

    @property
    def peak_concurrency(self) -> int:
        """Most threads of one process inside the library at once (waiting for events not counted)."""
        return int(self.control.peak_concurrency)

    @property
    def fork_misuse_detected(self) -> bool:
        """Whether a process used an NVML it had inherited by fork."""
        return bool(self.control.fork_misuse)

    @property
    def hanging(self) -> int:
        """Calls that hang at this moment, in all processes."""
        return int(self.control.hanging)
