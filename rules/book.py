"""The book of one device: readings in, booked intervals and the account out. Storing it is the ledger's matter."""

from dataclasses import dataclass, field, replace

from .account import Baseline, DeviceAccount, Entry, StateTotal, XidCount
from .baselines import BaselineLearner, BaselinePolicy, still_valid
from .carry import CounterCarry
from .correction import DEBT_NS, CorrectedEnergy, Correction
from .energy import EnergyMeter, EnergyPolicy, Measurement, Segment
from .instant import NS_PER_SECOND, Instant
from .priors import prior_baselines
from .quantity import Quantity
from .reading import HostFacts, Pace, Reading, XidEvent
from .state import BaselineKind, Method, State
from .states import Circumstances, Judgement, StateJudge, StatePolicy

_POWER_QUANTITIES = (Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW)


@dataclass(frozen=True, slots=True)
class BookPolicy:
    """Everything that decides how one device is booked."""

    energy: EnergyPolicy = field(default_factory=EnergyPolicy)
    states: StatePolicy = field(default_factory=StatePolicy)
    baselines: BaselinePolicy = field(default_factory=BaselinePolicy)
    correction: Correction = field(default_factory=Correction)
    configured_baselines: dict[BaselineKind, Baseline] = field(default_factory=dict)

    def at_pace(self, pace: Pace | None) -> "BookPolicy":
        """Give the policy for values that come at *pace*, each at a moment that is known to a collection or two."""
        if pace is None:
            return self
        # Idleness is believed after more than one look: between two of them work may have gone on.
        dwell_ns = max(self.states.dwell_ns, pace.period_ns * 3 // 2)
        energy = replace(
            self.energy,
            gap_ns=max(self.energy.gap_ns, pace.stale_ns),
            bound_slack_ns=max(self.energy.bound_slack_ns, 2 * pace.period_ns),
        )
        return replace(self, energy=energy, states=replace(self.states, dwell_ns=dwell_ns))


class DeviceBook:
    """Owns the running state of one device. `account` is replaced, never changed, at each reading."""

    def __init__(self, account: DeviceAccount, policy: BookPolicy) -> None:
        self.account = account
        self._policy = policy
        self._meter = EnergyMeter(policy.energy, account.anchor)
        self._judge = StateJudge(policy.states)
        self._learner = BaselineLearner(policy.baselines)
        self._carry = CounterCarry(account.counters)
        self._corrected = CorrectedEnergy(policy.correction)
        self._short_mj = 0  # what a held board has drawn less than bare of late, as a counter of steps shows it
        self._pending: set[State] = set()  # states judged since the last booking
        self._read_at: Instant | None = None
        self._known = self._known_baselines()
        self.judgement: Judgement | None = None
        self.state_since_wall_ns = 0
        self._episode_start_mj: int | None = None  # what was booked to the present state before it began

    def apply(self, policy: BookPolicy) -> None:
        """Go on under another policy, with nothing forgotten."""
        self._policy = policy
        self._meter.policy = policy.energy
        self._judge.policy = policy.states
        self._learner.policy = policy.baselines
        if policy.correction != self._corrected.correction:
            self._corrected = CorrectedEnergy(policy.correction)
        self._known = self._known_baselines()

    @property
    def state_energy_mj(self) -> int | None:
        """Give what was booked to the present state since the device entered it; None before it is judged.

        What was drawn while nobody looked is booked to another state, so it does not count.
        """
        if self._episode_start_mj is None or self.judgement is None:
            return None
        return self._booked_mj(self.judgement.state) - self._episode_start_mj

    @property
    def method(self) -> Method | None:
        """Give how energy is measured now."""
        return self._meter.method

    @property
    def divergence_ratio(self) -> float | None:
        """Give hardware counter over integral of power, over the last full minute."""
        return self._meter.divergence.ratio

    @property
    def counter_suspect(self) -> bool:
        """Tell whether the counter has disagreed with power for minutes on end."""
        return self._meter.divergence.suspect

    def baselines(self) -> dict[BaselineKind, Baseline]:
        """Give the baselines in force, raw: configured before learnt before published."""
        return self._known

    def corrected_baselines(self) -> tuple[Baseline, ...]:
        """Give the baselines in force as they are to be shown: with gain and offset."""
        correct = self._policy.correction.power_mw
        if self._policy.correction.is_identity:
            return tuple(self._known.values())
        return tuple(replace(known, power_mw=correct(known.power_mw)) for known in self._known.values())

    def read(self, reading: Reading, host: HostFacts, circumstances: Circumstances) -> list[Entry]:
        """Book one reading; give the intervals that were added to the account. One that comes again adds nothing."""
        if not reading.up:
            self.judgement = None
            return []
        if reading.at == self._read_at:
            return []
        self._read_at = reading.at
        self._refresh_identity(reading, host)
        before = self._judge.since
        judgement = self._judge.judge(reading, self._known, circumstances)
        self.judgement = judgement
        if self._judge.since is not None and self._judge.since is not before:
            self.state_since_wall_ns = self._judge.since.wall_ns
            self._episode_start_mj = self._booked_mj(judgement.state)
        self._pending.add(judgement.state)
        measurement = self._meter.read(reading, host)
        self._carry.add(reading, epoch_changed=measurement.epoch_changed)
        learnt = self._learner.learn(reading, judgement.state, self.account.baselines, host)
        entries = [self._entry(segment) for segment in measurement.segments]
        if self._meter.anchor is not None and self._meter.anchor.at == reading.at:
            self._pending.clear()
        self._book(entries, measurement)
        if learnt is not None:
            self.account = replace(self.account, baselines=self.account.baselines | {learnt.kind: learnt})
            self._known = self._known_baselines()
        return entries

    def note(self, event: XidEvent) -> None:
        """Count one Xid."""
        before = self.account.xids.get(event.xid)
        count = XidCount(1 if before is None else before.count + 1, event.wall_ns)
        self.account = replace(self.account, xids=self.account.xids | {event.xid: count})

    def corrected(self, reading: Reading) -> Reading:
        """Give the reading as it is to be shown: power with gain and offset."""
        if self._policy.correction.is_identity or not reading.up:
            return reading
        values = dict(reading.values)
        for quantity in _POWER_QUANTITIES:
            if quantity in values:
                values[quantity] = self._policy.correction.power_mw(int(values[quantity]))
        return replace(reading, values=values)

    def _known_baselines(self) -> dict[BaselineKind, Baseline]:
        return prior_baselines(self.account.name) | self.account.baselines | self._policy.configured_baselines

    def _refresh_identity(self, reading: Reading, host: HostFacts) -> None:
        valid = {kind: known for kind, known in self.account.baselines.items() if still_valid(known, reading, host)}
        if len(valid) != len(self.account.baselines) or self.account.name != reading.identity.name:
            self.account = replace(self.account, name=reading.identity.name, baselines=valid)
            self._known = self._known_baselines()

    def _entry(self, segment: Segment) -> Entry:
        state = self._state_of(segment)
        duration_ns = segment.end.mono_ns - segment.start.mono_ns
        energy_mj = 0
        if segment.energy_mj is not None:
            # An offset is power: it belongs to the time that was measured and to no other.
            energy_mj = self._corrected.add(segment.energy_mj, duration_ns - segment.unknown_ns)
        return Entry(
            uuid=self.account.uuid,
            state=state,
            start=segment.start,
            end=segment.end,
            energy_mj=energy_mj,
            avoidable_mj=self._avoidable(energy_mj, duration_ns) if state is State.HELD else 0,
            method=segment.method,
        )

    def _booked_mj(self, state: State) -> int:
        return self.account.states.get(state, StateTotal()).energy_mj

    def _state_of(self, segment: Segment) -> State:
        """Give the state of a segment; one that spans several states (its energy came late) is not known."""
        if not segment.observed:
            return State.UNOBSERVED
        states = self._pending
        return next(iter(states)) if len(states) == 1 else State.UNKNOWN

    def _avoidable(self, energy_mj: int, duration_ns: int) -> int:
        """Give the part above the bare draw; none where no bare draw is known.

        A counter that steps shows too little in one interval and too much in the next: what is short comes first.
        """
        bare = self._known.get(BaselineKind.BARE)
        if bare is None:
            return 0
        bare_mw = self._policy.correction.power_mw(bare.power_mw)
        above_mj = self._short_mj + energy_mj - bare_mw * duration_ns // NS_PER_SECOND
        self._short_mj = max(min(0, above_mj), -(bare_mw * DEBT_NS // NS_PER_SECOND))
        return max(0, above_mj)

    def _book(self, entries: list[Entry], measurement: Measurement) -> None:
        account = self.account
        states, methods = dict(account.states), dict(account.methods)
        for entry in entries:
            total = states.get(entry.state, StateTotal())
            states[entry.state] = StateTotal(total.energy_mj + entry.energy_mj, total.duration_ns + entry.duration_ns)
            if entry.method is not None:
                methods[entry.method] = methods.get(entry.method, 0) + entry.energy_mj
        self.account = replace(
            account,
            states=states,
            methods=methods,
            avoidable_mj=account.avoidable_mj + sum(entry.avoidable_mj for entry in entries),
            unknown_ns=account.unknown_ns + measurement.unknown_ns,
            counter_resets=account.counter_resets + measurement.resets,
            rejected_segments=account.rejected_segments + measurement.rejected,
            anchor=self._meter.anchor,
            counters=self._carry.carried,
        )
