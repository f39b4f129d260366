"""The laws of an intensity that is computed from a fuel mix."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.feeds.eia_mix import FuelMix, Unusable, is_generation
from wattledger.rules.feeds.model import Factors, PointKind

_KNOWN = ("COL", "NG", "OIL", "BIO", "SUN", "SNB", "GEO", "WAT", "NUC", "WND", "WNB")
_ENERGY = st.decimals("-1000", "100000", places=2)
_MIX = st.dictionaries(st.sampled_from(_KNOWN), _ENERGY, min_size=1)


def _intensity(mix: dict[str, Decimal], factors: Factors = Factors.LIFECYCLE) -> tuple[Decimal, PointKind] | Unusable:
    found = FuelMix()
    for fuel, energy in mix.items():
        assert found.add(1, fuel, energy)
    return found.intensities(factors)[1]


@given(_MIX, st.sampled_from(Factors))
def test_an_intensity_lies_between_the_factors_of_its_fuels(mix: dict[str, Decimal], factors: Factors) -> None:
    found = _intensity(mix, factors)
    alone = [_intensity({fuel: energy}, factors) for fuel, energy in mix.items() if energy > 0]
    if not alone:
        assert found is Unusable.NOTHING
        return
    assert not isinstance(found, Unusable)
    limits = [each[0] for each in alone if not isinstance(each, Unusable)]
    assert min(limits) <= found[0] <= max(limits)
    assert found[1] is PointKind.ACTUAL


@given(_MIX, st.integers(1, 1000))
def test_only_shares_count(mix: dict[str, Decimal], times: int) -> None:
    one, more = _intensity(mix), _intensity({fuel: energy * times for fuel, energy in mix.items()})
    if isinstance(one, Unusable) or isinstance(more, Unusable):
        assert one is more
    else:
        assert abs(one[0] - more[0]) < Decimal("1e-20")


@given(_MIX)
def test_burning_alone_never_emits_more_than_the_life_cycle(mix: dict[str, Decimal]) -> None:
    direct, lifecycle = _intensity(mix, Factors.DIRECT), _intensity(mix)
    if isinstance(direct, Unusable) or isinstance(lifecycle, Unusable):
        assert direct is lifecycle
    else:
        assert direct[0] < lifecycle[0]


@given(st.lists(_MIX, min_size=1, max_size=6))
def test_hours_that_tell_of_all_fuels_do_not_touch_each_other(hours: list[dict[str, Decimal]]) -> None:
    found = FuelMix()
    for hour, mix in enumerate(hours):
        for fuel in _KNOWN:
            found.add(hour, fuel, mix.get(fuel, Decimal(0)))
    for hour, each in found.intensities(Factors.LIFECYCLE).items():
        assert each == _intensity(hours[hour])


def test_what_is_told_twice_counts_once() -> None:
    found = FuelMix()
    assert found.add(1, "NG", Decimal(1))
    assert not found.add(1, "NG", Decimal(5))
    assert found.add(1, "COL", Decimal(1))
    assert found.intensities(Factors.DIRECT) == {1: (Decimal(565), PointKind.ACTUAL)}


def test_storage_is_no_generation() -> None:
    assert [code for code in ("BAT", "PS", "OES", "UES", "WAT", "SNB", "OTH") if not is_generation(code)] == [
        "BAT",
        "PS",
        "OES",
        "UES",
    ]
