"""Points on the disk: what was put is there after a restart, and no trouble with the file reaches anyone."""

import logging
import os
import select
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.feeds.scripted_provider import GRID, TABLE
from tests.rules.feeds.feed_points import LAST, point, points
from wattledger.agent.feeds import store as store_module
from wattledger.agent.feeds.store import STORE_NAME, FeedStore
from wattledger.rules.feeds.model import Caliber, Gas, Measure, Point, PointKind, Series
from wattledger.rules.feeds.track import Track

_PRICE = Series(Measure.PRICE, "entsoe", "DE", currency="EUR")


def _again(tmp_path: Path, series: Series = GRID, number: int = 0) -> list[Point]:
    """Give what another agent would find."""
    store = FeedStore(tmp_path)
    found = store.points(series, number=number)
    store.close()
    return found


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    store = FeedStore(tmp_path)
    put = [point(0, 10, -5), point(10, 20, 2**62, PointKind.FORECAST, issued=7), point(5, 9, 1, PointKind.ESTIMATED)]
    store.put(GRID, put)
    store.close()
    assert _again(tmp_path) == put
    assert _again(tmp_path, TABLE) == []


@pytest.mark.parametrize(
    "other",
    [
        TABLE,
        _PRICE,
        replace(GRID, zone="DE"),
        replace(GRID, source="another"),
        replace(GRID, caliber=Caliber(gas=Gas.CO2)),
        replace(GRID, caliber=None),
    ],
)
def test_series_do_not_mix(tmp_path: Path, other: Series) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(0, 10, 1)])
    store.put(other, [point(0, 10, 2)])
    store.put(GRID, [point(0, 10, 3)], number=1)
    found = [store.points(GRID), store.points(other), store.points(GRID, number=1)]
    assert [[one.value for one in some] for some in found] == [[1], [2], [3]]


def test_a_later_issue_takes_the_place_and_an_earlier_one_does_not(tmp_path: Path) -> None:
    store = FeedStore(tmp_path)
    for one in (point(0, 10, 1, issued=5), point(0, 10, 2, issued=4), point(0, 10, 3, PointKind.FORECAST, issued=9)):
        store.put(GRID, [one])
    assert [one.value for one in store.points(GRID)] == [1, 3]
    store.put(GRID, [point(0, 10, 4, issued=5)])
    assert [one.value for one in store.points(GRID)] == [3, 4]


def test_nothing_takes_the_place_of_nothing(tmp_path: Path) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(0, 10, 1)])
    store.put(GRID, [])
    assert len(store.points(GRID)) == 1


def test_a_number_beyond_the_file_is_left_out(tmp_path: Path) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(0, 2**63, 1), point(0, 10, 2**63), point(0, 10, 7)])
    assert [one.value for one in store.points(GRID)] == [7]


def test_old_points_are_not_given_and_pruned(tmp_path: Path) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(0, 10, 1), point(10, 20, 2)])
    store.put(TABLE, [point(0, 10, 3)])
    assert [one.value for one in store.points(GRID, since_wall_ns=10)] == [2]
    store.prune(10)
    assert [one.value for one in store.points(GRID)] == [2]
    with sqlite3.connect(tmp_path / STORE_NAME) as connection:
        assert connection.execute("SELECT count(*) FROM series").fetchone() == (1,)
    connection.close()


def test_a_series_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_POINTS", 3)
    store = FeedStore(tmp_path)
    store.put(GRID, [point(at, at + 1, at) for at in range(9)])
    store.put(TABLE, [point(0, 1, 1)])
    store.prune(0)
    assert [one.value for one in store.points(GRID)] == [6, 7, 8]
    assert len(store.points(TABLE)) == 1


@settings(max_examples=30)
@given(st.lists(st.lists(points(), max_size=4), max_size=6))
def test_law_a_track_from_the_disk_shows_what_the_one_in_memory_did(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Point]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    store, track, restarted = FeedStore(folder), Track(GRID), Track(GRID)
    for batch in batches:
        store.put(GRID, batch)
        track.put(batch)
    store.close()
    restarted.put(_again(folder))
    assert restarted.cut(0, LAST) == track.cut(0, LAST)


def _damage_head(path: Path) -> None:
    path.write_bytes(b"no database at all" * 500)


def _damage_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def _damage_rows(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE point SET kind = 'nonsense'")
    connection.close()


def _damage_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE point")
    connection.close()


def _damage_text_of_a_row(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE point SET kind = CAST(x'4750ff' AS TEXT) WHERE number = 7")
    connection.close()


def _damage_text_of_the_schema(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET name = CAST(x'b4' AS TEXT), sql = 'CREATE' WHERE name = 'point'")
    connection.close()


def _of_another_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def _of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (id INTEGER)")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        _damage_head,
        _damage_middle,
        _damage_rows,
        _damage_tables,
        _damage_text_of_a_row,
        _damage_text_of_the_schema,
        _of_another_version,
        _of_another_program,
    ],
)
def test_a_damaged_file_is_moved_aside_and_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(at, at + 1, at) for at in range(500)])
    store.close()
    assert callable(damage)
    damage(tmp_path / STORE_NAME)
    store = FeedStore(tmp_path)
    assert store.points(GRID) == []
    assert [record.getMessage().split()[0] for record in caplog.records] == ["feed_cache_damaged"]
    assert (tmp_path / "feeds.damaged.sqlite3").exists()
    store.put(GRID, [point(0, 1, 7)])
    store.close()
    assert [one.value for one in _again(tmp_path)] == [7]


def test_a_file_that_breaks_while_it_is_in_use_is_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(0, 1, 1)])
    _damage_tables(tmp_path / STORE_NAME)
    store.put(GRID, [point(0, 1, 2)])
    assert [one.value for one in store.points(GRID)] == [2]
    assert len(caplog.records) == 1


def test_a_disk_that_damages_file_after_file_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FeedStore(tmp_path)
    for _ in range(4):
        store.put(GRID, [point(0, 1, 1)])
        store.close()
        _damage_head(tmp_path / STORE_NAME)
    assert store.points(GRID) == []
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        "feed_cache_damaged",
        "feed_cache_unusable",
    ]
    assert len(list(tmp_path.glob("*damaged*"))) == 1


def test_a_folder_that_cannot_be_written_is_told_once_and_used_when_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "state"
    place.write_text("a file where the folder should be")
    store = FeedStore(place)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            store.put(GRID, [point(0, 1, 1)])
            assert store.points(GRID) == []
        store.prune(0)
        place.unlink()
        store.put(GRID, [point(0, 1, 2)])
    assert [one.value for one in store.points(GRID)] == [2]
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        "feed_cache_unusable",
        "feed_cache_usable_again",
    ]


def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(0, 1, 1)])
    for path in tmp_path.iterdir():
        path.unlink()
    store.put(GRID, [point(1, 2, 2)])
    store.close()
    assert [one.value for one in _again(tmp_path)] == [2]


def test_another_program_that_holds_the_file_is_waited_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FeedStore(tmp_path)
    store.put(GRID, [point(0, 1, 1)])
    other = sqlite3.connect(tmp_path / STORE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.put(GRID, [point(1, 2, 2)])
    other.execute("ROLLBACK")
    other.close()
    assert "locked" in caplog.text
    store.put(GRID, [point(1, 2, 3)])
    assert [one.value for one in store.points(GRID)] == [1, 3]
    assert not list(tmp_path.glob("*damaged*"))


def test_a_week_of_five_minutes_stays_small(tmp_path: Path) -> None:
    store = FeedStore(tmp_path)
    for day in range(7):
        hour_ns = 3_600 * 10**9
        start = 1_760_000_000 * 10**9 + day * 24 * hour_ns
        store.put(
            GRID, [point(start + at * hour_ns // 12, start + (at + 1) * hour_ns // 12, at) for at in range(576)]
        )
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_000_000


_WRITER = """
import sys
from pathlib import Path
from wattledger.agent.feeds.store import FeedStore
from wattledger.rules.feeds.model import Caliber, Measure, Point, PointKind, Series

grid = Series(Measure.INTENSITY, "gb", "GB", Caliber())
store = FeedStore(Path(sys.argv[1]))
step = max((one.value for one in store.points(grid)), default=0)
while True:
    step += 1
    store.put(grid, [Point(at, at + 1, step, PointKind.ACTUAL, step) for at in range(200)])
    print(step, flush=True)
"""


def test_crash_kill_9_at_any_moment_leaves_whole_answers(tmp_path: Path) -> None:
    written = 0
    for round_number in range(6):
        command = [sys.executable, "-c", _WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": _paths()}) as child:
            assert child.stdout is not None
            said = [child.stdout.readline() for _ in range(round_number)]
            select.select([], [], [], 0.0007 * round_number)  # part of the moment, not a wait for something
            child.kill()
            said += child.stdout.read().split()
        written = max([written, *map(int, said)])
        found = _again(tmp_path)
        assert len({one.value for one in found}) <= 1
        assert len(found) in (0, 200)
        assert written <= max((one.value for one in found), default=0) <= written + 1
        written = max((one.value for one in found), default=0)
    assert written > 6
    assert not list(tmp_path.glob("*damaged*"))


def _paths() -> str:
    return os.pathsep.join(path or "." for path in sys.path)
