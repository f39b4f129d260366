"""What an hour of something has come to: its energy and time, and the prices of the part that is closed."""

from dataclasses import dataclass, replace

from wattledger.rules.pricing.model import NOTHING, Priced

from .hours import Cell


@dataclass(frozen=True, slots=True)
class Booked:
    """Energy and time of an hour. `closed` is of the energy that has its prices for good; the rest is open."""

    cell: Cell
    closed: Priced = NOTHING

    def __add__(self, other: "Booked") -> "Booked":
        """Give the sum, term by term."""
        return Booked(self.cell + other.cell, self.closed + other.closed)

    @property
    def open_mj(self) -> int:
        """Give the energy that has no prices yet."""
        return self.cell.energy_mj - self.closed.energy_mj

    @property
    def priced(self) -> Priced:
        """Give the prices that are known, with all the energy."""
        return replace(self.closed, energy_mj=self.cell.energy_mj)
