"""The laws of the books of workloads, over arbitrary lives: who comes and goes, restarts, limits, clocks."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.usage.cast import UUIDS, entries, holdings, instant, share_signals
from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.state import State
from wattledger.rules.usage.book import UsagePolicy, WorkloadBook
from wattledger.rules.usage.shares import ShareSignals
from wattledger.rules.usage.totals import UsageKey, UsageTotal
from wattledger.rules.usage.workload import FOLDED, UNATTRIBUTED, Holding, Part, ShareMethod

REMEMBERS_ALL = 10**9


@dataclass(frozen=True, slots=True)
class Tick:
    """One step of a life: what each device brought, who holds what, and what befell the agent before."""

    seconds: int
    entries: tuple[Entry, ...]
    holdings: dict[str, Holding]
    signals: dict[str, ShareSignals]
    restarts: bool
    limit: int | None


@st.composite
def ticks(draw: st.DrawFn) -> Tick:
    found = tuple(draw(st.lists(st.one_of(*(entries(uuid=uuid) for uuid in UUIDS)), max_size=3)))
    return Tick(
        draw(st.sampled_from([1, 1, 5, 30, -20])),
        found,
        {uuid: draw(holdings()) for uuid in UUIDS if draw(st.booleans())},
        {uuid: draw(share_signals) for uuid in UUIDS},
        draw(st.booleans()),
        draw(st.none() | st.integers(0, 4)),
    )


lives = st.lists(ticks(), max_size=12)


@dataclass(slots=True)
class Life:
    """A book and the ledger's copy of it, which is all that survives a restart."""

    rested_limit: int = REMEMBERS_ALL
    second: int = 1000
    limit: int = 3
    stored: dict[UsageKey, UsageTotal] = field(default_factory=dict)
    forgotten: set[UsageKey] = field(default_factory=set)
    booked: list[Entry] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    book: WorkloadBook = field(init=False)

    def __post_init__(self) -> None:
        self.book = WorkloadBook((), self.policy)

    @property
    def policy(self) -> UsagePolicy:
        return UsagePolicy(self.limit, 10 * NS_PER_SECOND, self.rested_limit)

    def live(self, tick: Tick) -> None:
        if tick.restarts:
            self.book = WorkloadBook(self.stored.values(), self.policy)
        if tick.limit is not None:
            self.limit = tick.limit
            self.book.apply(self.policy)
        self.second += tick.seconds
        self.parts += self.book.add(
            tick.entries, tick.holdings, lambda uuid: tick.signals[uuid], instant(self.second)
        )
        self.booked += tick.entries
        changes = self.book.take_changes()
        self.stored |= {total.key: total for total in changes.changed}
        for key in changes.dropped:
            self.stored.pop(key, None)
        self.forgotten.update(changes.dropped)


def by_device_and_state(totals: list[tuple[str, State, int, int]]) -> dict[tuple[str, State], tuple[int, int]]:
    found: dict[tuple[str, State], tuple[int, int]] = {}
    for uuid, state, energy_mj, avoidable_mj in totals:
        if energy_mj or avoidable_mj:
            energy_so_far, avoidable_so_far = found.get((uuid, state), (0, 0))
            found[uuid, state] = (energy_so_far + energy_mj, avoidable_so_far + avoidable_mj)
    return found


@settings(max_examples=80)
@given(lives)
def test_conservation_all_totals_of_a_device_and_state_sum_to_its_entries(story: list[Tick]) -> None:
    life = Life()
    for tick in story:
        life.live(tick)
        booked = by_device_and_state([(e.uuid, e.state, e.energy_mj, e.avoidable_mj) for e in life.booked])
        kept = life.book.totals
        assert by_device_and_state([(t.uuid, t.state, t.energy_mj, t.avoidable_mj) for t in kept]) == booked
        assert by_device_and_state([(p.uuid, p.state, p.energy_mj, p.avoidable_mj) for p in life.parts]) == booked
        assert {total.key: total for total in kept} == life.stored


@settings(max_examples=80)
@given(lives)
def test_monotony_no_series_of_the_page_ever_falls(story: list[Tick]) -> None:
    """A series may leave the page; when it comes back it stands where it stood, or higher."""
    life = Life()
    seen: dict[UsageKey, UsageTotal] = {}
    for tick in story:
        life.live(tick)
        for total in life.book.shown():
            if (before := seen.get(total.key)) is not None:
                assert total.energy_mj >= before.energy_mj
                assert total.duration_ns >= before.duration_ns
                assert total.avoidable_mj >= before.avoidable_mj
            seen[total.key] = total


@settings(max_examples=80)
@given(lives, st.integers(0, 6))
def test_monotony_of_all_that_was_not_forgotten(story: list[Tick], rested_limit: int) -> None:
    life = Life(rested_limit=rested_limit)
    seen: dict[UsageKey, UsageTotal] = {}
    for tick in story:
        life.live(tick)
        for key in life.forgotten:
            seen.pop(key, None)
        life.forgotten.clear()
        shown = {total.key for total in life.book.shown()}
        for total in life.book.totals:
            before = seen.get(total.key)
            assert before is None or total.energy_mj >= before.energy_mj
            seen[total.key] = total
        assert seen.keys() == {total.key for total in life.book.totals} == life.stored.keys()
        assert shown <= life.stored.keys()
        assert len(life.stored.keys() - shown) <= rested_limit


@settings(max_examples=80)
@given(lives)
def test_the_page_has_everyone_who_is_there_within_the_limit_and_counts_the_rest(story: list[Tick]) -> None:
    life = Life()
    for tick in story:
        life.live(tick)
        present = {holder.workload.key for holding in tick.holdings.values() for holder in holding.holders}
        present |= {given.workload.key for holding in tick.holdings.values() for given in holding.allocations}
        shown = life.book.shown()
        with_rows = {total.workload.key for total in shown} - {FOLDED.key, UNATTRIBUTED.key}
        assert life.book.workloads == len(with_rows) <= life.limit
        assert life.book.folded == len(present - with_rows)
        if life.book.folded:
            assert len(with_rows) == life.limit
            assert FOLDED.key in {total.workload.key for total in shown}
        assert [total.key for total in shown] == sorted({total.key for total in shown})
        # Nobody goes by two names at once.
        assert len({total.workload for total in shown}) == len({total.workload.key for total in shown})


@settings(max_examples=60)
@given(lives)
def test_every_holder_with_a_place_has_its_series_of_idleness_at_once(story: list[Tick]) -> None:
    life = Life()
    for tick in story:
        life.live(tick)
        rows = {(total.uuid, total.workload.key, total.state) for total in life.book.shown()}
        places = {key for _, key, _ in rows}
        for uuid, holding in tick.holdings.items():
            for holder in holding.holders:
                key = holder.workload.key
                assert (uuid, key if key in places else FOLDED.key, State.HELD) in rows


@settings(max_examples=60)
@given(lives)
def test_replay_the_order_in_which_holders_are_told_changes_nothing(story: list[Tick]) -> None:
    first, second = Life(), Life()
    for tick in story:
        first.live(tick)
        uuids = sorted(tick.holdings, reverse=True)
        turned = {
            uuid: Holding(
                tick.holdings[uuid].holders[::-1], tick.holdings[uuid].allocations[::-1], tick.holdings[uuid].service
            )
            for uuid in uuids
        }
        second.live(Tick(tick.seconds, tick.entries, turned, tick.signals, tick.restarts, tick.limit))
        assert first.book.shown() == second.book.shown()
    assert first.stored == second.stored
    assert first.parts == second.parts


@settings(max_examples=60)
@given(lives)
def test_time_counts_once_in_each_row(story: list[Tick]) -> None:
    life = Life()
    for tick in story:
        life.live(tick)
    time_of: dict[tuple[str, State], int] = {}
    for booked in life.booked:
        at = (booked.uuid, booked.state)
        time_of[at] = time_of.get(at, 0) + booked.duration_ns
    for total in life.book.totals:
        assert total.duration_ns <= time_of.get((total.uuid, total.state), 0)
        if total.method is ShareMethod.EXCLUSIVE and total.workload not in (FOLDED, UNATTRIBUTED):
            assert total.avoidable_mj <= total.energy_mj
