"""Open hours and counters: corrections re-price what is open, no counter falls, a restart goes on where it was."""

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.pricing.hours import DE, FR, HOUR, START, spans
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.book import PriceBook
from wattledger.rules.pricing.hour import HourFacts, Quarters
from wattledger.rules.pricing.model import SLOTS_PER_HOUR, Boundary, PriceTotal, TotalKind

KWH = 3_600_000_000
OPEN_NS = 6 * NS_PER_HOUR
EMISSIONS = (TotalKind.EMISSIONS, (Accounting.LOCATION, "DE", Boundary.GPU))
SLOT = HOUR * SLOTS_PER_HOUR


class Grid:
    """Intensities by hour that may be corrected."""

    def __init__(self, value: int | None = 400_000_000) -> None:
        self.value = value
        self.by_hour: dict[int, int | None] = {}
        self.series = DE

    def facts(self, hour: int, gpu: Quarters) -> HourFacts:
        value = self.by_hour.get(hour, self.value)
        return HourFacts(
            hour, {Boundary.GPU: gpu}, spans([(60, value)], self.series, start=hour * NS_PER_HOUR), zone="DE"
        )


def location(book: PriceBook) -> dict[str, int]:
    """Give what is shown of each zone."""
    return {
        total.labels[1]: total.shown
        for total in book.totals
        if total.kind is TotalKind.EMISSIONS and total.labels[0] == Accounting.LOCATION
    }


def shown(book: PriceBook) -> int:
    return next((total.shown for total in book.totals if total.key == EMISSIONS), 0)


def closed(book: PriceBook) -> int:
    return next((total.closed for total in book.totals if total.key == EMISSIONS), 0)


def test_what_is_added_is_shown_at_the_next_pricing() -> None:
    book, grid = PriceBook(open_ns=OPEN_NS), Grid()
    book.add(SLOT, KWH)
    rows = book.reprice(grid.facts)
    assert [row.hour for row in rows] == [HOUR]
    assert shown(book) == KWH * 400_000_000
    assert book.reprice(grid.facts) == ()


def test_a_correction_upwards_shows_at_once_and_one_downwards_waits_until_the_counter_has_caught_up() -> None:
    book, grid = PriceBook(open_ns=OPEN_NS), Grid()
    book.add(SLOT, KWH)
    book.reprice(grid.facts)
    for value, expected in ((500_000_000, 500_000_000), (100_000_000, 500_000_000)):
        grid.value = value
        book.changed(START, START + NS_PER_HOUR)
        book.reprice(grid.facts)
        assert shown(book) == KWH * expected
    book.add(SLOT, 3 * KWH)
    book.reprice(grid.facts)
    assert shown(book) == KWH * 500_000_000
    book.add(SLOT, 2 * KWH)
    book.reprice(grid.facts)
    assert shown(book) == 6 * KWH * 100_000_000


def test_a_value_that_comes_from_another_zone_after_all_adds_nothing_to_the_sum_of_both() -> None:
    book, grid = PriceBook(open_ns=OPEN_NS), Grid()
    book.add(SLOT, KWH)
    grid.series = FR
    book.reprice(grid.facts)
    grid.series = DE
    book.changed(START, START + NS_PER_HOUR)
    book.reprice(grid.facts)
    assert location(book) == {"FR": KWH * 400_000_000, "DE": 0}
    book.add(SLOT, 2 * KWH)
    book.reprice(grid.facts)
    assert location(book) == {"FR": KWH * 400_000_000, "DE": 2 * KWH * 400_000_000}


def test_an_hour_closes_when_it_was_over_for_long_enough_and_is_not_priced_anew() -> None:
    book, grid = PriceBook(open_ns=OPEN_NS), Grid()
    book.add(SLOT, KWH)
    book.reprice(grid.facts)
    end = START + NS_PER_HOUR + OPEN_NS
    assert book.close(end - 1) == ()
    (closing,) = book.close(end)
    assert closing.hour == HOUR
    assert closing.row.final
    assert sum(quarter.location for quarter in closing.quarters) == KWH * 400_000_000 == closed(book)
    grid.value = 900_000_000
    book.changed(START, end)
    assert book.reprice(grid.facts) == ()
    assert shown(book) == KWH * 400_000_000


def test_energy_that_comes_after_the_close_is_priced_by_itself_and_added() -> None:
    book, grid = PriceBook(open_ns=OPEN_NS), Grid()
    book.add(SLOT, KWH)
    book.reprice(grid.facts)
    end = START + NS_PER_HOUR + OPEN_NS
    book.close(end)
    grid.value = 100_000_000
    book.add(SLOT + 1, KWH)
    book.reprice(grid.facts)
    (late,) = book.close(end)
    assert sum(quarter.location for quarter in late.quarters) == KWH * 100_000_000
    assert closed(book) == shown(book) == KWH * 500_000_000


def test_a_restart_goes_on_with_open_hours_and_with_what_was_shown() -> None:
    book, grid = PriceBook(open_ns=OPEN_NS), Grid()
    book.add(SLOT, KWH)
    book.reprice(grid.facts)
    again = PriceBook(book.totals, {SLOT: KWH}, open_ns=OPEN_NS)
    grid.value = 100_000_000
    again.reprice(grid.facts)
    assert shown(again) == KWH * 400_000_000
    (closing,) = again.close(START + NS_PER_HOUR + OPEN_NS)
    assert sum(quarter.location for quarter in closing.quarters) == closed(again) == KWH * 100_000_000


def test_energy_that_no_value_is_known_for_is_uncovered_until_one_comes() -> None:
    book, grid = PriceBook(open_ns=OPEN_NS), Grid(None)
    book.add(SLOT, KWH)
    book.reprice(grid.facts)
    assert shown(book) == 0
    assert {total.kind: total.shown for total in book.totals}[TotalKind.UNCOVERED] == KWH
    grid.value = 400_000_000
    book.changed(START, START + 1)
    book.reprice(grid.facts)
    assert shown(book) == KWH * 400_000_000


STEP = st.tuples(
    st.integers(0, 11),  # slot
    st.integers(0, 10**9),  # energy
    st.none() | st.tuples(st.integers(0, 2), st.none() | st.integers(1, 1_500_000_000)),  # a correction
    st.booleans(),  # restart
    st.integers(0, 3),  # hours that pass
)


@given(st.lists(STEP, max_size=25))
def test_laws_2_and_4_counters_never_fall_and_closed_hours_hold_all_energy(
    steps: list[tuple[int, int, tuple[int, int | None] | None, bool, int]],
) -> None:
    book, grid = PriceBook(open_ns=NS_PER_HOUR), Grid()
    now = START
    before: dict[object, PriceTotal] = {}
    stored: dict[int, int] = {}
    total_mj = closed_mj = 0
    for slot, energy_mj, correction, restart, hours in steps:
        book.add(SLOT + slot, energy_mj)
        stored[SLOT + slot] = stored.get(SLOT + slot, 0) + energy_mj
        total_mj += energy_mj
        if correction is not None:
            grid.by_hour[HOUR + correction[0]] = correction[1]
            begin = START + correction[0] * NS_PER_HOUR
            book.changed(begin, begin + NS_PER_HOUR)
        book.reprice(grid.facts)
        now += hours * NS_PER_HOUR
        for closing in book.close(now):
            closed_mj += sum(quarter.energy_mj for quarter in closing.quarters)
            stored = {slot: mj for slot, mj in stored.items() if slot // SLOTS_PER_HOUR != closing.hour}
        if restart:
            book = PriceBook(book.totals, stored, open_ns=NS_PER_HOUR)
            book.reprice(grid.facts)
        after: dict[object, PriceTotal] = {total.key: total for total in book.totals}
        for key, total in before.items():
            assert after[key].shown >= total.shown
            assert after[key].closed >= total.closed
        before = after
    book.reprice(grid.facts)
    closed_mj += sum(
        quarter.energy_mj for closing in book.close(now + 100 * NS_PER_HOUR) for quarter in closing.quarters
    )
    assert closed_mj == total_mj
    # Nothing is open any more: what is true is what closed, and no counter is below it.
    assert all(total.shown >= total.closed for total in book.totals)
