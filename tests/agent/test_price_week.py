"""A week of load under a stepped intensity, contracts and a tariff: the grams and money of another calculation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from tests.agent.fake_clock import FakeClock
from wattledger.agent.config.supply_schema import Scope, SupplyEntry, SupplyKind
from wattledger.agent.hourly_prices import HourlyPrices
from wattledger.agent.ledger import Ledger, SqliteLedger
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.price_parts import LOCATION, RESIDUAL, PriceSettings
from wattledger.agent.supply import SupplyPlan
from wattledger.agent.supply_desk import SupplyDesk, kept
from wattledger.agent.tariff import clock_of
from wattledger.exporter.feeds import FeedHealth
from wattledger.rules.account import DeviceAccount, Entry, StateTotal
from wattledger.rules.chain.chain import Pue
from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.feeds.model import Accounting, Caliber, Measure, PointKind, Series
from wattledger.rules.feeds.span import Span
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.pricing.model import Boundary, HourPrice, Priced, TotalKind
from wattledger.rules.state import State
from wattledger.rules.supply.model import Layer
from wattledger.rules.tariff.model import HourSpan, Period, Tariff

START = datetime(2026, 3, 23, tzinfo=UTC)  # a Monday; clocks in Europe go forward within the week
HOURS = 7 * 24
TICK_NS = 900 * NS_PER_SECOND
START_NS = int(START.timestamp()) * NS_PER_SECOND
UUIDS = ("GPU-1", "GPU-2", "GPU-3")
KWH = 3_600_000_000
PUE = 1_250_000
RESIDUAL_G = 609_600_000  # micrograms: China's mix without traded non-fossil power, 2023
CONTRACT_MJ = KWH // 2
SHARE_PPM = 200_000
SERIES = Series(Measure.INTENSITY, "stepped", "CN-ZJ", Caliber())
REST = Series(Measure.INTENSITY, "residual", "CN", Caliber(accounting=Accounting.MARKET))


@dataclass
class SteppedFeeds:
    """Values by the hour that are known from the start; one hour is corrected while it is open."""

    by_hour: dict[int, int]
    news: list[Span] = field(default_factory=list)

    def start(self) -> None: ...

    def changes(self) -> Mapping[str, Sequence[Span]]:
        told, self.news = self.news, []
        return {LOCATION: told} if told else {}

    def correct(self, hour: int, value: int) -> None:
        self.by_hour[hour] = value
        self.news.append(Span(hour * NS_PER_HOUR, (hour + 1) * NS_PER_HOUR))

    def resolve(self, chain: str, start_wall_ns: int, end_wall_ns: int) -> list[Resolved]:
        if chain == RESIDUAL:
            return [Resolved(start_wall_ns, end_wall_ns, RESIDUAL_G, PointKind.FACTOR, 0, REST)]
        assert chain == LOCATION
        return [
            Resolved(hour * NS_PER_HOUR, (hour + 1) * NS_PER_HOUR, self.by_hour[hour], PointKind.ACTUAL, 0, SERIES)
            for hour in range(start_wall_ns // NS_PER_HOUR, -(-end_wall_ns // NS_PER_HOUR))
        ]

    def health(self) -> tuple[FeedHealth, ...]:
        return ()

    def close(self) -> None: ...


TARIFF = Tariff(
    currency="EUR",
    timezone="Europe/Berlin",
    offset_at=clock_of("Europe/Berlin"),
    value=300_000,
    periods=(
        Period("peak", 520_000, hours=(HourSpan(17 * 60, 20 * 60),)),
        Period("valley", 110_000, hours=(HourSpan(22 * 60, 6 * 60),)),
    ),
)


def berlin_price(moment: datetime) -> int:
    """Give the price by the clock of Berlin, which goes forward at 01:00 UTC on 29 March 2026."""
    ahead = 2 if moment >= datetime(2026, 3, 29, 1, tzinfo=UTC) else 1
    hour = (moment + timedelta(hours=ahead)).hour
    if 17 <= hour < 20:
        return 520_000
    return 110_000 if hour >= 22 or hour < 6 else 300_000


SUPPLY = (
    SupplyEntry(kind=SupplyKind.CONTRACT, name="wind", scope=Scope.INTRA, kwh_per_hour_ppm=500_000),
    SupplyEntry(kind=SupplyKind.CONTRACT, name="hydro", scope=Scope.INTER, share_ppm=SHARE_PPM, intensity=20_000_000),
)


@dataclass
class Week:
    """A desk and a ledger that may be begun anew at any moment, as after a kill -9."""

    folder: Path
    feeds: SteppedFeeds
    clock: FakeClock = field(default_factory=FakeClock)
    entries: list[Entry] = field(default_factory=list)
    accounts: dict[str, DeviceAccount] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.ledger: Ledger = SqliteLedger(self.folder, clock=self.clock)
        prices = self.ledger.load_prices()
        supply = SupplyDesk(
            SupplyPlan(SUPPLY), kept(prices.certificates, "lot:"), kept(prices.certificates, "storage:")
        )
        settings = PriceSettings(
            open_ns=6 * NS_PER_HOUR,
            zone="CN-ZJ",
            currency="EUR",
            has_carbon=True,
            has_residual=True,
            path=Pue(PUE),
        )
        self.desk = PriceDesk(prices, settings, feeds=self.feeds, supplies=supply, tariffs=HourlyPrices(TARIFF))

    def kill(self) -> None:
        """End without a word, and begin anew on what is on the disk."""
        self.ledger.close()  # gives up its lock; it has nothing to write that was not committed
        self.begin()

    def tick(self, entries: Sequence[Entry], at: Instant) -> None:
        self.entries += entries
        for entry in entries:
            known = self.accounts.get(entry.uuid, DeviceAccount(entry.uuid))
            before = known.states.get(entry.state, StateTotal())
            states = known.states | {
                entry.state: StateTotal(before.energy_mj + entry.energy_mj, before.duration_ns + entry.duration_ns)
            }
            self.accounts[entry.uuid] = DeviceAccount(entry.uuid, states=states)
        self.ledger.commit(self.accounts, entries, at, prices=self.desk.book(entries, at))

    def shown(self) -> dict[tuple[TotalKind, tuple[str, ...]], int]:
        return {total.key: total.shown for total in self.desk.view(Instant(0, START_NS), ()).totals}


def load(random: Random) -> Iterator[tuple[list[Entry], Instant]]:
    """Give one quarter hour after another: each board in some state, with energies that a PUE of 1.25 keeps whole."""
    for tick in range(HOURS * 4):
        begin, end = (Instant(at, START_NS + at) for at in (tick * TICK_NS, (tick + 1) * TICK_NS))
        yield (
            [
                Entry(
                    uuid,
                    random.choice([State.ACTIVE, State.HELD, State.PARKED]),
                    begin,
                    end,
                    4 * random.randrange(15_000_000, 156_000_000),
                )
                for uuid in UUIDS
            ],
            end,
        )


def hour_of(entry: Entry) -> int:
    return entry.start.wall_ns // NS_PER_HOUR


def test_a_week_has_exactly_the_grams_and_the_money_of_an_independent_calculation(tmp_path: Path) -> None:
    random = Random(20260323)  # noqa: S311  (a load, not a secret)
    first = START_NS // NS_PER_HOUR
    feeds = SteppedFeeds({first + hour: random.randrange(50, 900) * 1_000_000 for hour in range(HOURS + 12)})
    week = Week(tmp_path, feeds)
    before: dict[tuple[TotalKind, tuple[str, ...]], int] = {}
    for tick, (entries, at) in enumerate(load(random)):
        week.tick(entries, at)
        if tick % 97 == 96:
            week.kill()
        if tick % 61 == 60:  # a correction of an hour that is still open
            feeds.correct(at.wall_ns // NS_PER_HOUR - 3, random.randrange(50, 900) * 1_000_000)
        shown = week.shown()
        assert all(shown[key] >= number for key, number in before.items()), "a counter fell"
        before = shown
    end = Instant(HOURS * NS_PER_HOUR, START_NS + HOURS * NS_PER_HOUR)
    week.tick((), Instant(end.mono_ns + 7 * NS_PER_HOUR, end.wall_ns + 7 * NS_PER_HOUR))

    location, market, cost, by_layer = expected(week.entries, feeds.by_hour)
    closed = {total.key: total.closed for total in week.desk.view(end, ()).totals}
    facility = Boundary.FACILITY
    assert closed[TotalKind.EMISSIONS, (Accounting.LOCATION, "CN-ZJ", facility)] == location
    assert closed[TotalKind.EMISSIONS, (Accounting.LOCATION, "CN-ZJ", Boundary.GPU)] == location * 4 // 5
    assert market == sum(
        number
        for (kind, labels), number in closed.items()
        if kind is TotalKind.EMISSIONS and (labels[0], labels[2]) == (Accounting.MARKET, facility)
    )
    assert closed[TotalKind.COST, ("EUR", facility)] == cost
    assert closed[TotalKind.UNCOVERED, (Accounting.LOCATION, facility)] == 0
    assert closed[TotalKind.UNPRICED, ("EUR", facility)] == 0
    assert {layer: closed[TotalKind.SUPPLY, (layer,)] for layer in by_layer} == by_layer

    rows = week.ledger.history(START_NS, end.wall_ns)
    assert sum(row.priced.location for row in rows) == location * 4 // 5
    for state in (State.ACTIVE, State.HELD, State.PARKED):
        for uuid in UUIDS:
            assert sum(row.priced.location for row in rows if (row.uuid, row.state) == (uuid, state)) == sum(
                entry.energy_mj * feeds.by_hour[hour_of(entry)]
                for entry in week.entries
                if (entry.uuid, entry.state) == (uuid, state)
            )
    check_hours(week.ledger.price_history(START_NS, end.wall_ns), location, cost)
    week.ledger.close()


def expected(entries: Sequence[Entry], intensity: Mapping[int, int]) -> tuple[int, int, int, dict[Layer, int]]:
    """Compute the week anew: hour by hour, from the entries, at the meter of the house."""
    location = market = cost = 0
    layers = {Layer.CONTRACT_INTRA: 0, Layer.CONTRACT_INTER: 0, Layer.GRID: 0}
    by_hour: dict[int, int] = {}
    for entry in entries:
        drawn_mj = entry.energy_mj * 5 // 4
        by_hour[hour_of(entry)] = by_hour.get(hour_of(entry), 0) + drawn_mj
        cost += drawn_mj * berlin_price(START + timedelta(hours=hour_of(entry) - START_NS // NS_PER_HOUR))
    for hour, load_mj in by_hour.items():
        location += load_mj * intensity[hour]
        wind_mj = min(load_mj, CONTRACT_MJ)
        hydro_mj = min(load_mj - wind_mj, load_mj * SHARE_PPM // 1_000_000)
        market += hydro_mj * 20_000_000 + (load_mj - wind_mj - hydro_mj) * RESIDUAL_G
        layers[Layer.CONTRACT_INTRA] += wind_mj
        layers[Layer.CONTRACT_INTER] += hydro_mj
        layers[Layer.GRID] += load_mj - wind_mj - hydro_mj
    return location, market, cost, layers


def check_hours(hours: Sequence[HourPrice], location: int, cost: int) -> None:
    """Hold the rows of hours against the sums of the week."""
    assert len(hours) == HOURS
    assert all(hour.final for hour in hours)
    whole = sum((hour.boundaries[Boundary.FACILITY] for hour in hours), Priced())
    assert (whole.location, whole.cost) == (location, cost)
    used = [use for hour in hours for use in hour.factors if use.accounting is Accounting.LOCATION]
    assert sum(use.product for use in used) == location
    assert {(use.zone, use.provider, use.kind, use.level) for use in used} == {
        ("CN-ZJ", "stepped", PointKind.ACTUAL, 0)
    }


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not caplog.records
