"""Efficiency curves: exact at their points, never falling, and inverted exactly."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wattledger.rules.chain.curve import PPM, Curve, CurvePoint

PLATINUM = Curve("platinum", (CurvePoint(200_000, 900_000), CurvePoint(500_000, 940_000), CurvePoint(PPM, 910_000)))
RATED_MW = 2_000_000


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    loads = sorted(draw(st.sets(st.integers(1, 1_200), min_size=1, max_size=6)))
    efficiencies = draw(st.lists(st.integers(1, 1_000), min_size=len(loads), max_size=len(loads)))
    points = tuple(
        CurvePoint(load * 1_000, efficiency * 1_000) for load, efficiency in zip(loads, efficiencies, strict=True)
    )
    try:
        return Curve("drawn", points)
    except ValueError:
        assume(False)
        raise


@pytest.mark.parametrize(
    ("output_mw", "input_mw"),
    [
        (400_000, 444_444),  # 20 %: 90 %
        (700_000, 760_870),  # 35 %, in the middle of 90 and 94 %: 92 %
        (1_000_000, 1_063_830),  # 50 %: 94 %
        (2_000_000, 2_197_802),  # full: 91 %
        (3_000_000, 3_296_703),  # beyond: as at full
    ],
)
def test_input_is_output_over_the_efficiency_at_that_load(output_mw: int, input_mw: int) -> None:
    assert PLATINUM.input(output_mw, RATED_MW) == input_mw


def test_below_the_lowest_point_the_loss_goes_down_its_line_to_what_is_lost_at_no_load() -> None:
    # Lost at 20 %: 2/90 of the rating, at 50 %: 3/94. The line has 0.6462 % of 2 kW less at no load than at 20 %.
    assert PLATINUM.input(400_000, RATED_MW) - 400_000 == 44_444
    assert PLATINUM.input(0, RATED_MW) == 31_521
    middle = PLATINUM.input(200_000, RATED_MW) - 200_000
    assert middle == pytest.approx((44_444 + 31_521) / 2, abs=1)


def test_the_loss_at_no_load_is_at_most_that_at_the_lowest_point_and_never_below_0() -> None:
    rising = Curve("rising", (CurvePoint(100_000, 600_000), CurvePoint(200_000, 900_000)))
    at_lowest = rising.input(100, 1_000) - 100
    assert rising.input(0, 1_000) == at_lowest == 67
    falling = Curve("falling", (CurvePoint(500_000, 990_000), CurvePoint(PPM, 900_000)))
    assert falling.input(0, 1_000_000) == 0
    assert falling.input(250_000, 1_000_000) == pytest.approx(250_000 / 0.99, abs=1)


def test_a_single_point_holds_at_any_load() -> None:
    flat = Curve.constant("flat", 950_000)
    assert [flat.input(output, 1) for output in (0, 95, 950_000)] == [0, 100, 1_000_000]


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((0, 900_000),),
        ((200_000, 0),),
        ((200_000, PPM + 1),),
        ((500_000, 900_000), (200_000, 950_000)),
        ((200_000, 900_000), (200_000, 950_000)),
        ((100_000, 400_000), (200_000, 900_000)),  # twice the output for less input
    ],
)
def test_points_that_cannot_be_a_curve_are_refused(points: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="curve bad"):
        Curve("bad", tuple(CurvePoint(*point) for point in points))


@pytest.mark.parametrize(("output", "rated"), [(-1, 1), (1, 0), (1, -5)])
def test_no_curve_has_a_negative_output_or_no_rating(output: int, rated: int) -> None:
    with pytest.raises(ValueError, match="rating"):
        PLATINUM.input(output, rated)


@given(curves(), st.integers(0, 10**7), st.integers(0, 10**5), st.integers(1, 10**7))
def test_law_more_output_never_takes_less_input(curve: Curve, output: int, more: int, rated: int) -> None:
    assert curve.input(output, rated) <= curve.input(output + more, rated)
    assert curve.input(output, rated) >= output


@given(curves(), st.integers(0, 10**6), st.integers(1, 10**6))
def test_law_the_inverse_is_the_largest_output_that_the_input_is_enough_for(
    curve: Curve, given_in: int, rated: int
) -> None:
    output = curve.output(given_in, rated)
    assert curve.input(output, rated) <= given_in or output == 0
    assert curve.input(output + 1, rated) > given_in


@given(curves(), st.integers(0, 10**6), st.integers(1, 10**6))
def test_law_what_comes_out_comes_back_from_the_inverse(curve: Curve, output: int, rated: int) -> None:
    taken = curve.input(output, rated)
    again = curve.output(taken, rated)
    assert again >= output
    assert curve.input(again, rated) == taken


@given(curves(), st.integers(0, 10**4), st.integers(1, 10**4), st.integers(1, 10**6))
def test_law_the_unit_does_not_matter(curve: Curve, output: int, rated: int, scale: int) -> None:
    assert abs(curve.input(output * scale, rated * scale) - curve.input(output, rated) * scale) <= scale
