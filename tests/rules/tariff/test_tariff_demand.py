"""The charge for the highest mean power of a month is that of its highest whole window, and exact."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.tariff.tariffs import at, clock
from wattledger.rules.tariff.demand import QUARTER_NS, DemandCharge, MeteredEnergy, demand_charges
from wattledger.rules.tariff.model import Demand

QUARTER = Demand(38_400_000, QUARTER_NS)  # 38.4 a kW and month
KW_QUARTER_MJ = 900_000_000  # what 1 kW draws in a quarter hour


def metered(start: int, energies: list[int]) -> list[MeteredEnergy]:
    return [MeteredEnergy(start + number * QUARTER_NS, energy) for number, energy in enumerate(energies)]


def test_the_highest_quarter_hour_of_the_month_is_charged() -> None:
    start = at("2026-03-02T00:00:00Z")
    quarters = metered(start, [KW_QUARTER_MJ, 5 * KW_QUARTER_MJ // 2, KW_QUARTER_MJ, 5 * KW_QUARTER_MJ // 2])
    (charge,) = demand_charges(quarters, QUARTER, clock("UTC"))
    peak = MeteredEnergy(start + QUARTER_NS, 5 * KW_QUARTER_MJ // 2)
    assert charge == DemandCharge(2026, 3, peak, peak_mw=2_500_000, charge=96_000_000, windows=4)


def test_months_go_by_the_local_calendar() -> None:
    start = at("2026-02-28T23:30:00", "Asia/Shanghai")
    charges = demand_charges(metered(start, [4, 3, 2, 1]), QUARTER, clock("Asia/Shanghai"))
    assert [(charge.month, charge.peak.energy_mj, charge.windows) for charge in charges] == [(2, 4, 2), (3, 2, 2)]


@pytest.mark.parametrize(("zone", "starts"), [("UTC", ["10:00", "11:00"]), ("Asia/Kathmandu", ["10:15", "11:15"])])
def test_longer_windows_begin_with_the_local_hour_and_lack_nothing(zone: str, starts: list[str]) -> None:
    # From 10:00 UTC on; in Kathmandu 15:45, so that hours begin at a quarter past.
    quarters = metered(at("2026-03-02T10:00:00Z"), [1, 2, 4, 8, 16, 32, 64, 128, 256])
    (charge,) = demand_charges(quarters, Demand(1, 4 * QUARTER_NS), clock(zone))
    assert charge.windows == len(starts)
    assert charge.peak.start_wall_ns == at(f"2026-03-02T{starts[-1]}:00Z")


def test_a_window_that_lacks_a_quarter_is_none() -> None:
    quarters = metered(at("2026-03-02T10:00:00Z"), [1, 2, 4, 8])
    assert demand_charges(quarters[1:], Demand(1, 4 * QUARTER_NS), clock("UTC")) == ()


def test_the_two_windows_of_a_repeated_hour_are_two() -> None:
    quarters = metered(at("2026-10-25T00:00:00Z"), [1, 1, 1, 1, 9, 9, 9, 9])  # 02:00 in summer time, and again
    (charge,) = demand_charges(quarters, Demand(1, 4 * QUARTER_NS), clock("Europe/Berlin"))
    assert (charge.windows, charge.peak) == (2, MeteredEnergy(at("2026-10-25T01:00:00Z"), 36))


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=9), st.integers(0, 10**9))
def test_the_charge_is_the_exact_one_to_half_a_millionth(energies: list[int], value: int) -> None:
    charges = demand_charges(metered(0, energies), Demand(value, QUARTER_NS), clock("UTC"))
    exact = Fraction(max(energies), KW_QUARTER_MJ) * value
    assert abs(charges[0].charge - exact) <= Fraction(1, 2)
    assert abs(charges[0].peak_mw - Fraction(max(energies), 900)) <= Fraction(1, 2)
