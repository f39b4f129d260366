"""Gain and offset: the same for power and for energy, in whole numbers, and never a joule out of thin air."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.rules.correction import CorrectedEnergy, Correction
from wattledger.rules.instant import NS_PER_SECOND

SECOND = NS_PER_SECOND
corrections = st.builds(
    Correction, gain_ppm=st.integers(500_000, 2_000_000), offset_mw=st.integers(-100_000, 100_000)
)


def test_gain_and_offset_of_power() -> None:
    assert Correction(gain_ppm=1_030_000, offset_mw=-1200).power_mw(100_000) == 101_800
    assert Correction(offset_mw=-1200).power_mw(1000) == 0


def test_gain_and_offset_of_energy() -> None:
    energy = CorrectedEnergy(Correction(gain_ppm=1_030_000, offset_mw=-1200))
    assert energy.add(100_000, SECOND) == 101_800
    assert energy.add(0, SECOND // 10) == 0
    assert energy.add(100_000, SECOND) == 101_680, "what the still counter owed is made up"


@pytest.mark.parametrize("correction", [Correction(gain_ppm=1_000_001), Correction(offset_mw=1), Correction()])
def test_only_what_changes_nothing_is_the_identity(correction: Correction) -> None:
    assert correction.is_identity is (correction == Correction())


def test_a_draw_below_the_offset_takes_nothing_from_the_work_after_it() -> None:
    energy = CorrectedEnergy(Correction(offset_mw=-100_000))
    assert [energy.add(50_000, SECOND) for _ in range(10_000)] == [0] * 10_000
    working = sum(energy.add(700_000, SECOND) for _ in range(10))
    assert working >= 10 * 600_000 - 100_000


@given(corrections, st.integers(0, 800_000), st.lists(st.integers(1, 20 * SECOND), min_size=1, max_size=50))
def test_energy_at_a_constant_power_is_that_power_corrected(
    correction: Correction, power_mw: int, durations: list[int]
) -> None:
    """A correction of power and of energy say the same of any board, whether above or below its offset."""
    energy = CorrectedEnergy(correction)
    booked = read = elapsed = 0
    for duration in durations:
        elapsed += duration
        raw = power_mw * elapsed // SECOND - read
        read += raw
        booked += energy.add(raw, duration)
    exact = max(0, power_mw * correction.gain_ppm / 1e6 + correction.offset_mw) * elapsed / SECOND
    assert abs(booked - exact) <= 3


@given(corrections, st.lists(st.integers(0, 8), min_size=1, max_size=60))
def test_a_counter_that_steps_late_loses_nothing(correction: Correction, steps: list[int]) -> None:
    """Each tick of 100 ms sees as many steps of 100 ms as the counter made, at most three ticks late."""
    energy = CorrectedEnergy(correction)
    power_mw, ticks, seen, booked = 300_000, 0, 0, 0
    for late in steps:
        ticks += 1
        made = max(seen, ticks - late % 4)
        booked += energy.add((made - seen) * power_mw // 10, SECOND // 10)
        seen = made
    exact = (seen * power_mw * correction.gain_ppm // 1_000_000 + ticks * correction.offset_mw) / 10
    # What is still owed for the steps that are late is not booked below zero.
    assert exact - 1 <= booked <= max(0, exact) + 4 * 10_000 + 1
