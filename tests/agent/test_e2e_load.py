"""Many scrapers, slow ones and both formats against a daemon that ticks."""

import http.client
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import MISSED, SAMPLE_TIME, answer, machine
from tests.nvml.double import NvmlDouble

SCRAPERS = 40
HALF_OPEN = 300
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[NvmlDouble]:
    with machine(tmp_path / "double", "h100", "a100", "l40s") as double:
        for gpu in double.gpus:
            gpu.process(4242, memory_bytes=1 << 30)
            gpu.utilisation(gpu=60)
        double.gpu(1).mig(["3g.40gb", "1g.10gb"])
        double.gpu(0).xid(31)
        yield double


@pytest.fixture
def daemon(tmp_path: Path, double: NvmlDouble) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "state", env=double.env) as daemon:
        daemon.wait_ticks(3)
        yield daemon


class Scrapers:
    """Scrape as fast as answers come, each on a connection that it keeps, until the block ends."""

    def __init__(self, address: str, count: int) -> None:
        self._address = address
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.statuses: Counter[int] = Counter()
        self.pages: dict[bytes, set[bytes]] = defaultdict(set)  # of one sample
        self.seen_by: dict[bytes, set[int]] = defaultdict(set)
        self.broken: list[str] = []
        self._threads = [threading.Thread(target=self._scrape, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _scrape(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        while not self._stop.is_set():
            try:
                connection.request("GET", "/metrics")
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(repr(error))
                connection.close()
                continue
            with self._lock:
                self.statuses[response.status] += 1
                if response.status == 200:
                    sample = body[body.index(b"\n" + SAMPLE_TIME.encode()) :].split(b"\n", 2)[1]
                    self.pages[sample].add(body)
                    self.seen_by[sample].add(number)
            self._stop.wait(0.02)
        connection.close()


def test_forty_scrapers_see_the_same_bytes_of_each_snapshot_and_cost_no_tick(daemon: DaemonProcess) -> None:
    before = daemon.page()
    with Scrapers(daemon.url.removeprefix("http://"), SCRAPERS) as scrapers:
        began = time.monotonic()
        threading.Event().wait(4)
        lasted = time.monotonic() - began
    after = daemon.page()
    assert scrapers.broken == []
    assert set(scrapers.statuses) <= {200, 503}
    assert scrapers.statuses[200] > SCRAPERS * 5
    assert max(len(seen) for seen in scrapers.seen_by.values()) > SCRAPERS // 2, "many saw the same snapshot"
    assert {sample: len(pages) for sample, pages in scrapers.pages.items() if len(pages) > 1} == {}
    ticks = len(scrapers.pages)
    assert ticks >= lasted / 0.2 * 0.8, f"{ticks} snapshots in {lasted:.1f} s at a tick of 0.2 s"
    assert after.value(MISSED, source="nvml") - before.value(MISSED, source="nvml") <= 3
    assert daemon.get("/-/ready")[0] == 200


def test_a_scraper_is_served_while_three_hundred_others_never_finish_their_request(daemon: DaemonProcess) -> None:
    address = daemon.url.removeprefix("http://")
    host, port = address.split(":")
    held: list[socket.socket] = []
    before = daemon.page()
    try:
        for _ in range(HALF_OPEN):
            held.append(socket.create_connection((host, int(port)), timeout=5))
            held[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Never: ")
        for _ in range(20):
            for path in ("/metrics", "/-/healthy", "/-/ready"):
                began = time.monotonic()
                assert answer(address, path)[0] == 200
                assert time.monotonic() - began < 1
        after = daemon.wait_ticks(2)
        assert after.value("wattledger_http_connections") <= 128
        assert after.value(MISSED, source="nvml") - before.value(MISSED, source="nvml") <= 3
    finally:
        for connection in held:
            connection.close()


def series(text: str) -> list[str]:
    """Give each series of a page as it is written, without its value."""
    return [line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")]


def test_both_formats_are_read_by_the_client_library_and_hold_the_same_series_once(daemon: DaemonProcess) -> None:
    status, body = daemon.get("/metrics", Accept="text/plain; version=0.0.4")
    text = body.decode()
    assert status == 200
    status, body = daemon.get("/metrics", Accept=OPENMETRICS)
    openmetrics = body.decode()
    assert status == 200
    assert openmetrics.endswith("# EOF\n")
    for page in (text, openmetrics):
        assert [name for name, count in Counter(series(page)).items() if count > 1] == []
        assert len(series(page)) > 200
        typed = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
        assert [name for name, count in Counter(typed).items() if count > 1] == []
    plain = {(sample.name, frozenset(sample.labels.items())) for sample in Page(text).samples}
    strict = {
        (sample.name, frozenset(sample.labels.items()))
        for family in openmetrics_families(openmetrics)  # type: ignore[no-untyped-call]  # its authors left it untyped
        for sample in family.samples
    }
    assert strict == plain
    assert all(family.documentation for family in text_families(text))
    assert all(family.type != "unknown" for family in text_families(text))
