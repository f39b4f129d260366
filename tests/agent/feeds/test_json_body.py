"""The JSON of an answer: numbers as they were written, and words for what is wrong with it."""

from decimal import Decimal

import pytest

from wattledger.agent.feeds.base import FeedError, Trouble
from wattledger.agent.feeds.json_body import json_object, object_in, rows_in


def test_numbers_come_as_they_were_written() -> None:
    found = json_object(
        b'{"a": 0.10, "b": 12345678901234567890.125, "c": 7, "d": NaN, "e": -Infinity, "f": 1e999999}'
    )
    assert str(found["a"]) == "0.10"
    assert found["b"] == Decimal("12345678901234567890.125")
    assert found["c"] == 7
    assert (found["d"], found["e"]) == ("NaN", "-Infinity")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it begins with nothing"),
        (b"<!DOCTYPE html>", "it begins with '<!DOCTYPE html>'"),
        (b'{"a": ', "no whole JSON"),
        (b'{"a": 1} x', "no whole JSON"),
        (b"\xff\xfe\xfa", "no whole JSON"),
        (b'{"a": ' + b"[" * 100_000, "no whole JSON"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "no whole JSON"),
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
    ],
    ids=["empty", "HTML", "cut off", "more", "no text", "deep", "a number of 10000 digits", "a list", "null"],
)
def test_what_is_no_object_is_told_by_its_beginning(body: bytes, words: str) -> None:
    with pytest.raises(FeedError, match=words) as caught:
        json_object(body)
    assert caught.value.trouble is Trouble.INVALID
    assert len(caught.value.detail) < 300


def test_rows_are_those_of_the_first_list_that_is_there() -> None:
    assert list(rows_in({"history": None, "data": [{"a": 1}], "more": [{}]}, "history", "data", "more")) == [{"a": 1}]


def test_a_row_that_is_no_object_is_told() -> None:
    with pytest.raises(FeedError, match="'data' of the answer holds 17"):
        list(rows_in({"data": [{}, 17]}, "data"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "Invalid token"}, "instead of 'data' the answer says 'Invalid token'"),
        ({"status": "error", "message": "no data"}, "instead of 'data' the answer says 'no data'"),
        ({"data": {}, "zone": "DE"}, r"the answer lacks 'data', it has \['data', 'zone'\]"),
        ({}, r"the answer lacks 'data', it has \[\]"),
    ],
)
def test_what_is_lacking_is_told_in_the_words_of_the_answer(answer: dict[str, object], words: str) -> None:
    with pytest.raises(FeedError, match=words) as caught:
        rows_in(answer, "data")
    assert caught.value.trouble is Trouble.INVALID


def test_an_object_is_given_or_told_to_be_lacking() -> None:
    assert object_in({"meta": {"a": 1}}, "meta") == {"a": 1}
    with pytest.raises(FeedError, match="lacks 'meta'"):
        object_in({"meta": []}, "meta")
