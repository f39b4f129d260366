"""The demand charge of whole months, from hours: what lies in the report, what is missing, days of other lengths."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.rules.report.host_hours import ALICE, Use, clock_text, host_hour, joined, layer, price_of
from wattledger.agent.tariff import clock_of
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import NOTHING
from wattledger.rules.report.build import build
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.demand import demand_of
from wattledger.rules.report.model import DemandSum
from wattledger.rules.state import State
from wattledger.rules.supply.model import Layer
from wattledger.rules.tariff.model import Demand

KW_HOUR_MJ = 3_600_000_000
QUARTER = 900 * NS_PER_SECOND


def hour_of(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) // 3600


def charged(
    start: str,
    end: str,
    *,
    zone: str = "UTC",
    kilowatts: dict[int, int] | None = None,
    missing: frozenset[int] = frozenset(),
    window_ns: int = NS_PER_HOUR,
    onsite_kw: int = 0,
) -> DemandSum:
    """Give the charges of a host that draws 1 kW all the time, or others in some hours."""
    first, last = hour_of(start, zone), hour_of(end, zone)
    parts = []
    for hour in range(first, last):
        if hour in missing:
            continue
        energy_mj = (kilowatts or {}).get(hour, 1) * KW_HOUR_MJ
        supply = (layer(Layer.ONSITE, onsite_kw * KW_HOUR_MJ),) if onsite_kw else ()
        uses = [Use("GPU-1", State.ACTIVE, ALICE, energy_mj, 0)]
        parts.append(host_hour("a", hour, uses, closed=price_of(energy_mj, 1), still_open=NOTHING, supply=supply))
    span = (first * NS_PER_HOUR, last * NS_PER_HOUR)
    report = build(joined(parts), *span, by=GroupBy.OWNER, clock_text=clock_text)
    return demand_of(report, Demand(40_000_000, window_ns), clock_of(zone))


def test_the_highest_hour_of_a_whole_month_is_charged() -> None:
    peak = hour_of("2026-02-11T14:00", "UTC")
    (month,) = charged("2026-02-01", "2026-03-01", kilowatts={peak: 5}).months
    assert (month.charge.year, month.charge.month, month.hours, month.all_hours) == (2026, 2, 672, 672)
    assert month.charge.charge == 200_000_000
    assert month.charge.peak_mw == 5_000_000
    assert month.charge.peak.start_wall_ns == peak * NS_PER_HOUR
    assert datetime.fromtimestamp(peak * 3600, UTC).hour == 14


def test_a_month_that_is_not_whole_is_not_charged() -> None:
    assert charged("2026-02-02", "2026-03-01").months == ()
    assert charged("2026-02-01", "2026-02-28").months == ()
    assert [month.charge.month for month in charged("2026-01-30", "2026-03-05").months] == [2]


@pytest.mark.parametrize(("month", "hours"), [("03", 31 * 24 - 1), ("10", 31 * 24 + 1)])
def test_months_of_local_clocks_have_hours_more_or_less(month: str, hours: int) -> None:
    after = f"2026-{int(month) + 1:02}-01"
    (found,) = charged(f"2026-{month}-01", after, zone="Europe/Berlin").months
    assert (found.hours, found.all_hours) == (hours, hours)


def test_december_ends_with_the_year() -> None:
    (month,) = charged("2026-12-01", "2027-01-01", zone="Asia/Shanghai").months
    assert (month.charge.month, month.all_hours) == (12, 744)


def test_hours_that_are_missing_are_told() -> None:
    gone = frozenset(range(hour_of("2026-02-03", "UTC"), hour_of("2026-02-04", "UTC")))
    (month,) = charged("2026-02-01", "2026-03-01", missing=gone).months
    assert (month.hours, month.all_hours) == (648, 672)


def test_shorter_windows_have_the_mean_of_their_hour() -> None:
    peak = hour_of("2026-02-11T14:00", "UTC")
    (month,) = charged("2026-02-01", "2026-03-01", kilowatts={peak: 5}, window_ns=QUARTER).months
    assert (month.charge.charge, month.hours) == (200_000_000, 672)


def test_what_is_made_on_site_is_not_drawn_from_the_grid() -> None:
    (month,) = charged("2026-02-01", "2026-03-01", onsite_kw=1).months
    assert month.charge.charge == 0
