"""A board and its meter, and all that was booked."""

from dataclasses import dataclass

from tests.rules.gpu_model import GpuModel
from wattledger.rules.energy import EnergyMeter, EnergyPolicy, Measurement, Segment
from wattledger.rules.state import Method


@dataclass(slots=True)
class Totals:
    """What the measurements said beside their segments."""

    resets: int = 0
    rejected: int = 0
    unknown_ns: int = 0
    epoch_changed: bool = False


class MeterBench:
    """Reads the board once a second, and forgets nothing."""

    def __init__(self, gpu: GpuModel | None = None, policy: EnergyPolicy | None = None) -> None:
        self.gpu = gpu or GpuModel()
        self.policy = policy or EnergyPolicy()
        self.meter = EnergyMeter(self.policy)
        self.segments: list[Segment] = []
        self.totals = Totals()
        self.read()
        self.truth_start_mj = self.gpu.truth_mj

    def read(self, *, up: bool = True) -> Measurement:
        """Read once, without time passing."""
        measurement = self.meter.read(self.gpu.reading(up=up), self.gpu.host)
        self.segments += measurement.segments
        self.totals.resets += measurement.resets
        self.totals.rejected += measurement.rejected
        self.totals.unknown_ns += measurement.unknown_ns
        self.totals.epoch_changed |= measurement.epoch_changed
        return measurement

    def run(self, times: int, *, watts: int | None = None, up: bool = True, every: float = 1) -> None:
        """Take so many readings, one *every* so many seconds."""
        if watts is not None:
            self.gpu.power_mw = watts * 1000
        for _ in range(times):
            self.gpu.advance(every)
            self.read(up=up)

    def restart_agent(self) -> None:
        """Begin again with what the ledger keeps."""
        self.meter = EnergyMeter(self.policy, self.meter.anchor)

    def method(self) -> Method | None:
        """Give how it measures now."""
        return self.meter.method

    def suspect(self) -> bool:
        """Tell whether the counter is under suspicion."""
        return self.meter.divergence.suspect

    @property
    def booked_mj(self) -> int:
        """Give what was booked."""
        return sum(segment.energy_mj or 0 for segment in self.segments)

    @property
    def truth_mj(self) -> int:
        """Give what was drawn since the first reading."""
        return self.gpu.truth_mj - self.truth_start_mj
