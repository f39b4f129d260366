"""A report over a change of the tariff's currency: no sum has money of two."""

from dataclasses import replace

from tests.rules.report.host_hours import ALICE, BOB, HOUR, Use, clock_text, host_hour, joined, price_of
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Boundary
from wattledger.rules.report.build import build
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.rows import ReportRows
from wattledger.rules.state import State

USES = (Use("GPU-1", State.ACTIVE, ALICE, 1000, 500), Use("GPU-2", State.HELD, BOB, 300, 200))


def an_hour(number: int, currency: str) -> ReportRows:
    """Give an hour of 2000 mJ that came to 14000, of which 10500 are for good; in *currency*."""
    rows = host_hour("a", HOUR + number, USES, closed=price_of(1300, 400), still_open=price_of(700, 400))
    hours = tuple(replace(hour, price=replace(hour.price, currency=currency)) for hour in rows.hours)
    return replace(rows, hours=hours)


def test_money_in_another_currency_than_the_first_is_left_out_and_told() -> None:
    rows = joined([an_hour(0, "CNY"), an_hour(1, "EUR"), an_hour(2, "CNY"), an_hour(3, "")])
    span = HOUR * NS_PER_HOUR, (HOUR + 4) * NS_PER_HOUR
    report = build(rows, *span, by=GroupBy.OWNER, clock_text=clock_text)
    alone = build(
        joined([an_hour(0, "CNY"), an_hour(2, "CNY"), an_hour(3, "CNY")]),
        *span,
        by=GroupBy.OWNER,
        clock_text=clock_text,
    )
    assert report.currency == "CNY"
    assert report.notes == ("Cost in EUR is left out: the report is in CNY.",)
    assert (report.total.priced.cost, report.total.priced.priced_mj) == (
        alone.total.priced.cost,
        alone.total.priced.priced_mj,
    )
    assert report.total.energy_mj == 4 * 2000
    assert report.total.priced.location == 4 * 2000 * 400, "its grams are no money"
    assert report.boundaries[Boundary.GPU].cost == alone.boundaries[Boundary.GPU].cost
    assert [group.sum.priced.cost for group in report.groups] == [group.sum.priced.cost for group in alone.groups]


def test_of_one_currency_nothing_is_left_out() -> None:
    rows = joined([an_hour(0, ""), an_hour(1, "EUR")])
    report = build(rows, HOUR * NS_PER_HOUR, (HOUR + 2) * NS_PER_HOUR, by=GroupBy.OWNER, clock_text=clock_text)
    assert (report.currency, report.notes) == ("EUR", ())
    assert report.total.priced.cost == 2 * price_of(2000, 400).cost
    assert report.total.priced != NOTHING
