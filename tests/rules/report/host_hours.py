"""Rows of hosts as a ledger has them: hours that are closed, open, or opened again, with numbers that add up."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from wattledger.rules.apportion import apportion
from wattledger.rules.feeds.model import Accounting, Caliber, PointKind
from wattledger.rules.pricing.model import NOTHING, Boundary, FactorUse, HourPrice, Priced, SupplyUse
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.rows import DeviceHour, HostHour, OwnerHour, ReportRows, ServiceHour
from wattledger.rules.report.share import columns
from wattledger.rules.state import State
from wattledger.rules.supply.model import Layer
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.usage.workload import Names, WorkloadKind

HOUR = 490_000
FACTOR = FactorUse(Accounting.LOCATION, "DE", "test", Caliber(), PointKind.ACTUAL, 0, 0, 0)


def clock_text(hour: int, by: GroupBy) -> str:
    """Name an hour, or its day, by numbers."""
    return f"day {hour // 24}" if by is GroupBy.DAY else f"hour {hour}"


@dataclass(frozen=True, slots=True)
class Use:
    """What an owner used of a device in one state: energy that is closed, and energy that is open."""

    uuid: str
    state: State
    owner: tuple[WorkloadKind, str, Names]
    closed_mj: int
    open_mj: int


def split(whole: Priced, energies: Sequence[int]) -> list[Priced]:
    """Split a price by energy, as a ledger does when an hour closes."""
    parts = [apportion(number, energies) for number in columns(whole)]
    return [Priced(*numbers) for numbers in zip(*parts, strict=True)]


def price_of(energy_mj: int, rate: int, *, covered: int = 100) -> Priced:
    """Give what energy comes to at *rate*; of *covered* percent of it values are known."""
    known = energy_mj * covered // 100
    return Priced(energy_mj, known * rate, known, known * rate // 3, known, known * 7, known // 5, known)


def host_hour(
    host: str,
    hour: int,
    uses: Sequence[Use],
    *,
    closed: Priced,
    still_open: Priced,
    pue_percent: int | None = None,
    supply: tuple[SupplyUse, ...] = (),
) -> ReportRows:
    """Give the rows of an hour. *closed* and *still_open* are what all closed, and all open energy came to."""
    by_device: dict[tuple[str, State], list[Use]] = {}
    for use in uses:
        by_device.setdefault((use.uuid, use.state), []).append(use)
    closed_parts = split(closed, [sum(use.closed_mj for use in own) for own in by_device.values()])
    devices: list[DeviceHour] = []
    owners: list[OwnerHour] = []
    for ((uuid, state), own), priced in zip(by_device.items(), closed_parts, strict=True):
        energy_mj = sum(use.closed_mj + use.open_mj for use in own)
        open_mj = sum(use.open_mj for use in own)
        devices.append(DeviceHour(host, hour, uuid, state, energy_mj, energy_mj * 3, energy_mj // 4, priced, open_mj))
        for use, part in zip(own, split(priced, [use.closed_mj for use in own]), strict=True):
            whole_mj = use.closed_mj + use.open_mj
            owners.append(
                OwnerHour(host, hour, uuid, *use.owner, state, whole_mj, whole_mj * 3, 0, part, use.open_mj)
            )
    gpu = closed + still_open
    boundaries = {Boundary.GPU: gpu}
    if pue_percent is not None:
        boundaries[Boundary.FACILITY] = Priced(*(number * pue_percent // 100 for number in columns(gpu)))
    price = HourPrice(hour, boundaries, (FACTOR,), supply, "EUR", final=not still_open)
    return ReportRows(tuple(devices), tuple(owners), (), (HostHour(host, price),))


def joined(parts: Sequence[ReportRows]) -> ReportRows:
    """Give all rows together."""
    return ReportRows(
        tuple(row for part in parts for row in part.devices),
        tuple(row for part in parts for row in part.owners),
        tuple(row for part in parts for row in part.services),
        tuple(row for part in parts for row in part.hours),
        {name: text for part in parts for name, text in part.names.items()},
    )


ALICE = (WorkloadKind.POD, "alice", (("namespace", "ml"), ("user", "alice")))
BOB = (WorkloadKind.SLURM, "bob", (("user", "bob"),))
REST = (WorkloadKind.UNATTRIBUTED, "unattributed", ())

_ENERGY = st.integers(0, 10**10)
_USES = st.lists(
    st.builds(
        Use,
        st.sampled_from(["GPU-1", "GPU-2", "GPU-3"]),
        st.sampled_from(State),
        st.sampled_from([ALICE, BOB, REST]),
        _ENERGY,
        st.just(0) | _ENERGY,
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda use: (use.uuid, use.state, use.owner),
)


@st.composite
def hours(draw: st.DrawFn, *, pue: st.SearchStrategy[int | None] = st.none() | st.integers(100, 180)) -> ReportRows:  # noqa: B008
    """Give a few hours of two hosts. Either all of them know the meter of the house, or none does."""
    pue_percent = draw(pue)
    keys = draw(st.lists(st.tuples(st.sampled_from("ab"), st.integers(HOUR, HOUR + 30)), max_size=5, unique=True))
    found = []
    for host, hour in keys:
        uses = draw(_USES)
        rate, covered = draw(st.integers(0, 10**9)), draw(st.integers(0, 100))
        closed = price_of(sum(use.closed_mj for use in uses), rate, covered=covered)
        still_open = price_of(sum(use.open_mj for use in uses), draw(st.integers(0, 10**9)))
        found.append(host_hour(host, hour, uses, closed=closed, still_open=still_open, pue_percent=pue_percent))
    return joined(found)


def service(host: str = "a", *, total_mj: int, open_mj: int = 0, priced: Priced = NOTHING) -> ServiceHour:
    """Give an hour of a service that made 1,000 tokens."""
    tokens = {TokenKind.OUTPUT: 1_000}
    return ServiceHour(host, HOUR, "chat", "llama", total_mj // 2, total_mj, tokens, priced, open_mj)


def layer(name: Layer, energy_mj: int, *, green: bool = False, matched: bool = False) -> SupplyUse:
    """Give a use of the supply."""
    return SupplyUse(name, name.value, energy_mj, green, matched)
