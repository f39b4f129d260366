"""The books of workloads: what each used of each device. Who holds what is told to it; storing is the ledger's."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_HOUR, Instant
from wattledger.rules.state import State

from .instances import is_cut
from .roster import Roster
from .shares import ShareSignals, holders_method, split
from .totals import UsageKey, UsageTotal
from .workload import FOLDED, NOBODY, UNATTRIBUTED, Holding, Part, ShareMethod, Workload, WorkloadKey

# They have rows whatever the limit, and never rest.
_ALWAYS = frozenset({FOLDED.key, UNATTRIBUTED.key})
# A holder may be in either at any moment; a series that begins above zero would hide its first joules from rate().
_STATES_OF_HOLDERS = (State.ACTIVE, State.HELD)
_BETWEEN_HOLDERS = frozenset({ShareMethod.SM_SHARE, ShareMethod.EQUAL})


@dataclass(frozen=True, slots=True)
class UsagePolicy:
    """How many workloads have rows of their own, for how long after their last use, and how much is remembered."""

    limit: int = 256
    retention_ns: int = NS_PER_HOUR
    rested_limit: int = 4096  # totals (not workloads) that are kept of workloads that left the page


@dataclass(frozen=True, slots=True)
class UsageChanges:
    """What the ledger must write: totals as they are now, and keys of those that are forgotten for good."""

    changed: tuple[UsageTotal, ...] = ()
    dropped: tuple[UsageKey, ...] = ()


@dataclass(slots=True)
class _Kept:
    """One workload that has totals."""

    workload: Workload
    keys: list[UsageKey] = field(default_factory=list)


class WorkloadBook:
    """Books entries to workloads. No total ever falls; one is forgotten only after a long rest.

    A workload that finds no room on the page is booked to FOLDED, and what was booked there stays there. When room
    is free it goes on from its own total, which is 0 where it never had a place. One that was gone for longer than
    the retention leaves the page; its totals rest and are carried on when it returns.
    """

    def __init__(self, totals: Iterable[UsageTotal], policy: UsagePolicy) -> None:
        self._policy = policy
        self._totals: dict[UsageKey, UsageTotal] = {total.key: total for total in totals}
        self._changed: dict[UsageKey, None] = {}
        self._dropped: dict[UsageKey, None] = {}
        self._shown_keys: list[UsageKey] | None = None  # None: to be made anew
        self._kept: dict[WorkloadKey, _Kept] = {}
        last_uses: dict[WorkloadKey, int] = {}
        # The names that were used last are the best known.
        for total in sorted(self._totals.values(), key=lambda total: (total.last_wall_ns, total.key)):
            kept = self._kept.setdefault(total.workload.key, _Kept(total.workload))
            kept.workload = total.workload
            kept.keys.append(total.key)
            last_uses[total.workload.key] = total.last_wall_ns
        # Until the first entry comes, the time is when the agent before booked last.
        now_wall_ns = max(last_uses.values(), default=0)
        for key in _ALWAYS:
            last_uses.pop(key, None)
        self._roster = Roster(last_uses, now_wall_ns, limit=policy.limit, retention_ns=policy.retention_ns)
        for kept in self._kept.values():
            self._rename(kept, kept.workload)
        # Only when it was seen who is there: one that holds a device all the time must not be forgotten at the start.
        self._may_forget = True

    @property
    def workloads(self) -> int:
        """Give how many workloads have rows of their own on the page."""
        return len(self._roster.shown)

    @property
    def folded(self) -> int:
        """Give how many workloads are there now and are booked to FOLDED."""
        return len(self._roster.folded)

    @property
    def totals(self) -> tuple[UsageTotal, ...]:
        """Give every total that is kept, those at rest too, in no particular order."""
        return tuple(self._totals.values())

    def apply(self, policy: UsagePolicy) -> None:
        """Go on under another policy. A lower limit takes rows off the page at once, and no joule with them."""
        self._policy = policy
        self._roster.limit, self._roster.retention_ns = policy.limit, policy.retention_ns
        self._roster.trim()
        self._shown_keys = None
        self._may_forget = True

    def add(
        self,
        entries: Sequence[Entry],
        holdings: Mapping[str, Holding],
        signals: Callable[[str], ShareSignals],
        at: Instant,
    ) -> list[Part]:
        """Share out and book *entries*; give the parts, each with its true workload, folded or not.

        *holdings* says who has to do with which device now, by uuid, also where there is no entry: who holds a
        device has its rows from then on, at 0 if need be.
        """
        self._see(holdings, at)
        told: dict[str, ShareSignals] = {}
        for uuid, holding in holdings.items():
            if holding.holders or holding.allocations:
                told[uuid] = signals(uuid)
                self._open(uuid, holding, told[uuid], at.wall_ns)
        parts: list[Part] = []
        for entry in entries:
            if entry.uuid not in told:
                told[entry.uuid] = signals(entry.uuid)
            shared = split(entry, holdings.get(entry.uuid, NOBODY), told[entry.uuid])
            self._book(shared, at.wall_ns)
            parts += shared
        return parts

    def shown(self) -> tuple[UsageTotal, ...]:
        """Give what the page shows, in a fixed order: by device, workload, state and method."""
        if self._shown_keys is None:
            shown = (*_ALWAYS, *self._roster.shown)
            self._shown_keys = sorted(key for name in shown if name in self._kept for key in self._kept[name].keys)
        return tuple(self._totals[key] for key in self._shown_keys)

    def take_changes(self) -> UsageChanges:
        """Give what changed since the last call, which the caller must store or keep."""
        changes = UsageChanges(tuple(self._totals[key] for key in self._changed), tuple(self._dropped))
        self._changed.clear()
        self._dropped.clear()
        return changes

    def _see(self, holdings: Mapping[str, Holding], at: Instant) -> None:
        present: dict[WorkloadKey, Workload] = {}
        for workload in _workloads(holdings.values()):
            known = present.setdefault(workload.key, workload)
            # Where two sources name it differently the fuller names count, whichever source came first.
            if known is not workload and _fullness(workload) > _fullness(known):
                present[workload.key] = workload
        moved = self._roster.see(present.keys() - _ALWAYS, at.wall_ns)
        for key, workload in present.items():
            kept = self._kept.get(key)
            if kept is None:
                if key in self._roster.shown:
                    self._kept[key] = _Kept(workload)
            elif kept.workload != workload:
                self._rename(kept, workload)
        if moved:
            self._shown_keys = None
        if moved or self._may_forget:
            self._forget()

    def _open(self, uuid: str, holding: Holding, signals: ShareSignals, wall_ns: int) -> None:
        """Give rows to all who have to do with a device, so that each series begins at 0."""
        if holding.holders:
            method = holders_method(holding, signals)
            for holder in holding.holders:
                kept = self._kept_for(holder.workload)
                for state in _STATES_OF_HOLDERS:
                    self._row(uuid, kept, state, method, wall_ns)
        cut = is_cut(holding, signals.instances)
        for allocation in holding.allocations:
            kept = self._kept_for(allocation.workload)
            # An instance that is not used takes part in whatever the other instances make of its board.
            for state in (State.ALLOCATED, *_STATES_OF_HOLDERS) if cut else (State.ALLOCATED,):
                self._row(uuid, kept, state, ShareMethod.ESTIMATED if cut else ShareMethod.ALLOCATED, wall_ns)

    def _book(self, parts: Sequence[Part], wall_ns: int) -> None:
        """Add the parts of one entry. Its time counts once in each row, however many of its parts go there."""
        alone = len(parts) > 1 and len({part.workload.key for part in parts}) == 1
        rows: dict[UsageKey, tuple[int, int]] = {}
        for part in parts:
            # Services of one workload were told apart by some method; that the workload had the device is certain.
            method = ShareMethod.EXCLUSIVE if alone and part.method in _BETWEEN_HOLDERS else part.method
            key = self._row(part.uuid, self._kept_for(part.workload), part.state, method, wall_ns)
            energy_mj, avoidable_mj = rows.get(key, (0, 0))
            rows[key] = (energy_mj + part.energy_mj, avoidable_mj + part.avoidable_mj)
        for key, (energy_mj, avoidable_mj) in rows.items():
            before = self._totals[key]
            self._totals[key] = UsageTotal(
                before.uuid,
                before.workload,
                before.state,
                before.method,
                before.energy_mj + energy_mj,
                before.duration_ns + parts[0].duration_ns,
                before.avoidable_mj + avoidable_mj,
                wall_ns,
            )
            self._changed[key] = None

    def _kept_for(self, workload: Workload) -> _Kept:
        """Give whose rows a workload is booked to: its own, or those of all who found no room."""
        key = workload.key
        if key not in self._roster.shown and key not in _ALWAYS:
            workload, key = FOLDED, FOLDED.key
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(workload)
        return kept

    def _row(self, uuid: str, kept: _Kept, state: State, method: ShareMethod, wall_ns: int) -> UsageKey:
        """Give the key of a row that is there, made if need be."""
        key = (uuid, kept.workload.key, state, method)
        if key not in self._totals:
            self._totals[key] = UsageTotal(uuid, kept.workload, state, method, last_wall_ns=wall_ns)
            kept.keys.append(key)
            self._changed[key] = None
            self._dropped.pop(key, None)
            self._shown_keys = None
        return key

    def _rename(self, kept: _Kept, workload: Workload) -> None:
        """Let the totals go on under the names that are known now."""
        kept.workload = workload
        for key in kept.keys:
            total = self._totals[key]
            if total.workload is not workload and total.workload != workload:
                self._totals[key] = replace(total, workload=workload)
                self._changed[key] = None

    def _forget(self) -> None:
        """Drop the totals of those at rest the longest, beyond what is to be remembered."""
        self._may_forget = False
        rested = self._roster.rested
        excess = sum(len(self._kept[key].keys) for key in rested) - self._policy.rested_limit
        while excess > 0 and rested:
            key = next(iter(rested))
            del rested[key]
            forgotten = self._kept.pop(key).keys
            excess -= len(forgotten)
            for row in forgotten:
                del self._totals[row]
                self._changed.pop(row, None)
                self._dropped[row] = None


def _workloads(holdings: Iterable[Holding]) -> Iterator[Workload]:
    for holding in holdings:
        for holder in holding.holders:
            yield holder.workload
        for allocation in holding.allocations:
            yield allocation.workload


def _fullness(workload: Workload) -> tuple[object, ...]:
    return len(workload.names), workload.title, workload.names
