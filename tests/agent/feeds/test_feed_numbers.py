"""Numbers of providers to whole units: exact, whatever their form, and never a value that is none."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.feeds.base import Skipped
from wattledger.agent.feeds.conversion import conversion
from wattledger.agent.feeds.numbers import (
    ValueUnusable,
    decimal_of,
    energy_mj,
    energy_mj_of_power,
    micrograms_per_kwh,
    price_millionths_per_kwh,
    price_unit,
    pue_millionths,
    whole_micrograms,
)
from wattledger.rules.feeds.model import Measure
from wattledger.rules.instant import NS_PER_HOUR

_POUND = Fraction(45_359_237, 100_000_000)  # kg, by the agreement of 1959


def _why(value: object, unit: str = "g/kWh") -> Skipped:
    with pytest.raises(ValueUnusable) as caught:
        micrograms_per_kwh(value, unit)
    return caught.value.why


@pytest.mark.parametrize(
    ("value", "unit", "micrograms"),
    [
        (144, "g/kWh", 144_000_000),
        (90.5, "gCO2eq/kWh", 90_500_000),
        ("90", "g/kWh", 90_000_000),
        (" 35.1 ", "gCO₂eq/kWh", 35_100_000),
        ("0.5306", "kg/kWh", 530_600_000),
        ("530.6", "kg/MWh", 530_600_000),
        ("0.5306", "t/MWh", 530_600_000),
        ("0.5306", "tCO2e/MWh", 530_600_000),
        (Decimal("100.1"), "g/kWh", 100_100_000),
        (0.1, "g/kWh", 100_000),  # the shortest text of the float, not its binary value
        ("1e2", "g/kWh", 100_000_000),
        (1000, "lb/MWh", 453_592_370),
        (1048.41, "lbs_co2_per_mwh", 475_550_777),  # 475550776.6...
        ("1048.41", "lb CO2 per MWh", 475_550_777),
        ("0.0000005", "g/kWh", None),  # half a microgram rounds to even: none
        ("0.0000015", "g/kWh", 2),
    ],
)
def test_intensities_in_their_units(value: object, unit: str, micrograms: int | None) -> None:
    if micrograms is None:
        assert _why(value, unit) is Skipped.OUT_OF_RANGE
    else:
        assert micrograms_per_kwh(value, unit) == micrograms


@given(st.decimals(min_value=Decimal("0.01"), max_value=3000, places=6))
def test_a_pound_per_megawatt_hour_is_exact(value: Decimal) -> None:
    exact = Fraction(value) * _POUND * 1_000_000  # kg/MWh is g/kWh
    expected = round(exact)  # of a Fraction: half to even
    assert micrograms_per_kwh(str(value), "lb/MWh") == expected
    assert micrograms_per_kwh(value, "lb/MWh") == expected


@pytest.mark.parametrize("value", [None])
def test_nothing_is_null(value: object) -> None:
    assert _why(value) is Skipped.NULL


@pytest.mark.parametrize(
    "value",
    [
        "ND",
        "",
        " ",
        "nan",
        "NaN",
        "Infinity",
        float("nan"),
        float("inf"),
        True,
        False,
        [],
        {},
        "1,5",
        "0x10",
        "١٢",
        "1_0",
        object(),
        b"5",
        "1e9999",
        "9" * 41,
        "--1",
        ".",
        "e5",
    ],
)
def test_what_is_no_number_is_left_out(value: object) -> None:
    assert _why(value) is Skipped.NOT_A_NUMBER


@pytest.mark.parametrize("value", [0, "0", "0.0", -1, "-0.5", 1500.000001, "1501", 10**30])
def test_intensities_that_no_grid_has_are_left_out(value: object) -> None:
    assert _why(value) is Skipped.OUT_OF_RANGE


def test_the_limits_themselves_are_taken() -> None:
    assert micrograms_per_kwh(1500) == 1_500_000_000
    assert micrograms_per_kwh("0.000001") == 1


def test_kilograms_that_are_read_as_grams_are_noticed() -> None:
    assert micrograms_per_kwh(0.5, "kg/kWh") == 500_000_000
    assert _why(500, "kg/kWh") is Skipped.OUT_OF_RANGE


@pytest.mark.parametrize("unit", ["", "g", "percent", "g/km", "kWh/g", "stone/kWh", "g/kWh/h"])
def test_an_unknown_unit_names_those_that_are_known(unit: str) -> None:
    with pytest.raises(ValueError, match="lb/MWh"):
        micrograms_per_kwh(100, unit)


@pytest.mark.parametrize(
    ("value", "unit", "millionths"),
    [
        ("61.35", "EUR/MWh", 61_350),
        (-12.5, "EUR / MWh", -12_500),
        (0, "EUR/MWh", 0),
        ("0.6112", "CNY/kWh", 611_200),
        (18.3015, "p/kWh", 183_015),
        ("31.2", "ct/kWh", 312_000),
        ("0.25", "/kWh", 250_000),
        ("61.35", "€/MWh", 61_350),
    ],
)
def test_prices_keep_their_sign_and_their_digits(value: object, unit: str, millionths: int) -> None:
    assert price_millionths_per_kwh(value, unit) == millionths


def test_a_unit_of_price_says_its_currency() -> None:
    assert [price_unit(unit).currency for unit in ("EUR/MWh", "p/kWh", "ct/kWh", "£/MWh")] == [
        "EUR",
        "GBP",
        "",
        "GBP",
    ]


@pytest.mark.parametrize("unit", ["EUR", "EUR/h", "eur/MWh", "euro/kWh", "", "g/kWh"])
def test_what_is_no_price_of_energy_is_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="such as EUR/MWh"):
        price_unit(unit)


@pytest.mark.parametrize(
    ("value", "unit", "expected_mj"),
    [
        (1, "J", 1000),
        ("1.5", "kJ", 1500000),
        (1, "MJ", 10**9),
        (1, "Wh", 3600000),
        ("0.1", "kWh", 360000000),
        (2, "MWh", 7200000000000),
        (0, "kWh", 0),
    ],
)
def test_energies_in_their_units(value: object, unit: str, expected_mj: int) -> None:
    assert energy_mj(value, unit) == expected_mj


@pytest.mark.parametrize("unit", ["mJ", "kwh", "KWh", "W", ""])
def test_capitals_of_units_of_energy_count(unit: str) -> None:
    with pytest.raises(ValueError, match="capitals count"):
        energy_mj(1, unit)


def test_a_meter_counts_no_negative_energy() -> None:
    with pytest.raises(ValueUnusable) as caught:
        energy_mj(-1, "kWh")
    assert caught.value.why is Skipped.OUT_OF_RANGE


@given(st.integers(0, 10**6), st.integers(1, 48 * 60))
def test_a_power_gives_the_energy_of_its_stretch(power_kw: int, minutes: int) -> None:
    duration_ns = minutes * 60 * 10**9
    assert energy_mj_of_power(power_kw, "kW", duration_ns) == power_kw * 1000 * minutes * 60 * 1000


@pytest.mark.parametrize(("value", "millionths"), [("1.25", 1_250_000), (1, 1_000_000), (10, 10_000_000)])
def test_a_pue_in_millionths(value: object, millionths: int) -> None:
    assert pue_millionths(value) == millionths


@pytest.mark.parametrize("value", ["0.99", 0, -1, "10.1", 125])
def test_a_pue_below_one_is_none(value: object) -> None:
    with pytest.raises(ValueUnusable) as caught:
        pue_millionths(value)
    assert caught.value.why is Skipped.OUT_OF_RANGE


def test_computed_grams_of_any_length_are_rounded_once() -> None:
    assert whole_micrograms(Decimal(1000) / Decimal(3)) == 333_333_333
    with pytest.raises(ValueUnusable):
        whole_micrograms(Decimal("NaN"))


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=9))
def test_a_number_survives_as_text_and_as_decimal(value: Decimal) -> None:
    assert decimal_of(f"{value:f}") == decimal_of(value) == value


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_float_is_the_text_that_it_prints_as(value: float) -> None:
    assert decimal_of(value) == Decimal(repr(value))


class TestConversion:
    """The unit of a measure, from the configuration or the answer."""

    def test_what_needs_no_unit(self) -> None:
        assert conversion(Measure.INTENSITY, "")("90", 0) == 90_000_000
        assert conversion(Measure.PRICE, "", "CNY")("0.5", 0) == 500_000
        assert conversion(Measure.PUE, "")("1.2", 0) == 1_200_000

    def test_an_energy_needs_one(self) -> None:
        with pytest.raises(ValueError, match="set `unit`"):
            conversion(Measure.ENERGY, "")
        assert conversion(Measure.ENERGY, "kWh")(1, NS_PER_HOUR) == 3_600_000_000
        assert conversion(Measure.ENERGY, "kW")(2, NS_PER_HOUR // 2) == 3_600_000_000

    def test_another_currency_is_refused(self) -> None:
        with pytest.raises(ValueError, match="EUR and the tariff in CNY"):
            conversion(Measure.PRICE, "EUR/MWh", "CNY")
        assert conversion(Measure.PRICE, "EUR/MWh", "EUR")(1, 0) == 1_000

    def test_a_unit_of_another_measure_is_refused_before_any_value(self) -> None:
        for measure, unit in ((Measure.INTENSITY, "kWh"), (Measure.ENERGY, "g/kWh"), (Measure.PUE, "kWh")):
            with pytest.raises(ValueError, match="unit"):
                conversion(measure, unit)
