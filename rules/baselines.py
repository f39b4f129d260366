"""Learns the idle draw of one board, bare and with a context, under strict conditions (nvml.md section 12)."""

from dataclasses import dataclass, replace

from .account import Baseline
from .activity import POWER_MARGIN_MW
from .instant import NS_PER_SECOND
from .quantity import Quantity
from .reading import HostFacts, Reading
from .state import BaselineKind, BaselineOrigin, State


@dataclass(frozen=True, slots=True)
class BaselinePolicy:
    """What a stretch of idleness must look like to be learnt from."""

    settle_ns: int = 30 * NS_PER_SECOND  # after the last process or the last work
    window_ns: int = 60 * NS_PER_SECOND
    samples: int = 60
    noise_mw: int = 500
    noise_ratio: float = 0.005
    slope_celsius_per_minute: float = 0.5
    weight: float = 0.1  # of a new window in the slow average


@dataclass(frozen=True, slots=True)
class _Point:
    mono_ns: int
    power_mw: int
    temperature: float | None
    clock_hz: int | None


_KIND_OF_STATE = {
    State.PARKED: BaselineKind.BARE,
    State.ALLOCATED: BaselineKind.BARE,
    State.HELD: BaselineKind.CONTEXT,
}


class BaselineLearner:
    """Learns for one device. Power is raw, before gain and offset, so that a new correction spoils nothing."""

    def __init__(self, policy: BaselinePolicy) -> None:
        self.policy = policy
        self._kind: BaselineKind | None = None
        self._since_ns = self._seen_ns = 0
        self._points: list[_Point] = []

    def learn(
        self, reading: Reading, state: State, known: dict[BaselineKind, Baseline], host: HostFacts
    ) -> Baseline | None:
        """Give a new or refreshed baseline when a window is full and calm, else None."""
        kind = _KIND_OF_STATE.get(state)
        quiet = reading.get(Quantity.UTILIZATION_GPU_RATIO) in (None, 0) and not reading.get(Quantity.POWER_FLOOR_MW)
        power_mw = reading.integer(Quantity.POWER_AVERAGE_MW) or reading.integer(Quantity.POWER_INSTANT_MW)
        now_ns = reading.at.mono_ns
        if kind is None or not quiet or power_mw is None:
            self._kind = None
            return None
        unseen_ns, self._seen_ns = now_ns - self._seen_ns, now_ns
        if kind is not self._kind or not 0 <= unseen_ns <= self.policy.settle_ns:
            self._kind, self._since_ns = kind, now_ns
            self._points.clear()
        if now_ns - self._since_ns < self.policy.settle_ns:
            return None
        self._points.append(
            _Point(
                now_ns,
                power_mw,
                reading.get(Quantity.TEMPERATURE_GPU_CELSIUS),
                reading.integer(Quantity.CLOCK_SM_HZ),
            )
        )
        if len(self._points) < self.policy.samples or now_ns - self._points[0].mono_ns < self.policy.window_ns:
            return None
        points, self._points = self._points, []
        if not self._is_calm(points):
            return None
        return self._merge(kind, points, reading, known.get(kind), host)

    def _is_calm(self, points: list[_Point]) -> bool:
        powers = [point.power_mw for point in points]
        if _variance(powers) > max(self.policy.noise_mw, self.policy.noise_ratio * _median(powers)) ** 2:
            return False
        clocks = {point.clock_hz for point in points}
        first, last = points[0], points[-1]
        if first.temperature is None or last.temperature is None:
            return len(clocks) == 1
        minutes = (last.mono_ns - first.mono_ns) / (60 * NS_PER_SECOND)
        slope = abs(last.temperature - first.temperature) / minutes
        return len(clocks) == 1 and slope < self.policy.slope_celsius_per_minute

    def _merge(
        self, kind: BaselineKind, points: list[_Point], reading: Reading, known: Baseline | None, host: HostFacts
    ) -> Baseline:
        power_mw = _median([point.power_mw for point in points])
        fresh = Baseline(
            kind=kind,
            origin=BaselineOrigin.LEARNT,
            power_mw=power_mw,
            samples=len(points),
            learnt_wall_ns=reading.at.wall_ns,
            driver_version=host.driver_version,
            vbios_version=reading.identity.vbios_version,
            temperature_celsius=points[-1].temperature,
            sm_clock_hz=points[-1].clock_hz,
        )
        if known is None or not still_valid(known, reading, host):
            return fresh
        lower = power_mw < known.power_mw - POWER_MARGIN_MW
        # A clearly lower draw is the truer idle at once: what was learnt before had company.
        merged_mw = power_mw if lower else round(known.power_mw + self.policy.weight * (power_mw - known.power_mw))
        return replace(fresh, power_mw=merged_mw, samples=known.samples + len(points))


def still_valid(baseline: Baseline, reading: Reading, host: HostFacts) -> bool:
    """Tell whether a learnt baseline was learnt under the present driver and VBIOS, as far as they are told."""
    return baseline.origin is not BaselineOrigin.LEARNT or (
        host.driver_version in ("", baseline.driver_version)
        and reading.identity.vbios_version in ("", baseline.vbios_version)
    )


# The statistics module would cost the daemon 2 MB for these two.
def _median(values: list[int]) -> int:
    """Give the middle of *values*, the lower of two."""
    return sorted(values)[(len(values) - 1) // 2]


def _variance(values: list[int]) -> float:
    """Give the population variance of *values*."""
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)
