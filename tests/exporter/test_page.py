"""The page cache: rendered when asked for, once, and never in the way of the next snapshot."""

from __future__ import annotations

import gzip
import threading

import pytest

from tests.exporter.snapshots import snapshot, view
from wattledger.exporter.page import NoSnapshotError, PageCache
from wattledger.exporter.render import Format, Renderer
from wattledger.exporter.snapshot import Snapshot


class CountingRenderer(Renderer):
    """The real renderer, which also tells how often it worked and can be held at the start of its work."""

    def __init__(self) -> None:
        super().__init__()
        self.renders = 0
        self.entered = threading.Event()
        self.go = threading.Event()
        self.go.set()

    def render(self, snapshot: Snapshot, page_format: Format) -> bytes:
        self.renders += 1
        self.entered.set()
        assert self.go.wait(timeout=10)
        return super().render(snapshot, page_format)


def test_before_the_first_snapshot_there_is_no_page() -> None:
    pages = PageCache(Renderer())
    assert pages.snapshot is None
    with pytest.raises(NoSnapshotError):
        pages.get(Format.TEXT)


def test_a_snapshot_that_nobody_asks_for_is_not_rendered() -> None:
    renderer = CountingRenderer()
    pages = PageCache(renderer)
    for index in range(5):
        pages.publish(snapshot(view(index)))
    assert renderer.renders == 0
    assert b'gpu="4"' in pages.get(Format.TEXT)
    assert renderer.renders == 1


def test_a_page_that_scrapers_come_for_is_ready_with_each_snapshot_until_they_stay_away() -> None:
    renderer = CountingRenderer()
    pages = PageCache(renderer)
    pages.publish(snapshot(view(0)))
    pages.get(Format.TEXT)
    pages.publish(snapshot(view(1)))
    assert renderer.renders == 2
    assert b'gpu="1"' in pages.get(Format.TEXT)
    assert renderer.renders == 2, "made ready at publication, not again at the scrape"
    for _ in range(100):
        pages.publish(snapshot(view(2)))
    assert renderer.renders == 2 + 60
    assert b'gpu="2"' in pages.get(Format.TEXT)


def test_two_scrapers_get_the_same_bytes_and_one_rendering_a_format() -> None:
    renderer = CountingRenderer()
    pages = PageCache(renderer)
    pages.publish(snapshot(view()))
    first = [pages.get(page_format, gzip=zipped) for page_format in Format for zipped in (True, False)]
    again = [pages.get(page_format, gzip=zipped) for page_format in Format for zipped in (True, False)]
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert renderer.renders == 2


def test_the_compressed_page_is_the_page() -> None:
    pages = PageCache(Renderer())
    pages.publish(snapshot(view()))
    for page_format in Format:
        packed = pages.get(page_format, gzip=True)
        assert gzip.decompress(packed) == pages.get(page_format)
        assert len(packed) < len(pages.get(page_format)) / 4


def test_equal_snapshots_give_equal_compressed_bytes() -> None:
    bodies = set()
    for _ in range(2):
        pages = PageCache(Renderer())
        pages.publish(snapshot(view()))
        bodies.add(pages.get(Format.TEXT, gzip=True))
    assert len(bodies) == 1


def test_many_threads_asking_at_once_cause_one_rendering() -> None:
    renderer = CountingRenderer()
    renderer.go.clear()
    pages = PageCache(renderer)
    pages.publish(snapshot(view()))
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(pages.get(Format.TEXT))) for _ in range(16)]
    for thread in threads:
        thread.start()
    renderer.go.set()
    for thread in threads:
        thread.join(timeout=10)
    assert len(bodies) == 16
    assert len(set(map(id, bodies))) == 1
    assert renderer.renders == 1


def test_publishing_does_not_wait_for_a_page_that_is_being_rendered() -> None:
    renderer = CountingRenderer()
    renderer.go.clear()
    pages = PageCache(renderer)
    old, new = snapshot(view(0)), snapshot(view(1))
    pages.publish(old)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pages.get(Format.TEXT)))
    reader.start()
    assert renderer.entered.wait(timeout=10)
    pages.publish(new)
    assert pages.snapshot is new
    renderer.go.set()
    reader.join(timeout=10)
    assert b'gpu="0"' in got[0]
    assert b'gpu="1"' in pages.get(Format.TEXT)
