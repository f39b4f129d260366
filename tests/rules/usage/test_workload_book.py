"""The books of workloads by example: rows from the first moment, places on the page, rest and return, names."""

from collections.abc import Mapping, Sequence

from tests.rules.usage.cast import UUIDS, WALL_START_NS, entry, instance, instant, pod
from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.state import State
from wattledger.rules.usage.book import UsagePolicy, WorkloadBook
from wattledger.rules.usage.shares import ShareSignals
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import (
    FOLDED,
    UNATTRIBUTED,
    Allocation,
    Holder,
    Holding,
    Part,
    ShareMethod,
    Workload,
)

A, B, C, D = pod("a"), pod("b"), pod("c"), pod("d")
GPU, OTHER_GPU = UUIDS
SHORT = UsagePolicy(limit=2, retention_ns=10 * NS_PER_SECOND)


def held_by(*workloads: Workload) -> dict[str, Holding]:
    return {GPU: Holding(tuple(Holder(workload, sm_ppm=0) for workload in workloads))}


def tick(
    book: WorkloadBook,
    second: float,
    holdings: Mapping[str, Holding],
    *entries: Entry,
    signals: ShareSignals | None = None,
) -> list[Part]:
    return book.add(entries, holdings, lambda _: signals or ShareSignals(None), instant(second))


def summed(totals: Sequence[UsageTotal]) -> dict[str, int]:
    """Give the energy by title, over devices, states and methods."""
    found: dict[str, int] = {}
    for total in totals:
        found[total.workload.title] = found.get(total.workload.title, 0) + total.energy_mj
    return found


def rows(totals: Sequence[UsageTotal]) -> dict[tuple[str, State, ShareMethod], int]:
    return {(total.workload.title, total.state, total.method): total.energy_mj for total in totals}


def test_who_holds_a_device_has_rows_from_the_first_moment() -> None:
    book = WorkloadBook((), UsagePolicy())
    assert tick(book, 1, held_by(A)) == []
    assert rows(book.shown()) == {
        ("a", State.ACTIVE, ShareMethod.EXCLUSIVE): 0,
        ("a", State.HELD, ShareMethod.EXCLUSIVE): 0,
    }
    tick(book, 2, held_by(A), entry(0, State.HELD), entry(100))
    assert rows(book.shown()) == {
        ("a", State.ACTIVE, ShareMethod.EXCLUSIVE): 100,
        ("a", State.HELD, ShareMethod.EXCLUSIVE): 0,
    }
    assert [total.duration_ns for total in book.shown()] == [NS_PER_SECOND] * 2


def test_to_whom_a_device_or_an_instance_is_given_has_rows_too() -> None:
    book = WorkloadBook((), UsagePolicy())
    tick(book, 1, {GPU: Holding(allocations=(Allocation(A),))})
    assert rows(book.shown()) == {("a", State.ALLOCATED, ShareMethod.ALLOCATED): 0}
    cut = {OTHER_GPU: Holding(allocations=(Allocation(B, gpu_instance=1),))}
    tick(book, 2, cut, signals=ShareSignals(None, (instance(1, "1g.10gb"),)))
    assert {(row, total.uuid) for total in book.shown() for row in rows([total]) if row[0] == "b"} == {
        (("b", state, ShareMethod.ESTIMATED), OTHER_GPU) for state in (State.ACTIVE, State.ALLOCATED, State.HELD)
    }


def test_what_nobody_has_is_unattributed_device_by_device() -> None:
    book = WorkloadBook((), UsagePolicy())
    tick(book, 1, {GPU: Holding(), OTHER_GPU: Holding()}, entry(70, State.PARKED), entry(5, State.UNOBSERVED))
    assert [(total.uuid, total.workload, total.state, total.energy_mj) for total in book.shown()] == [
        (GPU, UNATTRIBUTED, State.PARKED, 70),
        (GPU, UNATTRIBUTED, State.UNOBSERVED, 5),
    ]
    assert (book.workloads, book.folded) == (0, 0)


def test_the_time_of_an_interval_counts_once_for_a_workload_with_several_services() -> None:
    book = WorkloadBook((), UsagePolicy())
    holdings = {GPU: Holding((Holder(A, "chat"), Holder(A, "embed")))}
    parts = tick(book, 1, holdings, entry(101, State.HELD, avoidable_mj=31))
    assert [(part.service, part.method, part.energy_mj) for part in parts] == [
        ("chat", ShareMethod.EQUAL, 51),
        ("embed", ShareMethod.EQUAL, 50),
    ]
    (total,) = (total for total in book.shown() if total.energy_mj)
    # Which service drew what is a guess; that the workload drew it all is not.
    assert total.method is ShareMethod.EXCLUSIVE
    assert (total.energy_mj, total.duration_ns, total.avoidable_mj) == (101, NS_PER_SECOND, 31)
    assert total.last_wall_ns == WALL_START_NS + NS_PER_SECOND


def test_without_room_a_workload_is_folded_from_its_first_joule_and_what_was_folded_stays() -> None:
    book = WorkloadBook((), SHORT)
    tick(book, 1, held_by(A, B))
    parts = tick(book, 2, held_by(A, B, C, D), entry(400))
    assert [part.workload for part in parts] == [A, B, C, D]  # history and services know better
    assert summed(book.shown()) == {"a": 100, "b": 100, "folded": 200}
    (folded,) = (total for total in book.shown() if total.workload == FOLDED and total.energy_mj)
    assert folded.duration_ns == NS_PER_SECOND
    assert (book.workloads, book.folded) == (2, 2)
    # b goes, and its place is free once it has been gone for the retention.
    tick(book, 3, held_by(A, C, D), entry(300))
    assert summed(book.shown()) == {"a": 200, "b": 100, "folded": 400}
    tick(book, 12, held_by(A, C, D), entry(300))
    assert summed(book.shown()) == {"a": 300, "c": 100, "folded": 500}
    assert (book.workloads, book.folded) == (2, 1)


def test_the_first_to_come_is_the_first_to_get_a_place() -> None:
    book = WorkloadBook((), UsagePolicy(limit=1, retention_ns=NS_PER_SECOND))
    tick(book, 1, held_by(B))
    tick(book, 2, held_by(B, D))
    tick(book, 3, held_by(B, C, D))
    tick(book, 4, held_by(A, C, D))
    assert {total.workload for total in book.shown()} - {FOLDED} == {D}


def test_who_is_folded_and_leaves_is_folded_no_more() -> None:
    book = WorkloadBook((), SHORT)
    tick(book, 1, held_by(A, B, C))
    assert book.folded == 1
    tick(book, 2, held_by(A, B))
    assert book.folded == 0


def test_one_that_rested_goes_on_where_it_was() -> None:
    book = WorkloadBook((), UsagePolicy(retention_ns=10 * NS_PER_SECOND))
    tick(book, 1, held_by(A), entry(100))
    tick(book, 10, held_by(), entry(7, State.PARKED))
    assert summed(book.shown()) == {"a": 100, "unattributed": 7}
    tick(book, 11, held_by())
    assert summed(book.shown()) == {"unattributed": 7}
    tick(book, 5000, held_by(A), entry(1))
    assert summed(book.shown()) == {"a": 101, "unattributed": 7}


def test_one_that_rested_and_finds_no_room_is_folded_until_there_is_some() -> None:
    book = WorkloadBook((), UsagePolicy(limit=1, retention_ns=10 * NS_PER_SECOND))
    tick(book, 1, held_by(A), entry(100))
    tick(book, 20, held_by(B), entry(10))
    tick(book, 21, held_by(A, B), entry(10))
    assert summed(book.shown()) == {"b": 15, "folded": 5}
    tick(book, 40, held_by(A), entry(3))
    assert summed(book.shown()) == {"a": 103, "folded": 5}


def test_a_workload_that_holds_a_device_never_rests_however_little_is_booked() -> None:
    book = WorkloadBook((), SHORT)
    for second in (1, 100, 200):
        tick(book, second, held_by(A))
        assert book.workloads == 1


def test_those_at_rest_the_longest_are_forgotten_beyond_the_limit() -> None:
    policy = UsagePolicy(retention_ns=NS_PER_SECOND, rested_limit=4)  # two rows each: active and held
    book = WorkloadBook((), policy)
    for second, workload in enumerate((A, B, C, D), start=1):
        tick(book, second, held_by(workload), entry(second))
    assert {key[1] for key in book.take_changes().dropped} == {A.key}
    tick(book, 10, held_by())
    changes = book.take_changes()
    assert changes.changed == ()
    assert {key[1:3] for key in changes.dropped} == {(B.key, State.ACTIVE), (B.key, State.HELD)}
    assert summed(book.totals) == {"c": 3, "d": 4}
    tick(book, 11, held_by(A), entry(1))
    assert summed(book.shown()) == {"a": 1}


def test_one_that_was_forgotten_and_is_back_before_the_ledger_heard_of_it_is_only_written() -> None:
    book = WorkloadBook((), UsagePolicy(retention_ns=NS_PER_SECOND, rested_limit=0))
    tick(book, 1, held_by(A), entry(5))
    book.take_changes()
    tick(book, 10, held_by())
    tick(book, 11, held_by(A), entry(1))
    changes = book.take_changes()
    assert changes.dropped == ()
    assert summed(changes.changed) == {"a": 1}


def test_a_lower_limit_takes_rows_off_the_page_the_longest_gone_first_and_no_joule_with_them() -> None:
    book = WorkloadBook((), UsagePolicy(limit=3))
    tick(book, 1, held_by(B, C), entry(20))
    tick(book, 2, held_by(A, C), entry(20))
    book.apply(UsagePolicy(limit=2))
    assert summed(book.shown()) == {"a": 10, "c": 20}
    book.apply(UsagePolicy(limit=1))
    assert summed(book.shown()) == {"c": 20}
    tick(book, 3, held_by(A, C), entry(20))
    assert summed(book.shown()) == {"c": 30, "folded": 10}
    book.apply(UsagePolicy(limit=3))
    tick(book, 4, held_by(A, C), entry(20))
    assert summed(book.shown()) == {"a": 20, "c": 40, "folded": 10}
    book.apply(UsagePolicy(limit=0))
    assert summed(book.shown()) == {"folded": 10}


def test_names_learnt_later_replace_the_old_and_the_totals_go_on() -> None:
    book = WorkloadBook((), UsagePolicy())
    tick(book, 1, held_by(A), entry(100))
    book.take_changes()
    named = pod("a", "web-0", (("namespace", "shop"), ("pod", "web-0")))
    tick(book, 2, held_by(named))
    assert {total.workload for total in book.shown()} == {named}
    assert {total.workload for total in book.take_changes().changed} == {named}
    assert summed(book.shown()) == {"web-0": 100}


def test_of_two_names_at_once_the_fuller_counts_whichever_comes_first() -> None:
    named = pod("a", "web-0", (("pod", "web-0"),))
    for holder, owner in ((A, named), (named, A)):
        book = WorkloadBook((), UsagePolicy())
        tick(book, 1, {GPU: Holding((Holder(holder),), (Allocation(owner),))}, entry(1))
        assert {total.workload for total in book.shown()} == {named}


def test_changes_are_told_once() -> None:
    book = WorkloadBook((), UsagePolicy())
    tick(book, 1, held_by(A), entry(100))
    assert {total.key for total in book.take_changes().changed} == {total.key for total in book.totals}
    tick(book, 2, held_by(A), entry(1))
    (changed,) = book.take_changes().changed
    assert (changed.state, changed.energy_mj) == (State.ACTIVE, 101)
    tick(book, 3, held_by(A))
    assert book.take_changes().changed == ()


def test_after_a_restart_the_page_is_as_before_and_those_gone_too_long_leave_it_with_the_first_tick() -> None:
    before = WorkloadBook((), SHORT)
    tick(before, 1, held_by(A), entry(1))
    tick(before, 30, held_by(B), entry(2))
    tick(before, 35, held_by(B, C), entry(4))
    after = WorkloadBook(before.totals, SHORT)
    assert after.shown() == before.shown()
    assert summed(after.shown()) == {"b": 4, "c": 2}
    tick(after, 1000, held_by(B, A), entry(6))
    # c was gone for long; its place is a's, which goes on from its rest.
    assert summed(after.shown()) == {"b": 7, "a": 4}


def test_a_wall_clock_set_back_keeps_nobody_on_the_page_for_years() -> None:
    book = WorkloadBook((), SHORT)
    tick(book, 10**8, held_by(A), entry(1))
    tick(book, 1, held_by(B), entry(1))
    assert book.workloads == 2
    tick(book, 12, held_by(B))
    assert book.workloads == 1


def test_more_totals_than_places_after_a_restart_leave_the_latest_on_the_page() -> None:
    before = WorkloadBook((), UsagePolicy())
    for second, workload in enumerate((C, A, B), start=1):
        tick(before, second, held_by(workload), entry(second))
    after = WorkloadBook(before.totals, SHORT)
    assert summed(after.shown()) == {"a": 2, "b": 3}
    assert summed(after.totals) == {"a": 2, "b": 3, "c": 1}


def test_totals_of_one_workload_under_two_names_go_by_the_later_after_a_restart() -> None:
    named = pod("a", "web-0")
    old = UsageTotal(GPU, A, State.HELD, ShareMethod.EXCLUSIVE, 5, last_wall_ns=1)
    new = UsageTotal(GPU, named, State.ACTIVE, ShareMethod.EXCLUSIVE, 7, last_wall_ns=2)
    book = WorkloadBook((old, new), UsagePolicy())
    assert summed(book.shown()) == {"web-0": 12}
    assert [total.key for total in book.take_changes().changed] == [old.key]
