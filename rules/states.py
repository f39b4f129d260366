"""The state of one device over time: dwell and hysteresis over the signals; energy is booked elsewhere."""

from dataclasses import dataclass

from .account import Baseline
from .activity import Activity, activity
from .instant import NS_PER_SECOND, Instant
from .quantity import Quantity
from .reading import Reading
from .state import BaselineKind, State


@dataclass(frozen=True, slots=True)
class StatePolicy:
    """When a device counts as idle. Defaults: arXiv 2604.04745 (below 5 % for 5 s)."""

    dwell_ns: int = 5 * NS_PER_SECOND
    activity_ratio: float = 0.05
    # GPM is read every few seconds, so a busy device with idle SMs is believed only after more than one reading.
    spin_extra_ns: int = 10 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the operator knows of a device that its signals do not tell."""

    owner: str = ""
    maintenance: str = ""  # reason of a maintenance window that is open now


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state of the interval that ends now; `detail` says for `unknown` which signal is missing or why."""

    state: State
    detail: str = ""


class StateJudge:
    """Judges one device. Work shows at once; idleness only after the dwell, until then the device stays active.

    So the first seconds of each pause count as active: idle energy is a lower bound.
    """

    def __init__(self, policy: StatePolicy) -> None:
        self.policy = policy
        self._before: Reading | None = None
        self._last_work_ns: int | None = None
        self._spin_since_ns: int | None = None
        self._current = State.UNKNOWN
        self.since: Instant | None = None

    def judge(
        self, reading: Reading, baselines: dict[BaselineKind, Baseline], circumstances: Circumstances
    ) -> Judgement:
        """Give the state of the interval from the reading before to this one."""
        signals = activity(reading, self._before, baselines, threshold=self.policy.activity_ratio)
        judgement = self._decide(reading, signals, circumstances)
        if self.since is None or judgement.state is not self._current:
            self.since, self._current = reading.at, judgement.state
        self._before = reading
        return judgement

    def _decide(self, reading: Reading, signals: Activity, circumstances: Circumstances) -> Judgement:
        works = self._works(reading.at.mono_ns, signals)
        if works:
            return Judgement(State.ACTIVE)
        if circumstances.maintenance:
            return Judgement(State.UNKNOWN, f"maintenance: {circumstances.maintenance}")
        if works is None:
            return Judgement(State.UNKNOWN, "utilization")
        if reading.get(Quantity.POWER_FLOOR_MW):
            # A smoothing floor burns power on purpose: the draw says nothing about waste.
            return Judgement(State.UNKNOWN, "power_smoothing")
        if signals.held is None:
            return Judgement(State.UNKNOWN, "processes")
        if signals.held:
            return Judgement(State.HELD)
        return Judgement(State.ALLOCATED if circumstances.owner else State.PARKED)

    def _works(self, now_ns: int, signals: Activity) -> bool | None:
        if signals.works is None:
            return None
        working = signals.works and not self._spins(now_ns, spinning=signals.spinning)
        if working:
            self._last_work_ns = now_ns
            return True
        if signals.held is False or self._last_work_ns is None:
            # Nobody is left who could go on working, or none was ever seen to work: nothing to dwell on.
            return False
        return 0 <= now_ns - self._last_work_ns < self.policy.dwell_ns

    def _spins(self, now_ns: int, *, spinning: bool) -> bool:
        if not spinning:
            self._spin_since_ns = None
            return False
        if self._spin_since_ns is None:
            self._spin_since_ns = now_ns
        return now_ns - self._spin_since_ns >= self.policy.dwell_ns + self.policy.spin_extra_ns
