"""From hourly rows to a report. Every group of a table sums to the whole; nothing is estimated that has no row."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import Boundary
from wattledger.rules.state import State
from wattledger.rules.supply.model import Layer
from wattledger.rules.usage.workload import WorkloadKind

from .boundaries import BoundaryTally
from .choices import GroupBy, Origin
from .currency import currency_of, in_currency
from .groups import Sum
from .heat import HeatTally
from .model import FactorSum, Group, HourPoint, Report
from .rows import DeviceHour, HostHour, OwnerHour, ReportRows
from .settle import settle
from .supply import SupplyTally
from .tally import GroupKey, GroupTally, ModelTally, PricedTally, Tally

ClockText = Callable[[int, GroupBy], str]
"""Gives the name of a UTC hour, or of its day, on the reader's clock."""

_NOBODY = frozenset({WorkloadKind.UNATTRIBUTED, WorkloadKind.FOLDED})
_NONE = "(none)"
_IN_TIME = (GroupBy.HOUR, GroupBy.DAY)


def build(
    rows: ReportRows,
    start_wall_ns: int,
    end_wall_ns: int,
    *,
    by: GroupBy,
    clock_text: ClockText,
    boundary: Boundary | None = None,
) -> Report:
    """Make the report of `[start, end)` out of *rows*, which are of that time alone; at the widest boundary."""
    if boundary is None:
        known = BoundaryTally()
        known.add(rows)
        boundary = known.widest
    builder = Builder(start_wall_ns, end_wall_ns, by=by, clock_text=clock_text, boundary=boundary)
    builder.add(rows)
    return builder.report()


class Builder:
    """Makes a report of rows that come in pieces. All rows of a host and hour are in one of them."""

    def __init__(
        self, start_wall_ns: int, end_wall_ns: int, *, by: GroupBy, clock_text: ClockText, boundary: Boundary
    ) -> None:
        self._span = (start_wall_ns, end_wall_ns)
        self._by = by
        self._boundary = boundary
        self._keys = _Keys(by, clock_text)
        self._states: dict[State, Tally] = {}
        self._by_device = GroupTally(self._keys.of_device)
        self._by_owner = GroupTally(self._keys.of_owner)
        self._owners = GroupTally(_owner)
        self._worst = GroupTally(_owner)
        self._models = ModelTally()
        self._hours = _Hours(boundary)
        self._heat = HeatTally(start_wall_ns // NS_PER_HOUR, -(-end_wall_ns // NS_PER_HOUR))
        self._boundaries = BoundaryTally()
        self._supply = SupplyTally()
        self._factors: dict[FactorSum, tuple[int, int]] = {}
        self._bits: dict[tuple[str, str], int] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._open_mj = self._unpriced_mj = 0
        self._currency = ""  # of the first hour that has one
        self._other_currencies: frozenset[str] = frozenset()
        self._origin = Origin.LEDGER
        self._simulated: dict[str, None] = {}
        self._notes: dict[str, None] = {}

    def add(self, rows: ReportRows) -> None:
        """Take a piece in."""
        self._currency = self._currency or currency_of(rows.hours)
        rows, others = in_currency(rows, self._currency)
        self._other_currencies |= others
        self._boundaries.add(rows)
        self._names.update(rows.names)
        self._origin = rows.origin
        self._simulated.update(dict.fromkeys(rows.simulated))
        self._notes.update(dict.fromkeys(rows.notes))
        self._add_unpriced(rows)
        settled = settle(rows, self._boundary)
        for device in settled.devices:
            self._add_device(device)
        for owner in settled.owners:
            self._add_owner(owner)
        for service in settled.services:
            self._models.add(service)
        for hour in settled.hours:
            self._add_hour(hour)

    def report(self) -> Report:
        """Give the report of what came."""
        states = {state: self._states[state].sum for state in State if state in self._states}
        worst = self._worst.groups()
        owners = self._owners.groups()
        return Report(
            *self._span,
            by=self._by,
            total=sum(states.values(), Sum()),
            states=states,
            boundaries=self._boundaries.complete,
            groups=self._groups(owners),
            models=self._models.models(),
            owners=owners,
            worst=worst[0] if worst and worst[0].sum.idle_mj else None,
            supply=self._supply.sum(self._boundaries.widest),
            factors=self._factor_sums(),
            hours=self._hours.points(),
            heat=self._heat.rows(self._names),
            hosts=len({host for host, _ in self._bits}),
            gpus=len(self._bits),
            boundary=self._boundary,
            boundary_hours={boundary: hours for boundary, hours in self._boundaries.known.items() if hours},
            host_hours=self._boundaries.hours,
            currency=self._currency,
            open_mj=self._open_mj,
            unpriced_mj=self._unpriced_mj,
            origin=self._origin,
            simulated=tuple(sorted(self._simulated)),
            notes=(*self._notes, *self._money_left_out()),
        )

    def _money_left_out(self) -> Iterator[str]:
        if self._other_currencies:
            others = ", ".join(sorted(self._other_currencies))
            yield f"Cost in {others} is left out: the report is in {self._currency}."

    def _groups(self, owners: tuple[Group, ...]) -> tuple[Group, ...]:
        match self._by:
            case GroupBy.OWNER:
                return owners
            case GroupBy.MODEL:
                return ()  # they are of no device: they have a table of their own
            case GroupBy.NAMESPACE | GroupBy.USER:
                return self._by_owner.groups()
            case GroupBy.GPU:
                names = self._names
                return tuple(
                    replace(group, name=names.get((group.name, group.detail), group.detail))
                    for group in self._by_device.groups()
                )
            case _:
                return self._by_device.groups(in_time=self._by in _IN_TIME)

    def _add_unpriced(self, rows: ReportRows) -> None:
        """Count energy of the boards that is in no hour with a price: too new, or from before there were any."""
        energies: dict[tuple[str, int], int] = {}
        for row in rows.devices:
            energies[row.host, row.hour] = energies.get((row.host, row.hour), 0) + row.energy_mj
        for hour in rows.hours:
            key = (hour.host, hour.price.hour)
            priced = hour.price.boundaries.get(Boundary.GPU)
            energies[key] = energies.get(key, 0) - (0 if priced is None else priced.energy_mj)
        self._unpriced_mj += sum(energy_mj for energy_mj in energies.values() if energy_mj > 0)

    def _add_device(self, row: DeviceHour) -> None:
        bit = self._bit(row)
        tally = self._states.get(row.state)
        if tally is None:
            tally = self._states[row.state] = Tally()
        tally.add(row, bit)
        if self._by not in (GroupBy.OWNER, GroupBy.MODEL, GroupBy.NAMESPACE, GroupBy.USER):
            self._by_device.add(row, bit)
        self._hours.add_device(row)
        self._heat.add(row)
        self._open_mj += row.open_mj

    def _add_owner(self, row: OwnerHour) -> None:
        bit = self._bit(row)
        self._owners.add(row, bit)
        if self._by in (GroupBy.NAMESPACE, GroupBy.USER):
            self._by_owner.add(row, bit)
        if row.state in (State.HELD, State.ALLOCATED) and row.kind not in _NOBODY:
            self._worst.add(row, bit)

    def _add_hour(self, hour: HostHour) -> None:
        self._hours.add_hour(hour)
        self._supply.add(hour)
        for use in hour.price.factors:
            key = FactorSum(
                use.accounting, use.zone, use.provider, use.caliber, use.kind, use.level, use.source, 0, 0
            )
            energy_mj, product = self._factors.get(key, (0, 0))
            self._factors[key] = (energy_mj + use.energy_mj, product + use.product)

    def _factor_sums(self) -> tuple[FactorSum, ...]:
        """Give the factors that some energy was priced with."""
        summed = [
            replace(key, energy_mj=energy_mj, product=product)
            for key, (energy_mj, product) in self._factors.items()
            if energy_mj
        ]
        return tuple(
            sorted(summed, key=lambda one: (one.accounting, -one.energy_mj, one.provider, one.zone, one.kind))
        )

    def _bit(self, row: DeviceHour | OwnerHour) -> int:
        key = (row.host, row.uuid)
        bit = self._bits.get(key)
        if bit is None:
            bit = self._bits[key] = 1 << len(self._bits)
        return bit


class _Keys:
    """Names the group of each row."""

    def __init__(self, by: GroupBy, clock_text: ClockText) -> None:
        self._by = by
        self._clock_text = clock_text
        self._hours: dict[int, GroupKey] = {}

    def of_device(self, row: DeviceHour) -> GroupKey:
        match self._by:
            case GroupBy.GPU:
                return row.host, row.uuid  # named when all names are known
            case GroupBy.STATE:
                return row.state, ""
            case GroupBy.HOUR | GroupBy.DAY:
                key = self._hours.get(row.hour)
                if key is None:
                    key = self._hours[row.hour] = (self._clock_text(row.hour, self._by), "")
                return key
            case _:
                return row.host, ""

    def of_owner(self, row: OwnerHour) -> GroupKey:
        if row.kind in _NOBODY:
            return _owner(row)
        return dict(row.names).get(self._by.value, _NONE), ""


def _owner(row: OwnerHour) -> GroupKey:
    return row.title, row.kind


class _Hours:
    """Adds up by the hour."""

    def __init__(self, boundary: Boundary) -> None:
        self._boundary = boundary
        self._states: dict[int, dict[State, int]] = {}
        self._priced: dict[int, PricedTally] = {}
        self._layers: dict[int, dict[Layer, int]] = {}

    def add_device(self, row: DeviceHour) -> None:
        here = self._states.setdefault(row.hour, {})
        here[row.state] = here.get(row.state, 0) + row.energy_mj

    def add_hour(self, hour: HostHour) -> None:
        number = hour.price.hour
        priced = self._priced.setdefault(number, PricedTally())
        if self._boundary in hour.price.boundaries:
            priced.add(hour.price.boundaries[self._boundary])
        layers = self._layers.setdefault(number, {})
        for use in hour.price.supply:
            layers[use.layer] = layers.get(use.layer, 0) + use.energy_mj

    def points(self) -> tuple[HourPoint, ...]:
        nothing: Mapping[Layer, int] = {}
        return tuple(
            HourPoint(
                number,
                self._states.get(number, {}),
                self._priced.get(number, PricedTally()).sum,
                self._layers.get(number, nothing),
            )
            for number in sorted(self._states.keys() | self._priced.keys())
        )
