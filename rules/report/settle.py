"""Rows get all that their energy came to: hours that are still open as it stands now, and at the boundary wanted."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from wattledger.rules.pricing.model import NOTHING, Boundary, HourPrice, Priced
from wattledger.rules.state import State

from .rows import DeviceHour, OwnerHour, ReportRows, ServiceHour
from .share import by_energy, in_step, less

RowT = TypeVar("RowT", DeviceHour, OwnerHour, ServiceHour)
HourKey = tuple[str, int]
DeviceKey = tuple[str, State]


def settle(rows: ReportRows, boundary: Boundary = Boundary.GPU) -> ReportRows:
    """Give *rows* with prices at *boundary*, and none of them open any more.

    What the host came to in an hour and no closed row has goes to the open energy. Over the devices of an hour the
    prices sum to those of the host, over the owners of a device and state to those of the device, as far as the
    energy is theirs. Services are not all of a host, and each has its part by itself. Rows of an hour that is not
    priced at *boundary* have none. Each row tells how much of its energy no price is of.
    """
    prices = {(hour.host, hour.price.hour): hour.price for hour in rows.hours}
    owners, services = _by_hour(rows.owners), _by_hour(rows.services)
    devices: list[DeviceHour] = []
    settled_owners: list[OwnerHour] = []
    settled_services: list[ServiceHour] = []
    by_hour = _by_hour(rows.devices)
    for key in {**by_hour, **owners, **services}:
        hour = _Hour(by_hour.get(key, []), prices.get(key), boundary)
        devices += hour.devices()
        settled_owners += hour.owners(owners.get(key, []))
        settled_services += hour.services(services.get(key, []))
    return replace(rows, devices=tuple(devices), owners=tuple(settled_owners), services=tuple(settled_services))


def _by_hour(rows: Iterable[RowT]) -> dict[HourKey, list[RowT]]:
    found: dict[HourKey, list[RowT]] = {}
    for row in rows:
        found.setdefault((row.host, row.hour), []).append(row)
    return found


def _closed(row: DeviceHour | OwnerHour | ServiceHour, energy_mj: int) -> Priced:
    """Give the prices that the row has for good, with the energy that they are of."""
    if row.open_mj == energy_mj:
        return NOTHING
    closed_mj = energy_mj - row.open_mj
    return row.priced if row.priced.energy_mj == closed_mj else replace(row.priced, energy_mj=closed_mj)


def _unpriced(energy_mj: int, at_gpu: Priced) -> int:
    """Give how much of the energy of a row no price is of: open hours are priced once a minute."""
    return max(0, energy_mj - at_gpu.energy_mj)


def _added(closed: Sequence[Priced], parts: Sequence[Priced]) -> list[Priced]:
    return [one + part if one.energy_mj else part for one, part in zip(closed, parts, strict=True)]


class _Hour:
    """An hour of a host while its rows are settled."""

    def __init__(self, devices: Sequence[DeviceHour], price: HourPrice | None, boundary: Boundary) -> None:
        self._devices = devices
        closed = [_closed(row, row.energy_mj) for row in devices]
        boundaries = {} if price is None else price.boundaries
        self._gpu = boundaries.get(Boundary.GPU, NOTHING)
        is_open = price is not None and not price.final
        self._open = less(self._gpu, sum(closed, NOTHING)) if is_open else NOTHING
        self._open_mj = sum(row.open_mj for row in devices)
        self._open_parts = by_energy(self._open, [row.open_mj for row in devices])
        self._at_gpu = _added(closed, self._open_parts)
        self._is_wider = boundary is not Boundary.GPU
        self._whole = boundaries.get(boundary, NOTHING)
        self._at_boundary = in_step(self._whole, self._at_gpu, self._gpu) if self._is_wider else self._at_gpu

    def devices(self) -> list[DeviceHour]:
        return [
            row.at(priced, _unpriced(row.energy_mj, at_gpu))
            for row, priced, at_gpu in zip(self._devices, self._at_boundary, self._at_gpu, strict=True)
        ]

    def owners(self, rows: Sequence[OwnerHour]) -> list[OwnerHour]:
        places = {(row.uuid, row.state): place for place, row in enumerate(self._devices)}
        of_device: dict[DeviceKey, list[OwnerHour]] = {}
        for row in rows:
            of_device.setdefault((row.uuid, row.state), []).append(row)
        found: list[OwnerHour] = []
        for key, own in of_device.items():
            found += self._of_device(places.get(key), own)
        return found

    def _of_device(self, place: int | None, rows: Sequence[OwnerHour]) -> list[OwnerHour]:
        """Settle the owners of one device and state; without its row (place None) they have what is closed."""
        prices = [_closed(row, row.energy_mj) for row in rows]
        if place is not None:
            of_mj = self._devices[place].open_mj
            parts = by_energy(self._open_parts[place], [row.open_mj for row in rows], of_mj=of_mj)
            prices = _added(prices, parts)
        unpriced = [_unpriced(row.energy_mj, at_gpu) for row, at_gpu in zip(rows, prices, strict=True)]
        if self._is_wider and place is not None:
            prices = in_step(self._at_boundary[place], prices, self._at_gpu[place])
        elif self._is_wider:
            prices = [NOTHING] * len(rows)
        return [row.at(priced, left_mj) for row, priced, left_mj in zip(rows, prices, unpriced, strict=True)]

    def services(self, rows: Sequence[ServiceHour]) -> list[ServiceHour]:
        return [self._service(row) for row in rows]

    def _service(self, row: ServiceHour) -> ServiceHour:
        (part,) = by_energy(self._open, [row.open_mj], of_mj=self._open_mj)
        at_gpu = _closed(row, row.total_mj) + part
        (at_boundary,) = in_step(self._whole, [at_gpu], self._gpu) if self._is_wider else (at_gpu,)
        return row.at(at_boundary, _unpriced(row.total_mj, at_gpu))
