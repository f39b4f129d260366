"""How the prices of an hour that closes fall on what used its energy, as whole numbers; it knows no file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from wattledger.rules.apportion import apportion
from wattledger.rules.pricing.model import NOTHING, Priced

from .booked import Booked
from .hours import Cell

DeviceT = TypeVar("DeviceT")  # a device and its state
WorkloadT = TypeVar("WorkloadT")
PhaseT = TypeVar("PhaseT")  # a service, its model and its phase


@dataclass(slots=True)
class OpenCells(Generic[DeviceT, WorkloadT, PhaseT]):
    """What is open of one stretch of time. The order matters: of what cannot be shared the earlier has more."""

    devices: dict[DeviceT, Cell] = field(default_factory=dict)
    workloads: dict[tuple[DeviceT, WorkloadT], Cell] = field(default_factory=dict)
    phases: dict[PhaseT, Cell] = field(default_factory=dict)

    @property
    def energy_mj(self) -> int:
        """Give the energy of the devices."""
        return sum(cell.energy_mj for cell in self.devices.values())

    def add(self, other: "OpenCells[DeviceT, WorkloadT, PhaseT]") -> None:
        """Take *other* in as of the same stretch."""
        _gather(self.devices, other.devices)
        _gather(self.workloads, other.workloads)
        _gather(self.phases, other.phases)


@dataclass(slots=True)
class ClosedCells(Generic[DeviceT, WorkloadT, PhaseT]):
    """What an hour gets of everything that was open of it."""

    devices: dict[DeviceT, Booked] = field(default_factory=dict)
    workloads: dict[tuple[DeviceT, WorkloadT], Booked] = field(default_factory=dict)
    phases: dict[PhaseT, Booked] = field(default_factory=dict)


def close(
    slots: Sequence[OpenCells[DeviceT, WorkloadT, PhaseT]], prices: Sequence[Priced]
) -> ClosedCells[DeviceT, WorkloadT, PhaseT]:
    """Give the cells of all *slots*, each with its part of *prices*, which are those of the slots.

    Over the devices the parts sum to the prices exactly, where these are of the energy that is here; over the
    workloads of a device and state to the part of that, where they used all of its energy. Where a slot has other
    energy than its price is of, quarters of the hour cannot be told apart (they were folded to save memory, or some
    of it was lost), and the hour is shared out as a whole. Prices of energy that is not here go to nobody.
    """
    if any(cells.energy_mj != priced.energy_mj for cells, priced in zip(slots, prices, strict=True)):
        whole: OpenCells[DeviceT, WorkloadT, PhaseT] = OpenCells()
        for cells in slots:
            whole.add(cells)
        slots, prices = [whole], [sum(prices, NOTHING)]
    closed: ClosedCells[DeviceT, WorkloadT, PhaseT] = ClosedCells()
    for cells, priced in zip(slots, prices, strict=True):
        _close_slot(closed, cells, priced)
    return closed


def _close_slot(
    closed: ClosedCells[DeviceT, WorkloadT, PhaseT], cells: OpenCells[DeviceT, WorkloadT, PhaseT], priced: Priced
) -> None:
    devices = shared(priced, cells.devices)
    add_booked(closed.devices, cells.devices, devices)
    of_device: dict[DeviceT, dict[tuple[DeviceT, WorkloadT], Cell]] = {}
    for key, cell in cells.workloads.items():
        of_device.setdefault(key[0], {})[key] = cell
    for device, workloads in of_device.items():
        add_booked(closed.workloads, workloads, shared(devices.get(device, NOTHING), workloads))
    whole_mj = max(priced.energy_mj, cells.energy_mj)
    phases = {key: _part(priced, cell.energy_mj, whole_mj) for key, cell in cells.phases.items()}
    add_booked(closed.phases, cells.phases, phases)


KeyT = TypeVar("KeyT")


def shared(priced: Priced, cells: Mapping[KeyT, Cell]) -> dict[KeyT, Priced]:
    """Give each of *cells* its part of *priced* by its energy.

    The parts sum to it exactly where the cells have at least its energy, else to the share of it that they have.
    """
    energies = [cell.energy_mj for cell in cells.values()]
    here_mj = sum(energies)

    def column(value: int) -> list[int]:
        if here_mj < priced.energy_mj:
            value = value * here_mj // priced.energy_mj
        if value == here_mj:  # apportioning would give the same: all of the energy is covered
            return energies
        return apportion(value, energies) if value and here_mj else [0] * len(energies)

    parts = zip(
        energies,
        column(priced.location),
        column(priced.location_covered_mj),
        column(priced.market),
        column(priced.market_covered_mj),
        column(priced.cost),
        column(priced.credit),
        column(priced.priced_mj),
        strict=True,
    )
    return {key: Priced(*part) for key, part in zip(cells, parts, strict=True)}


def _part(priced: Priced, energy_mj: int, whole_mj: int) -> Priced:
    """Give the part of *priced* that is of *energy_mj*, rounded down."""

    def part(value: int) -> int:
        return value * energy_mj // whole_mj if whole_mj else 0

    return Priced(
        energy_mj,
        part(priced.location),
        part(priced.location_covered_mj),
        part(priced.market),
        part(priced.market_covered_mj),
        part(priced.cost),
        part(priced.credit),
        part(priced.priced_mj),
    )


def add_booked(known: dict[KeyT, Booked], cells: Mapping[KeyT, Cell], prices: Mapping[KeyT, Priced]) -> None:
    """Add *cells*, each with its prices, to what is *known* of the hour."""
    for key, cell in cells.items():
        booked = Booked(cell, prices[key])
        known[key] = known[key] + booked if key in known else booked


def _gather(known: dict[KeyT, Cell], cells: Mapping[KeyT, Cell]) -> None:
    for key, cell in cells.items():
        known[key] = known[key] + cell if key in known else cell
