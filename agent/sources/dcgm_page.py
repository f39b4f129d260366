"""From the bytes of a dcgm-exporter's page to boards and their values; which of them are new it does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wattledger.agent.tokens.page import read_samples
from wattledger.exporter.dcgm.names import XID_TOTAL
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import DeviceIdentity, Gaps, MigInstance, Values

from . import dcgm_names as names
from .dcgm_names import ROWS, Mig, Row

# DCGM tells GPU instances and not which compute instances they are cut into.
NO_COMPUTE_INSTANCE: Final = -1
_WHOLE = ""  # the instance of a row that is about the board

_Cells = dict[str, dict[str, list[float]]]
"""Raw numbers by name, and by instance; several where labels such as pod tell rows apart."""


class NoGpusError(Exception):
    """The page names no board; the message says what it has instead, and the cure."""


@dataclass(frozen=True, slots=True)
class PagedBoard:
    """One board as the page has it. `last_xid` is 0 where there was none, None where it is not told.

    `xid_counts` is how often each Xid came since the exporter's start, None where that is not told.
    """

    identity: DeviceIdentity
    values: Values
    gaps: Gaps
    instances: tuple[MigInstance, ...] = ()
    last_xid: int | None = None
    xid_counts: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ExporterPage:
    """All boards of a page, by index; versions are empty where the page does not tell them."""

    boards: tuple[PagedBoard, ...]
    driver_version: str = ""
    nvml_version: str = ""


@dataclass(slots=True)
class _Found:
    """What the page has of one board."""

    labels: Mapping[str, str]
    cells: _Cells = field(default_factory=dict)
    profiles: dict[str, str] = field(default_factory=dict)  # by instance
    xids: dict[int, int] = field(default_factory=dict)


def read_page(body: bytes, *, is_framed: bool = True) -> ExporterPage:
    """Read a page of either generation. Raises PageError (of tokens/page.py) where it cannot be read, NoGpusError."""
    page = read_samples(body, names.WANTED, is_framed=is_framed)
    found: dict[str, _Found] = {}
    driver = nvml = ""
    for name, pairs, value in page.samples:
        labels = dict(pairs)
        uuid = _label(labels, names.UUID)
        if not uuid:
            continue
        board = found.setdefault(uuid, _Found(labels))
        driver = driver or _label(labels, names.DRIVER)
        nvml = nvml or _label(labels, names.NVML)
        _take(board, name, labels, value)
    if not found:
        raise NoGpusError(_what_instead(body, page.names, has_samples=bool(page.samples)))
    boards = [_board(uuid, one) for uuid, one in found.items()]
    boards.sort(key=lambda board: (board.identity.index, board.identity.uuid))
    return ExporterPage(tuple(boards), driver, nvml)


def _take(board: _Found, name: str, labels: Mapping[str, str], value: float) -> None:
    if name == XID_TOTAL:
        xid = labels.get("xid", "")
        if xid.isascii() and xid.isdigit() and 0 < int(xid[:9]) <= names.HIGHEST_XID:
            board.xids[int(xid)] = max(board.xids.get(int(xid), 0), int(value))
        return
    instance = _label(labels, names.INSTANCE)
    if instance:
        board.profiles.setdefault(instance, _label(labels, names.PROFILE))
    board.cells.setdefault(name, {}).setdefault(instance, []).append(value)


def _board(uuid: str, found: _Found) -> PagedBoard:
    numbers = sorted((name for name in found.profiles if name.isascii() and name.isdigit()), key=int)
    whole = (_WHOLE,)
    where = {Mig.REPEATED: (*whole, *numbers), Mig.OWN: whole, Mig.NOTHING: whole}
    values, gaps = _values(found.cells, where)
    if numbers:
        values[Quantity.MIG_MODE] = 1
        gaps.pop(Quantity.MIG_MODE, None)
    gaps[Quantity.PROCESSES] = Gap.UNSUPPORTED
    index = found.labels.get("gpu", "")
    identity = DeviceIdentity(
        uuid=uuid,
        index=int(index[:9]) if index.isascii() and index.isdigit() else -1,
        name=_label(found.labels, names.MODEL),
        pci_bus_id=_label(found.labels, names.BUS),
        serial=_label(found.labels, names.SERIAL),
        vbios_version=_label(found.labels, names.VBIOS),
    )
    xids = [raw for name in names.LAST_XID for rows in found.cells.get(name, {}).values() for raw in rows]
    last_xid = next((int(raw) for raw in xids if raw <= names.HIGHEST_XID), None)
    return PagedBoard(
        identity=identity,
        values=values,
        gaps=gaps,
        instances=tuple(_instance(found, number) for number in numbers),
        last_xid=last_xid,
        xid_counts=found.xids or None,
    )


def _instance(found: _Found, number: str) -> MigInstance:
    values, gaps = _values(found.cells, {Mig.OWN: (number,)})
    return MigInstance(
        uuid="",
        gpu_instance=int(number),
        compute_instance=NO_COMPUTE_INSTANCE,
        profile=found.profiles[number],
        values=values,
        gaps=gaps,
    )


def _values(cells: _Cells, where: Mapping[Mig, Sequence[str]]) -> tuple[Values, Gaps]:
    """Give what the rows of those instances say that *where* has for each kind of value."""
    values: Values = {}
    gaps: Gaps = {}
    for row in ROWS:
        if row.mig not in where or row.quantity in values:
            continue
        read = _read(row, cells.get(row.name, {}), where[row.mig])
        if isinstance(read, Gap):
            # What one name says of itself is more than that the other is not there.
            if read is not Gap.UNSUPPORTED or row.quantity not in gaps:
                gaps[row.quantity] = read
        else:
            values[row.quantity] = read
            gaps.pop(row.quantity, None)
    return values, gaps


# With --kubernetes-virtual-gpus each pod that shares a board has a row of its own processes beside, or in place of,
# that of the board (NVIDIA/dcgm-exporter, isPerProcessMetric): 0 for one that rests while another works.
_OF_PODS_TOO: Final = frozenset(
    {Quantity.UTILIZATION_GPU_RATIO, Quantity.MEMORY_USED_BYTES, Quantity.ACTIVITY_GRAPHICS_RATIO}
)
_HIGHEST_TAKEN: Final = _OF_PODS_TOO | {Quantity.ENERGY_MJ}


def _read(row: Row, cells: Mapping[str, list[float]], where: Sequence[str]) -> int | float | Gap:
    """Give the first value; the highest of what pods have too, and of a counter, so that it never falls."""
    reads = [row.read(raw) for instance in where for raw in cells.get(instance, ())]
    values = [read for read in reads if not isinstance(read, Gap)]
    if values:
        return max(values) if row.quantity in _HIGHEST_TAKEN else values[0]
    return next((read for read in reads if isinstance(read, Gap)), Gap.UNSUPPORTED)


def _label(labels: Mapping[str, str], candidates: Sequence[str]) -> str:
    text = next((labels[name] for name in candidates if labels.get(name)), "")
    return "" if text.startswith(names.BLANK_TEXT) else text


def _what_instead(body: bytes, declared: frozenset[str], *, has_samples: bool) -> str:
    if has_samples:
        return "its values have no label UUID, so they cannot be told apart; leave that label in the exporter's page"
    if declared:
        return "it declares values of GPUs and has none: the exporter finds no GPU; see its log, and nvidia-smi -L"
    if b"DCGM_" in body or b"dcgm_" in body:
        return "it has none of the values that are read here; add them to the exporter's list (its option -f)"
    return "this is not the page of a dcgm-exporter; correct the address, such as http://127.0.0.1:9400/metrics"
