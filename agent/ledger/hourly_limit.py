"""How many cells of workloads an hour may have, so that history stays bounded; which they are is not its matter."""

import logging

from wattledger.rules.state import State
from wattledger.rules.usage.workload import FOLDED, UNATTRIBUTED, WorkloadKey

log = logging.getLogger(__name__)

CELLS_PER_HOUR = 2_000
_HOURS_REMEMBERED = 4  # of which cells there are; late parts seldom reach further back
_ALWAYS = frozenset({FOLDED.key, UNATTRIBUTED.key})


class HourlyLimit:
    """Lets so many cells of workloads into an hour; which they were is forgotten with the process."""

    def __init__(self, limit: int = CELLS_PER_HOUR) -> None:
        self._limit = limit
        self._known: dict[int, set[tuple[str, WorkloadKey, State]]] = {}
        self._told = False

    def place(self, hour: int, uuid: str, workload: WorkloadKey, state: State) -> WorkloadKey:
        """Give whose cell it is: the workload's own, or that of all who find no room."""
        if workload in _ALWAYS:
            return workload
        known = self._known.get(hour)
        if known is None:
            known = self._known[hour] = set()
        key = (uuid, workload, state)
        if key in known:
            return workload
        if len(known) >= self._limit:
            if not self._told:
                log.warning("ledger_workloads_folded hour=%d limit=%d", hour, self._limit)
                self._told = True
            return FOLDED.key
        known.add(key)
        return workload

    def forget(self) -> None:
        """Let go of the hours that are long over."""
        for hour in sorted(self._known)[:-_HOURS_REMEMBERED]:
            del self._known[hour]
