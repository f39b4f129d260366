"""The desk of prices: when it begins, what it prices anew, what it stores, and what it shows."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.price_host import ALWAYS, HOUR, KWH, MINUTE_NS, OPEN_NS, START_NS, PricedHost, Told, grid
from tests.exporter.snapshots import batch_service, chat_service
from wattledger.agent.hourly_prices import HourlyPrices
from wattledger.agent.ledger import PriceCommit, Prices
from wattledger.agent.ledger.hours import Cell, split_slots
from wattledger.agent.price_desk import PriceDesk, _by_slot
from wattledger.agent.price_parts import LOCATION, MARGINAL, PUE, RESIDUAL, SUPPLY, PriceSettings
from wattledger.exporter.prices import PriceNow, PricesView
from wattledger.rules.account import Entry
from wattledger.rules.chain.chain import Chain, Pue, Stage
from wattledger.rules.chain.curve import Curve
from wattledger.rules.chain.psu import Psu
from wattledger.rules.feeds.model import Accounting, Caliber, Measure, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.pricing.hour import Cover
from wattledger.rules.pricing.model import Boundary, TotalKind
from wattledger.rules.state import State
from wattledger.rules.tariff.model import HourSpan, Period, Tariff

GRAMS, COST, LOAD = TotalKind.EMISSIONS, TotalKind.COST, TotalKind.LOAD
HOST = PriceSettings(open_ns=OPEN_NS, zone="DE", has_carbon=True)
TARIFF = Tariff(
    "EUR", "UTC", lambda _: 0, value=300_000, periods=(Period("night", 100_000, hours=(HourSpan(0, 60),)),)
)


def de(*values: tuple[int, int, int]) -> Told:
    return Told(grid("DE"), list(values))


def world(value: int = 500_000_000) -> Told:
    return Told(grid("WORLD"), [(*ALWAYS, value)])


def minutes(count: float) -> int:
    return START_NS + round(count * MINUTE_NS)


def hours_in(commit: PriceCommit) -> list[tuple[int, bool]]:
    return [(row.hour, row.final) for row in commit.hours]


# When it begins.


def test_nothing_is_priced_until_the_first_feed_of_each_list_has_answered_and_then_all_of_it() -> None:
    first, second = de((*ALWAYS, 400_000_000)), world()
    host = PricedHost({LOCATION: (first, second), RESIDUAL: (world(),)}, replace(HOST, has_residual=True))
    assert host.tick(KWH, minutes=0.1) == PriceCommit()
    assert host.view().totals == ()
    host.ask()
    host.tick(KWH, minutes=0.1)
    assert host.shown(GRAMS, Accounting.LOCATION, "DE") == 2 * KWH * 400_000_000
    assert host.shown(GRAMS, "WORLD", Accounting.LOCATION) == 0


def test_a_first_feed_that_fails_is_not_waited_for() -> None:
    host = PricedHost({LOCATION: (de(), world())})
    host.ask()
    host.tick(KWH)
    assert host.shown(GRAMS, "WORLD", Accounting.LOCATION) == KWH * 500_000_000


@pytest.mark.parametrize(("seconds", "is_priced"), [(29, False), (31, True)])
def test_feeds_that_say_nothing_are_waited_for_half_a_minute(seconds: float, is_priced: bool) -> None:
    host = PricedHost({LOCATION: (de(),)})
    host.tick(KWH, minutes=1 / 60)
    host.tick(KWH, minutes=seconds / 60)
    assert bool(host.view().totals) is is_priced
    assert host.shown(TotalKind.UNCOVERED, Accounting.LOCATION) == (2 * KWH if is_priced else 0)


def test_without_any_feed_there_is_nothing_to_wait_for() -> None:
    host = PricedHost({}, PriceSettings(open_ns=0, currency="EUR"), tariffs=HourlyPrices(TARIFF))
    host.tick(KWH)
    assert host.shown(COST, "EUR", Boundary.GPU) == KWH * 300_000
    assert host.desk.feeds() == ()


# What the running quarter hour is priced with.


def test_what_was_drawn_in_the_running_quarter_has_no_part_of_values_that_are_yet_to_come() -> None:
    live = de((START_NS, minutes(5), 400_000_000))
    host = PricedHost({LOCATION: (live, world())})
    host.ask()
    host.tick(KWH, minutes=5)
    assert host.shown(GRAMS, "DE", Accounting.LOCATION) == KWH * 400_000_000
    assert host.shown(GRAMS, "WORLD") == 0


def test_a_quarter_that_is_over_is_priced_as_a_whole_though_nothing_was_drawn_any_more() -> None:
    live = de((START_NS, minutes(5), 400_000_000))
    host = PricedHost({LOCATION: (live, world())})
    host.ask()
    host.tick(KWH, minutes=5)
    host.tick(minutes=9)
    assert host.shown(GRAMS, "WORLD") == 0
    (row,) = host.tick(minutes=2).hours
    assert {use.zone: use.energy_mj for use in row.factors if use.accounting is Accounting.LOCATION} == {
        "DE": KWH // 3,
        "WORLD": KWH * 2 // 3,
    }


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 4 * 3600), st.integers(0, 3 * 3600)), max_size=5))
def test_law_5_energy_is_in_the_quarters_in_which_the_ledger_has_it(drawn: list[tuple[int, int, int]]) -> None:
    entries, expected = [], dict[int, int]()
    for energy_mj, end_s, length_s in drawn:
        begin, end = (Instant(s * NS_PER_SECOND, START_NS + s * NS_PER_SECOND) for s in (end_s - length_s, end_s))
        entries.append(Entry("GPU-1", State.ACTIVE, begin, end, energy_mj))
        for slot, cell in split_slots(Cell(energy_mj, length_s * NS_PER_SECOND), end.wall_ns, first_hour=0):
            expected[slot] = expected.get(slot, 0) + cell.energy_mj
    assert _by_slot(entries) == expected


# Corrections.


def test_a_correction_of_an_open_hour_prices_it_anew_and_is_no_correction_that_came_too_late() -> None:
    live = de((*ALWAYS, 400_000_000))
    host = PricedHost({LOCATION: (live,)})
    host.ask()
    host.tick(KWH)
    live.values = [(*ALWAYS, 500_000_000)]
    host.ask()
    host.tick()
    assert host.shown(GRAMS, Accounting.LOCATION) == KWH * 500_000_000
    assert host.view().corrections == 0


def test_what_comes_for_hours_that_have_closed_is_counted_and_changes_nothing() -> None:
    live = de((*ALWAYS, 400_000_000))
    host = PricedHost({LOCATION: (live,)})
    host.ask()
    host.tick(KWH)
    closing = host.tick(minutes=60 + OPEN_NS / MINUTE_NS)
    assert [hour.hour for hour in closing.closings] == [HOUR]
    live.values = [(START_NS, minutes(60), 900_000_000), (minutes(60), ALWAYS[1], 400_000_000)]
    host.ask()
    host.tick()
    assert host.view().corrections == 1
    assert host.shown(GRAMS, Accounting.LOCATION) == KWH * 400_000_000
    live.values = [(START_NS - 5 * NS_PER_HOUR, START_NS, 1), *live.values]
    host.clock.advance(3600)
    host.ask()
    host.tick()
    assert host.view().corrections == 1, "no hour of that time ever closed here"


def test_a_marginal_feed_prices_nothing_and_corrects_nothing() -> None:
    marginal = Told(Series(Measure.INTENSITY, "told", "DE", Caliber(Signal.MARGINAL)), [(*ALWAYS, 1_000_000)])
    host = PricedHost({LOCATION: (de((*ALWAYS, 400_000_000)),), MARGINAL: (marginal,)})
    host.ask()
    host.tick(KWH)
    host.tick(minutes=60 + OPEN_NS / MINUTE_NS)
    marginal.values = [(*ALWAYS, 2_000_000)]
    host.ask()
    assert host.tick().hours == ()
    assert host.view().corrections == 0
    assert host.shown(GRAMS, Accounting.LOCATION) == KWH * 400_000_000


# What is stored.


def test_rows_of_open_hours_are_stored_once_a_minute_those_that_close_at_once_and_the_rest_at_the_end() -> None:
    host = PricedHost({LOCATION: (world(),)})
    host.ask()
    assert hours_in(host.tick(KWH, minutes=0.5)) == [(HOUR, False)]
    assert hours_in(host.tick(KWH, minutes=0.5)) == []
    assert hours_in(host.tick(KWH, minutes=0.5)) == [(HOUR, False)]
    assert hours_in(host.tick(KWH, minutes=0.5)) == []
    (row,) = host.desk.close().hours
    assert (row.hour, row.boundaries[Boundary.GPU].energy_mj) == (HOUR, 4 * KWH)
    late = host.tick(minutes=60 + OPEN_NS / MINUTE_NS)
    assert hours_in(late) == [(HOUR, True)]
    assert [hour.hour for hour in late.closings] == [HOUR]


def test_an_hour_without_anything_that_may_still_come_closes_when_it_is_over() -> None:
    host = PricedHost({}, PriceSettings(open_ns=0, currency="EUR"), tariffs=HourlyPrices(TARIFF))
    host.tick(KWH)
    assert host.tick(minutes=58).closings == []
    (closing,) = host.tick(minutes=1).closings
    assert sum(slot.cost for slot in closing.slots) == host.shown(COST, Boundary.GPU)


# Boundaries.


def test_a_constant_pue_gives_the_energy_of_the_house() -> None:
    host = PricedHost({LOCATION: (world(),)}, replace(HOST, path=Pue(1_250_000)))
    host.ask()
    host.tick(4 * KWH)
    assert host.shown(LOAD, Boundary.FACILITY) == 5 * KWH
    assert host.shown(GRAMS, Accounting.LOCATION, Boundary.FACILITY) == 5 * KWH * 500_000_000
    assert host.shown(GRAMS, Accounting.LOCATION, Boundary.GPU) == 4 * KWH * 500_000_000
    assert host.view().pue == 1.25


def test_without_a_meter_of_the_node_its_power_supply_loses_on_top_of_what_the_gpus_draw_behind_it() -> None:
    supply = Psu(Curve.constant("half", 500_000), rated_mw=10_000_000)
    host = PricedHost({LOCATION: (world(),)}, replace(HOST, path=Chain(psu=supply)))
    host.ask()
    host.tick(4 * KWH)
    assert host.shown(LOAD, Boundary.FACILITY) == 8 * KWH
    assert host.shown(TotalKind.LOSS, Stage.PSU) == 4 * KWH
    assert host.shown(LOAD, Boundary.NODE) == 0


def test_a_fed_pue_that_no_house_can_have_is_not_known() -> None:
    fed = Told(Series(Measure.PUE, "told", "hall"), [(*ALWAYS, 900_000)])
    host = PricedHost({LOCATION: (world(),), PUE: (fed,)}, replace(HOST, has_pue_feed=True))
    host.ask()
    host.tick(2 * KWH, minutes=15)
    assert host.shown(LOAD, Boundary.FACILITY) == 0
    assert host.view().pue is None


def test_a_pue_of_a_feed_is_that_of_each_quarter_and_without_one_the_house_is_not_known() -> None:
    fed = Told(Series(Measure.PUE, "told", "hall"), [(*ALWAYS, 1_500_000)])
    host = PricedHost({LOCATION: (world(),), PUE: (fed,)}, replace(HOST, has_pue_feed=True))
    host.ask()
    host.tick(2 * KWH, minutes=15)
    assert host.shown(LOAD, Boundary.FACILITY) == 3 * KWH
    fed.values = [(START_NS, minutes(15), 1_500_000), (minutes(15), ALWAYS[1], 2_000_000)]
    host.ask()
    host.tick(KWH, minutes=15)
    assert host.shown(LOAD, Boundary.FACILITY) == 5 * KWH
    assert host.view().pue == 2
    fed.values = [(START_NS, minutes(15), 1_500_000)]
    host.ask()
    host.tick(KWH, minutes=15)
    assert host.shown(LOAD, Boundary.FACILITY) == 5 * KWH, "what it is cannot be told, and no counter falls"
    assert host.shown(LOAD, Boundary.GPU) == 4 * KWH
    assert host.view().pue is None


def test_a_pue_that_is_told_as_it_comes_counts_while_its_hour_runs() -> None:
    fed = Told(Series(Measure.PUE, "told", "hall"))
    host = PricedHost({LOCATION: (world(),), PUE: (fed,)}, replace(HOST, has_pue_feed=True))
    shown = []
    for minute in range(5, 65, 5):
        fed.values = [(START_NS, minutes(minute), 1_500_000)]
        host.ask()
        host.tick(KWH, minutes=5)
        shown.append(host.shown(LOAD, Boundary.FACILITY))
    assert shown == [number * KWH * 3 // 2 for number in range(1, 13)]


# Supply.


@dataclass
class Roof:
    """Covers the load with what its meter says."""

    said: list[int | None] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    is_sequential: bool = False

    def cover(self, hour: int, load_mj: int, metered: Callable[[str], int | None]) -> Cover:
        del hour
        self.said.append(metered("roof"))
        own_mj = min(load_mj, self.said[-1] or 0)
        return Cover(own_mj=own_mj, matched_mj=own_mj)

    def settle(self, hour: int) -> dict[str, int]:
        self.settled.append(hour)
        return {"lot:a": hour}


def test_a_meter_counts_where_it_is_known_for_the_whole_hour() -> None:
    meter = Told(Series(Measure.ENERGY, "told", "roof"), [(START_NS, minutes(45), 3 * KWH)])
    roof = Roof()
    host = PricedHost({LOCATION: (world(),), SUPPLY + "roof": (meter,)}, supplies=roof)
    host.ask()
    host.tick(8 * KWH)
    meter.values.append((minutes(45), minutes(75), 2 * KWH))
    host.ask()
    host.tick(minutes=70)
    assert roof.said == [None, 4 * KWH]
    # All that was drawn is shown as unmatched already: what was matched is caught up with as more of it is drawn.
    assert host.shown(TotalKind.MATCHED) == 0
    host.tick(3 * KWH)
    assert host.shown(TotalKind.MATCHED) == 3 * KWH
    host.tick(3 * KWH)
    assert (host.shown(TotalKind.MATCHED), host.shown(TotalKind.UNMATCHED)) == (4 * KWH, 10 * KWH)


def test_a_meter_that_comes_hours_late_never_shows_more_matched_than_load() -> None:
    meter = Told(Series(Measure.ENERGY, "told", "roof"), [])
    host = PricedHost(
        {LOCATION: (world(),), SUPPLY + "roof": (meter,)}, replace(HOST, open_ns=8 * NS_PER_HOUR), supplies=Roof()
    )
    host.ask()
    shown = [(0, 0)]
    for hour in range(18):
        host.tick(KWH, minutes=59.9)
        # The server of the meter is away for five hours, and then an hour late; the sun shines in the first nine.
        known = 0 if hour < 5 else hour
        meter.values = [
            (START_NS + at * NS_PER_HOUR, START_NS + (at + 1) * NS_PER_HOUR, KWH if at < 9 else 0)
            for at in range(known)
        ]
        host.ask()
        host.tick(minutes=0.1)
        matched = host.shown(TotalKind.MATCHED)
        shown.append((matched, matched + host.shown(TotalKind.UNMATCHED)))
    for (matched, load), (then, more) in pairwise(shown):
        assert 0 <= then - matched <= more - load, "an hour of a dashboard is never above 100 %"
    assert shown[-1] == (9 * KWH, 18 * KWH), "and the night catches up"


def test_what_closing_hours_use_up_is_stored_with_them() -> None:
    roof = Roof()
    meter = Told(Series(Measure.ENERGY, "told", "roof"), [(*ALWAYS, KWH)])
    host = PricedHost({LOCATION: (world(),), SUPPLY + "roof": (meter,)}, supplies=roof)
    host.ask()
    assert host.tick(KWH).certificates == {}
    assert host.tick(minutes=60 + OPEN_NS / MINUTE_NS).certificates == {"lot:a": HOUR}
    assert roof.settled == [HOUR]


# What is shown.


def priced_host() -> PricedHost:
    settings = replace(HOST, path=Pue(1_250_000), currency="EUR")
    host = PricedHost({LOCATION: (world(),)}, settings, tariffs=HourlyPrices(TARIFF))
    host.ask()
    host.tick(KWH)
    return host


def test_the_view_has_what_holds_now() -> None:
    view = priced_host().view()
    assert (view.currency, view.pue, view.price) == ("EUR", 1.25, PriceNow(300_000, ""))
    assert view.open_uncovered_mj == {Accounting.LOCATION: 0, Accounting.MARKET: 0}


def test_a_price_of_now_has_the_name_of_its_period() -> None:
    night = Instant(0, START_NS // (24 * NS_PER_HOUR) * 24 * NS_PER_HOUR)
    assert priced_host().desk.view(night, ()).price == PriceNow(100_000, "night")


def test_a_service_has_the_rate_of_the_widest_boundary_over_its_window() -> None:
    host = priced_host()
    service = replace(chat_service(), window_ns=60 * NS_PER_SECOND)
    rates = host.desk.view(host.clock.now(), (batch_service(), service)).rates
    assert list(rates) == ["chat"], "there is no ratio of batch"
    rate = rates["chat"]
    assert rate.boundary is Boundary.FACILITY
    assert rate.grams_per_kwh == {Accounting.LOCATION: 625.0, Accounting.MARKET: 625.0}
    assert rate.money_per_kwh == 0.375


def test_energy_without_a_value_is_uncovered_at_the_widest_boundary() -> None:
    host = PricedHost({LOCATION: (de(),)}, replace(HOST, path=Pue(1_250_000)))
    host.ask()
    host.tick(4 * KWH)
    assert host.view().open_uncovered_mj == {Accounting.LOCATION: 5 * KWH, Accounting.MARKET: 5 * KWH}


def test_a_desk_without_anything_shows_energy_and_nothing_else() -> None:
    desk = PriceDesk(Prices(), PriceSettings(open_ns=0))
    view = desk.view(Instant(0, START_NS), ())
    assert view == PricesView()
    assert desk.close() == PriceCommit(totals=())
