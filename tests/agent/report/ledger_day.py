"""A day of a small host in a real ledger: hours that are closed, that are open, and one that late energy opened."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.agent.fake_clock import FakeClock
from wattledger.agent.ledger import HourClosing, PriceCommit, SqliteLedger, UsageCommit
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.feeds.model import Accounting, Caliber, Measure, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.pricing.book import PriceBook
from wattledger.rules.pricing.hour import Cover, HourFacts, Quarters
from wattledger.rules.pricing.model import SLOT_NS, Boundary, SupplyUse, slot_of
from wattledger.rules.state import Method, State
from wattledger.rules.supply.model import Layer
from wattledger.rules.tariff.prices import PricePoint
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceWindow
from wattledger.rules.usage.workload import UNATTRIBUTED, Part, ShareMethod, Workload, WorkloadKind

START = datetime(2024, 11, 4, tzinfo=UTC)
START_NS = int(START.timestamp()) * NS_PER_SECOND
START_HOUR = START_NS // NS_PER_HOUR
HOURS = 24
LATE_HOUR = START_HOUR + 5
LATE_MJ = 36_000_000
CONTRACT_MJ = 720_000_000  # an hour
MICRO = 1_000_000
UUIDS = ("GPU-11111111-0000-4000-8000-00000000aaaa", "GPU-22222222-0000-4000-8000-00000000bbbb")
NAMES = ("NVIDIA H100 80GB HBM3", "NVIDIA L40S")
CHAT = Workload(WorkloadKind.POD, "1", "serving/chat-0/server", (("namespace", "serving"), ("pod", "chat-0")))
SWEEP = Workload(WorkloadKind.SLURM, "4711", "4711 sweep", (("job", "4711"), ("user", "chen")))
FEED = Series(Measure.INTENSITY, "csv", "DE", Caliber())
SHARE = Series(Measure.CARBON_FREE, "static", "DE", source="one office, 2024")
RESIDUAL = Series(
    Measure.INTENSITY, "table", "DE", Caliber(accounting=Accounting.MARKET), source="residual mixes, 2025"
)


def intensity(hour: int) -> int:
    """Give the micrograms per kWh of the grid in a UTC hour."""
    return (300 + hour % 24 * 10) * MICRO


def carbon_free(hour: int) -> int | None:
    """Give the millionths of the grid that are carbon-free in a UTC hour; in one of the day they are not known."""
    return None if hour % 24 == 12 else 400_000


def price(hour: int) -> int:
    """Give millionths per kWh."""
    return 120_000 if hour % 24 < 6 else 300_000


@dataclass
class LedgerDay:
    """The day, one quarter of an hour after another. The ledger stays open: its daemon runs."""

    folder: Path
    chat_title: str = CHAT.title
    clock: FakeClock = field(default_factory=lambda: FakeClock(mono_ns=0, wall_ns=START_NS))
    entries: list[Entry] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = SqliteLedger(self.folder, clock=self.clock)
        self._book = PriceBook(open_ns=6 * NS_PER_HOUR)
        self._accounts = {uuid: DeviceAccount(uuid, name=name) for uuid, name in zip(UUIDS, NAMES, strict=True)}

    def run(self, quarters: int = HOURS * 4) -> None:
        """Let time pass."""
        for number in range(quarters):
            self.clock.advance_ns(SLOT_NS)
            begin, end = Instant(number * SLOT_NS, START_NS + number * SLOT_NS), self.clock.now()
            self._commit(list(_drawn(begin, end)), [window_of(begin, end)], end)

    def late(self, *, is_priced: bool = True) -> None:
        """Book energy of an hour that is closed, which opens it again; not priced yet, as while feeds begin."""
        first = LATE_HOUR * NS_PER_HOUR
        begin = Instant(first - START_NS, first)
        end = Instant(begin.mono_ns + SLOT_NS, begin.wall_ns + SLOT_NS)
        entry = Entry(UUIDS[1], State.UNKNOWN, begin, end, LATE_MJ, 0, Method.COUNTER)
        drawn = [(entry, UNATTRIBUTED, ShareMethod.REMAINDER)]
        self._commit(drawn, [], self.clock.now(), is_priced=is_priced, closes=False)

    def _commit(
        self,
        drawn: list[tuple[Entry, Workload, ShareMethod]],
        windows: list[tuple[str, ServiceWindow]],
        at: Instant,
        *,
        is_priced: bool = True,
        closes: bool = True,
    ) -> None:
        entries = [entry for entry, _, _ in drawn]
        drawn = [(entry, self._called(owner), method) for entry, owner, method in drawn]
        parts = [
            Part(entry.uuid, owner, entry.state, method, entry.start, entry.end, entry.energy_mj, entry.avoidable_mj)
            for entry, owner, method in drawn
        ]
        for entry in entries:
            self._book.add(slot_of(entry.start.wall_ns), entry.energy_mj)
        self.entries += entries
        self.parts += parts
        prices = self._priced(at, closes=closes) if is_priced else PriceCommit()
        usage = UsageCommit(parts=parts, windows=windows)
        self.ledger.commit(self._accounts, entries, at, usage=usage, prices=prices)

    def _called(self, owner: Workload) -> Workload:
        return replace(owner, title=self.chat_title) if owner is CHAT else owner

    def _priced(self, at: Instant, *, closes: bool) -> PriceCommit:
        rows = {row.hour: row for row in self._book.reprice(facts)}
        closings = self._book.close(at.wall_ns) if closes else ()
        rows |= {closing.hour: closing.row for closing in closings}
        return PriceCommit(
            closings=[HourClosing(closing.hour, closing.quarters) for closing in closings],
            hours=tuple(rows.values()),
            totals=self._book.totals,
        )


def facts(hour: int, gpu: Quarters) -> HourFacts:
    """Give what is known of an hour: a PUE of 1.25, an intensity, a residual mix, a price and a contract."""
    load = tuple(energy_mj * 5 // 4 for energy_mj in gpu)
    load_mj = sum(load)
    wind_mj = min(load_mj, CONTRACT_MJ)
    start, end = hour * NS_PER_HOUR, (hour + 1) * NS_PER_HOUR
    return HourFacts(
        hour,
        {Boundary.GPU: gpu, Boundary.FACILITY: load},
        location=(Resolved(start, end, intensity(hour), PointKind.ACTUAL, 0, FEED),),
        residual=(Resolved(start, end, 700 * MICRO, PointKind.FACTOR, 0, RESIDUAL),),
        prices=(PricePoint(start, end, price(hour)),),
        cover=Cover(
            contract_mj=wind_mj,
            matched_mj=wind_mj,
            uses=(
                SupplyUse(Layer.CONTRACT_INTER, "wind", wind_mj, is_green=True, is_matched=True),
                SupplyUse(Layer.GRID, "", load_mj - wind_mj),
            ),
        ),
        currency="EUR",
        zone="DE",
        carbon_free=(_share(start, end, carbon_free(hour)),),
    )


def _share(start: int, end: int, value: int | None) -> Resolved:
    if value is None:
        return Resolved(start, end)
    return Resolved(start, end, value, PointKind.FACTOR, 0, SHARE)


def _drawn(begin: Instant, end: Instant) -> Iterator[tuple[Entry, Workload, ShareMethod]]:
    hour = begin.wall_ns // NS_PER_HOUR % 24

    def entry(board: int, state: State, watts: int, avoidable_watts: int = 0) -> Entry:
        return Entry(UUIDS[board], state, begin, end, watts * 900_000, avoidable_watts * 900_000, Method.COUNTER)

    if 8 <= hour < 18:
        yield entry(0, State.ACTIVE, 480), CHAT, ShareMethod.EXCLUSIVE
    else:
        yield entry(0, State.HELD, 120, 48), CHAT, ShareMethod.EXCLUSIVE
    if hour < 12:
        yield entry(1, State.PARKED, 32), UNATTRIBUTED, ShareMethod.REMAINDER
    else:
        yield entry(1, State.ALLOCATED, 40), SWEEP, ShareMethod.ALLOCATED


def window_of(begin: Instant, end: Instant) -> tuple[str, ServiceWindow]:
    """Give the service of the first board, which makes tokens by day."""
    busy = 8 <= begin.wall_ns // NS_PER_HOUR % 24 < 18
    energy_mj = (480 if busy else 120) * 900_000
    output = 150_000 if busy else 0
    tokens = {TokenKind.PROMPT: 5 * output, TokenKind.PROMPT_COMPUTED: 4 * output, TokenKind.OUTPUT: output}
    phase = Phase.SERVING if busy else Phase.IDLE
    window = ServiceWindow("chat", begin, end, phase, energy_mj if busy else 0, energy_mj, {"llama-8b": tokens})
    return "llama-8b", window
