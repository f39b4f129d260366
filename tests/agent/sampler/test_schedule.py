"""The grid of ticks."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from tests.agent.fake_clock import FakeClock
from wattledger.agent.sampler.schedule import Schedule

INTERVAL_NS = 1000


@given(
    first_ns=st.integers(0, 3000),
    durations_ns=st.lists(st.integers(0, 5 * INTERVAL_NS), max_size=30),
    late_ns=st.lists(st.integers(0, 3 * INTERVAL_NS), min_size=30, max_size=30),
)
def test_every_deadline_is_served_once_or_counted_as_missed(
    first_ns: int, durations_ns: list[int], late_ns: list[int]
) -> None:
    clock = FakeClock(mono_ns=0)
    schedule = Schedule(first_ns, INTERVAL_NS)
    served, deadline_ns = 0, first_ns
    schedule.begin(0)
    deadline_ns = schedule.end(0)
    served += first_ns == 0
    for duration_ns, late in zip(durations_ns, late_ns, strict=False):
        clock.wait_until(deadline_ns, threading.Event())
        clock.advance_ns(late)
        schedule.begin(clock.mono_ns)
        served += 1
        clock.advance_ns(duration_ns)
        deadline_ns = schedule.end(clock.mono_ns)
        assert clock.mono_ns < deadline_ns <= max(first_ns, clock.mono_ns + INTERVAL_NS)
        assert (deadline_ns - first_ns) % INTERVAL_NS == 0
    passed = (clock.mono_ns - first_ns) // INTERVAL_NS + 1 if clock.mono_ns >= first_ns else 0
    assert served + schedule.missed == passed


def test_a_tick_before_its_time_leaves_the_grid_as_it_is() -> None:
    schedule = Schedule(1000, INTERVAL_NS)
    schedule.begin(400)
    assert schedule.end(450) == 1000
    assert schedule.missed == 0
