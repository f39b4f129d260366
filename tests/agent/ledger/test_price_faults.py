"""Whatever the disk does, each closing counts once: a troubled ledger says in the end what one in memory says."""

import os
import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import FakeClock, entry, instant_of, mounted, needs_root, parts_of, window_of
from tests.agent.ledger.ledger_prices import (
    close_all,
    closing_of,
    closings_of,
    counters_at,
    devices_sum,
    energies_of,
    row_of,
    total_of,
    workloads_sum,
)
from wattledger.agent.ledger import LEDGER_NAME, Ledger, MemoryLedger, PriceCommit, SqliteLedger, UsageCommit, peek
from wattledger.agent.ledger.base import NodeCommit
from wattledger.agent.ledger.store import Store
from wattledger.rules.account import Entry
from wattledger.rules.chain.node_model import NODE, NodeSource, NodeTotal
from wattledger.rules.pricing.model import SLOTS_PER_HOUR, Priced
from wattledger.rules.state import State

HOUR_S = 3600
EPOCH_HOUR = 490_000
FIRST_SLOT = EPOCH_HOUR * SLOTS_PER_HOUR


class Fault(Enum):
    """What the disk does to one commit."""

    NONE = auto()
    BUSY = auto()  # another program holds the file
    LATE = auto()  # the COMMIT holds, and an error is reported
    LOST = auto()  # the COMMIT does not hold
    REOPENED = auto()  # none; the ledger is closed and opened anew afterwards


class Answering:
    """A connection whose next COMMIT reports an error, as a disk that fails in fsync may; it holds or not."""

    def __init__(self, connection: sqlite3.Connection, *, holds: bool) -> None:
        self._connection = connection
        self._holds = holds

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return self._connection.execute(sql, parameters)
        self._connection.execute("COMMIT" if self._holds else "ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def answer(ledger: SqliteLedger, *, holds: bool) -> None:
    """Let the next COMMIT of an open ledger report an error."""
    store = ledger._place.store
    if isinstance(store, Store):
        store._connection = Answering(store._connection, holds=holds)  # type: ignore[assignment]  # the fault


@dataclass
class Books:
    """A ledger in a directory whose commits fail on demand, and one in memory that is told the same."""

    directory: Path
    waiting: Counter[int] = field(default_factory=Counter)  # energy that is open, by quarter hour
    tick: int = 0

    def __post_init__(self) -> None:
        self.stored = SqliteLedger(self.directory, clock=FakeClock())
        self.kept = MemoryLedger()

    def commit(self, entries: list[Entry], prices: PriceCommit, fault: Fault = Fault.NONE) -> None:
        """Commit to both."""
        self.tick += 1
        parts = [part for one in entries for part in parts_of(one)]
        windows = [("m", window_of(self.tick))] if entries else []
        other = None
        if fault is Fault.BUSY:
            other = sqlite3.connect(self.directory / LEDGER_NAME, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
        if fault in (Fault.LATE, Fault.LOST):
            answer(self.stored, holds=fault is Fault.LATE)
        for ledger in (self.stored, self.kept):
            ledger.commit(
                {}, entries, instant_of(self.tick), usage=UsageCommit(parts=parts, windows=windows), prices=prices
            )
        if other is not None:
            other.execute("ROLLBACK")
            other.close()
        if fault is Fault.REOPENED:
            self.stored.close()
            self.stored = SqliteLedger(self.directory, clock=FakeClock())

    def close_hours(self, hours: list[int]) -> PriceCommit:
        """Give what closes *hours* now."""
        closings = [closing_of(hour, self.waiting) for hour in hours]
        for hour in hours:
            for slot in range(hour * SLOTS_PER_HOUR, (hour + 1) * SLOTS_PER_HOUR):
                del self.waiting[slot]
        totals, certificates = counters_at(self.tick)
        return PriceCommit(
            closings=closings,
            hours=[row_of(closing, final=True) for closing in closings],
            totals=totals,
            certificates=certificates,
        )

    def open_hours(self) -> list[int]:
        """Give the hours of which something is open."""
        return sorted({slot // SLOTS_PER_HOUR for slot in self.kept.load_prices().open_slots})


def everything(ledger: Ledger) -> tuple[object, ...]:
    """Give all that a ledger says of history and prices."""
    prices = ledger.load_prices()
    return (
        ledger.history(0, 2**62),
        ledger.workload_history(0, 2**62),
        ledger.service_history(0, 2**62),
        ledger.price_history(0, 2**62),
        sorted((total.key, total) for total in prices.totals),
        prices.certificates,
        prices.hours,
        prices.open_slots,
    )


@st.composite
def _entries(draw: st.DrawFn) -> Entry:
    return entry(
        draw(st.sampled_from([State.ACTIVE, State.HELD])),
        start_s=draw(st.sampled_from([0, 100, 901, 3599, 3700])),
        seconds=draw(st.sampled_from([0, 60, 2000])),
        energy_mj=3 * draw(st.integers(0, 10**6)),
        slot=draw(st.integers(0, 1)),
    )


STEPS = st.tuples(st.lists(_entries(), max_size=2), st.booleans(), st.booleans(), st.sampled_from(Fault))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=2, max_size=10))
def test_each_closing_counts_once_whatever_the_disk_does(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[list[Entry], bool, bool, Fault]]
) -> None:
    monkeypatch.setattr("wattledger.agent.ledger.connection.BUSY_SECONDS", 0.001)
    with tempfile.TemporaryDirectory() as directory:
        books = Books(Path(directory))
        for entries, closes_first, closes_second, fault in steps:
            # A device is booked once a time: the parts of an interval are told by it.
            fresh = list({(one.uuid, one.state, one.start, one.end): one for one in entries}.values())
            books.waiting.update(energies_of(fresh))
            hours = [hour for hour, closes in enumerate((closes_first, closes_second), EPOCH_HOUR) if closes]
            books.commit(fresh, books.close_hours(hours), fault)
        books.commit([], PriceCommit())
        assert books.stored.health().writable, books.stored.health().detail
        assert everything(books.stored) == everything(books.kept)
        books.commit([], books.close_hours(books.open_hours()), Fault.REOPENED)
        assert everything(books.stored) == everything(books.kept)
        books.stored.close()


def _books(directory: Path) -> tuple[Books, Entry, Entry]:
    one, late = entry(start_s=0, seconds=HOUR_S, energy_mj=3_600), entry(start_s=900, seconds=60, energy_mj=60)
    books = Books(directory)
    books.commit([one], PriceCommit())
    books.waiting.update(energies_of([one]))
    return books, one, late


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.LOST, Fault.BUSY])
@pytest.mark.parametrize("closes_again", [True, False])
def test_a_closing_that_failed_is_apart_from_what_comes_for_its_hour_later(
    tmp_path: Path, fault: Fault, *, closes_again: bool
) -> None:
    books, one, late = _books(tmp_path)
    books.commit([], books.close_hours([EPOCH_HOUR]), fault)
    assert not books.stored.health().writable
    books.waiting.update(energies_of([late]))
    again = [EPOCH_HOUR] if closes_again else []
    books.commit([late], books.close_hours(again), Fault.BUSY)
    assert not books.stored.health().writable
    books.commit([], PriceCommit())
    assert books.stored.health().writable, books.stored.health().detail
    assert everything(books.stored) == everything(books.kept)
    (row,) = books.stored.history(0, 2**62)
    told = [*closings_of([one]), *(closings_of([late]) if closes_again else ())]
    assert (row.energy_mj, row.open_mj) == (3_660, 0 if closes_again else 60)
    assert row.priced.location == total_of(told).location
    books.stored.close()


def test_what_waits_for_the_disk_is_told_as_open(tmp_path: Path) -> None:
    books, one, _ = _books(tmp_path)
    books.commit([], books.close_hours([EPOCH_HOUR]), Fault.BUSY)
    (row,) = books.stored.history(0, 2**62)
    assert (row.priced, row.open_mj) == (Priced(3_600), 3_600)
    # But to who asks what is to be closed it is not, and its row is final.
    assert books.stored.load_prices() == books.kept.load_prices()
    assert books.stored.price_history(0, 2**62) == [row_of(closings_of([one])[0], final=True)]
    books.stored.close()
    assert peek(tmp_path / LEDGER_NAME).prices.certificates == counters_at(1)[1]
    again = SqliteLedger(tmp_path, clock=FakeClock())
    assert devices_sum(again) == workloads_sum(again) == total_of(closings_of([one]))
    again.close()


@pytest.mark.parametrize(
    "table",
    [
        "hourly",
        "workload_hourly",
        "service_hourly",
        "hour_price",
        "hour_factor",
        "hour_supply",
        "hour_grid_score",
        "price_total",
        "certificate",
    ],
)
def test_a_closing_is_stored_as_a_whole_or_not_at_all(tmp_path: Path, table: str) -> None:
    books, _, _ = _books(tmp_path)
    before = _dump(tmp_path)
    _sql(tmp_path, f"CREATE TRIGGER no BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    books.commit([], books.close_hours([EPOCH_HOUR]))
    assert not books.stored.health().writable
    _sql(tmp_path, "DROP TRIGGER no")
    assert _dump(tmp_path) == before
    books.commit([], PriceCommit())
    assert books.stored.health().writable, books.stored.health().detail
    assert everything(books.stored) == everything(books.kept)
    books.stored.close()


def _sql(directory: Path, text: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        with connection:
            return connection.execute(text).fetchall()
    finally:
        connection.close()


def _dump(directory: Path) -> list[str]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@needs_root
def test_closings_on_a_full_disk_wait_for_room(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=4m", "none") as disk:
        books, one, late = _books(disk)
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize))
        away = entry(State.UNOBSERVED, start_s=-110 * 86_400, seconds=110 * 86_400, energy_mj=3 * 10**9)
        # More than folding the log gives back, and more cells than memory holds by the quarter.
        books.commit([away], PriceCommit())
        books.commit([], books.close_hours([EPOCH_HOUR]))
        assert not books.stored.health().writable
        assert "no space left" in books.stored.health().detail
        books.waiting.update(energies_of([late]))
        books.commit([late], books.close_hours([EPOCH_HOUR]))
        (disk / "filler").unlink()
        books.commit([], PriceCommit())
        assert books.stored.health().writable, books.stored.health().detail
        assert sum(row.energy_mj for row in books.stored.history(0, 2**62)) == 3 * 10**9 + 3_660
        (row,) = [row for row in books.stored.history(0, 2**62) if row.open_mj == 0]
        assert row.priced == total_of([*closings_of([one]), *closings_of([late])])
        books.stored.close()


def test_counters_of_prices_are_whole_in_a_file_that_is_written_anew(tmp_path: Path) -> None:
    totals, certificates = counters_at(7)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    node = NodeTotal(NODE, NodeSource.IPMI, 5, 6, 7, 8)
    prices = PriceCommit(totals=totals, certificates=certificates, node=NodeCommit([node]))
    ledger.commit({}, [], instant_of(1), prices=prices)
    (tmp_path / LEDGER_NAME).unlink()
    ledger.commit({}, [], instant_of(2))
    assert ledger.health().writable, ledger.health().detail
    found = peek(tmp_path / LEDGER_NAME).prices
    assert (set(found.totals), found.certificates, found.nodes) == (set(totals), certificates, (node,))
    # And from then on only what changes is written.
    _sql(tmp_path, "UPDATE certificate SET used_mj = 1")
    ledger.commit({}, [], instant_of(3), prices=PriceCommit(certificates=certificates))
    assert set(peek(tmp_path / LEDGER_NAME).prices.certificates.values()) == {1}
    ledger.close()


def test_memory_that_waits_for_the_disk_is_bounded_and_hours_close_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattledger.agent.ledger.waiting.MAX_HOURS", 20)
    state = tmp_path / "state"
    state.write_text("")
    ledger = SqliteLedger(state, clock=FakeClock())
    for hour in range(23):
        one = entry(start_s=hour * HOUR_S, seconds=HOUR_S, energy_mj=3_600)
        ledger.commit({}, [one], one.end, prices=close_all([one]))
    state.unlink()
    ledger.commit({}, [], instant_of(23 * HOUR_S))
    assert ledger.health().writable, ledger.health().detail
    rows = ledger.history(0, 2**62)
    assert {row.open_mj for row in rows} == {0}
    assert [row.priced.location > 0 for row in rows] == [False] * 3 + [True] * 20
    assert len(ledger.price_history(0, 2**62)) == 20
    assert ledger.load_prices().open_slots == {}
    ledger.close()
