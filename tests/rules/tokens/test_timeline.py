"""Energy over time: what is given out between moments is whole millijoules, and nothing is left over."""

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.tokens.stage import BOB, instant
from wattledger.rules.instant import Instant
from wattledger.rules.state import State
from wattledger.rules.tokens.policy import TokenPolicy
from wattledger.rules.tokens.timeline import PIECES_LIMIT, Energy, Timeline
from wattledger.rules.usage.workload import Part, ShareMethod

POLICY = TokenPolicy()


def part(
    start: float,
    end: float,
    energy_mj: int,
    *,
    uuid: str = "a",
    state: State = State.ACTIVE,
    method: ShareMethod = ShareMethod.EXCLUSIVE,
) -> Part:
    return Part(uuid, BOB, state, method, instant(start), instant(end), energy_mj, service="chat")


def timeline(*parts: Part) -> Timeline:
    made = Timeline(POLICY)
    for one in parts:
        made.add(one)
    return made


def ns(seconds: float) -> int:
    return instant(seconds).mono_ns


def test_a_part_is_spread_evenly_over_its_time() -> None:
    line = timeline(part(0, 3, 1000), part(3, 4, 500))
    assert [line.take(ns(second)).total_mj for second in (1, 2, 3.5, 4)] == [333, 333, 334 + 250, 250]
    assert line.pending_mj == 0


def test_what_comes_late_comes_with_the_next() -> None:
    line = timeline(part(0, 10, 1000))
    assert line.take(ns(8)).total_mj == 800
    line.add(part(0, 20, 4000, uuid="b"))
    assert line.take(ns(9)).total_mj == 100 + 1800
    assert line.take(ns(5)).total_mj == 0, "time does not go back"
    assert line.pending_mj == 100 + 2200


def test_energy_is_told_apart_by_state_and_by_method() -> None:
    line = timeline(
        part(0, 1, 1),
        part(1, 2, 2, state=State.HELD),
        part(2, 3, 4, state=State.UNKNOWN, method=ShareMethod.EQUAL),
        part(3, 4, 8, method=ShareMethod.SM_SHARE),
        part(4, 5, 16, method=ShareMethod.ESTIMATED),
    )
    assert line.take(ns(5)) == Energy(total_mj=31, active_mj=25, unknown_mj=4, shared_mj=28, equal_mj=4)


def test_it_is_settled_when_all_its_devices_are_booked_or_time_is_up() -> None:
    line = timeline(part(0, 10, 1), part(0, 8, 1, uuid="b"))
    assert line.is_settled(ns(8), ns(10), {"a": ns(10), "b": ns(8)}, ns(10))
    assert not line.is_settled(ns(9), ns(10), {"a": ns(10), "b": ns(8)}, ns(10))
    assert line.is_settled(ns(9), ns(10), {"a": ns(10), "b": ns(9)}, ns(10)), "by others, but booked"
    assert line.is_settled(ns(9), ns(14), {"a": ns(10), "b": ns(8)}, ns(10))


def test_without_devices_it_is_settled_when_the_host_is_booked() -> None:
    line = timeline()
    assert not line.is_settled(ns(9), ns(10), {}, ns(8))
    assert line.is_settled(ns(9), ns(10), {}, ns(9))


def test_a_pause_and_time_that_nobody_looked_at_are_holes_until_they_are_past() -> None:
    line = timeline(part(0, 1, 1), part(3.5, 4, 1))
    assert line.has_hole(ns(2))
    assert not line.has_hole(ns(1))
    assert not line.covers(ns(0))
    assert line.covers(ns(3.5))
    line.take(ns(3))
    assert line.has_hole(ns(4))
    line.take(ns(4))
    assert not line.has_hole(ns(100))
    line.add(part(4, 5, 1, state=State.UNOBSERVED))
    assert line.has_hole(ns(5))


def test_one_of_several_devices_may_pause_for_ten_seconds() -> None:
    line = timeline(part(0, 1, 1), part(0, 1, 1, uuid="b"), part(1, 12, 1), part(11, 12, 1, uuid="b"))
    assert not line.has_hole(ns(12))
    line = timeline(part(0, 1, 1), part(0, 1, 1, uuid="b"), part(1, 13, 1), part(11.5, 13, 1, uuid="b"))
    assert line.has_hole(ns(12))


def test_devices_are_forgotten_a_minute_after_their_last_part() -> None:
    line = timeline(part(0, 1, 1), part(0, 1, 1, uuid="b"), part(1, 70, 1))
    line.take(ns(60))
    assert set(line.devices) == {"a", "b"}
    line.take(ns(62))
    assert set(line.devices) == {"a"}


def test_memory_is_bounded_and_every_millijoule_stays() -> None:
    line = timeline()
    for second in range(20_000):
        for uuid in "ab":
            state = State.ACTIVE if second % 3 else State.HELD
            line.add(part(second, second + 1, 100 + second % 7, uuid=uuid, state=state))
    assert len(line._pieces) <= PIECES_LIMIT
    total_mj = sum(2 * (100 + second % 7) for second in range(20_000))
    assert line.pending_mj == total_mj
    half = line.take(ns(10_000))
    assert abs(half.total_mj - total_mj / 2) < 0.01 * total_mj, "a joined piece is of its time yet"
    assert half.total_mj + line.take(ns(20_000)).total_mj == total_mj


moments = st.integers(0, 10**6)
energies = st.integers(0, 10**9)
parts_drawn = st.lists(
    st.tuples(
        moments, moments, energies, st.sampled_from(State), st.sampled_from(ShareMethod), st.sampled_from("abc")
    ),
    max_size=12,
)


def drawn(raw: tuple[int, int, int, State, ShareMethod, str]) -> Part:
    start_ns, length_ns, energy_mj, state, method, uuid = raw
    start, end = Instant(start_ns, start_ns), Instant(start_ns + length_ns, start_ns + length_ns)
    return Part(uuid, BOB, state, method, start, end, energy_mj, service="chat")


@given(parts_drawn, st.lists(moments, max_size=12))
def test_splitting_however_time_is_cut_the_sums_are_the_same(
    raw: list[tuple[int, int, int, State, ShareMethod, str]], cuts: list[int]
) -> None:
    often, once = timeline(*map(drawn, raw)), timeline(*map(drawn, raw))
    last_ns = max(cuts, default=0)
    pieces = [often.take(cut_ns) for cut_ns in [*sorted(cuts), last_ns]]
    whole = once.take(last_ns)
    for name in ("total_mj", "active_mj", "unknown_mj", "shared_mj", "equal_mj"):
        assert sum(getattr(piece, name) for piece in pieces) == getattr(whole, name)
    assert often.pending_mj == once.pending_mj


@given(st.lists(st.one_of(parts_drawn, moments), max_size=20))
def test_conservation_what_is_given_out_and_what_is_pending_are_the_parts(
    story: list[int | list[tuple[int, int, int, State, ShareMethod, str]]],
) -> None:
    line = timeline()
    booked_mj = given_mj = 0
    for event in story:
        if isinstance(event, int):
            energy = line.take(event)
            given_mj += energy.total_mj
            assert 0 <= energy.active_mj + energy.unknown_mj <= energy.total_mj
            assert 0 <= energy.equal_mj <= energy.shared_mj <= energy.total_mj
        else:
            for one in map(drawn, event):
                line.add(one)
                booked_mj += one.energy_mj
        assert given_mj + line.pending_mj == booked_mj
