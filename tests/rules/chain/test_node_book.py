"""The books of a node's meters: wraps, resets, silence and restarts, and totals that never fall."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.rules.chain.node import NodeBook, NodePolicy
from wattledger.rules.chain.node_model import NODE, NodeReading, NodeSource, NodeTotal
from wattledger.rules.instant import NS_PER_SECOND, Instant

WALL_NS = 1_790_000_000 * NS_PER_SECOND
WRAPS_UJ = 262_143_328_850  # max_energy_range_uj of a Xeon's package: 2^32 units of 61 uJ
PACKAGE = ("package-0", NodeSource.RAPL)
REDFISH = (NODE, NodeSource.REDFISH)


def at(seconds: float, *, boot_seconds: float | None = None) -> Instant:
    mono = 1_000 + seconds if boot_seconds is None else boot_seconds
    return Instant(round(mono * NS_PER_SECOND), WALL_NS + round(seconds * NS_PER_SECOND))


def package(seconds: float, energy_uj: int, **more: float) -> NodeReading:
    return NodeReading("package-0", NodeSource.RAPL, at(seconds, **more), energy_uj=energy_uj, wraps_uj=WRAPS_UJ)


def node(seconds: float, watts: float | None = None, *, joules: int | None = None, period: int = 30) -> NodeReading:
    return NodeReading(
        NODE,
        NodeSource.REDFISH,
        at(seconds),
        energy_uj=None if joules is None else joules * 1_000_000,
        power_mw=None if watts is None else round(watts * 1_000),
        period_ns=period * NS_PER_SECOND,
    )


def booked(*readings: NodeReading) -> tuple[NodeTotal, list[int | None]]:
    """Give the total of the one meter that was read, and what each reading added."""
    book = NodeBook(boot_id="a")
    added = [interval.energy_mj for reading in readings for interval in book.add([reading])]
    (total,) = book.totals.values()
    return total, added


def test_a_counter_adds_its_differences_and_keeps_what_is_below_a_millijoule() -> None:
    total, added = booked(
        package(0, 5_000_000), package(1, 5_000_400), package(2, 5_001_900), package(3, 105_001_000)
    )
    assert added == [0, 1, 100_000]
    assert (total.energy_mj, total.rest_half_pj) == (100_001, 0)
    assert total.unmetered_ns == total.resets == 0


def test_a_counter_that_wraps_goes_on_behind_its_range() -> None:
    total, added = booked(package(0, WRAPS_UJ - 40_000_000), package(1, 60_000_000))
    assert added == [100_000]
    assert total.resets == 0


def test_a_counter_that_fell_without_a_wrap_has_begun_anew() -> None:
    total, added = booked(package(0, 200_000_000_000), package(1, 5_000_000), package(2, 105_000_000))
    assert added == [None, 100_000]
    assert (total.energy_mj, total.resets, total.unmetered_ns) == (100_000, 1, NS_PER_SECOND)


def test_a_silence_in_which_the_counter_may_have_wrapped_twice_is_not_booked() -> None:
    # 262 kJ at 1.5 kW are 174 s.
    total, added = booked(package(0, 0), package(170, 3_000_000), package(370, 9_000_000))
    assert added == [3_000, None]
    assert (total.unmetered_ns, total.resets) == (200 * NS_PER_SECOND, 0)


def test_a_leap_that_no_processor_can_take_is_a_reset() -> None:
    _, added = booked(package(0, 0), package(1, 3_100_000_000), package(2, 3_200_000_000))
    assert added == [None, 100_000]


def test_power_is_joined_by_straight_lines() -> None:
    total, added = booked(node(0, 600), node(30, 800), node(60, 800.001))
    assert added == [21_000_000, 24_000_015]
    assert total.unmetered_ns == 0


def test_power_is_bridged_over_three_periods_and_no_longer() -> None:
    total, added = booked(node(0, 600), node(90, 600), node(181, 600), node(211, 600))
    assert added == [54_000_000, None, 18_000_000]
    assert total.unmetered_ns == 91 * NS_PER_SECOND


def test_where_there_are_both_the_counter_counts() -> None:
    _, added = booked(node(0, 600, joules=50), node(30, 600, joules=18_050), node(400, 600, joules=240_050))
    assert added == [18_000_000, 222_000_000]


def test_power_takes_over_where_the_counter_is_gone() -> None:
    _, added = booked(node(0, 600, joules=50), node(30, 600), node(60, 600, joules=90))
    assert added == [18_000_000, 18_000_000]


def test_a_reading_that_comes_again_or_is_older_adds_nothing() -> None:
    book = NodeBook(boot_id="a")
    readings = [node(0, 600), node(30, 600), node(30, 700), node(10, 900)]
    assert [len(book.add([reading])) for reading in readings] == [0, 1, 0, 0]
    assert book.totals[REDFISH].energy_mj == 18_000_000


def test_an_interval_is_where_it_was_measured() -> None:
    book = NodeBook(boot_id="a")
    book.add([node(0, 600)])
    (interval,) = book.add([node(30, 600)])
    assert (interval.start, interval.end, interval.key) == (at(0), at(30), REDFISH)
    assert interval.duration_ns == 30 * NS_PER_SECOND


def test_totals_go_on_after_a_restart_of_the_agent() -> None:
    book = NodeBook(boot_id="a")
    book.add([package(0, 0)])
    book.add([package(1, 70_000_400)])
    again = NodeBook(book.totals.values(), boot_id="a")
    (interval,) = again.add([package(61, 4_270_001_000)])
    assert interval.energy_mj == 4_200_001
    assert again.totals[PACKAGE].energy_mj == 4_270_001


def test_over_a_boot_the_counter_of_the_host_is_not_carried_and_that_of_its_controller_is() -> None:
    book = NodeBook(boot_id="a")
    book.add([package(0, 90_000_000), node(0, joules=1_000)])
    again = NodeBook(book.totals.values(), boot_id="b")
    after = [
        package(600, 100_000_000, boot_seconds=300),
        replace(node(600, joules=301_000), at=at(600, boot_seconds=300)),
    ]
    intervals = again.add(after)
    assert [interval.energy_mj for interval in intervals] == [None, 300_000_000]
    assert [interval.duration_ns for interval in intervals] == [600 * NS_PER_SECOND] * 2
    assert again.totals[PACKAGE].resets == 1
    assert again.totals[PACKAGE].unmetered_ns == 600 * NS_PER_SECOND


def test_power_is_not_joined_over_a_boot() -> None:
    book = NodeBook(boot_id="a")
    book.add([node(0, 600)])
    again = NodeBook(book.totals.values(), boot_id="b")
    (interval,) = again.add([replace(node(30, 600), at=at(30, boot_seconds=5))])
    assert interval.energy_mj is None


def test_powers_are_the_latest_and_go_when_the_meter_is_silent() -> None:
    book = NodeBook(boot_id="a")
    book.add([package(0, 0), node(0, 600)])
    book.add([package(2, 300_000_000)])
    assert book.powers(at(2)) == {PACKAGE: 150_000, REDFISH: 600_000}
    assert book.powers(at(60)) == {REDFISH: 600_000}
    assert book.powers(at(91)) == {}


@pytest.mark.parametrize(
    ("domain", "most_mw"),
    [("package-1-die-0", 1_500_000), ("dram-0", 1_000_000), ("psys", 10_000_000), ("node", 200_000_000)],
)
def test_what_is_believed_depends_on_the_domain(domain: str, most_mw: int) -> None:
    assert NodePolicy().bound_mw(domain) == most_mw


@given(st.lists(st.tuples(st.integers(1, 170), st.integers(0, 1_400_000)), min_size=1, max_size=30))
def test_law_a_wrapping_counter_loses_nothing_but_the_fraction(steps: list[tuple[int, int]]) -> None:
    book = NodeBook(boot_id="a")
    seconds, energy_uj = 0, 12_345
    book.add([package(0, energy_uj)])
    for length, power_mw in steps:
        seconds += length
        energy_uj += power_mw * length * 1_000
        book.add([package(seconds, energy_uj % WRAPS_UJ)])
    total = book.totals[PACKAGE]
    assert total.energy_mj == (energy_uj - 12_345) // 1_000
    assert total.unmetered_ns == 0


readings = st.lists(
    st.tuples(
        st.integers(0, 400),  # seconds since the last
        st.none() | st.integers(0, 2 * 10**12),
        st.none() | st.integers(0, 10**7),
        st.booleans(),  # a restart of the agent before it
        st.booleans(),  # and of the host
    ),
    max_size=25,
)


@given(readings)
def test_law_no_total_ever_falls_and_all_time_is_metered_or_stated(
    steps: list[tuple[int, int | None, int | None, bool, bool]],
) -> None:
    boot, mono, wall = 0, 100, 0
    book = NodeBook(boot_id="0")
    metered_ns = 0
    began: int | None = None
    for seconds, energy_uj, power_mw, restart, reboot in steps:
        before = book.totals.get(PACKAGE)
        wall += seconds
        mono += seconds
        if reboot:
            boot, mono = boot + 1, min(seconds, 20) + 1
            wall += 1
        if reboot or restart:
            book = NodeBook(book.totals.values(), boot_id=str(boot))
        reading = NodeReading(
            *PACKAGE,
            Instant(mono * NS_PER_SECOND, WALL_NS + wall * NS_PER_SECOND),
            energy_uj=energy_uj,
            power_mw=power_mw,
            wraps_uj=WRAPS_UJ,
        )
        for interval in book.add([reading]):
            metered_ns += interval.duration_ns if interval.energy_mj is not None else 0
        began = wall if began is None else began
        after = book.totals[PACKAGE]
        if before is not None:
            assert after.energy_mj >= before.energy_mj
            assert after.unmetered_ns >= before.unmetered_ns
            assert after.resets >= before.resets
        assert 0 <= after.rest_half_pj < 2_000_000_000
        assert metered_ns + after.unmetered_ns == (wall - began) * NS_PER_SECOND
