"""What waits for a closing, in the file and in memory: quarter hours, and what their hours came to so far."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from wattledger.rules.chain.node_energy import DomainEnergy
from wattledger.rules.chain.node_model import NodeKey, NodeSource
from wattledger.rules.pricing.model import SLOTS_PER_HOUR, slots_of_hour

from .base import LedgerDamaged, OpenSlot, Prices
from .host_hour_rows import hours_open
from .host_hours import HostHours, as_they_are
from .host_hours import take as take_hours
from .priced_row import has_prices
from .rows import member, text_of, whole
from .waiting import Step


@dataclass(slots=True)
class OpenTally:
    """Energy by quarter hour: of the devices, 0 where there is time or a late window alone, and of meters."""

    gpu_mj: dict[int, int] = field(default_factory=dict)
    meters: dict[int, dict[NodeKey, DomainEnergy]] = field(default_factory=dict)

    def add_device(self, slot: int, energy_mj: int) -> None:
        """Add energy of a device."""
        self.gpu_mj[slot] = self.gpu_mj.get(slot, 0) + energy_mj

    def add_meter(self, slot: int, meter: NodeKey, energy: DomainEnergy) -> None:
        """Add what a meter of the node counted."""
        known = self.meters.setdefault(slot, {})
        known[meter] = known.get(meter, DomainEnergy()) + energy

    def take(self, step: Step) -> None:
        """Go on by what waits."""
        for (slot, *_), cell in step.devices.cells.items():
            self.add_device(slot, cell.energy_mj)
        for slot in {key[0] for key in (*step.workloads.cells, *step.phases.cells)}:
            self.add_device(slot, 0)
        for (slot, domain, source), energy in step.meters.cells.items():
            self.add_meter(slot, (domain, source), energy)
        for hour in step.closings:
            for slot in slots_of_hour(hour):
                self.gpu_mj.pop(slot, None)
                self.meters.pop(slot, None)

    def slots(self) -> dict[int, OpenSlot]:
        """Give what is open, in the order of time."""
        return {
            slot: OpenSlot(self.gpu_mj.get(slot, 0), self.meters.get(slot, {}))
            for slot in sorted(self.gpu_mj.keys() | self.meters.keys())
        }


@dataclass(frozen=True, slots=True)
class OpenHours:
    """What is open in a file, with the hours of the host of which something is."""

    tally: OpenTally = field(default_factory=OpenTally)
    hours: HostHours = field(default_factory=dict)


def with_open(counters: Prices, known: OpenHours, steps: Iterable[Step]) -> Prices:
    """Give *counters* with what is open: what was *known*, changed by *steps*."""
    for step in steps:
        known.tally.take(step)
        take_hours(known.hours, step)
    slots = known.tally.slots()
    still_open = {slot // SLOTS_PER_HOUR for slot in slots}
    hours = as_they_are(known.hours)
    chosen = tuple(row for hour, row in hours.items() if not row.final or hour in still_open)
    return Prices(counters.totals, counters.certificates, chosen, slots, counters.nodes)


def read(connection: sqlite3.Connection) -> OpenHours:
    """Give what is open in the file. Raises LedgerDamaged, sqlite3.Error."""
    return OpenHours(_tally(connection), hours_open(connection))


def _tally(connection: sqlite3.Connection) -> OpenTally:
    tally = OpenTally()
    if not has_prices(connection):
        return tally
    try:
        for slot, energy_mj in connection.execute("SELECT slot, energy_mj FROM open_device"):
            tally.add_device(whole(slot), whole(energy_mj))
        for (slot,) in connection.execute("SELECT slot FROM open_workload UNION SELECT slot FROM open_service"):
            tally.add_device(whole(slot), 0)
        for slot, domain, source, energy_mj, covered_ns in connection.execute(
            "SELECT slot, domain, source, energy_mj, covered_ns FROM open_meter"
        ):
            known = member(NodeSource, source)
            if known is not None:
                energy = DomainEnergy(whole(energy_mj), whole(covered_ns))
                tally.add_meter(whole(slot), (text_of(domain), known), energy)
    except (ValueError, TypeError) as error:
        raise LedgerDamaged(f"a row of an open hour cannot be understood: {error!r}") from error
    return tally
