"""Rows get all that their energy came to: what is open, what late energy opened again, and at a wider boundary."""

from dataclasses import replace

import pytest

from tests.rules.report.host_hours import ALICE, BOB, HOUR, Use, clock_text, host_hour, joined, price_of, service
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Boundary, Priced
from wattledger.rules.report.build import build
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.rows import ReportRows
from wattledger.rules.report.settle import settle
from wattledger.rules.report.share import less
from wattledger.rules.state import State

ACTIVE, HELD = State.ACTIVE, State.HELD


def test_a_closed_hour_stays_as_it_is() -> None:
    rows = host_hour(
        "a", HOUR, [Use("GPU-1", ACTIVE, ALICE, 1000, 0)], closed=price_of(1000, 400), still_open=NOTHING
    )
    assert settle(rows) == rows


def test_an_open_hour_is_shared_out_by_energy_and_then_by_owner() -> None:
    uses = [
        Use("GPU-1", ACTIVE, ALICE, 0, 600),
        Use("GPU-1", ACTIVE, BOB, 0, 200),
        Use("GPU-2", HELD, BOB, 0, 200),
    ]
    settled = settle(host_hour("a", HOUR, uses, closed=NOTHING, still_open=price_of(1000, 400)))
    assert [row.priced.location for row in settled.devices] == [320_000, 80_000]
    assert [row.priced.location for row in settled.owners] == [240_000, 80_000, 80_000]
    assert [row.priced.energy_mj for row in settled.owners] == [600, 200, 200]


def test_late_energy_alone_gets_what_it_added_to_an_hour_that_was_closed() -> None:
    """A ledger gives the whole of such an hour, closed and open together, and not final."""
    uses = [Use("GPU-1", ACTIVE, ALICE, 1000, 0), Use("GPU-2", ACTIVE, BOB, 0, 500)]
    rows = host_hour("a", HOUR, uses, closed=price_of(1000, 400), still_open=price_of(500, 900))
    assert not rows.hours[0].price.final
    settled = settle(rows)
    assert [row.priced for row in settled.devices] == [price_of(1000, 400), price_of(500, 900)]
    assert [row.priced for row in settled.owners] == [price_of(1000, 400), price_of(500, 900)]


def test_a_row_whose_prices_count_its_open_energy_is_the_same() -> None:
    """The ledger says of a row that is partly open: all its energy, and the prices of what is closed."""
    uses = [Use("GPU-1", ACTIVE, ALICE, 1000, 500)]
    rows = host_hour("a", HOUR, uses, closed=price_of(1000, 400), still_open=price_of(500, 900))
    (row,) = rows.devices
    with_all = replace(rows, devices=(replace(row, priced=replace(row.priced, energy_mj=1500)),))
    assert settle(with_all) == settle(rows)
    assert settle(rows).devices[0].priced == price_of(1000, 400) + price_of(500, 900)


def test_energy_that_the_price_of_its_hour_does_not_know_yet_gets_none() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 0, 1000)]
    rows = host_hour("a", HOUR, uses, closed=NOTHING, still_open=price_of(800, 400))
    assert settle(rows).devices[0].priced == price_of(800, 400)


def test_prices_of_energy_that_is_not_here_go_to_nobody() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 0, 500)]
    rows = host_hour("a", HOUR, uses, closed=NOTHING, still_open=price_of(1000, 400))
    assert settle(rows).devices[0].priced.location == 200_000


def test_owners_of_half_of_a_device_get_half_of_it() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 0, 1000), Use("GPU-1", ACTIVE, BOB, 0, 1000)]
    rows = host_hour("a", HOUR, uses, closed=NOTHING, still_open=price_of(2000, 400), pue_percent=150)
    rows = replace(rows, owners=rows.owners[:1])
    assert settle(rows).owners[0].priced.location == 400_000
    assert settle(rows, Boundary.FACILITY).owners[0].priced.location == 600_000


def test_a_wider_boundary_falls_on_rows_as_the_prices_of_their_own_energy_do() -> None:
    """Of two devices with the same energy the one that ran in the dirtier quarter keeps its larger part."""
    uses = [Use("GPU-1", ACTIVE, ALICE, 500, 0), Use("GPU-2", ACTIVE, BOB, 500, 0)]
    rows = host_hour("a", HOUR, uses, closed=price_of(1000, 400), still_open=NOTHING, pue_percent=150)
    dirty, clean = Priced(500, 300_000, 500, cost=3_000, priced_mj=500), Priced(500, 100_000, 500)
    devices = tuple(replace(row, priced=priced) for row, priced in zip(rows.devices, (dirty, clean), strict=True))
    settled = settle(replace(rows, devices=devices), Boundary.FACILITY)
    assert [row.priced.location for row in settled.devices] == [450_000, 150_000]
    assert [row.priced.energy_mj for row in settled.devices] == [750, 750]
    assert settled.devices[1].priced.cost == 0


def test_where_the_boundary_is_not_known_rows_have_no_price() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 500, 0)]
    rows = host_hour("a", HOUR, uses, closed=price_of(500, 400), still_open=NOTHING)
    settled = settle(rows, Boundary.FACILITY)
    assert (settled.devices[0].priced, settled.owners[0].priced) == (NOTHING, NOTHING)


def test_an_hour_without_any_price_keeps_what_its_rows_say() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 500, 0)]
    rows = replace(host_hour("a", HOUR, uses, closed=price_of(500, 400), still_open=NOTHING), hours=())
    assert settle(rows) == rows


def test_a_service_has_its_part_of_what_is_open_and_of_the_wider_boundary() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 0, 1000)]
    rows = host_hour("a", HOUR, uses, closed=NOTHING, still_open=price_of(1000, 400), pue_percent=150)
    rows = replace(rows, services=(service(total_mj=250, open_mj=250),))
    assert settle(rows).services[0].priced == price_of(250, 400)
    assert settle(rows, Boundary.FACILITY).services[0].priced.location == 150_000


def test_hosts_and_hours_do_not_mix() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 0, 1000)]
    parts = [
        host_hour(host, hour, uses, closed=NOTHING, still_open=price_of(1000, rate))
        for host, hour, rate in (("a", HOUR, 1), ("b", HOUR, 10), ("a", HOUR + 1, 100))
    ]
    settled = settle(joined(parts))
    assert [row.priced.location for row in settled.devices] == [1_000, 10_000, 100_000]


def test_nothing_is_below_zero_where_more_was_closed_than_the_hour_says() -> None:
    assert less(price_of(10, 1), price_of(20, 1)) == NOTHING
    assert settle(ReportRows()) == ReportRows()


@pytest.mark.parametrize("boundary", [Boundary.GPU, Boundary.FACILITY])
def test_rows_tell_how_much_of_their_energy_is_in_no_price_at_any_boundary(boundary: Boundary) -> None:
    """An hour that is open was priced when 900 of its 1,000 mJ were booked; what is closed has its prices."""
    uses = [
        Use("GPU-1", ACTIVE, ALICE, 0, 600),
        Use("GPU-1", ACTIVE, BOB, 0, 200),
        Use("GPU-2", HELD, BOB, 300, 200),
    ]
    rows = host_hour("a", HOUR, uses, closed=price_of(300, 400), still_open=price_of(900, 400), pue_percent=150)
    rows = replace(rows, services=(service(total_mj=800, open_mj=800),))
    settled = settle(rows, boundary)
    assert [row.unpriced_mj for row in settled.devices] == [80, 20]
    assert [row.unpriced_mj for row in settled.owners] == [60, 20, 20]
    assert [row.unpriced_mj for row in settled.services] == [80]
    report = build(rows, HOUR * NS_PER_HOUR, (HOUR + 1) * NS_PER_HOUR, by=GroupBy.OWNER, clock_text=clock_text)
    assert report.unpriced_mj == report.total.unpriced_mj == sum(group.sum.unpriced_mj for group in report.groups)
    assert report.priced_share == pytest.approx(1200 / 1300)
    assert report.models[0].unpriced_mj == 80


def test_all_that_is_priced_leaves_nothing_out() -> None:
    uses = [Use("GPU-1", ACTIVE, ALICE, 1000, 500)]
    rows = host_hour("a", HOUR, uses, closed=price_of(1000, 400), still_open=price_of(500, 900))
    settled = settle(rows)
    assert (settled.devices[0].unpriced_mj, settled.owners[0].unpriced_mj) == (0, 0)
