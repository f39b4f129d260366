"""Takes the value of a field of dcgm-exporter from a device, in its unit; a value that is not known is None."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from wattledger.exporter.catalog import has_energy
from wattledger.rules.quantity import COUNTERS, Quantity

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import DeviceView
    from wattledger.rules.reading import MigInstance

    from .names import Unit

# Where no mean over a second is told, dcgm-exporter too has the latest value: both ask the driver for "the power".
_ELSE = {Quantity.POWER_AVERAGE_MW: Quantity.POWER_INSTANT_MW}


def of_device(quantity: Quantity, view: DeviceView) -> int | float | None:
    """Give what a device has of *quantity*, in its own unit: hardware counters as the ledger carries them on."""
    if quantity is Quantity.ENERGY_MJ:
        return view.account.energy_mj if has_energy(view) else None
    if quantity in COUNTERS:
        carried = view.account.counters.get(quantity)
        return None if carried is None else carried.total
    value = _finite(view.reading.values.get(quantity))
    if value is None and quantity in _ELSE:
        value = _finite(view.reading.values.get(_ELSE[quantity]))
    return value


def of_instance(quantity: Quantity, instance: MigInstance) -> int | float | None:
    """Give what a MIG instance has of *quantity* itself. Power, energy, clocks and temperature are its board's."""
    return _finite(instance.values.get(quantity))


def converted(value: float, unit: Unit) -> int | float:
    """Give *value*, which is in the unit of its quantity, in *unit*."""
    if not unit.whole:
        return value if unit.times == unit.over == 1 else value * unit.over / unit.times
    if isinstance(value, int):
        return value * unit.over // unit.times
    return round(value * unit.over / unit.times)  # 29 % was read as 29, and is 28.999999999999996 hundredths now


def _finite(value: float | None) -> int | float | None:
    return value if value is not None and isfinite(value) else None
