"""The rows of a report out of the ledger of this host, while its daemon runs or not."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from wattledger.agent.config import SourceMode
from wattledger.agent.ledger import (
    LEDGER_NAME,
    HistoryRow,
    LedgerError,
    ServiceHistoryRow,
    WorkloadHistoryRow,
    open_read_only,
)
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.reading import SourceKind
from wattledger.rules.report.rows import DeviceHour, HostHour, OwnerHour, ReportRows, ServiceHour

from .source import ReportError

_END_OF_UUID = 8  # characters that tell boards of one host apart, for people
_PIECE_NS = 7 * 24 * NS_PER_HOUR
_SIMULATED = "Simulated "  # so names of simulated boards begin


def ledger_folder(state_dir: Path, mode: SourceMode) -> Path:
    """Give where the books are: those of real boards where there are any, unless the configuration simulates."""
    simulated = state_dir / SourceKind.SIM.value
    if mode is SourceMode.SIM:
        return simulated
    if mode is SourceMode.AUTO and not _is_there(state_dir) and _is_there(simulated):
        return simulated
    return state_dir


def _is_there(folder: Path) -> bool:
    try:
        return (folder / LEDGER_NAME).exists()
    except OSError:
        return False  # whoever opens it says why


def is_made_up(folder: Path, names: Collection[str]) -> bool:
    """Tell whether the boards of the ledger in *folder*, which have these *names*, are those of a simulated host."""
    return folder.name == SourceKind.SIM.value or (bool(names) and all(name.startswith(_SIMULATED) for name in names))


class LedgerSource:
    """Hours of the ledger in *folder* that overlap `[start, end)`, all of one moment. Raises ReportError."""

    def __init__(self, folder: Path, host: str, start_wall_ns: int, end_wall_ns: int) -> None:
        self._folder = folder
        self._host = host
        self._span = (start_wall_ns, end_wall_ns)
        try:
            self._history = open_read_only(folder)
            names = self._history.device_names()
        except LedgerError as error:
            raise ReportError(str(error)) from error
        self._names = {(host, uuid): _name(uuid, name) for uuid, name in names.items()}
        self._simulated = (host,) if is_made_up(folder, names.values()) else ()

    def outline(self) -> Iterator[ReportRows]:
        """Give devices and hours."""
        return self._read(whole=False)

    def pieces(self) -> Iterator[ReportRows]:
        """Give all rows, some days at a time."""
        return self._read(whole=True)

    def what_there_is(self) -> str:
        """Say from when to when the ledger has hours."""
        try:
            hours = [row.hour_wall_ns for row in self._history.history(0, 2**62)]
        except LedgerError as error:
            raise ReportError(str(error)) from error
        if not hours:
            return f"the ledger in {self._folder} has no hour yet"
        return f"the ledger in {self._folder} has hours from {_utc(hours[0])} to {_utc(hours[-1] + NS_PER_HOUR)}"

    def close(self) -> None:
        """Let go of the file."""
        self._history.close()

    def _read(self, *, whole: bool) -> Iterator[ReportRows]:
        start, end = self._span
        try:
            for first in range(start, end, _PIECE_NS):
                yield self._piece(first, min(first + _PIECE_NS, end), whole=whole)
        except LedgerError as error:
            raise ReportError(str(error)) from error

    def _piece(self, start: int, end: int, *, whole: bool) -> ReportRows:
        history, host = self._history, self._host
        return ReportRows(
            devices=_devices(host, history.history(start, end)),
            owners=_owners(host, history.workload_history(start, end)) if whole else (),
            services=_services(host, history.service_history(start, end)) if whole else (),
            hours=tuple(HostHour(host, hour) for hour in history.price_history(start, end)),
            names=self._names,
            simulated=self._simulated,
        )


def _devices(host: str, rows: Sequence[HistoryRow]) -> tuple[DeviceHour, ...]:
    return tuple(
        DeviceHour(
            host,
            row.hour_wall_ns // NS_PER_HOUR,
            row.uuid,
            row.state,
            row.energy_mj,
            row.duration_ns,
            row.avoidable_mj,
            row.priced,
            row.open_mj,
        )
        for row in rows
    )


def _owners(host: str, rows: Sequence[WorkloadHistoryRow]) -> tuple[OwnerHour, ...]:
    return tuple(
        OwnerHour(
            host,
            row.hour_wall_ns // NS_PER_HOUR,
            row.uuid,
            row.workload.kind,
            row.workload.title,
            row.workload.names,
            row.state,
            row.energy_mj,
            row.duration_ns,
            row.avoidable_mj,
            row.priced,
            row.open_mj,
        )
        for row in rows
    )


def _services(host: str, rows: Sequence[ServiceHistoryRow]) -> tuple[ServiceHour, ...]:
    return tuple(
        ServiceHour(
            host,
            row.hour_wall_ns // NS_PER_HOUR,
            row.service,
            row.model,
            row.active_mj,
            row.total_mj,
            row.tokens,
            row.priced,
            row.open_mj,
        )
        for row in rows
    )


def _name(uuid: str, name: str) -> str:
    """Give a name of a board for people: what it is, and the end of its uuid, which tells it from others."""
    return f"{name} {uuid[-_END_OF_UUID:]}" if name else uuid


def _utc(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M UTC")
