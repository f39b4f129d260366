"""When a dcgm-exporter's page is worth asking for: it changes only as often as the exporter collects.

Arithmetic on moments; it asks for nothing.
"""

from typing import Final

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import Pace

# `-c, --collect-interval`: 30 s unless set (dcgm-exporter, README and cmd/dcgm-exporter).
COLLECT_NS: Final = 30 * NS_PER_SECOND
# Older values are not shown any more, and time between two of them is time in which nobody looked.
STALE_NS: Final = 5 * COLLECT_NS
PACE: Final = Pace(period_ns=COLLECT_NS, stale_ns=STALE_NS)

_LEAST_NS: Final = 2 * NS_PER_SECOND // 5  # between two requests
_MOST_REST_NS: Final = 2 * COLLECT_NS


class Looks:
    """Learns how often the page changes: rests after a change, and looks at each tick when the next one is near.

    It rests only after a look that found nothing more: boards of one collection may come in two looks. A change that
    is there at the first look after a rest may have been there for long, so the next rest is half of it.
    """

    def __init__(self) -> None:
        self._looked_ns: int | None = None
        self._changed_ns: int | None = None
        self._settling = False  # the look before found something new
        self._rest_ns = 0
        self._looks = 0  # since the rest

    def due(self, now_ns: int) -> bool:
        """Tell whether to ask now."""
        if self._looked_ns is None:
            return True
        if now_ns - self._looked_ns < _LEAST_NS:
            return False
        resting = not self._settling and self._changed_ns is not None and now_ns - self._changed_ns < self._rest_ns
        return not resting

    def looked(self, now_ns: int, *, changed: bool) -> None:
        """Note what a look at *now_ns* has found."""
        self._looked_ns = now_ns
        if self._settling:
            self._settling, self._looks = changed, 0
            return
        self._looks += 1
        if not changed:
            return
        if self._changed_ns is not None:
            at_once = self._looks == 1 and self._rest_ns
            between_ns = now_ns - self._changed_ns
            self._rest_ns = self._rest_ns // 2 if at_once else self._longer(between_ns * 9 // 10)
        self._changed_ns, self._settling = now_ns, True

    def _longer(self, rest_ns: int) -> int:
        """Give the next rest: a long time between two changes may have had others in it, so rests grow slowly."""
        return min(rest_ns, _MOST_REST_NS, self._rest_ns * 11 // 10 or rest_ns)
