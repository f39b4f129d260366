"""The arithmetic of a planned cluster is exact, says nothing that was not given, and reproduces the study."""

from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.rules.policy_lines import POLICY_LINES, Verdict, judge
from wattledger.rules.sizing import Energy, Plan, size

# A hundred thousand GPUs in 139 MW of servers.
STUDY = Plan(it_w=Decimal(139_000_000), gpus=100_000, pue=Decimal("1.25"), utilisation=Decimal("0.8"))


def positive(highest: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals("0.001", highest, places=places, allow_nan=False)


plans = st.builds(
    Plan,
    it_w=positive("1e12", 9),
    gpus=st.integers(1, 10**9),
    pue=st.decimals(1, 3, places=9),
    utilisation=st.decimals(0, 1, places=9),
    grid_g_per_kwh=positive("2000", 6),
    residual_g_per_kwh=st.none() | positive("2000", 6),
    green_share=st.decimals(0, 1, places=9),
    price_per_kwh=st.decimals(-5, 5, places=9),
    years=positive("40", 3),
)


def test_the_study_comes_out() -> None:
    found = size(STUDY)
    assert found.gpu_w == 1390
    assert found.facility_mw == Decimal("173.75")
    assert found.facility_mean_mw == 139
    assert found.year.it_gwh == Decimal("974.112")
    assert found.year.facility_gwh == Decimal("1217.64")  # 1.22 TWh


@given(plans)
def test_every_number_is_the_exact_one(plan: Plan) -> None:
    found = size(plan)
    assert None not in (plan.pue, plan.utilisation, plan.green_share, plan.years)
    it_w, pue, load, green, years = map(
        Fraction, (plan.it_w, plan.pue or 0, plan.utilisation or 0, plan.green_share or 0, plan.years or 0)
    )
    grid, price = Fraction(plan.grid_g_per_kwh or 0), Fraction(plan.price_per_kwh or 0)
    residual = grid if plan.residual_g_per_kwh is None else Fraction(plan.residual_g_per_kwh)
    for energy, hours in ((found.year, Fraction(8760)), (found.lifetime, 8760 * years)):
        it_kwh = it_w / 1000 * load * hours
        kwh = it_kwh * pue
        assert _exact(energy.it_gwh) * 1_000_000 == it_kwh
        assert _exact(energy.facility_gwh) * 1_000_000 == kwh
        assert _exact(energy.overhead_gwh) * 1_000_000 == kwh - it_kwh
        assert _exact(energy.green_gwh) * 1_000_000 == kwh * green
        assert _exact(energy.location_tonnes) * 1_000_000 == kwh * grid
        assert _exact(energy.market_tonnes) * 1_000_000 == kwh * (1 - green) * residual
        assert _exact(energy.cost) == kwh * price
        assert plan.gpus is not None
        assert abs(_exact(energy.gpu_kwh) - kwh / plan.gpus) <= kwh / plan.gpus / 10**27


def _exact(number: Decimal | None) -> Fraction:
    assert number is not None
    return Fraction(number)


NEEDS = {
    "it_gwh": {"utilisation"},
    "facility_gwh": {"utilisation", "pue"},
    "overhead_gwh": {"utilisation", "pue"},
    "green_gwh": {"utilisation", "pue", "green_share"},
    "location_tonnes": {"utilisation", "pue", "grid_g_per_kwh"},
    "market_tonnes": {"utilisation", "pue", "green_share", "grid_g_per_kwh"},
    "cost": {"utilisation", "pue", "price_per_kwh"},
    "gpu_kwh": {"utilisation", "pue", "gpus"},
}


@pytest.mark.parametrize("left_out", sorted(set().union(*NEEDS.values())))
def test_what_is_not_given_is_not_made_up(left_out: str) -> None:
    whole = replace(
        STUDY, grid_g_per_kwh=Decimal(500), green_share=Decimal("0.5"), price_per_kwh=Decimal(1), years=Decimal(5)
    )
    without: dict[str, Any] = {left_out: None}
    found = size(replace(whole, **without))
    for energy in (found.year, found.lifetime):
        absent = {field.name for field in fields(Energy) if getattr(energy, field.name) is None}
        assert absent == {name for name, needs in NEEDS.items() if left_out in needs}


def test_without_years_there_is_no_lifetime() -> None:
    assert all(getattr(size(STUDY).lifetime, field.name) is None for field in fields(Energy))


def verdicts(pue: str | None, green_share: str | None) -> list[tuple[Verdict, str]]:
    numbers = [None if text is None else Decimal(text) for text in (pue, green_share)]
    return [(judgement.verdict, str(judgement.margin)) for judgement in judge(*numbers)]


@pytest.mark.parametrize(
    ("pue", "green_share", "told"),
    [
        ("1.25", "0.9", [("pass", "0.25"), ("pass", "0.05"), ("reached", "0.05"), ("pass", "0.1")]),
        ("1.5", "0.8", [("fail", "0.0"), ("fail", "-0.20"), ("missed", "-0.2"), ("fail", "0.0")]),
        ("1.30", None, [("pass", "0.20"), ("pass", "0.00"), ("reached", "0.00"), ("unknown", "None")]),
        (None, "0.35", [("unknown", "None")] * 3 + [("fail", "-0.45")]),
    ],
)
def test_a_plan_is_held_against_each_line(
    pue: str | None, green_share: str | None, told: list[tuple[str, str]]
) -> None:
    assert verdicts(pue, green_share) == told


def test_every_line_says_its_source_and_year() -> None:
    assert all(str(line.year) in line.source and line.scope for line in POLICY_LINES)
