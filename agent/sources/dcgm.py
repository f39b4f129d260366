"""The GPUs of this host through the page of a dcgm-exporter, where it holds the driver and NVML is not to be opened.

There are no processes and no uptime, and values are as old as the exporter's collections (docs/dcgm-source.md).
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from wattledger.agent.clock import Clock
from wattledger.agent.tokens.page import PageError
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import HostFacts, Sample, SourceKind, XidEvent

from .base import SourceError
from .dcgm_address import read_exporter
from .dcgm_board import Board
from .dcgm_fetch import PageFetch
from .dcgm_pace import PACE, Looks
from .dcgm_page import ExporterPage, NoGpusError, read_page
from .proc_line import boot_id

_log = logging.getLogger(__name__)


class DcgmSource:
    """Reads the page at *url*. *exclude* names boards by index or UUID that are left out.

    A page that cannot be had fails the source as a whole; what was read before is not given again.
    """

    def __init__(
        self, url: str, clock: Clock, *, exclude: Sequence[str] = (), proc_root: Path = Path("/proc")
    ) -> None:
        """Raises SourceError where *url* is none."""
        try:
            self._exporter = read_exporter(url)
        except ValueError as error:
            raise SourceError(Gap.FAILED, f"source dcgm:{url}: {error}") from error
        self._clock = clock
        self._exclude = frozenset(name.lower() for name in exclude)
        self._proc_root = proc_root
        self._fetch = PageFetch(self._exporter)
        self._looks = Looks()
        self._boards: dict[str, Board] = {}
        self._host = HostFacts()
        self._boot_id = ""

    @property
    def kind(self) -> SourceKind:
        """Give the name under which its numbers are shown."""
        return SourceKind.DCGM

    def open(self) -> None:
        """Begin anew; the first `read` asks."""
        self.close()
        self._boot_id = boot_id(self._proc_root)

    def read(self, at: Instant) -> Sample:
        """Give what is known at *at*; asks for the page when it may have changed. Raises SourceError."""
        started_ns = self._clock.now().mono_ns
        events: tuple[XidEvent, ...] = ()
        if self._looks.due(at.mono_ns):
            events = self._look(at)
        return Sample(
            at=at,
            source=SourceKind.DCGM,
            host=self._host,
            devices=tuple(board.reading(at) for board in self._boards.values()),
            events=events,
            duration_ns=self._clock.now().mono_ns - started_ns,
            pace=PACE,
        )

    def close(self) -> None:
        """Forget what was read."""
        self._boards = {}
        self._looks = Looks()
        self._host = HostFacts()

    def _look(self, at: Instant) -> tuple[XidEvent, ...]:
        page = self._page()
        self._host = HostFacts(page.driver_version, page.nvml_version, boot_id=self._boot_id)
        boards: dict[str, Board] = {}
        events: list[XidEvent] = []
        anything_new = False
        for paged in page.boards:
            identity = paged.identity
            if {identity.uuid.lower(), str(identity.index)} & self._exclude:
                continue
            board = self._boards.get(identity.uuid)
            if board is None:
                _log.info("device found uuid=%s index=%d name=%r", identity.uuid, identity.index, identity.name)
                board = Board(paged, at)
            else:
                changed, came = board.take(paged, at)
                anything_new |= changed
                events += came
            boards[identity.uuid] = board
        for uuid in self._boards.keys() - boards.keys():
            _log.warning("device is not on the page any more uuid=%s", uuid)
        self._boards = boards
        self._looks.looked(at.mono_ns, changed=anything_new)
        return tuple(events)

    def _page(self) -> ExporterPage:
        body = self._fetch.get()
        try:
            return read_page(body.content, is_framed=body.is_framed)
        except (PageError, NoGpusError) as error:
            raise SourceError(Gap.FAILED, f"{self._exporter.shown}: {error}") from error
