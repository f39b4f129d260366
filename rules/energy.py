"""Energy of one device from successive readings: counter first, else integrals; not what it was spent on.

Units: millijoules, milliwatts, nanoseconds, all whole numbers. Raw, before gain and offset.
"""

from dataclasses import dataclass
from enum import StrEnum

from .account import Anchor
from .divergence import DivergenceWatch
from .epoch import elapsed_ns, restarted, since_restart_ns
from .instant import NS_PER_SECOND, Instant
from .integral import PowerIntegral
from .quantity import Gap, Quantity
from .reading import EnergyScope, HostFacts, Reading
from .state import Method


class EnergyChoice(StrEnum):
    """Which way of measuring the operator wants."""

    AUTO = "auto"  # the counter where there is one
    COUNTER = "counter"  # nothing but the counter
    POWER = "power"  # never the counter


@dataclass(frozen=True, slots=True)
class EnergyPolicy:
    """Limits of belief. A counter may lead by the energy of one update, hence the slack."""

    choice: EnergyChoice = EnergyChoice.AUTO
    gap_ns: int = 10 * NS_PER_SECOND  # power is not integrated, nor states judged, over longer silence
    bound_permille: int = 1100  # of the largest power limit: boards overshoot their limit by a few percent
    bound_slack_ns: int = 250_000_000  # the counter steps every 20 to 100 ms (nvml.md section 3)
    bound_unknown_limit_mw: int = 5_000_000  # where the device tells no limit: above any board or module made
    counter_patience_ns: int = 300 * NS_PER_SECOND  # a counter that fails for longer is replaced by power
    counter_despair_ns: int = 3600 * NS_PER_SECOND  # of known power: so much is not kept waiting for the rest
    confirmations: int = 3  # readings that must agree before an odd counter value is believed


@dataclass(frozen=True, slots=True)
class Segment:
    """Raw energy of one interval; None when it cannot be known. `observed` is false where no agent looked.

    `unknown_ns` is the time in it whose energy is not in `energy_mj`, or not known to be.
    """

    start: Instant
    end: Instant
    energy_mj: int | None
    method: Method | None
    observed: bool = True
    unknown_ns: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one reading added. `epoch_changed` tells that every hardware counter of the device restarted."""

    segments: tuple[Segment, ...] = ()
    resets: int = 0
    rejected: int = 0
    epoch_changed: bool = False

    @property
    def unknown_ns(self) -> int:
        """Give the time whose energy is not, or not wholly, in the segments."""
        return sum(segment.unknown_ns for segment in self.segments)


NOTHING = Measurement()  # booked later: what was drawn meanwhile stands in the counter


class EnergyMeter:
    """Measures one device. Give it every reading in order; `anchor` is what must survive a restart."""

    def __init__(self, policy: EnergyPolicy, anchor: Anchor | None = None) -> None:
        self.policy = policy
        self.anchor = anchor
        self._silent = anchor is not None  # the next segment holds time in which nobody looked
        self._heard: Instant | None = None
        self._began_under = policy.choice  # of the interval that is under way
        self._integral = PowerIntegral()
        self._odd: list[int] = []  # the last counter values in a row that do not fit the anchor
        self._odd_since: Instant | None = None
        self.divergence = DivergenceWatch()

    @property
    def method(self) -> Method | None:
        """Give the way the latest segment is measured by; None while nothing can be."""
        if self.anchor is not None and self.anchor.counter_mj is not None:
            return Method.COUNTER
        return None if self.policy.choice is EnergyChoice.COUNTER else self._integral.method

    def read(self, reading: Reading, host: HostFacts) -> Measurement:
        """Book up to *reading*. A device that is not up books nothing: its joules wait in the counter."""
        if not reading.up:
            return NOTHING
        counter_mj = self._counter_of(reading)
        here = Anchor(
            at=reading.at,
            boot_id=host.boot_id,
            driver_version=host.driver_version,
            counter_mj=counter_mj,
            uptime_seconds=reading.integer(Quantity.UPTIME_SECONDS),
        )
        self._listen(here.at)
        has_power = self._integral.add(reading, gap_ns=self.policy.gap_ns)
        before = self.anchor
        if before is None:
            return self._rebase(here, NOTHING)
        elapsed = elapsed_ns(before, here)
        if before.counter_mj is not None and counter_mj is not None:
            return self._by_counter(before, here, elapsed, counter_mj - before.counter_mj, reading)
        waits_for_counter = before.counter_mj is not None and not self._counter_is_gone(reading, elapsed)
        waits_for_power = not has_power and elapsed <= self.policy.gap_ns
        if waits_for_counter or waits_for_power:
            return NOTHING
        self.divergence.restart()
        measurement = Measurement((self._by_power(here, elapsed),), epoch_changed=restarted(before, here))
        return self._rebase(here, measurement)

    def _counter_of(self, reading: Reading) -> int | None:
        return None if self.policy.choice is EnergyChoice.POWER else reading.integer(Quantity.ENERGY_MJ)

    def _listen(self, at: Instant) -> None:
        heard, self._heard = self._heard, at
        if heard is not None and not 0 <= at.ns_since(heard) <= self.policy.gap_ns:
            self._silent = True

    def _rebase(self, here: Anchor, measurement: Measurement) -> Measurement:
        self.anchor = here
        self._silent = False
        self._began_under = self.policy.choice
        self._odd.clear()
        self._odd_since = None
        self._integral.restart(here.at)
        return measurement

    def _by_counter(self, before: Anchor, here: Anchor, elapsed: int, delta_mj: int, reading: Reading) -> Measurement:
        if restarted(before, here) and self._fits_since_restart(before, here, elapsed, reading):
            return self._after_reset(before, here, elapsed)
        if 0 <= delta_mj <= self._bound_mj(reading, elapsed):
            self.divergence.add(delta_mj, self._integral.covering(elapsed), elapsed)
            segment = self._segment(here, elapsed, delta_mj, Method.COUNTER)
            return self._rebase(here, Measurement((segment,)))
        return self._odd_counter(before, here, elapsed, delta_mj, reading)

    def _odd_counter(
        self, before: Anchor, here: Anchor, elapsed: int, delta_mj: int, reading: Reading
    ) -> Measurement:
        """Wait for confirmation: a counter that falls to 0 or leaps and comes back has lost nothing."""
        assert here.counter_mj is not None  # noqa: S101  (callers come here with a counter)
        grows = not self._odd or 0 <= here.counter_mj - self._odd[-1] <= self._bound_mj(reading, elapsed)
        if not grows:
            self._odd.clear()
        self._odd.append(here.counter_mj)
        self._odd_since = self._odd_since or here.at
        # One that stands still, as at 0, proves nothing; one that never agrees with itself is not waited for long.
        agrees = len(self._odd) >= self.policy.confirmations and here.counter_mj > self._odd[0]
        if not agrees and here.at.ns_since(self._odd_since) <= self.policy.counter_patience_ns:
            return NOTHING
        if agrees and self._fits_since_restart(before, here, elapsed, reading):
            return self._after_reset(before, here, elapsed)
        self.divergence.restart()
        segment = self._by_power(here, elapsed)
        return self._rebase(here, Measurement((segment,), rejected=1, epoch_changed=delta_mj < 0))

    def _after_reset(self, before: Anchor, here: Anchor, elapsed: int) -> Measurement:
        """Book the restarted counter's value: it is the energy since the reset. What came before it is unknown."""
        self.divergence.restart()
        since_ns = since_restart_ns(before, here)
        if since_ns is None:
            # It is not known how much of the interval the restarted counter covers.
            segments = [self._segment(here, elapsed, here.counter_mj, Method.COUNTER, unknown_ns=elapsed)]
        else:
            segments = [self._segment(here, since_ns, here.counter_mj, Method.COUNTER)]
            before_ns = elapsed - since_ns
            if before_ns:
                split = segments[0].start
                start = Instant(split.mono_ns - before_ns, split.wall_ns - before_ns)
                observed = segments[0].observed
                segments.insert(0, Segment(start, split, None, None, observed=observed, unknown_ns=before_ns))
        return self._rebase(here, Measurement(tuple(segments), resets=1, epoch_changed=True))

    def _fits_since_restart(self, before: Anchor, here: Anchor, elapsed: int, reading: Reading) -> bool:
        """Tell whether the counter's whole value can have been drawn since it began anew, which is after *before*."""
        since_ns = since_restart_ns(before, here)
        # The uptime is in whole seconds, rounded down.
        most_ns = elapsed if since_ns is None else min(elapsed, since_ns + NS_PER_SECOND)
        return here.counter_mj is not None and here.counter_mj <= self._bound_mj(reading, most_ns)

    def _counter_is_gone(self, reading: Reading, elapsed: int) -> bool:
        """Tell a counter that the device no longer offers, or that is no longer wanted, from one that fails."""
        if self.policy.choice is EnergyChoice.POWER or reading.gaps.get(Quantity.ENERGY_MJ) is Gap.UNSUPPORTED:
            return True
        if self.policy.choice is EnergyChoice.COUNTER:
            return False
        # Power takes over only where it covers every moment: what it does not know, the counter may yet tell.
        # But what it does know for long is not withheld for the sake of the rest.
        covered_ns = self._integral.covered_ns
        return elapsed > self.policy.counter_patience_ns and (
            covered_ns >= elapsed or covered_ns > self.policy.counter_despair_ns
        )

    def _by_power(self, here: Anchor, elapsed: int) -> Segment:
        """Give the energy that power tells of, and how much time it does not know."""
        integral = self._integral
        covered_ns = min(elapsed, integral.covered_ns)
        if covered_ns == 0 or self._began_under is self.policy.choice is EnergyChoice.COUNTER:
            return self._segment(here, elapsed, None, None, unknown_ns=elapsed)
        return self._segment(here, elapsed, integral.energy_mj, integral.method, unknown_ns=elapsed - covered_ns)

    def _segment(
        self, here: Anchor, length_ns: int, energy_mj: int | None, method: Method | None, *, unknown_ns: int = 0
    ) -> Segment:
        # Wall and monotonic start agree in length even when the boots or an NTP step make the clocks disagree.
        start = Instant(here.at.mono_ns - length_ns, here.at.wall_ns - length_ns)
        return Segment(start, here.at, energy_mj, method, observed=not self._silent, unknown_ns=unknown_ns)

    def _bound_mj(self, reading: Reading, elapsed: int) -> int:
        limit_mw = (
            reading.integer(Quantity.POWER_LIMIT_MAX_MW)
            or reading.integer(Quantity.POWER_LIMIT_ENFORCED_MW)
            or self.policy.bound_unknown_limit_mw
        )
        if reading.identity.energy_scope is EnergyScope.MODULE:
            limit_mw = self.policy.bound_unknown_limit_mw  # the limits are those of the GPU alone
        return (
            limit_mw * self.policy.bound_permille * (elapsed + self.policy.bound_slack_ns) // (1000 * NS_PER_SECOND)
        )
