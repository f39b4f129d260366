"""The estimate for MIG instances, by numbers worked out by hand. That it sums to the board is in test_shares.py."""

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.usage.cast import entry, instance, pod
from wattledger.rules.reading import MigInstance
from wattledger.rules.state import State
from wattledger.rules.usage.shares import ShareSignals, split
from wattledger.rules.usage.workload import Allocation, Holder, Holding, Part, ShareMethod

A, B, C = pod("a"), pod("b"), pod("c")


def energies(parts: tuple[Part, ...]) -> dict[str, int]:
    assert {part.method for part in parts} == {ShareMethod.ESTIMATED}
    return {part.workload.title: part.energy_mj for part in parts}


def board(*instances: MigInstance, idle_mw: int | None = 70_000) -> ShareSignals:
    return ShareSignals(idle_mw, instances)


def test_idle_by_size_and_the_rest_by_size_times_activity() -> None:
    signals = board(instance(1, "3g.40gb", activity_sm_ratio=0.5), instance(2, "4g.40gb", activity_sm_ratio=0.25))
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=2)))
    # 70 J idle, 3 to 4: 30 and 40. 250 J above it, 3 x 0.5 to 4 x 0.25 = 3 to 2: 150 and 100.
    assert energies(split(entry(320_000), holding, signals)) == {"a": 180_000, "b": 140_000}


def test_graphics_activity_stands_in_and_what_is_not_told_counts_as_rest() -> None:
    signals = board(
        instance(1, "1g.10gb", activity_graphics_ratio=0.1),
        instance(2, "1g.10gb", activity_sm_ratio=0.3, activity_graphics_ratio=0.9),
        instance(3, "1g.10gb"),
    )
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=2), Holder(C, gpu_instance=3)))
    # 70 J idle: 23333, 23333, 23333 and a third each; 40 J above it: 10, 30 and 0.
    assert energies(split(entry(110_000), holding, signals)) == {"a": 33_334, "b": 53_333, "c": 23_333}


def test_without_any_activity_the_rest_goes_by_the_size_of_what_is_held() -> None:
    signals = board(instance(1, "1g.10gb", activity_sm_ratio=0), instance(2, "2g.20gb"), instance(3, "4g.40gb"))
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=2)), (Allocation(C, gpu_instance=3),))
    # 70 J idle: 10, 20, 40. 30 J above it to a and b alone: 10, 20.
    assert energies(split(entry(100_000), holding, signals)) == {"a": 20_000, "b": 40_000, "c": 40_000}
    given_only = Holding(allocations=(Allocation(A, gpu_instance=1), Allocation(C, gpu_instance=3)))
    assert energies(split(entry(140_000, State.ALLOCATED), given_only, signals)) == {
        "a": 20_000,
        "unattributed": 40_000,
        "c": 80_000,
    }


def test_an_instance_that_nobody_has_is_unattributed() -> None:
    signals = board(instance(1, "3g.40gb", activity_sm_ratio=1), instance(2, "4g.40gb"))
    assert energies(split(entry(170_000), Holding((Holder(A, gpu_instance=1),)), signals)) == {
        "a": 130_000,
        "unattributed": 40_000,
    }


def test_holders_of_one_instance_share_it_equally_whatever_sm_use_is_told() -> None:
    signals = board(instance(1, "2g.20gb"), instance(2, "2g.20gb"))
    holding = Holding(
        (Holder(A, "x", 900_000, gpu_instance=1), Holder(B, "", 100, gpu_instance=1), Holder(C, gpu_instance=2))
    )
    assert energies(split(entry(80), holding, signals)) == {"a": 20, "b": 20, "c": 40}


def test_a_workload_on_two_instances_has_one_part_for_each_service() -> None:
    signals = board(instance(1, "1g.10gb"), instance(2, "1g.10gb"), instance(3, "2g.20gb"))
    holding = Holding(
        (Holder(A, "s", gpu_instance=1), Holder(A, "s", gpu_instance=2), Holder(A, "t", gpu_instance=3))
    )
    parts = split(entry(80), holding, signals)
    assert [(part.service, part.energy_mj) for part in parts] == [("s", 40), ("t", 40)]


def test_compute_instances_of_one_gpu_instance_count_its_slices_once() -> None:
    signals = board(
        instance(1, "1c.3g.40gb", compute=0, activity_sm_ratio=0.2),
        instance(1, "2c.3g.40gb", compute=1, activity_sm_ratio=0.2),
        instance(2, "3g.40gb", activity_sm_ratio=0.2),
    )
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=2)))
    assert energies(split(entry(200_000), holding, signals)) == {"a": 100_000, "b": 100_000}


def test_where_a_profile_is_not_told_memory_is_the_size_of_all() -> None:
    signals = board(
        instance(1, "7g.80gb", memory_total_bytes=30 * 2**30), instance(2, "", memory_total_bytes=10 * 2**30)
    )
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=2)))
    assert energies(split(entry(40), holding, signals)) == {"a": 30, "b": 10}


def test_instances_of_which_no_common_size_is_known_count_alike() -> None:
    # The holder's instance is not among those listed: it was made, or taken away, since they were.
    signals = board(instance(1, "7g.80gb", memory_total_bytes=2**36))
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=9)))
    assert energies(split(entry(40), holding, signals)) == {"a": 20, "b": 20}
    assert energies(split(entry(40), holding, ShareSignals(None))) == {"a": 20, "b": 20}


def test_without_a_baseline_work_carries_the_idle_draw() -> None:
    signals = board(
        instance(1, "3g.40gb", activity_sm_ratio=1), instance(2, "3g.40gb", activity_sm_ratio=0), idle_mw=None
    )
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=2)))
    assert energies(split(entry(100), holding, signals)) == {"a": 100, "b": 0}
    assert energies(split(entry(100, State.HELD), holding, signals)) == {"a": 50, "b": 50}


def test_the_owner_of_the_whole_board_has_the_instances_that_nobody_else_has() -> None:
    signals = board(instance(1, "1g.10gb"), instance(2, "3g.40gb"))
    holding = Holding((Holder(A, gpu_instance=1),), (Allocation(B),))
    assert energies(split(entry(40), holding, signals)) == {"a": 10, "b": 30}


def test_a_board_that_is_only_given_away_as_a_whole_needs_no_estimate() -> None:
    signals = board(instance(1, "1g.10gb"), instance(2, "3g.40gb"))
    (part,) = split(entry(40, State.ALLOCATED), Holding(allocations=(Allocation(B),)), signals)
    assert (part.workload, part.method) == (B, ShareMethod.ALLOCATED)
    (part,) = split(entry(40, State.PARKED), Holding(), signals)
    assert part.method is ShareMethod.REMAINDER


def test_a_holder_on_no_known_instance_is_where_it_was_allocated_else_where_nobody_is_else_everywhere() -> None:
    signals = board(instance(1, "1g.10gb"), instance(2, "3g.40gb"))
    one, two = Allocation(A, gpu_instance=1), Allocation(B, gpu_instance=2)
    assert energies(split(entry(40), Holding((Holder(B),), (one, two)), signals)) == {"a": 10, "b": 30}
    assert energies(split(entry(40), Holding((Holder(C),), (two,)), signals)) == {"c": 10, "b": 30}
    assert energies(split(entry(40), Holding((Holder(C),), (one, two)), signals)) == {"a": 5, "b": 15, "c": 20}


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**6))
def test_more_activity_never_means_less_energy(activity: float, other: float, energy_mj: int) -> None:
    holding = Holding((Holder(A, gpu_instance=1), Holder(B, gpu_instance=2)))
    low, high = sorted((activity, other))
    signals = board(instance(1, "3g.40gb", activity_sm_ratio=low), instance(2, "3g.40gb", activity_sm_ratio=high))
    found = energies(split(entry(energy_mj), holding, signals))
    assert found["a"] <= found["b"] + 1
