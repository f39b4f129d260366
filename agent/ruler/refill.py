"""Puts the counters of before a restart back into the history of rules, hour by hour as the ledger has them.

It knows the books and which series rules select; how samples are kept is unknown here. A value at an hour's edge is
the total of now less what was booked in the hours from there on: a sum of whole millijoules, nothing is estimated.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wattledger.exporter.catalog.units import joules, seconds
from wattledger.exporter.render import storable
from wattledger.exporter.series import SeriesReader
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.account import DeviceAccount, StateTotal
from wattledger.rules.history import History, Interests
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.promql.labels import value_of
from wattledger.rules.promql.model import METRIC_NAME, Labels
from wattledger.rules.state import State

from ..ledger.base import HistoryRow, Ledger

_NS_PER_MS = 1_000_000
_HOUR_MS = NS_PER_HOUR // _NS_PER_MS
# What the clock once booked ahead of now lies after every edge, so it is asked for too.
_END_OF_TIME_NS = 2**62

Column = tuple[Labels, list[int], list[float]]


@dataclass(frozen=True, slots=True)
class _Counter:
    """How a counter of the page is found in an account and in an hour of the ledger, in whole units."""

    total: Callable[[DeviceAccount, State | None], int]
    of_row: Callable[[HistoryRow], int]
    shown: Callable[[int], float]


def _of_state(account: DeviceAccount, state: State | None) -> StateTotal:
    return StateTotal() if state is None else account.states.get(state, StateTotal())


_COUNTERS: Mapping[str, _Counter] = {
    "wattledger_gpu_energy_joules_total": _Counter(
        lambda account, _: account.energy_mj, lambda row: row.energy_mj, joules
    ),
    "wattledger_gpu_state_energy_joules_total": _Counter(
        lambda account, state: _of_state(account, state).energy_mj, lambda row: row.energy_mj, joules
    ),
    "wattledger_gpu_state_seconds_total": _Counter(
        lambda account, state: _of_state(account, state).duration_ns, lambda row: row.duration_ns, seconds
    ),
    "wattledger_gpu_avoidable_energy_joules_total": _Counter(
        lambda account, _: account.avoidable_mj, lambda row: row.avoidable_mj, joules
    ),
}


@dataclass(slots=True)
class _Hours:
    """The rows of one device by the hour they begin with, in their order; `first_ms` is the first of them."""

    first_ms: int
    rows: defaultdict[int, list[HistoryRow]] = field(default_factory=lambda: defaultdict(list))

    def of_state(self, state: str) -> Iterator[tuple[int, list[HistoryRow]]]:
        """Give the hours in their order, each with its rows of *state*, of every one where that is empty."""
        for begin_ms, rows in self.rows.items():
            yield begin_ms, [row for row in rows if not state or row.state == state]


def refill(history: History, snapshot: Snapshot, ledger: Ledger, interests: Interests, *, now_ms: int) -> None:
    """Put what *ledger* knows of before *now_ms* under the samples of *history*.

    *snapshot* is the latest: rows booked since then only let the counters seem that much lower before.
    """
    first_ms = min((first_ms for _, first_ms in _wanted(snapshot, interests, now_ms)), default=now_ms)
    if first_ms < now_ms:
        rows = ledger.history(first_ms * _NS_PER_MS, _END_OF_TIME_NS)
        for labels, timestamps_ms, values in refilled(snapshot, rows, interests, now_ms=now_ms):
            history.backfill(labels, timestamps_ms, values)


def refilled(
    snapshot: Snapshot, rows: Sequence[HistoryRow], interests: Interests, *, now_ms: int
) -> Iterator[Column]:
    """Give the counters of *snapshot* that rules select at the UTC hours before *now_ms*, as far back as they look.

    *rows* are all from the earliest of these hours on, in order of the hour, that of now and any later one included.
    A device begins with the first hour it has a row in.
    """
    accounts = {storable(view.account.uuid): view.account for view in snapshot.devices}
    hours = _by_device(rows)
    for labels, first_ms in _wanted(snapshot, interests, now_ms):
        uuid = value_of(labels, "uuid")
        if uuid in hours:
            known = hours[uuid]
            edges_ms = _edges(max(first_ms, known.first_ms), now_ms)
            timestamps_ms, values = _carried_back(labels, accounts[uuid], known, edges_ms)
            if timestamps_ms:
                yield labels, timestamps_ms, values


def _wanted(snapshot: Snapshot, interests: Interests, now_ms: int) -> list[tuple[Labels, int]]:
    """Give the counters of the page that a rule selects, and the first millisecond that it reads of each."""
    page = SeriesReader().read(snapshot, frozenset(_COUNTERS))
    reaches = ((labels, interests.reach(labels)) for labels, _ in page)
    return [(labels, reach.first_ms(now_ms)) for labels, reach in reaches if reach is not None]


def _by_device(rows: Sequence[HistoryRow]) -> dict[str, _Hours]:
    devices: dict[str, _Hours] = {}
    for row in rows:
        begin_ms = row.hour_wall_ns // _NS_PER_MS
        hours = devices.setdefault(storable(row.uuid), _Hours(begin_ms))
        hours.rows[begin_ms].append(row)
    return devices


def _edges(first_ms: int, now_ms: int) -> range:
    """Give the beginnings of the hours from *first_ms* on and before *now_ms*, the last first."""
    last = (now_ms - 1) // _HOUR_MS
    return range(last * _HOUR_MS, first_ms - 1, -_HOUR_MS)


def _carried_back(
    labels: Labels, account: DeviceAccount, hours: _Hours, edges_ms: range
) -> tuple[list[int], list[float]]:
    """Give the counter at *edges_ms*, from the last back to the one before which the books do not reach."""
    counter = _COUNTERS[value_of(labels, METRIC_NAME)]
    state = value_of(labels, "state")
    left = counter.total(account, State(state) if state else None)
    waiting = [(begin_ms, sum(map(counter.of_row, rows))) for begin_ms, rows in hours.of_state(state)]
    timestamps_ms: list[int] = []
    values: list[float] = []
    for edge_ms in edges_ms:
        while waiting and waiting[-1][0] >= edge_ms:
            left -= waiting.pop()[1]
        if left < 0:  # totals and hours are not of the same books
            break
        timestamps_ms.append(edge_ms)
        values.append(counter.shown(left))
    return timestamps_ms[::-1], values[::-1]
