"""Hardware counters carried on over restarts."""

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.gpu_model import GpuModel
from wattledger.rules.carry import CounterCarry
from wattledger.rules.quantity import Quantity

REPLAYS = Quantity.PCIE_REPLAYS


def feed(carry: CounterCarry, raw: int, *, epoch_changed: bool = False) -> int:
    carry.add(GpuModel(overrides={REPLAYS: raw}).reading(), epoch_changed=epoch_changed)
    return carry.carried[REPLAYS].total


def test_a_restart_of_the_device_goes_on_from_the_old_total() -> None:
    carry = CounterCarry()
    assert feed(carry, 100) == 100
    assert feed(carry, 150) == 150
    assert feed(carry, 7, epoch_changed=True) == 157


def test_a_glitch_to_zero_is_waited_out_and_a_lasting_fall_believed() -> None:
    carry = CounterCarry()
    feed(carry, 100)
    assert feed(carry, 0) == 100
    assert feed(carry, 101) == 101
    assert [feed(carry, raw) for raw in (3, 4, 5)] == [101, 101, 106]


def test_an_agent_that_restarts_goes_on_from_what_it_kept() -> None:
    carry = CounterCarry()
    feed(carry, 100)
    again = CounterCarry(carry.carried)
    assert feed(again, 130) == 130


@given(st.lists(st.tuples(st.integers(0, 2**63), st.booleans())))
def test_monotony_no_carried_counter_ever_falls(story: list[tuple[int, bool]]) -> None:
    carry = CounterCarry()
    totals = [feed(carry, raw, epoch_changed=changed) for raw, changed in story]
    assert totals == sorted(totals)
