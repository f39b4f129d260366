"""Carries hardware counters on over their restarts, so that what is exported never falls."""

from .account import Carried
from .instant import NS_PER_SECOND, Instant
from .quantity import COUNTERS, Quantity
from .reading import Reading

# A counter that fell has restarted, even where nothing else tells so, when it stays low for this many readings and
# for longer than one reading of it can be shown: the slower ones are read once a minute.
CONFIRMATIONS = 3
PATIENCE_NS = 150 * NS_PER_SECOND
_IN_ORDER = tuple(quantity for quantity in Quantity if quantity in COUNTERS)


class CounterCarry:
    """Carries all counters of one device. A first value counts whole: the driver has counted since its load."""

    def __init__(self, carried: dict[Quantity, Carried] | None = None) -> None:
        self.carried: dict[Quantity, Carried] = dict(carried or {})  # replaced, never changed
        self._low: dict[Quantity, tuple[int, int]] = {}  # since when it is low, and how often it was seen so

    def add(self, reading: Reading, *, epoch_changed: bool) -> None:
        """Take the counters of *reading*; *epoch_changed* tells that the device's counters restarted before it."""
        changed: dict[Quantity, Carried] = {}
        for quantity in _IN_ORDER:
            value = reading.values.get(quantity)
            if value is None:
                continue
            raw = int(value)
            before = self.carried.get(quantity)
            if before is None:
                changed[quantity] = Carried(total=raw, last_raw=raw)
            elif raw >= before.last_raw:
                self._low.pop(quantity, None)
                if raw > before.last_raw:
                    changed[quantity] = Carried(total=before.total + raw - before.last_raw, last_raw=raw)
            elif epoch_changed or self._stays_low(quantity, reading.at):
                self._low.pop(quantity, None)
                changed[quantity] = Carried(total=before.total + raw, last_raw=raw)
        if changed:
            self.carried = self.carried | changed

    def _stays_low(self, quantity: Quantity, at: Instant) -> bool:
        since_ns, times = self._low.get(quantity, (at.mono_ns, 0))
        self._low[quantity] = (since_ns, times + 1)
        return times + 1 >= CONFIRMATIONS and at.mono_ns - since_ns >= PATIENCE_NS
