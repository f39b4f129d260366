"""Hardware counters carried on over restarts."""

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.gpu_model import GpuModel
from wattledger.rules.carry import CounterCarry
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Quantity

REPLAYS = Quantity.PCIE_REPLAYS


def feed(carry: CounterCarry, raw: int, *, second: int = 50, epoch_changed: bool = False) -> int:
    gpu = GpuModel(overrides={REPLAYS: raw}, mono_ns=second * NS_PER_SECOND)
    carry.add(gpu.reading(), epoch_changed=epoch_changed)
    return carry.carried[REPLAYS].total


def test_a_restart_of_the_device_goes_on_from_the_old_total() -> None:
    carry = CounterCarry()
    assert feed(carry, 100) == 100
    assert feed(carry, 150) == 150
    assert feed(carry, 7, epoch_changed=True) == 157


def test_a_glitch_to_zero_is_waited_out() -> None:
    carry = CounterCarry()
    feed(carry, 100)
    assert feed(carry, 0) == 100
    assert feed(carry, 101) == 101


def test_a_glitch_that_is_shown_until_the_counter_is_read_again_adds_nothing() -> None:
    carry = CounterCarry()
    feed(carry, 100, second=0)
    for second in range(1, 120):
        assert feed(carry, 0, second=second) == 100
    assert feed(carry, 101, second=120) == 101
    assert feed(carry, 0, second=121) == 101, "the wait begins anew"


def test_a_fall_that_lasts_is_believed_and_nothing_since_is_lost() -> None:
    carry = CounterCarry()
    feed(carry, 100, second=0)
    totals = [feed(carry, second, second=second) for second in range(1, 100)]
    assert set(totals) == {100}
    assert feed(carry, 99, second=150) == 100
    assert feed(carry, 99, second=151) == 199
    assert feed(carry, 105, second=152) == 205


def test_two_readings_far_apart_prove_no_restart() -> None:
    carry = CounterCarry()
    feed(carry, 100, second=0)
    assert feed(carry, 7, second=10) == 100
    assert feed(carry, 7, second=1000) == 100
    assert feed(carry, 7, second=1001) == 107


def test_what_was_handed_out_is_never_changed() -> None:
    carry = CounterCarry()
    feed(carry, 100)
    kept = carry.carried
    feed(carry, 100)
    assert carry.carried is kept, "nothing new, no copy"
    feed(carry, 101)
    assert kept[REPLAYS].total == 100


def test_a_counter_that_is_not_read_keeps_its_total_and_gauges_are_not_carried() -> None:
    carry = CounterCarry()
    feed(carry, 100)
    carry.add(GpuModel().reading(), epoch_changed=True)
    assert {quantity: carried.total for quantity, carried in carry.carried.items()} == {REPLAYS: 100}


def test_an_agent_that_restarts_goes_on_from_what_it_kept() -> None:
    carry = CounterCarry()
    feed(carry, 100)
    again = CounterCarry(carry.carried)
    assert feed(again, 130) == 130


@given(st.lists(st.tuples(st.integers(0, 2**64), st.integers(0, 200), st.booleans())))
def test_monotony_no_carried_counter_ever_falls(story: list[tuple[int, int, bool]]) -> None:
    carry, second, totals = CounterCarry(), 0, []
    for raw, seconds, changed in story:
        second += seconds
        totals.append(feed(carry, raw, second=second, epoch_changed=changed))
    assert totals == sorted(totals)


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1))
def test_a_counter_with_known_restarts_sums_to_all_it_ever_counted(story: list[tuple[int, bool]]) -> None:
    """As long as each restart is seen before the counter has outgrown its old value."""
    carry, raw, truth = CounterCarry(), 0, 0
    feed(carry, 0)
    for step, wanted in story:
        restart = wanted and step < raw
        raw = step if restart else raw + step
        truth += step
        assert feed(carry, raw, epoch_changed=restart) == truth


def test_a_counter_that_stands_still_is_no_counter_that_fell() -> None:
    carry = CounterCarry()
    assert {feed(carry, 100, second=second) for second in range(1000)} == {100}


def test_after_a_fall_that_was_believed_the_next_one_is_waited_out_as_long() -> None:
    carry = CounterCarry()
    feed(carry, 100, second=0)
    totals = [feed(carry, 50, second=second) for second in range(1, 152)]
    assert totals[-1] == 150
    assert [feed(carry, 10, second=second) for second in range(152, 302)] == [150] * 150
    assert feed(carry, 10, second=302) == 160
