"""A report out of a real ledger that is being written: its numbers are those of an independent calculation."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.report.ledger_day import (
    CHAT,
    HOURS,
    LATE_HOUR,
    LATE_MJ,
    NAMES,
    START_HOUR,
    START_NS,
    SWEEP,
    UUIDS,
    LedgerDay,
    intensity,
    price,
)
from tests.agent.report.reading import END_NS, read
from wattledger.agent.config import SourceMode
from wattledger.agent.ledger import MemoryLedger, SqliteLedger, open_read_only
from wattledger.agent.report.from_ledger import LedgerSource, ledger_folder
from wattledger.agent.report.source import ReportError
from wattledger.rules.account import DeviceAccount
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Boundary
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.state import State


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerDay]:
    """Give a day whose last hours are open, and one of whose closed hours was opened again. Its ledger is in use."""
    day = LedgerDay(tmp_path_factory.mktemp("ledger"))
    day.run()
    day.late()
    yield day
    day.ledger.close()


def products(drawn: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Give grams and money, as products, of energies with their hours."""
    return sum(energy * intensity(hour) for hour, energy in drawn), sum(
        energy * price(hour) for hour, energy in drawn
    )


def test_the_ledger_has_all_kinds_of_hours(day: LedgerDay) -> None:
    hours = {hour.hour: hour for hour in day.ledger.price_history(START_NS, END_NS)}
    assert len(hours) == HOURS
    assert hours[START_HOUR].final
    assert not hours[START_HOUR + 23].final
    assert not hours[LATE_HOUR].final, "late energy opened it again"


def test_the_whole_is_what_every_joule_came_to_in_its_hour(day: LedgerDay) -> None:
    drawn = [(entry.start.wall_ns // NS_PER_HOUR, entry.energy_mj) for entry in day.entries]
    location, cost = products(drawn)
    at_gpu = read(day.folder, boundary=Boundary.GPU)
    assert (at_gpu.total.priced.location, at_gpu.total.priced.cost) == (location, cost)
    at_meter = read(day.folder)
    assert at_meter.boundary is Boundary.FACILITY
    assert at_meter.total.energy_mj == sum(energy for _, energy in drawn)
    assert (at_meter.total.priced.location, at_meter.total.priced.cost) == (location * 5 // 4, cost * 5 // 4)
    assert at_meter.boundaries[Boundary.FACILITY] == at_meter.total.priced
    assert at_meter.unpriced_mj == 0
    assert at_meter.open_mj == LATE_MJ + sum(energy for hour, energy in drawn if hour >= START_HOUR + 18)


def test_late_energy_has_the_prices_of_its_own_and_takes_none_from_the_others(day: LedgerDay) -> None:
    span = (LATE_HOUR * NS_PER_HOUR, (LATE_HOUR + 1) * NS_PER_HOUR)
    groups = {group.name: group.sum for group in read(day.folder, GroupBy.STATE, span=span).groups}
    assert groups[State.UNKNOWN].priced.location == LATE_MJ * 5 // 4 * intensity(LATE_HOUR)
    held_mj = 120 * 3_600_000
    assert groups[State.HELD].priced.location == held_mj * 5 // 4 * intensity(LATE_HOUR)
    assert groups[State.HELD].priced.energy_mj == held_mj * 5 // 4


def test_late_energy_that_is_not_priced_yet_has_no_grams_and_leaves_the_others_alone(tmp_path: Path) -> None:
    day = LedgerDay(tmp_path)
    day.run(15 * 4)
    day.late(is_priced=False)
    report = read(tmp_path, GroupBy.STATE)
    groups = {group.name: group.sum for group in report.groups}
    assert (groups[State.UNKNOWN].energy_mj, groups[State.UNKNOWN].priced) == (LATE_MJ, NOTHING)
    assert report.unpriced_mj == LATE_MJ
    assert report.total.priced == report.boundaries[Boundary.FACILITY]
    day.ledger.close()


def test_each_owner_has_what_its_own_joules_came_to(day: LedgerDay) -> None:
    groups = {group.name: group.sum for group in read(day.folder).groups}
    for owner in (CHAT, SWEEP):
        own = [part for part in day.parts if part.workload == owner]
        location, cost = products([(part.start.wall_ns // NS_PER_HOUR, part.energy_mj) for part in own])
        priced = groups[owner.title].priced
        assert (priced.location, priced.cost) == (location * 5 // 4, cost * 5 // 4)
    assert sum((one.priced for one in groups.values()), NOTHING) == read(day.folder).total.priced


def test_a_service_has_what_its_energy_came_to(day: LedgerDay) -> None:
    (model,) = read(day.folder, GroupBy.MODEL).models
    own = [part for part in day.parts if part.workload == CHAT]
    location, _ = products([(part.start.wall_ns // NS_PER_HOUR, part.energy_mj) for part in own])
    assert (model.service, model.model) == ("chat", "llama-8b")
    assert model.priced.location == pytest.approx(location * 5 // 4, abs=HOURS * 4)


def test_boards_are_named_by_what_they_are_and_how_their_uuid_ends(day: LedgerDay) -> None:
    groups = read(day.folder, GroupBy.GPU).groups
    assert [(group.name, group.detail) for group in groups] == [
        ("NVIDIA H100 80GB HBM3 0000aaaa", UUIDS[0]),
        ("NVIDIA L40S 0000bbbb", UUIDS[1]),
    ]


def test_every_ledger_knows_the_names_of_its_devices(day: LedgerDay) -> None:
    names = dict(zip(UUIDS, NAMES, strict=True))
    assert day.ledger.device_names() == names
    memory = MemoryLedger({uuid: DeviceAccount(uuid, name=name) for uuid, name in names.items()})
    assert memory.device_names() == names
    history = open_read_only(day.folder)
    assert history.device_names() == names
    history.close()


@pytest.mark.parametrize("by", list(GroupBy))
def test_every_way_to_group_sums_to_the_same_grams(day: LedgerDay, by: GroupBy) -> None:
    report = read(day.folder, by)
    if by is not GroupBy.MODEL:
        assert sum(group.sum.priced.location for group in report.groups) == report.total.priced.location
    assert report.total == read(day.folder).total


def test_an_hour_of_the_past_alone_has_hours_that_overlap_and_no_others(day: LedgerDay) -> None:
    report = read(day.folder, GroupBy.HOUR, span=(START_NS + NS_PER_HOUR, START_NS + 3 * NS_PER_HOUR))
    assert [group.name for group in report.groups] == ["2024-11-04 01:00", "2024-11-04 02:00"]


def test_the_ledger_of_a_simulated_host_is_found_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "sim"
    simulated = LedgerDay(folder)
    simulated.run(8)
    simulated.ledger.close()
    assert ledger_folder(tmp_path, SourceMode.AUTO) == folder
    assert read(folder).simulated == ("node7",)


def test_real_books_go_before_simulated_ones_unless_a_simulation_is_asked_for(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "sim"):
        SqliteLedger(folder, clock=FakeClock()).close()
    assert ledger_folder(tmp_path, SourceMode.AUTO) == tmp_path
    assert ledger_folder(tmp_path, SourceMode.SIM) == tmp_path / "sim"
    assert ledger_folder(tmp_path, SourceMode.NVML) == tmp_path


def test_boards_that_are_called_simulated_are_told_wherever_their_books_lie(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    ledger.commit({UUIDS[0]: DeviceAccount(UUIDS[0], name="Simulated H100")}, [], FakeClock().now())
    ledger.close()
    source = LedgerSource(tmp_path, "node7", START_NS, END_NS)
    assert [rows.simulated for rows in source.pieces()] == [("node7",)]
    assert source.what_there_is() == f"the ledger in {tmp_path} has no hour yet"
    source.close()


def test_without_a_ledger_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"there is no ledger here; give the --state-dir"):
        LedgerSource(tmp_path, "node7", START_NS, END_NS)


def test_what_there_is_is_told_in_hours(day: LedgerDay) -> None:
    source = LedgerSource(day.folder, "node7", 0, NS_PER_HOUR)
    assert source.what_there_is().endswith("has hours from 2024-11-04 00:00 UTC to 2024-11-05 00:00 UTC")
    source.close()
