"""What the history keeps, ends, refuses and forgets."""

import itertools
import math

import pytest

from tests.exporter.snapshots import instances, snapshot, view
from tests.rules.history.shelf import MINUTE_MS, NOW_MS, group, history, kept, labels
from wattledger.agent.rulefiles import DEFAULT_PACKS, load_pack
from wattledger.exporter.series import SeriesReader
from wattledger.rules.alerting import Refusal, SampleRefusedError
from wattledger.rules.history import History, interests_of
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.model import STALE, Labels, Sample, Vector, is_stale

ROOM = 5 + 2 + 2  # of a plain selector at a sample a minute: five minutes, two that are forgotten late, both ends
M0, M1, OTHER = labels("m", gpu="0"), labels("m", gpu="1"), labels("other")


def points(storage: History, name: str, series: Labels) -> list[tuple[int, float]]:
    """Give time after NOW_MS in minutes and value of each sample; the end of a series as an infinity."""
    found = kept(storage, name).get(series, [])
    return [
        ((sample.timestamp_ms - NOW_MS) // MINUTE_MS, math.inf if is_stale(sample.value) else sample.value)
        for sample in found
    ]


def at(minute: float) -> int:
    return NOW_MS + int(minute * MINUTE_MS)


def test_a_scrape_keeps_the_series_that_rules_select_and_no_other() -> None:
    storage = history("last_over_time(m[5m])")
    storage.scrape([(M0, 1.0), (OTHER, 2.0), (M1, 3.0)], at(0))
    storage.scrape([(M0, 4.0), (OTHER, 5.0), (M1, 6.0)], at(1))
    assert points(storage, "m", M0) == [(0, 1.0), (1, 4.0)]
    assert points(storage, "m", M1) == [(0, 3.0), (1, 6.0)]
    assert storage.stats().series == 2
    assert storage.stats().samples == 4
    assert storage.stats().refused == 0


def test_a_series_that_is_on_the_page_no_more_ends_once_and_may_come_back() -> None:
    storage = history("last_over_time(m[5m])")
    for minute, page in enumerate([[(M0, 1.0), (M1, 1.0)], [(M1, 2.0)], [(M1, 3.0)], [(M1, 4.0), (M0, 4.0)]]):
        storage.scrape(page, at(minute))
    assert points(storage, "m", M0) == [(0, 1.0), (1, math.inf), (3, 4.0)]
    assert points(storage, "m", M1) == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]
    assert storage.stats().refused == 0


def test_another_series_in_the_same_place_is_another_series() -> None:
    storage = history("last_over_time(m[5m])")
    storage.scrape([(M0, 1.0)], at(0))
    storage.scrape([(M1, 2.0)], at(1))
    assert points(storage, "m", M0) == [(0, 1.0), (1, math.inf)]
    assert points(storage, "m", M1) == [(1, 2.0)]


def test_labels_that_are_equal_and_not_the_same_object_are_the_same_series() -> None:
    storage = history("last_over_time(m[5m])")
    for minute in range(3):
        page = [(labels("m", gpu=gpu), float(minute)) for gpu in ("0", "1")]
        storage.scrape(page if minute != 1 else page[::-1], at(minute))
    assert points(storage, "m", M0) == points(storage, "m", M1) == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert storage.stats().series == 2


def test_a_page_that_grows_in_its_middle_keeps_every_series_its_own() -> None:
    storage = history("last_over_time(m[5m])", "last_over_time(other[5m])")
    storage.scrape([(M0, 10.0), (OTHER, 30.0)], at(0))
    storage.scrape([(M0, 11.0), (M1, 21.0), (OTHER, 31.0)], at(1))
    storage.scrape([(M0, 12.0), (M1, 22.0), (OTHER, 32.0)], at(2))
    assert points(storage, "m", M0) == [(0, 10.0), (1, 11.0), (2, 12.0)]
    assert points(storage, "m", M1) == [(1, 21.0), (2, 22.0)]
    assert points(storage, "other", OTHER) == [(0, 30.0), (1, 31.0), (2, 32.0)]


def test_a_scrape_that_is_not_later_than_the_last_is_ignored_and_counted() -> None:
    storage = history("last_over_time(m[5m])")
    storage.scrape([(M0, 1.0)], at(1))
    storage.scrape([(M0, 2.0), (M1, 2.0)], at(1))
    storage.scrape([(M0, 3.0)], at(0))
    assert points(storage, "m", M0) == [(1, 1.0)]
    assert points(storage, "m", M1) == []
    assert storage.stats().refused == 3


def test_a_series_twice_on_a_page_counts_once_and_the_other_value_is_refused() -> None:
    storage = history("last_over_time(m[5m])")
    storage.scrape([(M0, 1.0), (M0, 2.0)], at(0))
    storage.scrape([(M0, 1.0), (M0, 1.0)], at(1))
    assert points(storage, "m", M0) == [(0, 1.0), (1, 1.0)]
    assert storage.stats().refused == 1


def test_what_rules_write_is_kept_in_order_and_once() -> None:
    storage = history("last_over_time(m[5m])")
    storage.append(M0, at(1), 1.0)
    storage.append(M0, at(1), 1.0)
    for minute, value, refusal in ((1, 2.0, Refusal.DUPLICATE), (0, 1.0, Refusal.OUT_OF_ORDER)):
        with pytest.raises(SampleRefusedError) as caught:
            storage.append(M0, at(minute), value)
        assert caught.value.refusal is refusal
    assert points(storage, "m", M0) == [(1, 1.0)]
    assert storage.stats().samples == 1


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (math.nan, math.nan, True),
        (STALE, STALE, True),
        (math.nan, STALE, False),
        (0.0, -0.0, False),
        (1.0, 1.0, True),
    ],
)
def test_the_same_sample_twice_is_no_error(first: float, second: float, *, same: bool) -> None:
    storage = history("last_over_time(m[5m])")
    storage.append(M0, at(0), 1.0)
    storage.append(M0, at(1), first)
    if same:
        storage.append(M0, at(1), second)
    else:
        with pytest.raises(SampleRefusedError):
            storage.append(M0, at(1), second)


def test_what_no_rule_selects_is_accepted_and_not_kept() -> None:
    storage = history("last_over_time(m[5m])")
    storage.append(OTHER, at(1), 1.0)
    storage.append(OTHER, at(0), 1.0)
    assert storage.stats().series == 0


def test_the_end_of_a_series_that_is_not_there_takes_no_room() -> None:
    storage = history("last_over_time(m[5m])")
    storage.append(M0, at(0), STALE)
    assert storage.stats().series == 0


def test_select_gives_what_all_matchers_accept_within_the_times_both_included() -> None:
    storage = history("last_over_time(m[5m])", "last_over_time(other[5m])")
    for minute in range(4):
        storage.scrape([(M1, 1.0), (M0, 0.0), (OTHER, 2.0)], at(minute))
    (selector,) = compile_expression('m{gpu!="7"}').selectors()
    found = list(storage.select(selector.matchers, at(1), at(2)))
    assert [series.labels for series in found] == [M0, M1]
    assert all(list(series.timestamps_ms) == [at(1), at(2)] for series in found)
    assert list(storage.select(selector.matchers, at(4), at(9))) == []
    assert list(storage.select(selector.matchers, at(1.2), at(1.8))) == []
    assert [len(series.values) for series in storage.select(selector.matchers, at(0), at(3))] == [4, 4]
    assert [len(series.values) for series in storage.select(selector.matchers, at(1), at(9))] == [3, 3]
    assert [len(series.values) for series in storage.select(selector.matchers, at(-9), at(2))] == [3, 3]


def test_a_series_that_came_after_a_query_is_found_by_the_next() -> None:
    storage = history("last_over_time(m[5m])")
    storage.scrape([(M0, 1.0)], at(0))
    assert set(kept(storage, "m")) == {M0}
    storage.scrape([(M0, 1.0), (M1, 1.0)], at(1))
    assert set(kept(storage, "m")) == {M0, M1}
    storage.forget(at(1000))
    assert kept(storage, "m") == {}


def test_forgetting_keeps_the_first_millisecond_that_a_window_reads_and_none_before_it() -> None:
    storage = history("count_over_time(m[10m])")
    for late_ms in (-5 * MINUTE_MS, 0, 1, 10 * MINUTE_MS):
        storage.append(M0, NOW_MS + late_ms, 1.0)
    storage.forget(NOW_MS + 10 * MINUTE_MS)
    assert [sample.timestamp_ms - NOW_MS for sample in kept(storage, "m")[M0]] == [1, 10 * MINUTE_MS]


def test_forgetting_lets_go_of_what_is_out_of_reach_and_of_series_that_ended() -> None:
    storage = history("rate(m[10m])", "other")
    for minute in range(60):
        storage.scrape([(M0, 1.0), (OTHER, 1.0), *([(M1, 1.0)] if minute < 10 else [])], at(minute))
        assert M0 in kept(storage, "m")
        storage.forget(at(minute))
        assert storage.stats().samples <= 3 * 14
    assert storage.stats().series == 2
    assert set(kept(storage, "m")) == {M0}
    assert storage.stats().samples == sum(map(len, (*kept(storage, "m").values(), *kept(storage, "other").values())))
    storage.forget(at(1000))
    assert storage.stats().series == storage.stats().samples == 0


def test_a_page_goes_on_after_all_its_samples_were_forgotten() -> None:
    storage = history("last_over_time(m[5m])")
    storage.scrape([(M0, 1.0), (OTHER, 1.0)], at(0))
    storage.forget(at(1000))
    storage.scrape([(M0, 2.0), (OTHER, 2.0)], at(1000))
    storage.scrape([(M0, 3.0), (OTHER, 2.0)], at(1001))
    assert points(storage, "m", M0) == [(1000, 2.0), (1001, 3.0)]
    assert storage.stats().samples == 2


def test_samples_of_a_time_that_is_pinned_stay() -> None:
    storage = history(f"m @ {NOW_MS / 1000}")
    storage.append(M0, at(-10), 1.0)
    storage.append(M0, at(-1), 2.0)
    storage.append(M0, at(0), 3.0)
    storage.forget(at(100_000))
    assert points(storage, "m", M0) == [(-1, 2.0), (0, 3.0)]
    result = compile_expression(f"m @ {NOW_MS / 1000}").evaluate(storage, at(100_000))
    assert isinstance(result, Vector)
    assert [element.value for element in result.elements] == [3.0]


def test_older_samples_go_before_those_that_are_there() -> None:
    storage = history("increase(m[1d])")
    storage.append(M0, at(0), 9.0)
    storage.backfill(M0, [at(-120), at(-60), at(0), at(60)], [1.0, 2.0, 7.0, 8.0])
    storage.backfill(M1, [at(-60)], [5.0])
    storage.backfill(OTHER, [at(-60)], [5.0])
    assert points(storage, "m", M0) == [(-120, 1.0), (-60, 2.0), (0, 9.0)]
    assert points(storage, "m", M1) == [(-60, 5.0)]
    assert storage.stats().samples == 4
    storage.forget(at(24 * 60 + 1000))
    assert storage.stats().samples == 0


def test_series_that_are_new_beyond_the_bound_are_refused_and_those_that_are_there_grow() -> None:
    storage = history("last_over_time(m[5m])", most_samples=2 * ROOM)
    storage.scrape([(M0, 1.0), (M1, 1.0)], at(0))
    storage.scrape([(M0, 2.0), (M1, 2.0)], at(1))
    late = labels("m", gpu="2")
    with pytest.raises(SampleRefusedError) as caught:
        storage.append(late, at(1), 1.0)
    assert caught.value.refusal is Refusal.TOO_MANY_SERIES
    storage.backfill(late, [at(-1)], [1.0])
    for minute in (2, 3):
        storage.scrape([(M0, 3.0), (M1, 3.0), (late, 3.0)], at(minute))
    assert storage.stats().refused == 4
    assert set(kept(storage, "m")) == {M0, M1}
    assert len(kept(storage, "m")[M0]) == 4


def test_one_page_beyond_the_bound_does_not_pass_it() -> None:
    storage = history("last_over_time(m[5m])", most_samples=100 * ROOM)
    storage.scrape([(labels("m", gpu=str(number)), 1.0) for number in range(1000)], at(0))
    assert storage.stats().samples == 100
    assert storage.stats().refused == 900


def test_however_long_it_grows_it_never_holds_more_than_the_bound() -> None:
    storage = history("rate(m[1h])", "n", most_samples=200)
    page = [*((labels("m", gpu=str(number)), 1.0) for number in range(10)), (labels("n"), 1.0)]
    most = 0
    for minute in range(300):
        storage.scrape(page, at(minute))
        storage.forget(at(minute))
        most = max(most, storage.stats().samples)
    assert 120 < most <= 200
    assert len(kept(storage, "m")) == 2, "of those that look back an hour only two have room"
    assert len(kept(storage, "n")) == 1


def test_of_a_series_whose_newest_sample_is_all_that_rules_read_little_more_is_kept() -> None:
    storage = history("m == 1", 'sum(m{gpu="0"})')
    for minute in range(100):
        storage.scrape([(M0, float(minute)), (M1, 1.0)], at(minute))
        storage.forget(at(minute))
        assert kept(storage, "m")[M0][-1] == Sample(at(minute), float(minute))
        assert len(kept(storage, "m")[M0]) <= 4
    storage.scrape([(M1, 1.0)], at(100))
    assert points(storage, "m", M0)[-1] == (100, math.inf)
    assert points(storage, "m", M1)[-1] == (100, 1.0)


def test_what_is_looked_back_on_very_far_is_kept_less_densely_and_the_newest_sample_always() -> None:
    storage = History(interests_of([group("increase(m[1d])")]), step_ms=1_000)
    for second in range(3_000):
        storage.scrape([(M0, float(second))], NOW_MS + 1_000 * second)
        newest = kept(storage, "m")[M0][-1] if second % 100 == 99 else None
        assert newest in (None, Sample(NOW_MS + 1_000 * second, float(second)))
    samples = kept(storage, "m")[M0]
    assert len(samples) <= 3_000 // 15 + 2
    assert samples[0] == Sample(NOW_MS, 0.0)
    apart = [later.timestamp_ms - earlier.timestamp_ms for earlier, later in itertools.pairwise(samples)]
    assert max(apart) <= 15_000
    storage.scrape([], NOW_MS + 3_000_000)
    assert is_stale(kept(storage, "m")[M0][-1].value), "an end is an end"


def test_the_packs_fit_in_a_history_of_one_look_a_second() -> None:
    rules = [group for name in DEFAULT_PACKS for group in load_pack(name, {}).groups]
    storage = History(interests_of(rules), step_ms=1_000)
    page = SeriesReader().read(snapshot(*(instances(view(slot), 7) for slot in range(16))))
    storage.scrape(page, NOW_MS)
    assert storage.stats().refused == 0


def test_a_series_that_was_refused_comes_in_once_there_is_room() -> None:
    storage = history("last_over_time(m[5m])", most_samples=ROOM)
    page = [(M0, 1.0), (M1, 1.0)]
    storage.scrape(page, at(0))
    storage.scrape(page[1:], at(1))
    assert points(storage, "m", M1) == []
    storage.forget(at(100))
    storage.scrape(page[1:], at(100))
    assert points(storage, "m", M1) == [(100, 1.0)]


def test_after_a_reload_the_samples_that_the_new_rules_select_are_there() -> None:
    old = history("rate(m[1h])", "other")
    for minute in range(30):
        old.scrape([(M0, 1.0), (M1, 1.0), (OTHER, 1.0), (labels("new"), 1.0)], at(minute))
    old.scrape([(M0, 1.0), (M0, 2.0)], at(5))  # too late: two are refused
    storage = History(interests_of([group('max_over_time(m{gpu="0"}[10m])', "new")]))
    storage.adopt(old)
    assert set(kept(storage, "m")) == {M0}
    assert len(kept(storage, "m")[M0]) == storage.stats().samples == 30
    assert storage.stats().refused == 2
    storage.scrape([(M1, 1.0), (labels("new"), 2.0)], at(30))
    assert points(storage, "m", M0)[-1] == (30, math.inf)
    assert points(storage, "new", labels("new")) == [(30, 2.0)]
    storage.forget(at(30))
    assert len(kept(storage, "m")[M0]) == 10


def test_after_a_reload_a_page_that_is_the_same_has_what_is_selected_since() -> None:
    old, page = history("last_over_time(m[5m])"), [(M0, 1.0), (OTHER, 1.0)]
    old.scrape(page, at(1))
    storage = history("last_over_time(m[5m])", "last_over_time(other[5m])")
    storage.adopt(old)
    storage.scrape(page, at(1))
    assert points(storage, "other", OTHER) == []
    storage.scrape(page, at(2))
    assert points(storage, "other", OTHER) == [(2, 1.0)]
    assert points(storage, "m", M0) == [(1, 1.0), (2, 1.0)]


def test_the_mark_of_an_end_survives_being_kept() -> None:
    storage = history("last_over_time(m[5m])")
    storage.append(M0, at(0), 1.0)
    storage.append(M0, at(1), STALE)
    last: Sample = kept(storage, "m")[M0][-1]
    assert is_stale(last.value)
