"""The laws of choosing between values for the same time."""

from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.feeds.base import Skipped, Window
from wattledger.agent.feeds.gathering import Gathering
from wattledger.agent.feeds.preference import Candidate, take_best

_WINDOW = Window(0, 100, 50)


@st.composite
def _candidates(draw: st.DrawFn) -> list[Candidate]:
    found = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 10)), min_size=1))
    return [Candidate((rank,), start, start + length, value) for value, (rank, start, length) in enumerate(found)]


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.start_wall_ns < other.end_wall_ns and other.start_wall_ns < one.end_wall_ns


@given(_candidates())
def test_none_overlap_and_each_that_is_left_out_gave_way_to_one_no_worse(candidates: list[Candidate]) -> None:
    gathered = Gathering(_WINDOW)
    taken = take_best(candidates, gathered)
    for one in taken:
        assert not any(_overlap(one, other) for other in taken if other is not one)
    left = [each for each in candidates if each not in taken]
    for one in left:
        assert any(_overlap(one, other) and (other.rank, other.value) < (one.rank, one.value) for other in taken)
    answer = gathered.answer()
    assert sorted(point.value for point in answer.points) == sorted(each.value for each in taken)
    assert answer.skipped.get(Skipped.DUPLICATE, 0) == len(left)


@given(_candidates())
def test_the_best_is_always_taken(candidates: list[Candidate]) -> None:
    best = min(candidates, key=lambda each: (each.rank, each.value))
    assert best in take_best(candidates, Gathering(_WINDOW))


def test_a_stretch_without_length_takes_nothing_from_others() -> None:
    gathered = Gathering(_WINDOW)
    empty, backwards, sound = Candidate((0,), 5, 5, 1), Candidate((0,), 9, 2, 2), Candidate((1,), 0, 10, 3)
    assert take_best([empty, backwards, sound], gathered) == [sound]
    assert gathered.answer().skipped == {Skipped.BAD_TIME: 2}
