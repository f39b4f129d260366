"""The books of a node's meters: readings in, energy that never falls out; silence is stated, not filled in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wattledger.rules.instant import NS_PER_SECOND, Instant

from .node_model import DRAM, PACKAGE, PSYS, NodeAnchor, NodeInterval, NodeKey, NodeReading, NodeSource, NodeTotal

HALF_PJ_PER_MJ = 2_000_000_000
HALF_PJ_PER_UJ = 2_000_000


@dataclass(frozen=True, slots=True)
class NodePolicy:
    """Limits of belief.

    A counter that wraps tells nothing of a silence in which it may have wrapped twice: how long that is follows from
    the most that its domain can take. A counter of 2^32 units of 61 microjoules wraps after 262 kJ.
    """

    bridge_periods: int = 3  # power is not integrated over a longer silence
    slack_ns: int = NS_PER_SECOND  # between the update of a counter and its reading
    package_mw: int = 1_500_000  # three times the largest processor there is
    dram_mw: int = 1_000_000
    psys_mw: int = 10_000_000
    other_mw: int = 200_000_000  # a rack

    def bound_mw(self, domain: str) -> int:
        """Give more than *domain* can ever take."""
        if domain.startswith(PACKAGE):
            return self.package_mw
        if domain.startswith(DRAM):
            return self.dram_mw
        return self.psys_mw if domain == PSYS else self.other_mw


@dataclass(frozen=True, slots=True)
class _Step:
    """What lies between two readings; None where it is not known. `reset`: the counter began anew."""

    half_pj: int | None
    reset: bool = False


_UNKNOWN = _Step(None)


class NodeBook:
    """Books readings. `totals` is what must survive a restart; each is replaced, never changed."""

    def __init__(self, totals: Iterable[NodeTotal] = (), *, boot_id: str, policy: NodePolicy | None = None) -> None:
        self._totals = {total.key: total for total in totals}
        self._boot_id = boot_id
        self._policy = NodePolicy() if policy is None else policy
        self._power: dict[NodeKey, tuple[NodeReading, int]] = {}

    @property
    def totals(self) -> dict[NodeKey, NodeTotal]:
        """Give the total of every meter that was ever read."""
        return self._totals

    def powers(self, now: Instant) -> dict[NodeKey, int]:
        """Give the latest power of each meter in milliwatts; of a counter, the mean between its last two readings.

        One that was silent for too long to be bridged has none.
        """
        return {
            key: power_mw
            for key, (reading, power_mw) in self._power.items()
            if now.ns_since(reading.at) <= self._policy.bridge_periods * reading.period_ns
        }

    def add(self, readings: Sequence[NodeReading]) -> list[NodeInterval]:
        """Book *readings*; give the intervals that came. A reading that comes again adds nothing."""
        found = (self._add(reading) for reading in readings)
        return [interval for interval in found if interval is not None]

    def _add(self, reading: NodeReading) -> NodeInterval | None:
        if reading.power_mw is not None:
            self._power[reading.key] = (reading, reading.power_mw)
        here = NodeAnchor(reading.at, self._boot_id, reading.energy_uj, reading.power_mw, reading.period_ns)
        total = self._totals.get(reading.key)
        if total is None or total.anchor is None:
            self._totals[reading.key] = replace(total or NodeTotal(reading.domain, reading.source), anchor=here)
            return None
        elapsed_ns = _elapsed_ns(total.anchor, here)
        if elapsed_ns <= 0:
            return None
        step = self._step(total.anchor, reading, elapsed_ns)
        self._totals[reading.key] = after = _booked(total, step, here, elapsed_ns)
        if step.half_pj is not None and reading.power_mw is None:
            # A half picojoule is half a milliwatt for a nanosecond.
            self._power[reading.key] = (reading, step.half_pj // (2 * elapsed_ns))
        start = Instant(reading.at.mono_ns - elapsed_ns, reading.at.wall_ns - elapsed_ns)
        energy_mj = None if step.half_pj is None else after.energy_mj - total.energy_mj
        return NodeInterval(reading.domain, reading.source, start, reading.at, energy_mj)

    def _step(self, before: NodeAnchor, reading: NodeReading, elapsed_ns: int) -> _Step:
        if reading.energy_uj is not None and before.energy_uj is not None:
            return self._by_counter(before, before.energy_uj, reading, reading.energy_uj, elapsed_ns)
        if reading.power_mw is None or before.power_mw is None or before.boot_id != self._boot_id:
            return _UNKNOWN
        longest_ns = self._policy.bridge_periods * max(before.period_ns, reading.period_ns)
        if elapsed_ns > longest_ns:
            return _UNKNOWN
        return _Step((before.power_mw + reading.power_mw) * elapsed_ns)

    def _by_counter(
        self, before: NodeAnchor, before_uj: int, reading: NodeReading, here_uj: int, elapsed_ns: int
    ) -> _Step:
        if before.boot_id != self._boot_id and reading.source is not NodeSource.REDFISH:
            return _Step(None, reset=True)  # the counter is of this boot; a management controller outlives it
        # Milliwatts times nanoseconds are picojoules.
        most_uj = self._policy.bound_mw(reading.domain) * (elapsed_ns + self._policy.slack_ns) // 1_000_000
        delta_uj = here_uj - before_uj
        if reading.wraps_uj is not None:
            if most_uj >= reading.wraps_uj:
                return _UNKNOWN
            delta_uj %= reading.wraps_uj
        if not 0 <= delta_uj <= most_uj:
            return _Step(None, reset=True)
        return _Step(delta_uj * HALF_PJ_PER_UJ)


def _booked(total: NodeTotal, step: _Step, here: NodeAnchor, elapsed_ns: int) -> NodeTotal:
    if step.half_pj is None:
        return replace(
            total,
            unmetered_ns=total.unmetered_ns + elapsed_ns,
            resets=total.resets + step.reset,
            anchor=here,
        )
    whole_mj, rest = divmod(total.rest_half_pj + step.half_pj, HALF_PJ_PER_MJ)
    return replace(total, energy_mj=total.energy_mj + whole_mj, rest_half_pj=rest, anchor=here)


def _elapsed_ns(before: NodeAnchor, here: NodeAnchor) -> int:
    """Give the time between two readings: monotonic within a boot, else by wall clock and no less than this boot."""
    if before.boot_id == here.boot_id:
        return here.at.ns_since(before.at)
    return max(here.at.mono_ns, here.at.wall_ns - before.at.wall_ns)
