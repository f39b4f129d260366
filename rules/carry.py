"""Carries hardware counters on over their restarts, so that what is exported never falls."""

from .account import Carried
from .quantity import COUNTERS, Quantity
from .reading import Reading

# A counter seen lower this often in a row has restarted, even where nothing else tells so.
CONFIRMATIONS = 3


class CounterCarry:
    """Carries all counters of one device. A first value counts whole: the driver has counted since its load."""

    def __init__(self, carried: dict[Quantity, Carried] | None = None) -> None:
        self.carried: dict[Quantity, Carried] = dict(carried or {})
        self._low: dict[Quantity, int] = {}

    def add(self, reading: Reading, *, epoch_changed: bool) -> None:
        """Take the counters of *reading*; *epoch_changed* tells that the device's counters restarted before it."""
        for quantity in COUNTERS & reading.values.keys():
            raw = int(reading.values[quantity])
            before = self.carried.get(quantity)
            if before is None:
                self.carried[quantity] = Carried(total=raw, last_raw=raw)
            elif raw >= before.last_raw:
                self._low.pop(quantity, None)
                if raw > before.last_raw:
                    self.carried[quantity] = Carried(total=before.total + raw - before.last_raw, last_raw=raw)
            elif epoch_changed or self._seen_low(quantity):
                self._low.pop(quantity, None)
                self.carried[quantity] = Carried(total=before.total + raw, last_raw=raw)

    def _seen_low(self, quantity: Quantity) -> bool:
        self._low[quantity] = self._low.get(quantity, 0) + 1
        return self._low[quantity] >= CONFIRMATIONS
