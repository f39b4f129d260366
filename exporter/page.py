"""Keeps the rendered pages of the current snapshot; it renders each at most once, and only what is asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .render import Format
    from .snapshot import Snapshot

_GZIP_LEVEL = 1  # ten times faster than 9; the page shrinks about twentyfold all the same
_GZIP_WRAPPER = 31  # zlib: 15 bits of window, plus 16 for a gzip header (of time 0: equal pages are equal bytes)


# A page that was asked for is made ready with this many further snapshots: a minute of ticks covers every scraper.
_READY_SNAPSHOTS = 60


class PageRenderer(Protocol):
    """What makes pages; it is called by one thread at a time."""

    def render(self, snapshot: Snapshot, page_format: Format) -> bytes:
        """Give the page of *snapshot*."""
        ...


class NoSnapshotError(Exception):
    """Nothing has been published yet."""


class _Pages:
    """One snapshot and what has been made of it."""

    __slots__ = ("bodies", "snapshot")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.bodies: dict[tuple[Format, bool], bytes] = {}


class PageCache:
    """The current snapshot as bytes. `publish` never waits for a page that is being rendered."""

    def __init__(self, renderer: PageRenderer) -> None:
        self._renderer = renderer
        self._lock = threading.Lock()  # over the renderer, which keeps label texts
        self._swap = threading.Lock()  # held for an assignment only
        self._pages: _Pages | None = None
        self._wanted: dict[tuple[Format, bool], int] = {}  # how many more snapshots each page is made ready with

    @property
    def snapshot(self) -> Snapshot | None:
        """Give the snapshot last published, None before the first."""
        pages = self._pages
        return None if pages is None else pages.snapshot

    def publish(self, snapshot: Snapshot) -> None:
        """Show *snapshot* from now on, with the pages that scrapers come for ready to be served."""
        pages = _Pages(snapshot)
        if self._lock.acquire(blocking=False):  # a page that is being rendered must not hold the tick up
            try:
                self._make_ready(pages)
            finally:
                self._lock.release()
        with self._swap:
            self._pages = pages

    def replace(self, old: Snapshot, new: Snapshot) -> None:
        """Show *new*, unless *old* is no longer what is shown."""
        with self._swap:
            if self._pages is not None and self._pages.snapshot is old:
                self._pages = _Pages(new)

    def get(self, page_format: Format, *, gzip: bool = False) -> bytes:
        """Give the page of the current snapshot, compressed on demand.

        Raises NoSnapshotError before the first snapshot.
        """
        pages = self._pages
        if pages is None:
            raise NoSnapshotError
        self._wanted[page_format, gzip] = _READY_SNAPSHOTS
        body = pages.bodies.get((page_format, gzip))
        if body is not None:
            return body
        with self._lock:
            return self._made(pages, page_format, gzip=gzip)

    def _make_ready(self, pages: _Pages) -> None:
        for key, left in list(self._wanted.items()):  # scrapes may add to it meanwhile
            self._made(pages, key[0], gzip=key[1])
            if left > 1:
                self._wanted[key] = left - 1
            else:
                del self._wanted[key]

    def _made(self, pages: _Pages, page_format: Format, *, gzip: bool) -> bytes:
        body = pages.bodies.get((page_format, gzip))  # another thread may have been faster
        if body is None:
            if gzip:
                body = _compressed(self._made(pages, page_format, gzip=False))
            else:
                body = self._renderer.render(pages.snapshot, page_format)
            pages.bodies[page_format, gzip] = body
        return body


def _compressed(body: bytes) -> bytes:
    import zlib  # noqa: PLC0415 - only scrapers that accept gzip pay for it

    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WRAPPER)
    return packer.compress(body) + packer.flush()
