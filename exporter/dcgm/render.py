"""Writes a snapshot as a page of dcgm-exporter: its names, units, types and labels; when is the cache's matter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wattledger.exporter.catalog import is_live
from wattledger.exporter.render import Format, label_text

from .helps import HELPS, RATE_HELPS, XID_LAST_HELP, XID_TOTAL_HELP
from .holders import holder_labels
from .names import FIELDS, LABELS, RATES, XID_LAST, XID_TOTAL, DcgmField, Generation
from .rates import RateWindow
from .values import converted, of_device, of_instance

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import DeviceView, Snapshot
    from wattledger.rules.quantity import Quantity
    from wattledger.rules.reading import MigInstance

Row = tuple[str, int | float]
"""The labels as text, and the number."""

_COMPUTE_PART = re.compile(r"\d+c\.")  # 1c.3g.40gb is a compute instance of 3g.40gb


class _Board:
    """A device that answers, with the texts of its labels: of the board, and of each of its GPU instances."""

    __slots__ = ("instances", "labels", "view")

    def __init__(self, view: DeviceView, labels: str, instances: list[tuple[str, MigInstance]]) -> None:
        self.view = view
        self.labels = labels
        self.instances = instances


class DcgmRenderer:
    """Renders snapshots under the names of one generation. *host_name* is what dcgm-exporter calls the host.

    *rates* is told of every snapshot by its owner.
    """

    def __init__(self, generation: Generation, host_name: str, rates: RateWindow | None = None) -> None:
        self._rates = rates or RateWindow()
        self._generation = generation
        self._labels = LABELS[generation]
        self._host_name = host_name
        self._heads: list[tuple[DcgmField, str, str]] = []
        for field in FIELDS:
            spelling = field.spelling(generation)
            if spelling is not None:
                help_text = HELPS[field.quantity] + (f", in {spelling.unit.word}." if spelling.unit.word else ".")
                kind = "counter" if field.counter else "gauge"
                self._heads.append((field, spelling.name, _metadata(spelling.name, kind, help_text)))

    def render(self, snapshot: Snapshot, page_format: Format = Format.TEXT) -> bytes:
        """Give the page of *snapshot*. There is one format: these counters have no names that OpenMetrics allows."""
        if page_format is not Format.TEXT:
            raise ValueError("a page of dcgm-exporter is Prometheus text")
        boards = self._boards(snapshot)
        lines: list[str] = []
        for field, name, metadata in self._heads:
            _write(lines, name, metadata, self._rows(field, boards))
        for quantity, name in RATES.items():
            _write(lines, name, _metadata(name, "gauge", RATE_HELPS[quantity]), self._rate_rows(quantity, boards))
        started_ns = snapshot.agent.started_wall_ns
        last = XID_LAST[self._generation]
        _write(lines, last, _metadata(last, "gauge", XID_LAST_HELP), _last_xids(boards, started_ns))
        _write(lines, XID_TOTAL, _metadata(XID_TOTAL, "counter", XID_TOTAL_HELP), _xid_totals(boards))
        return "".join(lines).encode()

    def _rows(self, field: DcgmField, boards: list[_Board]) -> Iterator[Row]:
        spelling = field.spelling(self._generation)
        assert spelling is not None  # noqa: S101  (the others have no head)
        for board in boards:
            for labels, value in _of_board(field.quantity, board):
                yield labels, converted(value, spelling.unit)

    def _rate_rows(self, quantity: Quantity, boards: list[_Board]) -> Iterator[Row]:
        for board in boards:
            value = self._rates.per_second(quantity, board.view)
            if value is not None:
                yield board.labels, value

    def _boards(self, snapshot: Snapshot) -> list[_Board]:
        boards = []
        for view in snapshot.devices:
            if is_live(view):
                driver = (self._labels.driver_version, snapshot.host.driver_version)
                parts = []
                for number, profile, instance in _gpu_instances(view):
                    named = (("GPU_I_PROFILE", profile), ("GPU_I_ID", str(number)))
                    holders = holder_labels(view.holding, number)
                    parts.append((self._text(view, named, (driver, *holders)), instance))
                # Who has an instance of a board does not have the board.
                whole = holder_labels(view.holding)
                boards.append(_Board(view, self._text(view, (), (driver, *whole)), parts))
        return boards

    def _text(self, view: DeviceView, part: tuple[tuple[str, str], ...], more: tuple[tuple[str, str], ...]) -> str:
        board = view.reading.identity
        pairs = (
            ("gpu", str(board.index)),
            ("UUID", board.uuid),
            ("pci_bus_id", board.pci_bus_id),
            ("device", f"nvidia{board.index}"),
            ("modelName", board.name or view.account.name),
            *part,
            (self._labels.host, self._host_name),
            *more,
        )
        known = [(name, value) for name, value in pairs if value]
        return label_text((name for name, _ in known), (value for _, value in known))


def _of_board(quantity: Quantity, board: _Board) -> Iterator[Row]:
    """Give what instances have themselves, else what the board has: never both, which would count twice in a sum."""
    found = [
        (labels, value)
        for labels, instance in board.instances
        if (value := of_instance(quantity, instance)) is not None
    ]
    if not found and (value := of_device(quantity, board.view)) is not None:
        found = [(board.labels, value)]
    yield from found


def _gpu_instances(view: DeviceView) -> Iterator[tuple[int, str, MigInstance]]:
    """Give number and profile of each GPU instance, with its first compute instance: all have the same values."""
    seen: set[int] = set()
    for instance in view.reading.instances:
        if instance.gpu_instance not in seen:
            seen.add(instance.gpu_instance)
            yield instance.gpu_instance, _COMPUTE_PART.sub("", instance.profile), instance


def _last_xids(boards: list[_Board], started_wall_ns: int) -> Iterator[Row]:
    for board in boards:
        xids = board.view.account.xids
        last = max(xids, key=lambda xid: (xids[xid].last_wall_ns, xid), default=None)
        if last is not None and xids[last].last_wall_ns >= started_wall_ns:
            yield f'{board.labels},err_code="{last}"', last


def _xid_totals(boards: list[_Board]) -> Iterator[Row]:
    for board in boards:
        for xid, seen in board.view.account.xids.items():
            yield f'{board.labels},xid="{xid}"', seen.count


def _metadata(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _write(lines: list[str], name: str, metadata: str, rows: Iterator[Row]) -> None:
    """Add a family; one without a row is left out."""
    written = [f"{name}{{{labels}}} {value!r}\n" for labels, value in rows]
    if written:
        lines.append(metadata)
        lines += written
