"""A real Prometheus with a day of samples in its store answers the range queries of the feed."""

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import poll
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import around, at, text_of
from tests.bench.contenders import free_port
from tests.servers import need
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import FeedError, Skipped, Trouble
from wattledger.agent.feeds.prometheus import build
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Measure
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_FIRST = "2026-10-13T00:00+00:00"
_WINDOW = around("2026-10-13T06:00+00:00", hours_before=6)


def _store(folder: Path) -> None:
    """Write six hours of minutes: an intensity that counts the hours, a power, and an hour in which all is silent."""
    first = at(_FIRST) // NS_PER_SECOND
    minutes = [minute for minute in range(6 * 60 + 1) if not 120 < minute < 180]
    families = {
        "ceems_emissions_gCo2_kWh": {
            'country_code="FR",provider="rte"': [100 + minute // 60 for minute in minutes],
            'country_code="DE",provider="emaps"': [400] * len(minutes),
        },
        "rack_watts": {"": [1200 if minute % 2 else 1000 for minute in minutes]},
    }
    lines = []
    for name, rows in families.items():
        lines.append(f"# TYPE {name} gauge")
        for labels, values in rows.items():
            pairs = zip(minutes, values, strict=True)
            lines += [f"{name}{{{labels}}} {value} {first + 60 * minute}" for minute, value in pairs]
    samples = folder / "samples.txt"
    samples.write_text("\n".join([*lines, "# EOF", ""]))
    promtool = need("promtool", "prometheus")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(samples), str(folder / "tsdb")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    program = need("prometheus", "prometheus")
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    flags = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.route-prefix=/metrics/store",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen([program, *flags], stdout=log, stderr=log) as server:
        url = f"http://127.0.0.1:{port}/metrics/store"
        try:
            poll(lambda: _is_ready(url), "Prometheus is ready")
            yield url
        finally:
            server.terminate()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of the server."""
    folder = tmp_path_factory.mktemp("prometheus")
    _store(folder)
    with _running(folder) as url:
        yield url


def test_an_hour_of_silence_is_a_gap_and_not_the_last_value(url: str) -> None:
    feed = Feed(kind=FeedKind.PROMETHEUS, url=url, zone="FR", step_ns=10 * 60 * NS_PER_SECOND)
    answer = build(feed, Wants(Measure.INTENSITY)).fetch(PlainWeb(), _WINDOW)
    found = {text_of(point.end_wall_ns)[11:]: point.value // 1_000_000 for point in answer.points}
    assert found["01:00"] == 101
    assert found["06:00"] == 106
    assert found["02:00"] == 102
    assert not {"02:10", "02:20", "02:30", "02:40", "02:50"} & found.keys()
    assert found["03:00"] == 103
    assert len(found) == 36 - 5


def test_a_mean_power_gives_the_energy_of_its_steps(url: str) -> None:
    step_ns = 10 * 60 * NS_PER_SECOND
    feed = Feed(kind=FeedKind.PROMETHEUS, url=url, query="avg_over_time(rack_watts[10m])", unit="W", step_ns=step_ns)
    answer = build(feed, Wants(Measure.ENERGY)).fetch(PlainWeb(), _WINDOW)
    first = answer.points[0]
    assert first.duration_ns == step_ns
    # Ten or, as the older version counts both ends, eleven samples that alternate between 1000 and 1200 W.
    assert first.value == pytest.approx(1100 * 600 * 1000, rel=0.01)
    assert sum(point.duration_ns for point in answer.points) > 5 * NS_PER_HOUR


def test_two_countries_are_refused_and_a_wrong_query_is_shown(url: str) -> None:
    feed = Feed(kind=FeedKind.PROMETHEUS, url=url, query="ceems_emissions_gCo2_kWh")
    with pytest.raises(FeedError, match="gives 2 series"):
        build(feed, Wants(Measure.INTENSITY)).fetch(PlainWeb(), _WINDOW)
    feed = Feed(kind=FeedKind.PROMETHEUS, url=url, query="ceems_emissions_gCo2_kWh{")
    with pytest.raises(FeedError, match="parse error") as caught:
        build(feed, Wants(Measure.INTENSITY)).fetch(PlainWeb(), _WINDOW)
    assert caught.value.trouble is Trouble.INVALID


def test_a_division_by_zero_is_no_number(url: str) -> None:
    feed = Feed(kind=FeedKind.PROMETHEUS, url=url, query='(ceems_emissions_gCo2_kWh{country_code="FR"} > 0) / 0')
    with pytest.raises(FeedError) as caught:
        build(feed, Wants(Measure.INTENSITY)).fetch(PlainWeb(), _WINDOW)
    assert caught.value.trouble is Trouble.EMPTY
    assert Skipped.NOT_A_NUMBER.value in caught.value.detail
