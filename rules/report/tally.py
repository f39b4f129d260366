"""Sums that grow row by row, so that a fleet's rows need not be in memory at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from wattledger.rules.pricing.model import NOTHING, Priced
from wattledger.rules.state import IDLE_STATES
from wattledger.rules.tokens.model import TokenKind

from .groups import ModelSum, Sum
from .model import Group
from .rows import DeviceHour, OwnerHour, ServiceHour

RowT = TypeVar("RowT", DeviceHour, OwnerHour)
GroupKey = tuple[str, str]
"""Name and detail of a group."""


class PricedTally:
    """Adds up what energy came to."""

    __slots__ = ("_cost", "_credit", "_energy", "_location", "_location_mj", "_market", "_market_mj", "_priced_mj")

    def __init__(self) -> None:
        self._energy = self._location = self._location_mj = self._market = self._market_mj = 0
        self._cost = self._credit = self._priced_mj = 0

    def add(self, priced: Priced) -> None:
        """Take it in."""
        if priced is NOTHING:
            return
        self._energy += priced.energy_mj
        self._location += priced.location
        self._location_mj += priced.location_covered_mj
        self._market += priced.market
        self._market_mj += priced.market_covered_mj
        self._cost += priced.cost
        self._credit += priced.credit
        self._priced_mj += priced.priced_mj

    @property
    def sum(self) -> Priced:
        """Give what it came to."""
        return Priced(
            self._energy,
            self._location,
            self._location_mj,
            self._market,
            self._market_mj,
            self._cost,
            self._credit,
            self._priced_mj,
        )


class Tally:
    """Adds up rows. `devices` has a bit for each device, by the number that its reader gave it."""

    __slots__ = (
        "_avoidable_mj",
        "_duration_ns",
        "_energy_mj",
        "_idle_mj",
        "_idle_ns",
        "_idle_priced",
        "_priced",
        "_unpriced_mj",
        "devices",
    )

    def __init__(self) -> None:
        self._energy_mj = self._idle_mj = self._avoidable_mj = self._duration_ns = self._idle_ns = 0
        self._unpriced_mj = 0
        self._priced, self._idle_priced = PricedTally(), PricedTally()
        self.devices = 0

    def add(self, row: DeviceHour | OwnerHour, device: int) -> None:
        """Take a row in; *device* is the bit of its device."""
        self._energy_mj += row.energy_mj
        self._avoidable_mj += row.avoidable_mj
        self._unpriced_mj += row.unpriced_mj
        self._duration_ns += row.duration_ns
        if row.state in IDLE_STATES:
            self._idle_mj += row.energy_mj
            self._idle_ns += row.duration_ns
            self._idle_priced.add(row.priced)
        self._priced.add(row.priced)
        self.devices |= device

    @property
    def sum(self) -> Sum:
        """Give what the rows came to."""
        return Sum(
            self._energy_mj,
            self._idle_mj,
            self._avoidable_mj,
            self._duration_ns,
            self._idle_ns,
            self._priced.sum,
            self._idle_priced.sum,
            self._unpriced_mj,
        )


class GroupTally(Generic[RowT]):
    """Adds up rows by the group that *key* names."""

    def __init__(self, key: Callable[[RowT], GroupKey]) -> None:
        self._key: Callable[[RowT], GroupKey] = key
        self._found: dict[GroupKey, Tally] = {}
        self._first_hour: dict[GroupKey, int] = {}

    def add(self, row: RowT, device: int) -> None:
        """Take a row in; *device* is the bit of its device."""
        key = self._key(row)
        tally = self._found.get(key)
        if tally is None:
            tally = self._found[key] = Tally()
        tally.add(row, device)
        if row.hour < self._first_hour.get(key, row.hour + 1):
            self._first_hour[key] = row.hour

    def groups(self, *, in_time: bool = False) -> tuple[Group, ...]:
        """Give the groups: in the order of their first hours, or those with the most energy first."""
        found = [Group(*key, sum=tally.sum, gpus=tally.devices.bit_count()) for key, tally in self._found.items()]
        if in_time:
            return tuple(sorted(found, key=lambda one: self._first_hour[one.name, one.detail]))
        return tuple(sorted(found, key=lambda one: (-one.sum.energy_mj, one.name, one.detail)))


class ModelTally:
    """Adds up services and models."""

    def __init__(self) -> None:
        self._found: dict[GroupKey, ModelSum] = {}

    def add(self, row: ServiceHour) -> None:
        """Take a row in."""
        key = (row.service, row.model)
        before = self._found.get(key, ModelSum(*key))
        tokens: dict[TokenKind, int] = dict(before.tokens)
        for kind, number in row.tokens.items():
            tokens[kind] = tokens.get(kind, 0) + number
        self._found[key] = replace(
            before,
            active_mj=before.active_mj + row.active_mj,
            total_mj=before.total_mj + row.total_mj,
            tokens=tuple(tokens.items()),
            priced=before.priced + row.priced,
            unpriced_mj=before.unpriced_mj + row.unpriced_mj,
        )

    def models(self) -> tuple[ModelSum, ...]:
        """Give them, those with the most energy first."""
        return tuple(sorted(self._found.values(), key=lambda one: (-one.total_mj, one.service, one.model)))
