"""Hourly history of workloads and services: it sums to that of the devices, is bounded, and goes with it."""

import logging
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import (
    EPOCH_WALL_NS,
    FakeClock,
    commit_tick,
    entry,
    instant_of,
    parts_of,
    uuid_of,
    window_of,
    workload_of,
)
from tests.agent.ledger.ledger_prices import closings_of
from wattledger.agent.ledger import LEDGER_NAME, Ledger, MemoryLedger, PriceCommit, SqliteLedger, UsageCommit
from wattledger.agent.ledger.hourly_limit import CELLS_PER_HOUR
from wattledger.agent.ledger.prune import ROWS_PER_STEP
from wattledger.rules.account import Entry
from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import COVERED_PHASES, Phase, ServiceWindow
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import FOLDED, UNATTRIBUTED, Part, ShareMethod, Workload, WorkloadKind

HOUR_S = 3600
DAY_S = 86_400
CAST = [workload_of("a"), workload_of("b"), Workload(WorkloadKind.USER, "\udcff", "\udcff"), UNATTRIBUTED]


def part_of(whole: Entry, workload: Workload, energy_mj: int, avoidable_mj: int = 0, service: str = "") -> Part:
    method = ShareMethod.SM_SHARE
    return Part(whole.uuid, workload, whole.state, method, whole.start, whole.end, energy_mj, avoidable_mj, service)


@st.composite
def _shared(draw: st.DrawFn) -> tuple[Entry, list[Part]]:
    """Draw an entry and its parts, which sum to it."""
    energy_mj = draw(st.integers(0, 9) | st.integers(0, 10**12) | st.integers(0, 2**70))
    begin_s, seconds = draw(st.integers(0, 8 * HOUR_S)), draw(st.integers(0, 5 * HOUR_S))
    one = entry(
        draw(st.sampled_from([State.ACTIVE, State.HELD])),
        start_s=begin_s,
        seconds=seconds,
        energy_mj=energy_mj,
        avoidable_mj=draw(st.integers(0, energy_mj)),
        slot=draw(st.integers(0, 1)),
    )
    # Services of one workload have a part each.
    holders = draw(st.lists(st.tuples(st.sampled_from(CAST), st.sampled_from(["", "s"])), min_size=1, max_size=4))
    weights = [draw(st.integers(0, 5)) for _ in holders]
    energies = apportion(energy_mj, weights)
    avoidables = apportion(one.avoidable_mj, energies)
    shares = zip(holders, energies, avoidables, strict=True)
    return one, [part_of(one, workload, mj, avoidable, of) for (workload, of), mj, avoidable in shares]


@settings(max_examples=40)
@given(st.lists(st.lists(_shared(), max_size=4), min_size=1, max_size=3))
def test_conservation_workloads_sum_to_the_devices_hour_by_hour(steps: list[list[tuple[Entry, list[Part]]]]) -> None:
    seen: dict[tuple[object, ...], Entry] = {}
    with tempfile.TemporaryDirectory() as directory:
        ledger, other = SqliteLedger(Path(directory), clock=FakeClock()), MemoryLedger()
        for step in steps:
            # A device is booked once a time: the parts of an interval are told by it.
            fresh = [(one, parts) for one, parts in step if (one.uuid, one.state, one.start, one.end) not in seen]
            fresh = list({(one.uuid, one.state, one.start, one.end): (one, parts) for one, parts in fresh}.values())
            seen |= {(one.uuid, one.state, one.start, one.end): one for one, _ in fresh}
            entries = [one for one, _ in fresh]
            usage = UsageCommit(parts=[part for _, parts in fresh for part in parts])
            for each in (ledger, other):
                each.commit({}, entries, instant_of(13 * HOUR_S), usage=usage)
        assert ledger.workload_history(0, 2**62) == other.workload_history(0, 2**62)
        devices = {
            (row.hour_wall_ns, row.uuid, row.state): (row.energy_mj, row.avoidable_mj)
            for row in ledger.history(0, 2**62)
        }
        energy: Counter[tuple[int, str, State]] = Counter()
        avoidable: Counter[tuple[int, str, State]] = Counter()
        for row in ledger.workload_history(0, 2**62):
            energy[row.hour_wall_ns, row.uuid, row.state] += row.energy_mj
            avoidable[row.hour_wall_ns, row.uuid, row.state] += row.avoidable_mj
            assert 0 <= row.avoidable_mj <= row.energy_mj
        assert {key: (energy[key], avoidable[key]) for key in energy} == devices
        ledger.close()


@pytest.mark.parametrize("memory_only", [True, False])
def test_the_time_of_a_workload_counts_once_however_many_parts_it_has(tmp_path: Path, *, memory_only: bool) -> None:
    ledger = MemoryLedger() if memory_only else SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=1800, seconds=HOUR_S, energy_mj=10)
    parts = [
        part_of(one, CAST[0], 3, service="s"),
        part_of(one, CAST[1], 4),
        replace(part_of(one, CAST[0], 3, service="t"), method=ShareMethod.EQUAL),
    ]
    ledger.commit({}, [one], one.end, usage=UsageCommit(parts=parts))
    found = [(row.workload, row.energy_mj, row.duration_ns) for row in ledger.workload_history(0, 2**62)]
    half_ns = NS_PER_HOUR // 2
    assert found == [(CAST[0], 3, half_ns), (CAST[1], 2, half_ns)] * 2
    ledger.close()


def _hours(ledger: Ledger) -> list[int]:
    return sorted({(row.hour_wall_ns - EPOCH_WALL_NS) // NS_PER_HOUR for row in ledger.workload_history(0, 2**62)})


def test_history_gives_the_hours_that_overlap_the_range(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=0, seconds=3 * HOUR_S, energy_mj=9)
    window = replace(window_of(1), start=one.start, end=one.end)
    ledger.commit({}, [one], one.end, usage=UsageCommit(parts=parts_of(one), windows=[("m", window)]))
    for start_s, end_s, hours in [(0, 3 * HOUR_S, 3), (HOUR_S, 2 * HOUR_S, 1), (HOUR_S - 1, HOUR_S, 1), (5, 5, 0)]:
        asked = (EPOCH_WALL_NS + start_s * NS_PER_SECOND, EPOCH_WALL_NS + end_s * NS_PER_SECOND)
        assert len(ledger.workload_history(*asked)) == 2 * hours
        assert len(ledger.service_history(*asked)) == hours
    ledger.close()


def _many(whole: Entry, count: int) -> list[Part]:
    return [part_of(whole, Workload(WorkloadKind.SLURM, f"{n}", f"{n}"), 1) for n in range(count)]


@pytest.mark.parametrize("memory_only", [True, False])
def test_workloads_beyond_the_limit_of_an_hour_are_folded_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, memory_only: bool
) -> None:
    ledger = MemoryLedger() if memory_only else SqliteLedger(tmp_path, clock=FakeClock())
    count = CELLS_PER_HOUR + 3
    for number in range(3):
        one = entry(start_s=number * 60, seconds=60, energy_mj=count + 5)
        parts = [*_many(one, count), part_of(one, UNATTRIBUTED, 5)]
        ledger.commit({}, [one], one.end, usage=UsageCommit(parts=parts))
    found = {row.workload: row for row in ledger.workload_history(0, 2**62)}
    assert len(found) == CELLS_PER_HOUR + 2
    assert (found[FOLDED].energy_mj, found[UNATTRIBUTED].energy_mj) == (9, 15)
    # Three workloads had the device together for three minutes.
    assert found[FOLDED].duration_ns == 180 * NS_PER_SECOND
    assert sum(row.energy_mj for row in found.values()) == 3 * (count + 5)
    warned = [record.levelno for record in caplog.records if "ledger_workloads_folded" in record.message]
    assert warned == [logging.WARNING]
    # The next hour has room again.
    later = entry(start_s=HOUR_S, seconds=60, energy_mj=1)
    ledger.commit({}, [later], later.end, usage=UsageCommit(parts=_many(later, count)[-1:]))
    assert ledger.workload_history(0, 2**62)[-1].workload.id == str(count - 1)
    ledger.close()


def test_what_waits_for_the_disk_is_in_the_history_once(tmp_path: Path) -> None:
    ledger, other = SqliteLedger(tmp_path, clock=FakeClock()), MemoryLedger()
    commit_tick(ledger, 1)
    commit_tick(other, 1)
    holder = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for tick in (2, 3):
        commit_tick(ledger, tick)
        commit_tick(other, tick)
        assert not ledger.health().writable
        assert ledger.workload_history(0, 2**62) == other.workload_history(0, 2**62)
        assert ledger.service_history(0, 2**62) == other.service_history(0, 2**62)
    holder.execute("ROLLBACK")
    holder.close()
    commit_tick(ledger, 4)
    commit_tick(other, 4)
    assert ledger.health().writable
    assert ledger.workload_history(0, 2**62) == other.workload_history(0, 2**62)
    assert ledger.service_history(0, 2**62) == other.service_history(0, 2**62)
    ledger.close()


NUMBERS = st.integers(0, 9) | st.integers(0, 2**70)
MODELS = st.sampled_from(["", "m", "\udcff"])


@st.composite
def _windows(draw: st.DrawFn) -> tuple[str, ServiceWindow]:
    begin_s = draw(st.integers(0, 3 * HOUR_S))
    total_mj = draw(NUMBERS)
    tokens = st.dictionaries(MODELS, st.dictionaries(st.sampled_from(TokenKind), NUMBERS), max_size=2)
    window = ServiceWindow(
        draw(st.sampled_from(["s", "t\0"])),
        instant_of(begin_s),
        instant_of(begin_s + draw(st.integers(0, 4 * HOUR_S))),
        draw(st.sampled_from(Phase)),
        draw(st.integers(0, total_mj)),
        total_mj,
        draw(tokens),
    )
    return draw(MODELS), window


@settings(max_examples=40)
@given(st.lists(st.lists(_windows(), max_size=3), min_size=1, max_size=3))
def test_conservation_the_hours_of_services_sum_to_their_windows(
    steps: list[list[tuple[str, ServiceWindow]]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ledger, other = SqliteLedger(Path(directory), clock=FakeClock()), MemoryLedger()
        for step in steps:
            for one in (ledger, other):
                one.commit({}, [], instant_of(8 * HOUR_S), usage=UsageCommit(windows=step))
        rows = ledger.service_history(0, 2**62)
        assert rows == other.service_history(0, 2**62)
        ledger.close()
    windows = [item for step in steps for item in step]
    phases: Counter[tuple[str, str, Phase]] = Counter()
    active: Counter[tuple[str, str]] = Counter()
    tokens: Counter[tuple[str, str, TokenKind]] = Counter()
    for model, window in windows:
        phases[window.service, model, window.phase] += window.total_mj
        active[window.service, model] += window.active_mj if window.phase in COVERED_PHASES else 0
        for of, counts in window.tokens.items():
            tokens.update({(window.service, of, kind): count for kind, count in counts.items()})
    for row in rows:
        assert row.total_mj == sum(mj for phase, mj in row.phases.items() if phase in COVERED_PHASES)
        assert 0 <= row.active_mj <= row.total_mj
        phases.subtract({(row.service, row.model, phase): mj for phase, mj in row.phases.items()})
        active.subtract({(row.service, row.model): row.active_mj})
        tokens.subtract({(row.service, row.model, kind): count for kind, count in row.tokens.items()})
    assert not any(phases.values())
    assert not any(active.values())
    assert not any(tokens.values())


def test_idle_windows_and_tokens_of_the_only_model_are_one_row_and_those_of_several_are_apart(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    served, rested = window_of(1), window_of(2)
    two = replace(window_of(3), service="two", tokens={"a": {TokenKind.OUTPUT: 1}, "b": {TokenKind.OUTPUT: 0}})
    ledger.commit({}, [], instant_of(3), usage=UsageCommit(windows=[("m", served), ("m", rested), ("", two)]))
    found = [(row.service, row.model, row.phases, row.tokens) for row in ledger.service_history(0, 2**62)]
    assert found == [
        ("llm", "m", {Phase.IDLE: 100_000, Phase.SERVING: 100_000}, {TokenKind.OUTPUT: 7, TokenKind.PROMPT: 30}),
        ("two", "", {Phase.SERVING: 100_000}, {}),
        ("two", "a", {}, {TokenKind.OUTPUT: 1}),
        ("two", "b", {}, {TokenKind.OUTPUT: 0}),
    ]
    ledger.close()


def _count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  (names of this test)
    finally:
        connection.close()
    return int(count)


def test_old_history_goes_with_that_of_the_devices_and_workloads_with_it(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock, history_days=2)
    gone, kept, young = workload_of("gone"), workload_of("kept"), workload_of("young")
    long = entry(start_s=0, seconds=4 * DAY_S, energy_mj=10**9)
    new = entry(start_s=4 * DAY_S, seconds=60, energy_mj=5)
    usage = UsageCommit(
        [UsageTotal(uuid_of(0), kept, State.ACTIVE, ShareMethod.EXCLUSIVE, 1)],
        parts=[part_of(long, gone, 10**9 - 1), part_of(long, kept, 1), part_of(new, young, 5)],
        windows=[("m", replace(window_of(1), start=long.start, end=long.end))],
    )
    ledger.commit({}, [long, new], clock.advance(4 * DAY_S), usage=usage)
    # What is older than two days never came in.
    assert (len(_hours(ledger)), len(ledger.service_history(0, 2**62))) == (49, 48)
    clock.advance(47 * HOUR_S)
    ledger.commit({}, [], clock.now())
    for _ in range(8):
        ledger.commit({}, [], clock.advance(1))
    clock.advance(HOUR_S)
    for _ in range(8):
        ledger.commit({}, [], clock.advance(1))
    path = tmp_path / LEDGER_NAME
    assert [row.workload for row in ledger.workload_history(0, 2**62)] == [young]
    assert ledger.service_history(0, 2**62) == []
    assert (_count(path, "open_service"), _count(path, "service_hourly_tokens")) == (0, 0)
    assert _count(path, "workload") == 2
    # One that returns gets a row again.
    back = entry(start_s=6 * DAY_S, seconds=60, energy_mj=5)
    ledger.commit({}, [back], clock.advance(1), usage=UsageCommit(parts=[part_of(back, gone, 5)]))
    assert ledger.workload_history(0, 2**62)[-1].workload == gone
    ledger.close()


def test_hours_with_very_many_workloads_go_in_small_steps(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock, history_days=2)
    hours = 6
    for hour in range(hours):
        one = entry(start_s=hour * HOUR_S, seconds=60, energy_mj=1500)
        ledger.commit({}, [one], clock.advance(HOUR_S), usage=UsageCommit(parts=_many(one, 1500)))
    left = [hours * 1500]
    clock.advance(3 * DAY_S)
    ledger.commit({}, [], clock.now())
    clock.advance(HOUR_S)
    while left[-1]:
        ledger.commit({}, [], clock.advance(1))
        left.append(_count(tmp_path / LEDGER_NAME, "open_workload"))
        assert left[-2] - left[-1] <= ROWS_PER_STEP
        assert len(left) < 20
    for _ in range(3):
        ledger.commit({}, [], clock.advance(1))
    assert _count(tmp_path / LEDGER_NAME, "workload") == 0
    ledger.close()


def test_history_adds_up_beyond_64_bits(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    huge = 2**64 - 1
    for tick in (1, 2, 3):
        one = entry(start_s=tick, seconds=1, energy_mj=huge, avoidable_mj=huge)
        window = replace(window_of(1), active_mj=huge, total_mj=huge, tokens={"m": {TokenKind.OUTPUT: huge}})
        usage = UsageCommit(parts=[part_of(one, CAST[0], huge, huge)], windows=[("m", window)])
        ledger.commit({}, [one], one.end, usage=usage)
    (row,) = ledger.workload_history(0, 2**62)
    (served,) = ledger.service_history(0, 2**62)
    assert (row.energy_mj, row.avoidable_mj) == (3 * huge, 3 * huge)
    assert (served.active_mj, served.total_mj, served.tokens) == (3 * huge, 3 * huge, {TokenKind.OUTPUT: 3 * huge})
    ledger.close()


def _size(directory: Path, days: int, workloads: Iterable[Workload]) -> int:
    """Give the ledger's size after *days* in which each hour saw these workloads at work and at rest."""
    ledger = SqliteLedger(directory, clock=FakeClock())
    cast = list(workloads)
    for day in range(days):
        entries = [
            entry(state, start_s=(day * 24 + hour) * HOUR_S + place * 1800, seconds=1800, energy_mj=1_234_567_890)
            for hour in range(24)
            for place, state in enumerate((State.ACTIVE, State.HELD))
        ]
        parts = [part_of(one, workload, 308_641_972, 217_283_945) for one in entries for workload in cast]
        prices = PriceCommit(closings=closings_of(entries))
        ledger.commit({}, entries, entries[-1].end, usage=UsageCommit(parts=parts), prices=prices)
    ledger.close()
    return (directory / LEDGER_NAME).stat().st_size


def test_the_history_of_a_workload_grows_by_under_1_5_mb_a_year_with_its_prices() -> None:
    shm = Path("/dev/shm")  # noqa: S108  (each directory below is this test's own)
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as directory:
        (Path(directory) / "with").mkdir()
        (Path(directory) / "without").mkdir()
        cast = [workload_of(f"pod-{number}") for number in range(4)]
        days = 91
        grown = _size(Path(directory) / "with", days, cast) - _size(Path(directory) / "without", days, [])
    mb = grown / len(cast) / 1e6 * 365 / days
    print(f"{mb:.2f} MB a workload-year on one GPU, {grown / len(cast) / (days * 24 * 2):.1f} bytes a row")
    assert mb < 1.5
