"""Sharing an interval of a device: the law of conservation, and each rule by numbers worked out by hand."""

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.usage.cast import entries, entry, holdings, instance, pod, share_signals
from wattledger.rules.account import Entry
from wattledger.rules.state import State
from wattledger.rules.usage.shares import ShareSignals, holders_method, split
from wattledger.rules.usage.workload import (
    NOBODY,
    UNATTRIBUTED,
    Allocation,
    Holder,
    Holding,
    Part,
    ShareMethod,
    Workload,
)

A, B, C = pod("a"), pod("b"), pod("c")
IDLE_60_WATTS = ShareSignals(60_000)
NO_BASELINE = ShareSignals(None)


def brief(parts: tuple[Part, ...]) -> list[tuple[str, str, ShareMethod, int]]:
    return [(part.workload.title, part.service, part.method, part.energy_mj) for part in parts]


@given(entries(), holdings(), share_signals)
def test_conservation_the_parts_sum_to_the_entry(whole: Entry, holding: Holding, signals: ShareSignals) -> None:
    parts = split(whole, holding, signals)
    assert sum(part.energy_mj for part in parts) == whole.energy_mj
    assert sum(part.avoidable_mj for part in parts) == whole.avoidable_mj
    for part in parts:
        assert 0 <= part.avoidable_mj <= part.energy_mj
        assert (part.uuid, part.state) == (whole.uuid, whole.state)
        assert (part.start, part.end) == (whole.start, whole.end)
    identities = [(part.workload.key, part.service, part.method) for part in parts]
    assert len(set(identities)) == len(identities)


@given(st.data(), entries(), holdings(), share_signals)
def test_replay_the_order_of_holders_and_instances_changes_nothing(
    data: st.DataObject, whole: Entry, holding: Holding, signals: ShareSignals
) -> None:
    shuffled = Holding(
        tuple(data.draw(st.permutations(holding.holders))),
        tuple(data.draw(st.permutations(holding.allocations))),
        holding.service,
    )
    cut_otherwise = ShareSignals(signals.idle_mw, tuple(data.draw(st.permutations(signals.instances))))
    assert split(whole, shuffled, cut_otherwise) == split(whole, holding, signals)


@given(entries(), holdings(), share_signals)
def test_every_holder_has_a_part_however_little_was_drawn(
    whole: Entry, holding: Holding, signals: ShareSignals
) -> None:
    parts = split(whole, holding, signals)
    shared_by = {part.workload.key for part in parts}
    if whole.state is State.UNOBSERVED:
        assert shared_by == {UNATTRIBUTED.key}
    else:
        assert shared_by >= {holder.workload.key for holder in holding.holders}


@given(entries(), holdings(), share_signals)
def test_a_service_with_the_whole_device_gets_all_that_was_observed(
    whole: Entry, holding: Holding, signals: ShareSignals
) -> None:
    services = {part.service for part in split(whole, holding, signals)}
    if whole.state is State.UNOBSERVED:
        assert services == {""}
    elif holding.service:
        assert services == {holding.service}
    else:
        assert services <= {"", *(holder.service for holder in holding.holders)}


@given(entries(), holdings(cut=False), st.integers(0, 300_000))
def test_of_the_idle_draw_no_holder_gets_more_than_another(whole: Entry, holding: Holding, idle_mw: int) -> None:
    holding = Holding(holding.holders)
    if whole.state is State.UNOBSERVED or not holding.holders:
        return
    idle_mj = min(whole.energy_mj, idle_mw * whole.duration_ns // 10**9)
    for part in split(whole, holding, ShareSignals(idle_mw)):
        assert part.energy_mj >= idle_mj // len(holding.holders)


def test_time_in_which_nobody_looked_is_nobodys_and_no_services() -> None:
    holding = Holding((Holder(A, "chat"),), (Allocation(A),), service="chat")
    (part,) = split(entry(500, State.UNOBSERVED), holding, IDLE_60_WATTS)
    assert (part.workload, part.method, part.service, part.energy_mj) == (
        UNATTRIBUTED,
        ShareMethod.REMAINDER,
        "",
        500,
    )


def test_a_device_that_nobody_has_to_do_with_is_unattributed() -> None:
    for state in (State.PARKED, State.ACTIVE, State.UNKNOWN, State.HELD):
        assert brief(split(entry(70, state), NOBODY, IDLE_60_WATTS)) == [
            ("unattributed", "", ShareMethod.REMAINDER, 70)
        ]


def test_what_is_given_away_and_held_by_nobody_known_goes_to_whom_it_is_given() -> None:
    for state in (State.ALLOCATED, State.PARKED, State.ACTIVE, State.HELD, State.UNKNOWN):
        one = split(entry(7, state), Holding(allocations=(Allocation(A),)), IDLE_60_WATTS)
        assert brief(one) == [("a", "", ShareMethod.ALLOCATED, 7)]
        # Two containers of one pod are one owner; 7 mJ over two owners: 3.5 each, the odd one to the earlier.
        three = (Allocation(B), Allocation(A), Allocation(B))
        assert brief(split(entry(7, state), Holding(allocations=three), IDLE_60_WATTS)) == [
            ("a", "", ShareMethod.ALLOCATED, 4),
            ("b", "", ShareMethod.ALLOCATED, 3),
        ]


def test_one_holder_has_all_whoever_it_is_given_to() -> None:
    holding = Holding((Holder(A, "chat", sm_ppm=0),), (Allocation(B),))
    assert brief(split(entry(300_000), holding, IDLE_60_WATTS)) == [("a", "chat", ShareMethod.EXCLUSIVE, 300_000)]


def test_idle_draw_equally_and_the_rest_by_sm_use() -> None:
    # 60 W x 1 s idle: 30 J each. 240 J above it, 3 to 1: 180 J and 60 J.
    holding = Holding((Holder(A, sm_ppm=600_000), Holder(B, sm_ppm=200_000)))
    assert brief(split(entry(300_000), holding, IDLE_60_WATTS)) == [
        ("a", "", ShareMethod.SM_SHARE, 210_000),
        ("b", "", ShareMethod.SM_SHARE, 90_000),
    ]


def test_the_idle_part_is_that_of_the_time_and_never_more_than_was_drawn() -> None:
    holding = Holding((Holder(A, sm_ppm=1), Holder(B, sm_ppm=0)))
    # 60 W x 0.5 s = 30 J idle: 15 J each, and 70 J to the only one who worked.
    assert [p.energy_mj for p in split(entry(100_000, seconds=0.5), holding, IDLE_60_WATTS)] == [85_000, 15_000]
    assert [p.energy_mj for p in split(entry(50_000), holding, IDLE_60_WATTS)] == [25_000, 25_000]


def test_a_holder_that_the_driver_does_not_list_among_the_users_is_at_rest() -> None:
    holding = Holding((Holder(A, sm_ppm=500_000), Holder(B), Holder(C, sm_ppm=500_000)))
    # 60 J idle: 20 J each; 240 J above it: 120 J each for a and c.
    parts = split(entry(300_000), holding, IDLE_60_WATTS)
    assert [part.energy_mj for part in parts] == [140_000, 20_000, 140_000]
    assert {part.method for part in parts} == {ShareMethod.SM_SHARE}


def test_holders_that_nothing_tells_apart_share_equally_and_it_says_so() -> None:
    holding = Holding((Holder(A), Holder(B), Holder(C)))
    assert brief(split(entry(100), holding, IDLE_60_WATTS)) == [
        ("a", "", ShareMethod.EQUAL, 34),
        ("b", "", ShareMethod.EQUAL, 33),
        ("c", "", ShareMethod.EQUAL, 33),
    ]


def test_holders_of_which_none_used_an_sm_share_equally_by_what_is_known() -> None:
    holding = Holding((Holder(A, sm_ppm=0), Holder(B)))
    assert brief(split(entry(100_001, State.HELD), holding, IDLE_60_WATTS)) == [
        ("a", "", ShareMethod.SM_SHARE, 50_001),
        ("b", "", ShareMethod.SM_SHARE, 50_000),
    ]


def test_without_a_baseline_work_carries_the_idle_draw_and_idleness_is_equal() -> None:
    holding = Holding((Holder(A, sm_ppm=30_000), Holder(B, sm_ppm=10_000)))
    assert [part.energy_mj for part in split(entry(400), holding, NO_BASELINE)] == [300, 100]
    assert [part.energy_mj for part in split(entry(400, State.UNKNOWN), holding, NO_BASELINE)] == [300, 100]
    assert [part.energy_mj for part in split(entry(400, State.HELD), holding, NO_BASELINE)] == [200, 200]


def test_what_could_be_avoided_is_split_as_the_energy_is() -> None:
    holding = Holding((Holder(A, sm_ppm=30_000), Holder(B, sm_ppm=10_000)))
    # 60 J idle and 40 J above it: 30 + 30 and 30 + 10 J, of which 45 J could be avoided: 27 and 18.
    parts = split(entry(100_000, State.HELD, avoidable_mj=45_000), holding, IDLE_60_WATTS)
    assert [(part.energy_mj, part.avoidable_mj) for part in parts] == [(60_000, 27_000), (40_000, 18_000)]


def test_services_of_one_workload_are_told_apart_as_holders_are() -> None:
    holding = Holding((Holder(A, "chat", 900_000), Holder(A, "embed", 100_000)))
    assert brief(split(entry(160_000), holding, IDLE_60_WATTS)) == [
        ("a", "chat", ShareMethod.SM_SHARE, 120_000),
        ("a", "embed", ShareMethod.SM_SHARE, 40_000),
    ]
    assert holders_method(holding, IDLE_60_WATTS) is ShareMethod.EXCLUSIVE


def test_a_configured_service_counts_all_of_its_device_whoever_holds_it() -> None:
    holding = Holding((Holder(A, "found", 0), Holder(A, "", 0), Holder(B, "", 0)), service="chat")
    assert brief(split(entry(90, State.HELD), holding, IDLE_60_WATTS)) == [
        ("a", "chat", ShareMethod.SM_SHARE, 60),
        ("b", "chat", ShareMethod.SM_SHARE, 30),
    ]
    parked = split(entry(90, State.PARKED), Holding(service="chat"), IDLE_60_WATTS)
    assert brief(parked) == [("unattributed", "chat", ShareMethod.REMAINDER, 90)]


def test_how_holders_are_told_apart() -> None:
    both = Holding((Holder(A), Holder(B)))
    assert holders_method(both, NO_BASELINE) is ShareMethod.EQUAL
    assert holders_method(Holding((Holder(A, sm_ppm=0), Holder(B))), NO_BASELINE) is ShareMethod.SM_SHARE
    assert holders_method(Holding((Holder(A),)), NO_BASELINE) is ShareMethod.EXCLUSIVE
    cut = ShareSignals(None, (instance(1, "1g.10gb"),))
    assert holders_method(Holding((Holder(A),)), cut) is ShareMethod.ESTIMATED


@given(entries(), holdings(), share_signals)
def test_the_method_foretold_for_holders_is_that_of_their_parts(
    whole: Entry, holding: Holding, signals: ShareSignals
) -> None:
    if whole.state is State.UNOBSERVED or not holding.holders:
        return
    foretold = holders_method(holding, signals)
    owners: set[Workload] = {holder.workload for holder in holding.holders}
    keys = {owner.key for owner in owners}
    methods = {part.method for part in split(whole, holding, signals) if part.workload.key in keys}
    if foretold is ShareMethod.EXCLUSIVE and len(holding.holders) > 1:
        assert methods <= {ShareMethod.SM_SHARE, ShareMethod.EQUAL, ShareMethod.EXCLUSIVE}
    else:
        assert methods == {foretold}
