"""What a report is made of besides sums: boundaries, supply, the worst owner, models, names, and devices by hour."""

from dataclasses import replace

import pytest

from tests.rules.report.host_hours import (
    ALICE,
    BOB,
    HOUR,
    REST,
    Use,
    clock_text,
    host_hour,
    joined,
    layer,
    price_of,
    service,
)
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Boundary, SupplyUse
from wattledger.rules.report.build import build
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.heat import MOST_ROWS, HeatTally
from wattledger.rules.report.model import Report
from wattledger.rules.report.rows import DeviceHour, ReportRows
from wattledger.rules.state import State
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer
from wattledger.rules.tokens.model import TokenKind

ACTIVE, HELD, ALLOCATED, PARKED = State.ACTIVE, State.HELD, State.ALLOCATED, State.PARKED


def made(rows: ReportRows, by: GroupBy = GroupBy.OWNER, boundary: Boundary | None = None) -> Report:
    return build(rows, HOUR * NS_PER_HOUR, (HOUR + 24) * NS_PER_HOUR, by=by, clock_text=clock_text, boundary=boundary)


def closed_hour(*uses: Use, hour: int = HOUR, host: str = "a", pue_percent: int | None = None) -> ReportRows:
    energy_mj = sum(use.closed_mj for use in uses)
    return host_hour(host, hour, uses, closed=price_of(energy_mj, 400), still_open=NOTHING, pue_percent=pue_percent)


def test_the_worst_owner_held_or_was_given_the_most_and_is_somebody() -> None:
    rows = closed_hour(
        Use("GPU-1", ACTIVE, ALICE, 9000, 0),
        Use("GPU-1", HELD, ALICE, 100, 0),
        Use("GPU-2", ALLOCATED, BOB, 300, 0),
        Use("GPU-3", PARKED, REST, 5000, 0),
        Use("GPU-3", HELD, REST, 5000, 0),
    )
    worst = made(rows).worst
    assert worst is not None
    assert (worst.name, worst.detail, worst.sum.idle_mj) == ("bob", "slurm", 300)
    assert made(closed_hour(Use("GPU-1", ACTIVE, ALICE, 9000, 0))).worst is None


def test_owners_without_the_name_that_is_asked_for_are_together_and_nobody_is_apart() -> None:
    rows = closed_hour(
        Use("GPU-1", ACTIVE, ALICE, 300, 0), Use("GPU-1", ACTIVE, BOB, 200, 0), Use("GPU-2", PARKED, REST, 100, 0)
    )
    groups = made(rows, GroupBy.NAMESPACE).groups
    assert [(group.name, group.detail, group.sum.energy_mj) for group in groups] == [
        ("ml", "", 300),
        ("(none)", "", 200),
        ("unattributed", "unattributed", 100),
    ]


def test_boards_are_called_by_their_names_and_told_apart_by_host() -> None:
    one = closed_hour(Use("GPU-1", ACTIVE, ALICE, 300, 0))
    two = closed_hour(Use("GPU-1", ACTIVE, ALICE, 200, 0), host="b")
    names = {("a", "GPU-1"): "first", ("b", "GPU-1"): "second"}
    report = made(replace(joined([one, two]), names=names), GroupBy.GPU)
    assert [(group.name, group.detail) for group in report.groups] == [("first", "GPU-1"), ("second", "GPU-1")]
    assert [row.name for row in report.heat] == ["first", "second"]
    assert (report.gpus, report.hosts) == (2, 2)


def test_hours_are_in_the_order_of_time_and_count_devices_once() -> None:
    later = closed_hour(Use("GPU-1", ACTIVE, ALICE, 300, 0), Use("GPU-1", HELD, ALICE, 1, 0), hour=HOUR + 1)
    report = made(joined([later, closed_hour(Use("GPU-1", ACTIVE, ALICE, 200, 0))]), GroupBy.HOUR)
    assert [(group.name, group.gpus) for group in report.groups] == [(f"hour {HOUR}", 1), (f"hour {HOUR + 1}", 1)]


def test_models_have_no_groups_of_devices() -> None:
    rows = replace(
        closed_hour(Use("GPU-1", ACTIVE, ALICE, 1000, 0)),
        services=(service(total_mj=400, priced=price_of(400, 400)), service(total_mj=100)),
    )
    report = made(rows, GroupBy.MODEL)
    assert report.groups == ()
    (model,) = report.models
    assert (model.total_mj, model.of(TokenKind.OUTPUT), model.of(TokenKind.PROMPT)) == (500, 2000, None)


@pytest.mark.parametrize(("known", "boundary"), [((150, 150), Boundary.FACILITY), ((150, None), Boundary.GPU)])
def test_the_boundary_is_the_widest_that_every_hour_knows(
    known: tuple[int | None, int | None], boundary: Boundary
) -> None:
    parts = [
        closed_hour(Use("GPU-1", ACTIVE, ALICE, 1000, 0), hour=HOUR + number, pue_percent=pue)
        for number, pue in enumerate(known)
    ]
    report = made(joined(parts))
    assert report.boundary is boundary
    assert list(report.boundaries) == [one for one in Boundary if one in (Boundary.GPU, boundary)]
    assert report.boundary_hours[Boundary.FACILITY] == sum(pue is not None for pue in known)
    assert report.host_hours == 2


def test_energy_that_was_booked_before_there_were_prices_is_of_the_boards_alone() -> None:
    priced = closed_hour(Use("GPU-1", ACTIVE, ALICE, 1000, 0), pue_percent=150)
    older = replace(closed_hour(Use("GPU-1", ACTIVE, ALICE, 700, 0), hour=HOUR + 1), hours=())
    report = made(joined([priced, older]))
    assert report.boundary is Boundary.GPU
    assert report.unpriced_mj == 700


def test_energy_of_the_last_minute_narrows_no_boundary() -> None:
    priced = closed_hour(Use("GPU-1", ACTIVE, ALICE, 1000, 0), pue_percent=150)
    new = host_hour("a", HOUR + 1, [Use("GPU-1", ACTIVE, ALICE, 0, 50)], closed=NOTHING, still_open=NOTHING)
    report = made(joined([priced, replace(new, hours=())]))
    assert report.boundary is Boundary.FACILITY
    assert (report.unpriced_mj, report.open_mj) == (50, 50)


def test_grams_at_a_boundary_that_is_asked_for() -> None:
    rows = closed_hour(Use("GPU-1", ACTIVE, ALICE, 1000, 0), pue_percent=150)
    assert made(rows).total.priced.location == 600_000
    assert made(rows, boundary=Boundary.GPU).total.priced.location == 400_000
    assert made(rows, boundary=Boundary.GPU).boundary is Boundary.GPU


def supplied(*uses: SupplyUse, hour: int = HOUR) -> ReportRows:
    energy_mj = sum(use.energy_mj for use in uses)
    board = [Use("GPU-1", ACTIVE, ALICE, energy_mj, 0)]
    return host_hour("a", hour, board, closed=price_of(energy_mj, 1), still_open=NOTHING, supply=uses)


def test_supply_tells_the_green_share_certificates_and_what_was_matched_by_the_hour() -> None:
    rows = joined(
        [
            supplied(layer(Layer.ONSITE, 300, green=True, matched=True), layer(Layer.GRID, 100)),
            supplied(layer(Layer.CERTIFICATES, 100, green=True), layer(Layer.GRID, 300), hour=HOUR + 1),
            supplied(layer(Layer.ONSITE, 200, green=True, matched=True), hour=HOUR + 2),
            closed_hour(Use("GPU-1", ACTIVE, ALICE, 1000, 0), hour=HOUR + 3),
        ]
    )
    supply = made(rows).supply
    assert supply is not None
    assert supply.layers == {Layer.ONSITE: 500, Layer.CERTIFICATES: 100, Layer.GRID: 400}
    assert (supply.load_mj, supply.green_mj, supply.green_certificates_mj) == (2000, 600, 100)
    assert (supply.green_share, supply.matched_share) == (0.3, 0.25)
    assert (supply.hours, supply.unmatched_hours) == (3, 2)


def test_the_score_with_the_grid_is_of_the_hours_whose_share_is_known() -> None:
    scores = (GridScore(350, 400, "csv DE"), GridScore(), GridScore(200, 200), None)
    hours = []
    for number, score in enumerate(scores):
        load_mj = 200 if number == 2 else 400
        (hour,) = supplied(layer(Layer.GRID, load_mj), hour=HOUR + number).hours
        hours.append(replace(hour, price=replace(hour.price, with_grid=score)))
    supply = made(ReportRows(hours=tuple(hours))).supply
    assert supply is not None
    assert supply.with_grid is not None
    assert (supply.with_grid.energy_mj, supply.with_grid.covered_mj) == (550, 600)
    assert (supply.with_grid.ratio, supply.load_mj) == (550 / 600, 1400)
    assert supply.grid_sources == {"csv DE": 400}
    without = made(ReportRows(hours=tuple(hours[3:]))).supply
    assert without is not None
    assert without.with_grid is None, "nobody asks for it"


def test_supply_that_does_not_tell_what_is_green_has_no_green_share() -> None:
    rows = supplied(layer(Layer.CONTRACT_INTRA, 300), layer(Layer.GRID, 100))
    (hour,) = rows.hours
    supply = made(replace(rows, hours=(replace(hour, matched_mj=250),))).supply
    assert supply is not None
    assert (supply.green_share, supply.matched_share) == (None, 0.625)


def test_without_supply_nothing_is_told_of_it() -> None:
    assert made(closed_hour(Use("GPU-1", ACTIVE, ALICE, 1000, 0))).supply is None


def test_a_device_that_was_not_there_for_an_hour_has_a_hole_and_no_zero() -> None:
    parts = [
        closed_hour(Use("GPU-1", HELD, ALICE, 70, 0), Use("GPU-1", ACTIVE, ALICE, 9, 0)),
        closed_hour(Use("GPU-1", ACTIVE, ALICE, 500, 0), hour=HOUR + 2),
    ]
    (row,) = made(joined(parts)).heat
    assert row.idle_mj == {HOUR: 70, HOUR + 2: 0}


def test_of_very_many_devices_those_that_idled_most_are_shown() -> None:
    heat = HeatTally(HOUR, HOUR + 1)
    for number in range(MOST_ROWS + 3):
        heat.add(DeviceHour("a", HOUR, f"GPU-{number:05}", HELD, number + 1, 0))
    rows = heat.rows({})
    assert len(rows) == MOST_ROWS
    assert min(row.name for row in rows) == "GPU-00003"


def test_nothing_at_all_is_a_report_too() -> None:
    report = made(ReportRows())
    assert (report.gpus, report.groups, report.boundaries, report.boundary) == (0, (), {}, Boundary.GPU)
