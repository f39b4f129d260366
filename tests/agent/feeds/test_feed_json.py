"""JSON files: intervals of our own form, and emissions as the Carbon Aware SDK writes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.json_file import build
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Measure
from wattledger.rules.instant import NS_PER_HOUR

_NOW = "2026-10-13T12:00+00:00"
_DAY = around(_NOW, hours_before=12, hours_ahead=12)
_INTENSITY = Wants(Measure.INTENSITY)


class Json:
    """A file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "grid.json"

    def fetch(self, content: object, wants: Wants = _INTENSITY, window: Window = _DAY, **changes: Any) -> Answer:
        """Write the file (text and bytes as they are) and ask a fresh provider."""
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        feed = Feed(kind=FeedKind.JSON, path=self.path, **changes)
        return build(feed, wants).fetch(PlainWeb(), window)

    def trouble(self, content: object, wants: Wants = _INTENSITY, **changes: Any) -> FeedError:
        """Give the error of a file that cannot be used."""
        with pytest.raises(FeedError) as caught:
            self.fetch(content, wants, **changes)
        return caught.value


@pytest.fixture
def file(tmp_path: Path) -> Json:
    """Give a place for a file."""
    return Json(tmp_path)


def _spans(answer: Answer) -> list[tuple[str, str, int]]:
    return [(text_of(p.start_wall_ns)[11:], text_of(p.end_wall_ns)[11:], p.value) for p in answer.points]


def _own(*rows: object, **more: object) -> dict[str, object]:
    return {**more, "intervals": list(rows)}


def _row(hour: int, value: object, to: object = ...) -> dict[str, object]:
    row = {"from": f"2026-10-13T{hour:02}:00Z", "value": value}
    return row if to is ... else {**row, "to": to}


class TestOwnForm:
    """`zone`, `unit`, and intervals with `from`, `to` and `value`."""

    def test_the_contract(self, file: Json) -> None:
        content = """
            {"zone": "DE", "unit": "kg/MWh", "note": "kept by hand", "intervals": [
              {"from": "2026-10-13T10:00+00:00", "to": "2026-10-13T11:00+00:00", "value": 380.1},
              {"from": "2026-10-13T13:00+02:00", "to": "2026-10-13T14:00+02:00", "value": "401.000001", "by": "me"}
            ]}"""
        answer = file.fetch(content, zone="DE")
        assert _spans(answer) == [("10:00", "11:00", 380_100_000), ("11:00", "12:00", 401_000_001)]
        assert dict(answer.skipped) == {}

    def test_digits_survive_that_a_float_would_lose(self, file: Json) -> None:
        text = (
            '{"unit": "t/MWh", "intervals": [{"from": 1791885600, "to": 1791889200, "value": 0.123456789123456789}]}'
        )
        assert [point.value for point in file.fetch(text).points] == [123_456_789]

    def test_without_an_end_until_the_next(self, file: Json) -> None:
        answer = file.fetch(_own(_row(8, 1), _row(9, 2, None), _row(11, 3)))
        assert [span[:2] for span in _spans(answer)] == [("08:00", "09:00"), ("09:00", "11:00"), ("11:00", "13:00")]
        answer = file.fetch(_own(_row(8, 1)), step_ns=NS_PER_HOUR)
        assert [span[:2] for span in _spans(answer)] == [("08:00", "09:00")]

    def test_values_that_are_none_are_counted(self, file: Json) -> None:
        values = [None, "ND", "", True, "12", 0, -5, 2000]
        answer = file.fetch(_own(*(_row(hour, value) for hour, value in enumerate(values))))
        assert [point.value for point in answer.points] == [12_000_000]
        assert answer.skipped == {Skipped.NULL: 2, Skipped.NOT_A_NUMBER: 2, Skipped.OUT_OF_RANGE: 3}
        assert f"{file.path}: intervals[0]: left out, there is no value" in answer.warnings

    def test_not_a_number_is_none_though_the_library_reads_it(self, file: Json) -> None:
        text = '{"intervals": [{"from": "2026-10-13T10:00Z", "to": "2026-10-13T11:00Z", "value": NaN}]}'
        assert file.trouble(text).trouble is Trouble.EMPTY

    @pytest.mark.parametrize(
        ("measure", "unit", "value", "expected"),
        [
            (Measure.PRICE, "EUR/MWh", -12.5, -12_500),
            (Measure.PRICE, "", "0.25", 250_000),
            (Measure.ENERGY, "kWh", 1.5, 5_400_000_000),
            (Measure.ENERGY, "kW", 1.5, 5_400_000_000),
            (Measure.PUE, "", 1.25, 1_250_000),
            (Measure.INTENSITY, "lb/MWh", 1000, 453_592_370),
        ],
    )
    @pytest.mark.parametrize("place", ["file", "configuration"])
    def test_the_unit_is_said_by_either(
        self, file: Json, measure: Measure, unit: str, *, value: object, expected: int, place: str
    ) -> None:
        said: dict[str, Any] = {"unit": unit} if unit else {}
        content = _own(_row(10, value, "2026-10-13T11:00Z"), **(said if place == "file" else {}))
        answer = file.fetch(content, Wants(measure, currency="EUR"), **(said if place == "configuration" else {}))
        assert [point.value for point in answer.points] == [expected]

    def test_local_times_need_the_time_zone_and_order_tells_the_hour_that_comes_twice(self, file: Json) -> None:
        rows = [{"from": f"2026-10-25T{clock}", "value": 5} for clock in ("01:00", "02:00", "02:00", "03:00")]
        assert "has no offset" in file.trouble(_own(*rows)).detail
        window = Window(at("2026-10-24T22:00+00:00"), at("2026-10-25T22:00+00:00"), at("2026-10-26T00:00+00:00"))
        answer = file.fetch(_own(*rows), window=window, timezone="Europe/Paris")
        assert [span[0] for span in _spans(answer)] == ["23:00", "00:00", "01:00", "02:00"]

    @pytest.mark.parametrize(
        ("content", "place", "said"),
        [
            (_own({"from": "2026-10-13T10:00Z"}), ": intervals[0]: ", "lacks 'value'"),
            (_own({"value": 1}), ": intervals[0]: ", "lacks 'from'"),
            (_own(_row(10, 1, "noon")), ": intervals[0]: ", "'noon' is no time"),
            (_own(_row(10, 1), 7), ": intervals[1]: ", "7 is no object"),
            (_own(_row(10, 1, "2026-10-13T12:00Z"), _row(11, 1, "2026-10-13T12:00Z")), ": intervals[1]: ",
             "overlaps {path}: intervals[0]"),
            (_own(_row(10, 1)), ": intervals[0]: ", "set `step`"),
            (_own(_row(10, 1), unit="kWh"), ": unit: ", "write g/kWh"),
            (_own(_row(10, 1), unit=["g/kWh"]), ": unit: ", "put it in quotes"),
            (_own(_row(10, 1), unit="kg/kWh"), ": unit: ", "the configuration says 'g/kWh'"),
            ({"data": []}, ": ", 'neither a list "intervals" nor a list "Emissions"'),
            ([], ": ", 'neither a list "intervals" nor a list "Emissions"'),
            ('{"intervals": [\n{"from": 1,}]}', ":2:12: ", "is no JSON"),
            ("", ":1:1: ", "is no JSON"),
            ("[" * 100_000, ": ", "is no JSON that can be read"),
            (b"\xff\xfe", ": ", "is not UTF-8"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named_with_place_and_cure(
        self, file: Json, content: object, place: str, said: str
    ) -> None:
        error = file.trouble(content, unit="g/kWh") if "configuration" in said else file.trouble(content)
        assert error.trouble is Trouble.INVALID
        assert error.detail.startswith(f"{file.path}{place}")
        assert said.format(path=file.path) in error.detail

    def test_an_energy_without_a_unit_is_refused(self, file: Json) -> None:
        assert "set `unit`" in file.trouble(_own(_row(10, 1)), Wants(Measure.ENERGY)).detail

    def test_the_zone_of_the_file_must_be_that_of_the_feed(self, file: Json) -> None:
        content = _own(_row(10, 1, "2026-10-13T11:00Z"), zone="FR")
        error = file.trouble(content, zone="DE")
        assert error.trouble is Trouble.WRONG_ZONE
        assert "is of FR, not of DE" in error.detail
        assert len(file.fetch(content).points) == 1

    def test_a_byte_order_mark_is_no_matter(self, file: Json) -> None:
        text = "\ufeff" + json.dumps(_own(_row(10, 1, "2026-10-13T11:00Z")))
        assert len(file.fetch(text).points) == 1


def _emission(location: str, clock: str, rating: object, duration: object = "01:00") -> dict[str, object]:
    row = {"Location": location, "Time": f"2026-10-13T{clock}", "Rating": rating}
    return row if duration is None else {**row, "Duration": duration}


def _emissions(*rows: dict[str, object]) -> dict[str, object]:
    return {"Description": "made for tests", "Date": "2026-10-13", "License": "none", "Emissions": list(rows)}


class TestCarbonAwareSdk:
    """Its form, with the oddities of its own sample: ratings as text, times without an offset."""

    def test_ratings_as_numbers_and_as_text(self, file: Json) -> None:
        content = _emissions(
            _emission("eu", "10:00:00+00:00", 90), _emission("eu", "11:00:00+00:00", "65.5", "00:30")
        )
        assert _spans(file.fetch(content, zone="eu")) == [
            ("10:00", "11:00", 90_000_000),
            ("11:00", "11:30", 65_500_000),
        ]

    def test_other_locations_are_nothing_to_it(self, file: Json) -> None:
        rows = [_emission(place, "10:00Z", rating) for place, rating in (("us", 300), ("eu", 90), ("ap", 600))]
        assert [value for *_, value in _spans(file.fetch(_emissions(*rows), zone="eu"))] == [90_000_000]
        error = file.trouble(_emissions(*rows), zone="DE")
        assert error.trouble is Trouble.WRONG_ZONE
        assert "is of ap, eu, us, not of DE" in error.detail
        assert "set `zone`" in file.trouble(_emissions(*rows)).detail
        assert len(file.fetch(_emissions(rows[0])).points) == 1

    def test_times_without_an_offset_need_the_time_zone(self, file: Json) -> None:
        content = _emissions(_emission("eu", "10:00:00", "90"))
        error = file.trouble(content, zone="eu")
        assert "Emissions[0]" in error.detail
        assert "set `timezone`" in error.detail
        assert _spans(file.fetch(content, zone="eu", timezone="Asia/Shanghai"))[0][:2] == ("02:00", "03:00")

    @pytest.mark.parametrize(("duration", "end"), [("00:05", "10:05"), ("02:00:00", "12:00"), ("1.00:00", "10:00")])
    def test_durations(self, file: Json, duration: str, end: str) -> None:
        content = _emissions(_emission("eu", "10:00Z", 90, duration))
        assert _spans(file.fetch(content, zone="eu"))[0][1] == end

    @pytest.mark.parametrize("duration", ["1h", 60, "00:00", "1:00", ""])
    def test_what_is_no_duration_is_named(self, file: Json, duration: object) -> None:
        content = _emissions(_emission("us", "09:00Z", 1), _emission("eu", "10:00Z", 90, duration))
        error = file.trouble(content, zone="eu")
        assert error.detail.startswith(f"{file.path}: Emissions[1]: ")

    def test_a_rating_of_zero_or_none_is_left_out(self, file: Json) -> None:
        rows = [_emission("eu", f"1{hour}:00Z", rating) for hour, rating in enumerate([0, None, "ND", 44])]
        answer = file.fetch(_emissions(*rows), zone="eu")
        assert [point.value for point in answer.points] == [44_000_000]
        assert answer.skipped == {Skipped.OUT_OF_RANGE: 1, Skipped.NULL: 1, Skipped.NOT_A_NUMBER: 1}

    def test_it_holds_no_prices(self, file: Json) -> None:
        assert "and no price" in file.trouble(_emissions(_emission("eu", "10:00Z", 1)), Wants(Measure.PRICE)).detail

    def test_an_empty_list_is_an_empty_answer(self, file: Json) -> None:
        assert file.trouble(_emissions(), zone="eu").trouble is Trouble.EMPTY
