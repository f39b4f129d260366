"""Energy booked against the closed-form truth of the driver double, per method and pattern of load; virtual time."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.nvml.double import NvmlDouble
from tests.nvml.gpu import GpuControl
from tests.nvml.profiles import GpuSpec

WINDOW_SECONDS = 60
REST_SECONDS = 5  # before the load, after it, and of load on either side of the cut
REST_SHARE = 0.1  # of the power limit, about the bare draw of a board
# The sampler's grid does not drift; each read comes a little after its tick.
TICK_NS = 1_000_000_000
LATE_NS = 3_000_000


@dataclass(frozen=True, slots=True)
class Method:
    """A way to measure: a board that offers it, and what the operator asks for."""

    name: str
    profile: str
    choice: str


METHODS = (
    Method("counter (H100)", "h100", "auto"),
    Method("average power (H100)", "h100", "power"),
    Method("instant power (A100: 25 of 100 ms seen)", "a100", "power"),
)


class Load:
    """Draws on one board in shares of its power limit."""

    def __init__(self, gpu: GpuControl, chance: random.Random) -> None:
        self.gpu = gpu
        self.limit_w = gpu.profile.limits_w[2]
        self.chance = chance

    def _wave(self, period_s: float, *, high: float = 0.93, low: float = 0.17, duty: float = 0.4) -> None:
        self.gpu.burst(high_w=high * self.limit_w, low_w=low * self.limit_w, period_s=period_s, duty=duty)

    def rest(self) -> None:
        """Draw what a board draws that does nothing."""
        self.gpu.draw(REST_SHARE * self.limit_w)

    def constant(self) -> None:
        """Draw evenly."""
        self.gpu.draw(0.57 * self.limit_w)

    def decode(self) -> None:
        """Draw as a server that decodes: a step every 33 ms."""
        self._wave(0.033, high=0.64, low=0.36, duty=0.6)

    def bursts(self) -> None:
        """Draw in bursts of a period of its own, so that no two boards agree."""
        self._wave(round(self.chance.uniform(0.3, 1.7), 3))

    def locked(self) -> None:
        """Draw in step with the driver's updates."""
        self._wave(0.1, duty=0.5)

    def steps(self) -> None:
        """Draw in random steps of 0.8 to 2.5 s."""
        shares = (0.17, 0.43, 0.93)
        steps = [
            (round(self.chance.uniform(0.8, 2.5), 3), self.chance.choice(shares) * self.limit_w) for _ in range(48)
        ]
        self.gpu.trace(steps)


PATTERNS: dict[str, Callable[[Load], None]] = {
    "constant": Load.constant,
    "33 ms decode steps": Load.decode,
    "bursts, 0.3 to 1.7 s apart": Load.bursts,
    "locked to 100 ms, half on": Load.locked,
    "random steps of 0.8 to 2.5 s": Load.steps,
}


@dataclass(frozen=True, slots=True)
class Error:
    """Booked over true energy, minus one: of the host, and of its worst board."""

    host: float
    worst: float


@dataclass(frozen=True, slots=True)
class EnergyError:
    """The error of one method over one pattern: `whole` from rest to rest, `cut` from tick to tick amid the load."""

    method: str
    pattern: str
    whole: Error
    cut: Error


Reads = list[tuple[int, list[int]]]
"""The time of each tick, and what each board had booked by then."""


def energy_errors(folder: Path) -> Iterator[EnergyError]:
    """Give the error of every method over every pattern."""
    for number, (method, pattern) in enumerate(itertools.product(METHODS, PATTERNS)):
        place = folder / f"energy-{number}"
        place.mkdir()
        yield measure_error(place, method, pattern)


def measure_error(folder: Path, method: Method, pattern: str, *, gpus: int = 8) -> EnergyError:
    """Give the relative error over a minute on a host of *gpus* boards whose update phases differ."""
    chance = random.Random(7)  # noqa: S311  (the same load and ticks in every run)
    specs = [GpuSpec(method.profile, gain=1.0, offset_w=0.0) for _ in range(gpus)]
    with NvmlDouble(folder, gpus=specs, clock="virtual") as double, _meter(double, method.choice) as tick:
        reads: Reads = []
        grid_ns = double.now_ns

        def ticks(seconds: int) -> None:
            for _ in range(seconds):
                late_ns = chance.randrange(LATE_NS)
                double.advance_ns(grid_ns + len(reads) * TICK_NS + late_ns - double.now_ns)
                reads.append((double.now_ns, tick(double.now_ns)))

        loads = [Load(gpu, chance) for gpu in double.gpus]
        for load in loads:
            load.gpu.process(4242)
            load.rest()
        ticks(REST_SECONDS)
        for load in loads:
            PATTERNS[pattern](load)
        ticks(REST_SECONDS + WINDOW_SECONDS)
        cut = _error(double, reads, first=-1 - WINDOW_SECONDS)
        for load in loads:
            load.rest()
        ticks(REST_SECONDS)
        whole = _error(double, reads, first=REST_SECONDS - 2)
    return EnergyError(method.name, pattern, whole, cut)


def _error(double: NvmlDouble, reads: Reads, *, first: int) -> Error:
    """Give the error from read *first* to the last."""
    (start_ns, start_mj), (end_ns, end_mj) = reads[first], reads[-1]
    true_mj = [gpu.truth_mj(start_ns, end_ns) for gpu in double.gpus]
    drawn_mj = [end - start for end, start in zip(end_mj, start_mj, strict=True)]
    errors = [drawn / true - 1 for drawn, true in zip(drawn_mj, true_mj, strict=True)]
    return Error(sum(drawn_mj) / sum(true_mj) - 1, max(errors, key=abs))


@contextmanager
def _meter(double: NvmlDouble, choice: str) -> Iterator[Callable[[int], list[int]]]:
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.meter_child", choice],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=dict(os.environ) | {"PYTHONPATH": f"{root / '.importroot'}:{root}"} | double.env,
    )

    def tick(mono_ns: int) -> list[int]:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{mono_ns}\n")
        child.stdin.flush()
        booked_mj: list[int] = json.loads(child.stdout.readline())
        return booked_mj

    try:
        yield tick
    finally:
        child.communicate(timeout=20)
