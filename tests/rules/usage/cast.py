"""Who appears in the tests of shares and books: workloads, entries and holdings, chosen or drawn."""

from hypothesis import strategies as st

from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import MigInstance
from wattledger.rules.state import State
from wattledger.rules.usage.shares import ShareSignals
from wattledger.rules.usage.workload import Allocation, Holder, Holding, Names, Workload, WorkloadKind

WALL_START_NS = 1_700_000_000 * NS_PER_SECOND
UUIDS = ("GPU-a", "GPU-b")


def pod(name: str, title: str = "", names: Names = ()) -> Workload:
    return Workload(WorkloadKind.POD, name, title or name, names)


def instant(second: float) -> Instant:
    ns = round(second * NS_PER_SECOND)
    return Instant(ns, WALL_START_NS + ns)


def entry(
    energy_mj: int,
    state: State = State.ACTIVE,
    *,
    seconds: float = 1,
    end: float = 100,
    avoidable_mj: int = 0,
    uuid: str = UUIDS[0],
) -> Entry:
    return Entry(uuid, state, instant(end - seconds), instant(end), energy_mj, avoidable_mj)


def instance(number: int, profile: str = "", *, compute: int = 0, **values: float) -> MigInstance:
    named = {Quantity(name): value for name, value in values.items()}
    return MigInstance(f"MIG-{number}-{compute}", number, compute, profile, values=named)


def mig_instances() -> st.SearchStrategy[tuple[MigInstance, ...]]:
    one = st.builds(
        lambda number, profile, values: instance(number, profile, **values),
        st.integers(0, 4),
        st.sampled_from(["1g.10gb", "2g.20gb", "1c.3g.40gb", ""]),
        st.fixed_dictionaries(
            {},
            optional={
                Quantity.ACTIVITY_SM_RATIO.value: st.floats(0, 1),
                Quantity.ACTIVITY_GRAPHICS_RATIO.value: st.floats(0, 1),
                Quantity.MEMORY_TOTAL_BYTES.value: st.integers(1, 2**37),
            },
        ),
    )
    return st.lists(one, max_size=5).map(tuple)


workloads = st.builds(
    Workload,
    st.sampled_from([WorkloadKind.POD, WorkloadKind.USER]),
    st.sampled_from("abc"),
    st.sampled_from(["first", "second"]),
    st.sampled_from([(), (("user", "u"),)]),
)
instance_numbers = st.none() | st.integers(0, 4)


@st.composite
def holdings(draw: st.DrawFn, *, cut: bool | None = None) -> Holding:
    """Draw who holds one device. Each workload goes by one name at a time."""
    is_cut = draw(st.booleans()) if cut is None else cut
    numbers = instance_numbers if is_cut else st.none()
    holders = draw(
        st.lists(
            st.builds(Holder, workloads, st.sampled_from(["", "s", "t"]), st.none() | st.integers(0, 10**6), numbers),
            max_size=4,
            unique_by=lambda holder: (holder.workload.key, holder.service, holder.gpu_instance),
        )
    )
    allocations = draw(st.lists(st.builds(Allocation, workloads, numbers), max_size=3))
    return Holding(tuple(holders), tuple(allocations), draw(st.sampled_from(["", "", "whole"])))


@st.composite
def entries(draw: st.DrawFn, end: float = 100, uuid: str = UUIDS[0]) -> Entry:
    energy_mj = draw(st.integers(0, 10**6) | st.integers(0, 5) | st.integers(0, 2**70))
    state = draw(st.sampled_from(State))
    avoidable_mj = draw(st.integers(0, energy_mj)) if state is State.HELD else 0
    seconds = draw(st.sampled_from([0, 0.1, 1, 3600]))
    return entry(energy_mj, state, seconds=seconds, end=end, avoidable_mj=avoidable_mj, uuid=uuid)


share_signals = st.builds(ShareSignals, st.none() | st.integers(0, 300_000), st.just(()) | mig_instances())
