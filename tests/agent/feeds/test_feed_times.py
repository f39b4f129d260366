"""Times of providers: offsets, local days of 23 and 25 hours, epochs; and nothing is guessed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.feeds.times import iso_of, steps, wall_ns_of, zone_of
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_PARIS = ZoneInfo("Europe/Paris")
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-25T02:00+01:00", "2026-10-25T01:00:00Z"),
        ("2026-10-25T02:00Z", "2026-10-25T02:00:00Z"),
        ("2026-10-25 02:00:30 UTC", "2026-10-25T02:00:30Z"),
        ("2020-05-24T20:30Z", "2020-05-24T20:30:00Z"),
        ("2025-03-29T18:00:00.000Z", "2025-03-29T18:00:00Z"),
        ("2026-05-14T15:45:00+00:00", "2026-05-14T15:45:00Z"),
        ("2026-01-01T00:00:00+0800", "2025-12-31T16:00:00Z"),
        ("2026-01-01T00-05:30", "2026-01-01T05:30:00Z"),
        ("2026-12-31T24:00Z", "2027-01-01T00:00:00Z"),
        (1_769_904_000, "2026-02-01T00:00:00Z"),
        (1_769_904_000_000, "2026-02-01T00:00:00Z"),
        ("1769904000", "2026-02-01T00:00:00Z"),
        (1769904000.0, "2026-02-01T00:00:00Z"),
    ],
)
def test_times_that_say_when_they_are(text: object, expected: str) -> None:
    assert iso_of(wall_ns_of(text)) == expected


def test_fractions_go_down_to_the_nanosecond() -> None:
    assert wall_ns_of("2026-02-01T00:00:00.123456789Z") % NS_PER_SECOND == 123_456_789
    assert wall_ns_of("2026-02-01T00:00:00,5Z") % NS_PER_SECOND == 500_000_000
    assert wall_ns_of(1769904000.25) % NS_PER_SECOND == 250_000_000


def test_a_time_without_an_offset_is_refused_with_the_cure() -> None:
    with pytest.raises(ValueError, match=r"has no offset; write it as .*Z.*set `timezone`"):
        wall_ns_of("2026-10-25T02:00")


def test_the_zone_of_the_configuration_is_for_those_alone() -> None:
    assert wall_ns_of("2026-01-01T00:00", _SHANGHAI) == wall_ns_of("2026-01-01T00:00+08:00")
    assert wall_ns_of("2026-01-01T00:00Z", _SHANGHAI) == wall_ns_of("2026-01-01T00:00+00:00")
    assert wall_ns_of("2026-01-01", _SHANGHAI) == wall_ns_of("2025-12-31T16:00Z")


@pytest.mark.parametrize(
    "text",
    [
        None,
        True,
        "",
        "now",
        "2026-13-01T00:00Z",
        "2026-02-30T00:00Z",
        "2026-01-01T25:00Z",
        "2026-01-01T24:30Z",
        "20260101",
        "2026-01-01T00:60Z",
        "2026-01-01T00:00+99:00",
        "01/02/2026 00:00",
        12,
        "٢٠٢٦-01-01T00:00Z",
        float("nan"),
        [],
        {},
        "1970-01-02T00:00Z",
        "2300-01-01T00:00Z",
        "2026-01-01T00:00Z; drop",
        10**15,
    ],
)
def test_what_is_no_time_of_this_age_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"; |check"):
        wall_ns_of(text, _PARIS)


def test_the_hour_that_comes_twice_is_told_by_order() -> None:
    before: int | None = None
    found = []
    for text in ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00"):
        before = wall_ns_of(f"2026-10-25T{text}", _PARIS, after_wall_ns=before)
        found.append(iso_of(before)[11:16])
    assert found == ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]


def test_an_end_lies_after_its_start_through_the_hour_that_comes_twice() -> None:
    start = wall_ns_of("2026-10-25T02:45", _PARIS)
    assert wall_ns_of("2026-10-25T02:00", _PARIS, after_wall_ns=start) - start == NS_PER_HOUR // 4


def test_the_hour_that_is_left_out_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"does not exist in Europe/Paris.*put forward"):
        wall_ns_of("2026-03-29T02:30", _PARIS)
    gap = wall_ns_of("2026-03-29T03:00", _PARIS) - wall_ns_of("2026-03-29T01:00", _PARIS)
    assert gap == NS_PER_HOUR


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_of_23_and_25_hours(day: str, hours: int) -> None:
    after = str(datetime.fromisoformat(day).date() + timedelta(days=1))
    assert wall_ns_of(after, _PARIS) - wall_ns_of(day, _PARIS) == hours * NS_PER_HOUR


@given(
    st.datetimes(datetime(1990, 1, 2), datetime(2199, 12, 30)),  # noqa: DTZ001  (the strategy wants them so)
    st.integers(-15 * 60, 15 * 60),
)
def test_offsets_agree_with_the_library(local: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    text = f"{local.isoformat()}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    expected = datetime.fromisoformat(text) - _EPOCH
    assert wall_ns_of(text) == ((expected.days * 86400 + expected.seconds) * 10**6 + expected.microseconds) * 1000


@given(st.integers(631_152_000, 7_258_118_399))
def test_what_is_written_is_read(seconds: int) -> None:
    assert wall_ns_of(iso_of(seconds * NS_PER_SECOND)) == seconds * NS_PER_SECOND


@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True).map(sorted), st.integers(1, 10**6))
def test_steps_leave_no_hole_and_never_overlap(starts: list[int], last: int) -> None:
    found = steps(starts, last)
    assert [start for start, _ in found] == starts
    assert [end for _, end in found[:-1]] == starts[1:]
    assert found[-1][1] == starts[-1] + last


def test_the_last_step_is_as_long_as_the_one_before() -> None:
    assert steps([0, 10, 30]) == [(0, 10), (10, 30), (30, 50)]
    assert steps([0, 10, 40, 50], longest_ns=10) == [(0, 10), (10, 20), (40, 50), (50, 60)]


def test_steps_that_cannot_be_told_are_refused() -> None:
    with pytest.raises(ValueError, match="stands alone"):
        steps([0])
    with pytest.raises(ValueError, match="put the times in order"):
        steps([10, 10], 5)
    assert steps([]) == []


def test_time_zones_have_names() -> None:
    assert zone_of("") is None
    assert zone_of("Asia/Shanghai") == _SHANGHAI
    with pytest.raises(ValueError, match="is no time zone"):
        zone_of("Mars/Olympus")
