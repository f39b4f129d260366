"""The laws of a report: groups sum to the whole, prices fall on rows without loss, and pieces make the same whole."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.report.host_hours import HOUR, clock_text, hours
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Boundary, Priced
from wattledger.rules.report.build import Builder, build
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.groups import Sum
from wattledger.rules.report.model import Report
from wattledger.rules.report.rows import ReportRows
from wattledger.rules.report.settle import settle
from wattledger.rules.report.share import by_energy, columns

START, END = HOUR * NS_PER_HOUR, (HOUR + 31) * NS_PER_HOUR
few = settings(max_examples=60)
OF_OWNERS = (GroupBy.OWNER, GroupBy.NAMESPACE, GroupBy.USER)
OF_DEVICES = (GroupBy.GPU, GroupBy.STATE, GroupBy.HOUR, GroupBy.DAY, GroupBy.HOST)


def made(rows: ReportRows, by: GroupBy = GroupBy.OWNER) -> Report:
    return build(rows, START, END, by=by, clock_text=clock_text)


def whole(sums: Iterable[Sum]) -> Sum:
    return sum(sums, Sum())


@few
@given(rows=hours(), by=st.sampled_from(OF_DEVICES))
def test_groups_of_devices_sum_to_the_whole(rows: ReportRows, by: GroupBy) -> None:
    report = made(rows, by)
    assert whole(group.sum for group in report.groups) == report.total
    assert report.total.energy_mj == sum(row.energy_mj for row in rows.devices)


@few
@given(rows=hours(), by=st.sampled_from(OF_OWNERS))
def test_groups_of_owners_sum_to_the_whole(rows: ReportRows, by: GroupBy) -> None:
    report = made(rows, by)
    found = whole(group.sum for group in report.groups)
    assert (found.energy_mj, found.idle_mj, found.priced) == (
        report.total.energy_mj,
        report.total.idle_mj,
        report.total.priced,
    )


@few
@given(rows=hours())
def test_states_and_hours_sum_to_the_whole_and_so_does_the_boundary(rows: ReportRows) -> None:
    report = made(rows)
    assert whole(report.states.values()) == report.total
    assert sum(sum(point.states.values()) for point in report.hours) == report.total.energy_mj
    assert sum((point.priced for point in report.hours), NOTHING) == report.total.priced
    assert report.boundaries.get(report.boundary, NOTHING) == report.total.priced
    assert report.unpriced_mj == 0
    assert sum(sum(row.idle_mj.values()) for row in report.heat) == report.total.idle_mj


@few
@given(rows=hours(), boundary=st.sampled_from([Boundary.GPU, Boundary.FACILITY]))
def test_settling_loses_no_number_of_any_hour(rows: ReportRows, boundary: Boundary) -> None:
    settled = settle(rows, boundary)
    devices: dict[tuple[str, int], Priced] = {}
    owners: dict[tuple[str, int, str, str], Priced] = {}
    for row in settled.devices:
        devices[row.host, row.hour] = devices.get((row.host, row.hour), NOTHING) + row.priced
    for owner in settled.owners:
        key = (owner.host, owner.hour, owner.uuid, owner.state.value)
        owners[key] = owners.get(key, NOTHING) + owner.priced
    for hour in rows.hours:
        assert devices[hour.host, hour.price.hour] == hour.price.boundaries.get(boundary, NOTHING)
    for row in settled.devices:
        assert owners[row.host, row.hour, row.uuid, row.state.value] == row.priced


@few
@given(rows=hours())
def test_what_is_closed_stays_with_whom_it_was_closed_for(rows: ReportRows) -> None:
    for before, after in zip(rows.devices, settle(rows).devices, strict=True):
        closed = replace(before.priced, energy_mj=before.energy_mj - before.open_mj)
        assert all(now >= then for now, then in zip(columns(after.priced), columns(closed), strict=True))
        if not before.open_mj:
            assert after.priced == closed


@few
@given(rows=hours(), by=st.sampled_from(GroupBy), seed=st.integers(0, 99))
def test_pieces_and_another_order_make_the_same_report(rows: ReportRows, by: GroupBy, seed: int) -> None:
    expected = made(rows, by)
    keys = list({(hour.host, hour.price.hour) for hour in rows.hours})
    Random(seed).shuffle(keys)  # noqa: S311
    builder = Builder(START, END, by=by, clock_text=clock_text, boundary=expected.boundary)
    for host, hour in keys:
        builder.add(
            ReportRows(
                tuple(row for row in rows.devices if (row.host, row.hour) == (host, hour)),
                tuple(row for row in rows.owners if (row.host, row.hour) == (host, hour)),
                (),
                tuple(row for row in rows.hours if (row.host, row.price.hour) == (host, hour)),
            )
        )
    assert builder.report() == expected


@given(
    number=st.integers(0, 10**20),
    energies=st.lists(st.integers(0, 10**10), max_size=6),
    of_mj=st.integers(0, 10**11),
)
def test_parts_by_energy_are_no_more_than_the_whole(number: int, energies: list[int], of_mj: int) -> None:
    priced = Priced(of_mj, number, of_mj)
    parts = by_energy(priced, energies, of_mj=of_mj)
    found = sum(parts, NOTHING)
    assert found.location <= number
    assert found.energy_mj <= of_mj
    if of_mj and sum(energies) >= of_mj:
        assert (found.location, found.energy_mj) == (number, of_mj)
