"""Idle energy of each device by the hour, in little memory."""

from array import array
from collections.abc import Mapping

from wattledger.rules.state import IDLE_STATES

from .model import HeatRow
from .rows import DeviceHour

MOST_ROWS = 1_024
_ABSENT = -1
_MOST = 2**63 - 1


class HeatTally:
    """Adds up rows within hours `[first, end)`."""

    def __init__(self, first: int, end: int) -> None:
        self._first, self._hours = first, max(0, end - first)
        self._found: dict[tuple[str, str], array[int]] = {}

    def add(self, row: DeviceHour) -> None:
        """Take a row in."""
        place = row.hour - self._first
        if not 0 <= place < self._hours:
            return
        cells = self._found.get((row.host, row.uuid))
        if cells is None:
            cells = self._found[row.host, row.uuid] = array("q", [_ABSENT]) * self._hours
        idle_mj = row.energy_mj if row.state in IDLE_STATES else 0
        cells[place] = min(max(cells[place], 0) + idle_mj, _MOST)

    def rows(self, names: Mapping[tuple[str, str], str]) -> tuple[HeatRow, ...]:
        """Give the devices by name; of very many those that drew the most while idle."""
        chosen = self._found.items()
        if len(self._found) > MOST_ROWS:
            most_idle = sorted(chosen, key=lambda item: -sum(cell for cell in item[1] if cell > 0))
            chosen = dict(most_idle[:MOST_ROWS]).items()
        return tuple(
            HeatRow(
                names.get(device, device[1]),
                {self._first + place: cell for place, cell in enumerate(cells) if cell != _ABSENT},
            )
            for device, cells in sorted(chosen, key=lambda item: (names.get(item[0], item[0][1]), item[0]))
        )
