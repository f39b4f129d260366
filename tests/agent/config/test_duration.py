"""Durations: what is written is what is meant, to the nanosecond."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.config.duration import format_duration, parse_duration

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("500ms", SECOND // 2),
        ("5s", 5 * SECOND),
        ("15m", 900 * SECOND),
        ("1h30m", 5_400 * SECOND),
        ("400d", 400 * 86_400 * SECOND),
        ("2w", 14 * 86_400 * SECOND),
        ("0.2s", SECOND // 5),
        ("1.000000001s", SECOND + 1),
        ("0s", 0),
        ("1d2h3m4s5ms6us7ns", 93_784_005_006_007),
    ],
)
def test_a_duration_is_its_nanoseconds(text: str, duration_ns: int) -> None:
    assert parse_duration(text) == duration_ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "has no unit; write 5s"),
        ("0", "has no unit; write 0s"),
        ("2.5", "has no unit; write 2.5s"),
        ("30m1h", "has its units out of order; write the largest first, such as 1h30m"),
        ("5s5s", "has its units out of order; write the largest first, such as 1h30m"),
        ("0.5ns", "is finer than a nanosecond; write fewer decimals"),
        ("-5s", "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d"),
        ("5 s", "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d"),
        ("5S", "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d"),
        ("5y", "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d"),
        ("1h30", "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d"),
        (
            "\N{ARABIC-INDIC DIGIT FIVE}s",
            "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d",
        ),
        ("", "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d"),
        ("0" * 70 + "1s", "is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d"),
    ],
)
def test_what_is_no_duration_is_refused_with_its_cure(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_duration(text)


@given(st.integers(0, 10**18))
def test_a_duration_written_out_is_read_back_exactly(duration_ns: int) -> None:
    assert parse_duration(format_duration(duration_ns)) == duration_ns


@given(st.integers(0, 10**9), st.sampled_from(["w", "d", "h", "m", "s", "ms", "us", "ns"]))
def test_a_count_of_one_unit_survives_reading_and_writing(count: int, unit: str) -> None:
    duration_ns = parse_duration(f"{count}{unit}")
    assert parse_duration(format_duration(duration_ns)) == duration_ns == count * parse_duration(f"1{unit}")


@given(st.text(alphabet="0123456789.wdhmsun", max_size=80) | st.text(max_size=80))
def test_any_text_is_a_duration_or_refused_as_a_value(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) >= 0
