"""Keeps the page of dcgm-exporter's names; it is made when somebody asks for it, and at most once a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wattledger.exporter.page import PageCache
from wattledger.exporter.render import Format

from .rates import RateWindow
from .render import DcgmRenderer

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import Snapshot

    from .names import Generation


class DcgmPage:
    """The page under the names of one generation. As long as nobody asks for it nothing is rendered."""

    def __init__(self, generation: Generation, host_name: str) -> None:
        self._rates = RateWindow()
        self._pages = PageCache(DcgmRenderer(generation, host_name, self._rates))

    def beside(self, publish: Callable[[Snapshot], None]) -> Callable[[Snapshot], None]:
        """Give *publish* with this page told of every snapshot, for the rates on it."""

        def both(snapshot: Snapshot) -> None:
            self._rates.see(snapshot)
            publish(snapshot)

        return both

    def get(self, snapshot: Snapshot, *, gzip: bool) -> bytes:
        """Give the page of *snapshot*, compressed on demand."""
        if self._pages.snapshot is not snapshot:
            self._pages.publish(snapshot)
        return self._pages.get(Format.TEXT, gzip=gzip)
