"""What a kWh of GPUs came to over a window: the mean of its quarter hours, and nothing where little is known."""

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.pricing.hours import MINUTE_NS, START, Steps, facts, prices, spans
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.pricing.hour import Cover, PricedHour, price_hour
from wattledger.rules.pricing.model import Boundary
from wattledger.rules.pricing.rates import MeanRate, rate_over

KWH = 3_600_000_000
GPU, FACILITY = Boundary.GPU, Boundary.FACILITY


def hour(
    gpu: Sequence[int], steps: Steps, *, price: Steps = ((60, 300_000),), facility: Sequence[int] | None = None
) -> PricedHour:
    return price_hour(facts(gpu, spans(steps), facility=facility, price=prices(price), currency="EUR"))


def rates(priced: PricedHour, first_minute: float = 0, last_minute: float = 60) -> dict[Boundary, MeanRate]:
    return rate_over([priced], *(START + round(minute * MINUTE_NS) for minute in (first_minute, last_minute)))


def test_the_rate_is_that_of_the_quarters_by_their_time_in_the_window() -> None:
    stepped = hour([KWH] * 4, [(15, 400_000_000), (45, 100_000_000)])
    assert rates(stepped, 0, 15)[GPU].grams[Accounting.LOCATION] == 400_000_000
    assert rates(stepped, 5, 25)[GPU].grams[Accounting.LOCATION] == 250_000_000
    assert rates(stepped)[GPU].cost == 300_000


def test_it_does_not_depend_on_how_much_was_drawn_in_each_quarter() -> None:
    steps = [(30, 400_000_000), (30, 200_000_000)]
    assert rates(hour([1, 9 * KWH, KWH, 7], steps)) == rates(hour([KWH] * 4, steps))


def test_a_wider_boundary_has_a_higher_rate_by_what_it_draws_beside_the_gpus() -> None:
    found = rates(hour([4 * KWH] * 4, [(60, 400_000_000)], facility=[5 * KWH] * 4))
    assert found[GPU].grams[Accounting.LOCATION] == 400_000_000
    assert found[FACILITY].grams[Accounting.LOCATION] == 500_000_000
    assert found[FACILITY].cost == 375_000


def test_quarters_in_which_nothing_was_drawn_do_not_count() -> None:
    assert (
        rates(hour([0, KWH, 0, 0], [(15, 900_000_000), (45, 100_000_000)]))[GPU].grams[Accounting.LOCATION] == 10**8
    )
    assert rates(hour([0, 0, 0, 0], [(60, 100_000_000)])) == {}
    assert rates(hour([KWH] * 4, [(60, 100_000_000)]), 60, 90) == {}
    assert rate_over([], START, START + MINUTE_NS) == {}


def test_what_is_known_of_less_than_nine_tenths_is_not_told() -> None:
    enough = hour([KWH] * 4, [(54, 400_000_000), (6, None)], price=[(54, 300_000), (6, None)])
    assert rates(enough)[GPU].grams == {
        Accounting.LOCATION: Fraction(400_000_000) * 9 / 10,
        Accounting.MARKET: Fraction(400_000_000) * 9 / 10,
    }
    assert rates(enough)[GPU].cost == 270_000
    scarce = hour([KWH] * 4, [(53, 400_000_000), (7, None)], price=[(53, 300_000), (7, None)])
    assert rates(scarce)[GPU] == MeanRate({}, None)


def test_the_accounts_are_told_apart_and_credit_is_taken_off() -> None:
    made = facts(
        [KWH] * 4,
        spans([(60, 400_000_000)]),
        residual=spans([(60, 600_000_000)]),
        price=prices([(30, 300_000), (30, -100_000)]),
        cover=Cover(contract_mj=2 * KWH),
        currency="EUR",
    )
    found = rates(price_hour(made))[GPU]
    assert found.grams == {Accounting.LOCATION: 400_000_000, Accounting.MARKET: 300_000_000}
    assert found.cost == 100_000


@given(
    st.lists(st.integers(1, 10**10), min_size=4, max_size=4),
    st.lists(st.integers(1, 1_500_000_000), min_size=4, max_size=4),
    st.tuples(st.integers(0, 59), st.integers(1, 60)).filter(lambda window: window[0] < window[1]),
)
def test_the_mean_lies_between_the_lowest_and_the_highest(
    gpu: list[int], values: list[int], window: tuple[int, int]
) -> None:
    (rate,) = rates(hour(gpu, [(15, value) for value in values]), *window).values()
    assert min(values) <= rate.grams[Accounting.LOCATION] <= max(values)
