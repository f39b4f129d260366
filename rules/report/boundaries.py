"""What the hours of hosts came to at each boundary, and which boundary is known for all of them."""

from wattledger.rules.pricing.model import Boundary, Priced

from .rows import ReportRows
from .tally import PricedTally


class BoundaryTally:
    """Adds up hours of hosts. `hours` is how many there were, `known` how many of them each boundary has."""

    def __init__(self) -> None:
        self.hours = 0
        self.known = dict.fromkeys(Boundary, 0)
        self._sums = {boundary: PricedTally() for boundary in Boundary}
        self._unpriced = False

    def add(self, rows: ReportRows) -> None:
        """Take in hours of hosts, all rows of each."""
        priced = set()
        for hour in rows.hours:
            self.hours += 1
            priced.add((hour.host, hour.price.hour))
            for boundary, came_to in hour.price.boundaries.items():
                self.known[boundary] += 1
                self._sums[boundary].add(came_to)
        # Energy that is open gets its hour within the minute. The other was booked before hours were priced, and is
        # known of the boards alone.
        self._unpriced = self._unpriced or any(
            row.energy_mj > row.open_mj and (row.host, row.hour) not in priced for row in rows.devices
        )

    @property
    def complete(self) -> dict[Boundary, Priced]:
        """Give what each boundary came to that all hours know, from the boards to the meter."""
        most = (Boundary.GPU,) if self._unpriced else tuple(Boundary)
        return {
            boundary: self._sums[boundary].sum
            for boundary in most
            if self.hours and self.known[boundary] == self.hours
        }

    @property
    def widest(self) -> Boundary:
        """Give the widest of them."""
        return next(reversed(self.complete), Boundary.GPU)
