"""Times in the words of people: on local clocks, over days of 23 and 25 hours, and in whole hours that overlap."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.report.period import boot_wall_ns, clock_text, moment
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.report.choices import GroupBy

BERLIN, SHANGHAI, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai"), ZoneInfo("Asia/Kolkata")
NEPAL, CAIRO = ZoneInfo("Asia/Kathmandu"), ZoneInfo("Africa/Cairo")
NOW = "2026-11-26T16:35:20+00:00"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS_PER_SECOND


def at(text: str, zone: tzinfo = UTC, now: str = NOW, *, is_end: bool = False) -> str:
    """Give the moment that *text* means, in UTC."""
    found = moment(text, now_wall_ns=ns(now), zone=zone, boot_wall_ns=ns("2026-11-20T07:12:00+00:00"), is_end=is_end)
    assert found % NS_PER_HOUR == 0
    return datetime.fromtimestamp(found // NS_PER_SECOND, UTC).strftime("%Y-%m-%dT%H")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("7d", UTC, "2026-11-19T16"),
        ("90m", UTC, "2026-11-26T15"),
        ("1w", BERLIN, "2026-11-19T16"),
        ("boot", UTC, "2026-11-20T07"),
        ("today", UTC, "2026-11-26T00"),
        ("today", SHANGHAI, "2026-11-26T16"),  # it is half past midnight there
        ("yesterday", SHANGHAI, "2026-11-25T16"),
        ("today", BERLIN, "2026-11-25T23"),
        ("this-month", BERLIN, "2026-10-31T23"),
        ("last-month", BERLIN, "2026-09-30T22"),  # summer time then
        ("2026-11-01", BERLIN, "2026-10-31T23"),
        ("2026-11-01T08:30+01:00", UTC, "2026-11-01T07"),
        ("2026-11-01T08:30", SHANGHAI, "2026-11-01T00"),
        ("2026-11-01T08:30Z", SHANGHAI, "2026-11-01T08"),
        ("99999d", UTC, "1970-01-01T00"),
        ("today", KOLKATA, "2026-11-25T18"),  # within the hour that ends at half past midnight
        ("today", NEPAL, "2026-11-25T18"),
    ],
)
def test_a_beginning(text: str, zone: tzinfo, expected: str) -> None:
    assert at(text, zone) == expected


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("now", UTC, "2026-11-26T17"),
        ("today", SHANGHAI, "2026-11-26T16"),
        ("2026-11-01T08:30+01:00", UTC, "2026-11-01T08"),
        ("2026-11-01T08:00+01:00", UTC, "2026-11-01T07"),
        ("1h", UTC, "2026-11-26T16"),
        ("today", KOLKATA, "2026-11-25T18"),  # as the beginning of the same day
        ("2026-11-01", KOLKATA, "2026-10-31T18"),
    ],
)
def test_an_end_has_the_hours_that_overlap(text: str, zone: tzinfo, expected: str) -> None:
    assert at(text, zone, is_end=True) == expected


def test_now_at_a_full_hour_is_that_hour() -> None:
    assert at("now", now="2026-11-26T16:00:00+00:00", is_end=True) == "2026-11-26T16"


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        ("2026-03-30T12:00+02:00", 23),  # the day before clocks went forward
        ("2026-10-26T12:00+01:00", 25),
        ("2026-10-27T12:00+01:00", 24),
    ],
)
def test_yesterday_is_as_long_as_it_was(now: str, hours: int) -> None:
    span = [moment(text, now_wall_ns=ns(now), zone=BERLIN) for text in ("yesterday", "today")]
    assert span[1] - span[0] == hours * NS_PER_HOUR


def test_yesterday_of_the_day_after_is_right_too() -> None:
    """On the day itself, late: the midnight before is not where 24 hours ago is."""
    assert at("yesterday", BERLIN, now="2026-10-26T00:30+01:00") == "2026-10-24T22"
    assert at("yesterday", BERLIN, now="2026-03-30T00:30+02:00") == "2026-03-28T23"


def test_a_midnight_that_clocks_leave_out_is_the_moment_at_which_they_do() -> None:
    assert at("2024-04-26", CAIRO) == "2024-04-25T22"


def test_the_last_month_of_january_is_december() -> None:
    assert at("last-month", BERLIN, now="2027-01-15T12:00+01:00") == "2026-11-30T23"


@pytest.mark.parametrize(
    "text", ["", "soon", "7", "7x", "-7d", "2026-13-01", "2026-02-30", "2026-11-01T25:00", "0000-00-00", "+", "1d 2h"]
)
def test_what_is_no_time_is_refused_with_what_may_be_written(text: str) -> None:
    with pytest.raises(ValueError, match="write 7d, today, yesterday"):
        at(text)


def test_before_the_epoch_and_after_the_hour_that_runs_there_is_nothing() -> None:
    for text in ("0001-01-01", "0001-01-01T00:00+14:00", "1969-12-31T23:00Z"):
        assert at(text, SHANGHAI) == "1970-01-01T00"
    for text in ("9999-12-31", "9999-12-31T23:59-14:00", "2026-12-01"):
        assert at(text, SHANGHAI) == at(text, SHANGHAI, is_end=True) == "2026-11-26T17"


def test_without_a_boot_time_a_day_is_asked_for() -> None:
    with pytest.raises(ValueError, match="the last boot is not known here; write a day"):
        moment("boot", now_wall_ns=ns(NOW), zone=UTC)


def test_hours_that_are_there_twice_are_told_apart() -> None:
    text = clock_text(BERLIN)
    first = ns("2026-10-25T00:00+00:00") // NS_PER_HOUR
    assert [text(first + number, GroupBy.HOUR) for number in range(4)] == [
        "2026-10-25 02:00 UTC+02:00",
        "2026-10-25 02:00 UTC+01:00",
        "2026-10-25 03:00",
        "2026-10-25 04:00",
    ]


@given(hour=st.integers(480_000, 520_000), zone=st.sampled_from([UTC, BERLIN, SHANGHAI, KOLKATA, NEPAL, CAIRO]))
def test_no_two_hours_have_one_name_and_days_begin_where_their_words_say(hour: int, zone: tzinfo) -> None:
    text = clock_text(zone)
    names = [text(hour + number, GroupBy.HOUR) for number in range(30)]
    assert len(set(names)) == 30
    days = [text(hour + number, GroupBy.DAY) for number in range(30)]
    assert days == sorted(days)
    changed = next(number for number in range(1, 30) if days[number] != days[number - 1])
    assert moment(days[changed], now_wall_ns=2**62, zone=zone) == (hour + changed) * NS_PER_HOUR


def test_the_boot_time_of_the_kernel() -> None:
    assert boot_wall_ns("cpu  1 2\nbtime 1795708800\nprocesses 4\n") == 1_795_708_800 * NS_PER_SECOND
    assert boot_wall_ns("cpu  1 2\n") is None
    assert boot_wall_ns("btime soon\n") is None
