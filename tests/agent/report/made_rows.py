"""Rows of a simulated stretch of time: owners, waste at night and over weekends, holes; the same every time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zlib import crc32
from zoneinfo import ZoneInfo

from wattledger.agent.report.period import clock_text
from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import NOTHING, Boundary, Priced
from wattledger.rules.report.build import build
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.model import Report
from wattledger.rules.report.rows import DeviceHour, HostHour, OwnerHour, ReportRows, ServiceHour
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.usage.workload import UNATTRIBUTED, Workload, WorkloadKind

from .made_prices import HostPricer

BOARDS = 8  # of a host
MODEL = "NVIDIA H100 80GB HBM3"
NS_PER_MINUTE = 60 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Scene:
    """What is simulated. The last `open_hours` are not priced for good; without `prices` no gram or money is known.

    `holes`: the agent was down for a night, a board was lost for two days, and signals were missing for some hours.
    """

    zone: str = "Europe/Berlin"
    first: date = date(2026, 10, 1)
    days: int = 31
    boards: int = BOARDS
    prices: bool = True
    supply: bool = True
    holes: bool = True
    open_hours: int = 3

    @property
    def clock(self) -> ZoneInfo:
        """Give the clock of the people in it."""
        return ZoneInfo(self.zone)

    @property
    def start_hour(self) -> int:
        """Give its first UTC hour."""
        return _hour_of(self.first, self.clock)

    @property
    def end_hour(self) -> int:
        """Give the UTC hour after its last."""
        return _hour_of(self.first + timedelta(days=self.days), self.clock)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Minutes of an hour that a board was in one state, at how many watts, and for whom: parts in percent."""

    state: State
    minutes: int
    watts: int
    owners: tuple[tuple[Workload, int], ...] = ((UNATTRIBUTED, 100),)
    service: str = ""


@dataclass(slots=True)
class _Made:
    devices: list[DeviceHour] = field(default_factory=list)
    owners: list[OwnerHour] = field(default_factory=list)
    services: list[ServiceHour] = field(default_factory=list)
    hours: list[HostHour] = field(default_factory=list)


CHAT = Workload(WorkloadKind.POD, "c1", "chat-7f9c", (("namespace", "serving"), ("pod", "chat-7f9c")))
EMBED = Workload(WorkloadKind.POD, "c2", "embed-0", (("namespace", "serving"), ("pod", "embed-0")))
ALICE = Workload(WorkloadKind.POD, "c3", "jupyter-alice", (("namespace", "research"), ("user", "alice")))
DAVE = Workload(WorkloadKind.USER, "u1004", "dave", (("user", "dave"),))
TRAIN = Workload(WorkloadKind.SLURM, "4211", "4211 pretrain-7b", (("job", "4211"), ("user", "bob")))
SLEEP = Workload(WorkloadKind.SLURM, "4230", "4230 interactive", (("job", "4230"), ("user", "bob")))
AGAIN = Workload(WorkloadKind.SLURM, "4302", "4302 pretrain-7b", (("job", "4302"), ("user", "bob")))
EVALS = Workload(WorkloadKind.SLURM, "4250", "4250 evals", (("job", "4250"), ("user", "carol")))

MODELS = {"chat": "Qwen3-32B", "embed": "bge-m3"}


def made_report(scene: Scene | None = None, *, by: GroupBy = GroupBy.OWNER) -> Report:
    """Give the report of a scene on its people's clock."""
    scene = scene or Scene()
    start, end = scene.start_hour * NS_PER_HOUR, scene.end_hour * NS_PER_HOUR
    return build(made_rows(scene), start, end, by=by, clock_text=clock_text(scene.clock))


def made_rows(scene: Scene | None = None) -> ReportRows:
    """Give the rows of a scene; device rows, owner rows and host hours sum to the same energy."""
    scene = scene or Scene()
    made = _Made()
    for first in range(0, scene.boards, BOARDS):
        host = f"node{7 + first // BOARDS}"
        pricer = HostPricer(scene.clock, with_supply=scene.supply) if scene.prices else None
        for hour in range(scene.start_hour, scene.end_hour):
            is_open = hour >= scene.end_hour - scene.open_hours
            boards = range(first, min(first + BOARDS, scene.boards))
            _add_hour(made, scene, host=host, boards=boards, hour=hour, pricer=pricer, is_open=is_open)
    return ReportRows(
        devices=tuple(made.devices),
        owners=tuple(made.owners),
        services=tuple(made.services),
        hours=tuple(made.hours),
        names={(f"node{7 + board // BOARDS}", uuid(board)): name(board) for board in range(scene.boards)},
    )


def uuid(board: int) -> str:
    """Give the identity of a board."""
    return f"GPU-{crc32(b'board %d' % board):08x}-5a1e-4c00-8000-0000{crc32(b'end %d' % board):08x}"


def name(board: int) -> str:
    """Give the name of a board for people, as the ledger gives it."""
    return f"{MODEL} {uuid(board)[-8:]}"


def _add_hour(
    made: _Made, scene: Scene, *, host: str, boards: range, hour: int, pricer: HostPricer | None, is_open: bool
) -> None:
    local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(scene.clock)
    stretches = [(board, stretch) for board in boards for stretch in _board(board, local, scene)]
    energies = [stretch.watts * 1000 * stretch.minutes * 60 for _, stretch in stretches]
    whole = NOTHING
    if pricer is not None and energies:
        price = pricer.price(hour, sum(energies), final=not is_open)
        made.hours.append(HostHour(host, price))
        whole = price.boundaries[Boundary.GPU]
    parts = [NOTHING] * len(energies) if is_open else shared(whole, energies)
    for (board, stretch), energy_mj, priced in zip(stretches, energies, parts, strict=True):
        row = DeviceHour(
            host,
            hour,
            uuid(board),
            stretch.state,
            energy_mj,
            stretch.minutes * NS_PER_MINUTE,
            energy_mj // 4 if stretch.state is State.HELD else 0,
            priced,
            energy_mj if is_open else 0,
        )
        made.devices.append(row)
        made.owners += _owners(row, stretch)
        if stretch.service:
            made.services.append(_service(row, stretch))


def shared(whole: Priced, energies: Sequence[int]) -> list[Priced]:
    """Split what an hour came to by energy; each number of the parts sums to that of the whole."""
    if len(energies) == 1 or not whole:
        return [whole] * len(energies)
    columns = [
        apportion(number, energies)
        for number in (
            whole.location,
            whole.location_covered_mj,
            whole.market,
            whole.market_covered_mj,
            whole.cost,
            whole.credit,
            whole.priced_mj,
        )
    ]
    return (
        [Priced(*numbers) for numbers in zip(energies, *columns, strict=True)] if whole else [NOTHING] * len(energies)
    )


def _owners(row: DeviceHour, stretch: Stretch) -> Iterator[OwnerHour]:
    weights = [percent for _, percent in stretch.owners]
    energies = apportion(row.energy_mj, weights)
    avoidable = apportion(row.avoidable_mj, weights)
    parts = shared(row.priced, energies)
    for number, (workload, _) in enumerate(stretch.owners):
        yield OwnerHour(
            row.host,
            row.hour,
            row.uuid,
            workload.kind,
            workload.title,
            workload.names,
            row.state,
            energies[number],
            row.duration_ns,
            avoidable[number],
            parts[number],
            energies[number] if row.open_mj else 0,
        )


def _service(row: DeviceHour, stretch: Stretch) -> ServiceHour:
    active_mj = row.energy_mj if stretch.state is State.ACTIVE else 0
    output = active_mj // 2_600  # 2.6 J a token
    tokens = {
        TokenKind.PROMPT: 5 * output,
        TokenKind.PROMPT_CACHED: 2 * output,
        TokenKind.PROMPT_COMPUTED: 3 * output,
    }
    if stretch.service == "chat":
        tokens[TokenKind.OUTPUT] = output
    return ServiceHour(
        row.host,
        row.hour,
        stretch.service,
        MODELS[stretch.service],
        active_mj,
        row.energy_mj,
        tokens,
        row.priced,
        row.open_mj,
    )


def _board(board: int, local: datetime, scene: Scene) -> list[Stretch]:
    """Give what a board did during the hour that begins at *local*."""
    role, day = board % BOARDS, (local.date() - scene.first).days
    wobble = crc32(f"{board} {local.isoformat()}".encode()) % 101 - 50  # watts, or a tenth of percent
    if scene.holes:
        if day == 5 and 1 <= local.hour < 7:
            return [Stretch(State.UNOBSERVED, 60, 180 + wobble)]
        if role == 6 and day in (19, 20):
            return []
        if role == 7 and day == 8 and 9 <= local.hour < 15:
            return [Stretch(State.UNKNOWN, 60, 150 + wobble)]
    match role:
        case 0 | 1:
            return _served(CHAT, "chat", 30 + _busy(local) * 65 // 100 + wobble // 10, 455 + wobble, 104)
        case 2:
            return _served(ALICE, "", _at_work(local) * 40 // 100 + min(wobble, 0) // 10, 330 + wobble, 141)
        case 3:
            served = _served(EMBED, "embed", 10 + _busy(local) * 30 // 100, 290 + wobble, 88)
            return [replace(one, owners=((EMBED, 70), (DAVE, 30))) for one in served]
        case 4 | 5 | 6:
            return [_trained(local, day, wobble)]
        case _:
            if day % 9 in (3, 4) and local.hour >= 18:
                return [Stretch(State.ACTIVE, 60, 520 + wobble, ((EVALS, 100),))]
            return [Stretch(State.PARKED, 60, 62 + wobble // 20)]


def _served(owner: Workload, service: str, busy: int, active_watts: int, held_watts: int) -> list[Stretch]:
    """Give an hour of which *busy* percent were work."""
    minutes = max(0, min(60, busy * 60 // 100))
    both = (
        Stretch(State.ACTIVE, minutes, active_watts, ((owner, 100),), service),
        Stretch(State.HELD, 60 - minutes, held_watts, ((owner, 100),), service),
    )
    return [one for one in both if one.minutes]


def _trained(local: datetime, day: int, wobble: int) -> Stretch:
    """Give an hour of a training run that ends on a Friday, and whose boards are kept over two weekends."""
    if day < 15 or (day == 15 and local.hour < 17):
        return Stretch(State.ACTIVE, 60, 640 + wobble, ((TRAIN, 100),))
    if day < 18 or (day == 18 and local.hour < 10):
        return Stretch(State.ALLOCATED, 60, 71 + wobble // 20, ((SLEEP, 100),))
    if day < 26:
        return Stretch(State.ACTIVE, 60, 655 + wobble, ((AGAIN, 100),))
    return Stretch(State.PARKED, 60, 64 + wobble // 20)


def _busy(local: datetime) -> int:
    """Give how busy people keep a service, in percent."""
    by_hour = (8, 5, 3, 2, 2, 4, 10, 25, 55, 80, 92, 95, 85, 88, 95, 93, 86, 74, 60, 48, 40, 32, 22, 14)
    return by_hour[local.hour] * (40 if local.weekday() >= 5 else 100) // 100


def _at_work(local: datetime) -> int:
    """Give whether one person works, in percent of the hour."""
    if local.weekday() >= 5 or not 9 <= local.hour < 18 or local.hour == 12:
        return 0
    return 100 - 12 * abs(local.hour - 14)


def _hour_of(day: date, clock: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=clock).timestamp()) // 3600
