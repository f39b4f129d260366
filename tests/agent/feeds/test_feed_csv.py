"""CSV files as people write them: our header, exports of Electricity Maps, and every mistake with file and line."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import MINUTE_NS, around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.csv_file import build
from wattledger.agent.feeds.file_rows import FileProvider
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Factors, Gas, Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR

_NOW = "2026-10-13T12:00+00:00"
_DAY = around(_NOW, hours_before=12, hours_ahead=12)
_INTENSITY = Wants(Measure.INTENSITY)
_G = 1_000_000


def _provider(path: Path, wants: Wants = _INTENSITY, **changes: Any) -> FileProvider:
    return build(Feed(kind=FeedKind.CSV, path=path, **changes), wants)


class Csv:
    """A file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "grid.csv"

    def fetch(self, text: str | bytes, wants: Wants = _INTENSITY, window: Window = _DAY, **changes: Any) -> Answer:
        """Write the file and ask a fresh provider."""
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        return _provider(self.path, wants, **changes).fetch(PlainWeb(), window)

    def trouble(self, text: str | bytes, wants: Wants = _INTENSITY, **changes: Any) -> FeedError:
        """Give the error of a file that cannot be used."""
        with pytest.raises(FeedError) as caught:
            self.fetch(text, wants, **changes)
        return caught.value


@pytest.fixture
def csv(tmp_path: Path) -> Csv:
    """Give a place for a file."""
    return Csv(tmp_path)


def _spans(answer: Answer) -> list[tuple[str, str, int]]:
    return [(text_of(p.start_wall_ns), text_of(p.end_wall_ns), p.value) for p in answer.points]


_TWO = """\
from,to,grams_per_kwh
2026-10-13T10:00+00:00,2026-10-13T11:00+00:00,380.5
2026-10-13T13:00+02:00,2026-10-13T14:00+02:00,401
"""


def test_an_energy_of_more_than_an_hour_is_left_out_as_it_says_nothing_of_its_hours(csv: Csv) -> None:
    # The sun of a day would cover the load of the night.
    rows = (
        "from,to,kwh\n2026-10-13T00:00Z,2026-10-13T10:00Z,240\n2026-10-13T10:00Z,2026-10-13T11:00Z,3\n"
        "2026-10-13T11:00Z,2026-10-13T11:15Z,1\n"
    )
    answer = csv.fetch(rows, Wants(Measure.ENERGY))
    assert [value for *_, value in _spans(answer)] == [3 * 3_600_000_000, 3_600_000_000]
    assert answer.skipped == {Skipped.BAD_TIME: 1}
    (warning,) = answer.warnings
    assert warning == (
        f"{csv.path}:2: left out, an energy of more than an hour says nothing of the hours in it; write rows of an "
        "hour or less"
    )


def test_a_meter_that_missed_an_hour_has_a_gap_and_no_hour_has_the_half_of_another(csv: Csv) -> None:
    rows = "from,kwh\n2026-10-13T08:00Z,5\n2026-10-13T09:00Z,6\n2026-10-13T11:00Z,7\n2026-10-13T12:00Z,8\n"
    answer = csv.fetch(rows, Wants(Measure.ENERGY))
    assert [start[11:] for start, *_ in _spans(answer)] == ["08:00", "11:00", "12:00"]
    assert answer.skipped == {Skipped.BAD_TIME: 1}


def test_the_contract(csv: Csv) -> None:
    answer = csv.fetch(_TWO)
    assert _spans(answer) == [
        ("2026-10-13T10:00", "2026-10-13T11:00", 380_500_000),
        ("2026-10-13T11:00", "2026-10-13T12:00", 401 * _G),
    ]
    assert {point.kind for point in answer.points} == {PointKind.ACTUAL}
    assert dict(answer.skipped) == {}
    assert answer.warnings == ()


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "# from the grid operator\n\n" + text.replace("\n", "\n  # a note, with a comma\n"),
        lambda text: text.replace("380.5", '"380.5"').replace("from", '"from"'),
        lambda text: text.replace(",", " , "),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", ",,\n") + ",,\n",
        lambda text: text.replace("from,", "note,FROM,").replace("\n2026", '\n"a, b",2026'),
        lambda text: "\n".join([text.splitlines()[0], *reversed(text.splitlines()[1:])]),
    ],
    ids=[
        "bom",
        "crlf",
        "cr",
        "comments",
        "quotes",
        "blanks",
        "no end of line",
        "spreadsheet",
        "columns",
        "any order",
    ],
)
def test_what_does_not_change_the_meaning(csv: Csv, dress: object) -> None:
    assert callable(dress)
    plain = _spans(csv.fetch(_TWO))
    assert _spans(csv.fetch(dress(_TWO))) == plain


def test_without_an_end_a_row_holds_until_the_next_and_the_last_as_long_as_the_one_before(csv: Csv) -> None:
    text = "from,grams_per_kwh\n2026-10-13T10:00Z,1\n2026-10-13T10:30Z,2\n2026-10-13T11:30Z,3\n"
    assert _spans(csv.fetch(text)) == [
        ("2026-10-13T10:00", "2026-10-13T10:30", 1 * _G),
        ("2026-10-13T10:30", "2026-10-13T11:30", 2 * _G),
        ("2026-10-13T11:30", "2026-10-13T12:30", 3 * _G),
    ]
    assert _spans(csv.fetch(text, step_ns=15 * MINUTE_NS))[-1][1] == "2026-10-13T11:45"


def test_rows_with_and_without_an_end_stand_together(csv: Csv) -> None:
    text = (
        "from,to,grams_per_kwh\n2026-10-13T08:00Z,,1\n2026-10-13T10:00Z,2026-10-13T10:15Z,2\n2026-10-13T11:00Z,,3\n"
    )
    spans = [(start[11:], end[11:]) for start, end, _ in _spans(csv.fetch(text))]
    assert spans == [("08:00", "10:00"), ("10:00", "10:15"), ("11:00", "11:15")]


def test_one_row_alone_needs_its_end_or_a_step(csv: Csv) -> None:
    text = "from,grams_per_kwh\n2026-10-13T10:00Z,5\n"
    error = csv.trouble(text)
    assert f"{csv.path}:2: a single row without an end" in error.detail
    assert "set `step`" in error.detail
    assert len(csv.fetch(text, step_ns=NS_PER_HOUR).points) == 1


@pytest.mark.parametrize(
    ("measure", "column", "cell", "expected"),
    [
        (Measure.PRICE, "price_per_kwh", "0.6112", 611_200),
        (Measure.PRICE, "price_per_kwh", "-0.01", -10_000),
        (Measure.PRICE, "price_per_kwh", "0", 0),
        (Measure.ENERGY, "kwh", "1.5", 5_400_000_000),
        (Measure.ENERGY, "kwh", "0", 0),
        (Measure.PUE, "pue", "1.25", 1_250_000),
    ],
)
def test_the_other_measures_have_columns_of_their_own(
    csv: Csv, measure: Measure, column: str, cell: str, expected: int
) -> None:
    text = f"from,to,{column},grams_per_kwh\n2026-10-13T10:00Z,2026-10-13T11:00Z,{cell},99\n"
    answer = csv.fetch(text, Wants(measure, currency="CNY"))
    assert [point.value for point in answer.points] == [expected]


def test_values_that_are_none_leave_a_gap_and_name_the_first_line(csv: Csv) -> None:
    cells = ["", "ND", "nan", "0", "-3", "1501", "380", ""]
    rows = "".join(f"2026-10-13T{hour:02}:00Z,{cell}\n" for hour, cell in enumerate(cells))
    answer = csv.fetch("from,grams_per_kwh\n" + rows)
    assert _spans(answer) == [("2026-10-13T06:00", "2026-10-13T07:00", 380 * _G)]
    assert answer.skipped == {Skipped.NULL: 2, Skipped.NOT_A_NUMBER: 2, Skipped.OUT_OF_RANGE: 3}
    assert [word.partition(":")[2][:2] for word in answer.warnings] == ["2:", "3:", "5:"]


def test_only_rows_of_the_window_are_given_and_only_theirs_are_counted(csv: Csv) -> None:
    times = [(day, hour) for day in range(10, 20) for hour in range(24)]
    rows = "".join(f"2026-10-{day}T{hour:02}:00Z,{'' if hour == 5 else 100 + hour}\n" for day, hour in times)
    window = Window(at("2026-10-13T03:30+00:00"), at("2026-10-13T06:00+00:00"), at(_NOW))
    answer = csv.fetch("from,grams_per_kwh\n" + rows, window=window)
    assert _spans(answer) == [
        ("2026-10-13T03:00", "2026-10-13T04:00", 103 * _G),
        ("2026-10-13T04:00", "2026-10-13T05:00", 104 * _G),
    ]
    assert answer.skipped == {Skipped.NULL: 1}


def test_a_file_that_ends_before_the_window_says_how_far_it_reaches(csv: Csv) -> None:
    error = csv.trouble(_TWO.replace("2026-", "2024-"))
    assert error.trouble is Trouble.EMPTY
    assert "2024-10-13T12:00:00Z; add rows" in error.detail


def test_what_lies_ahead_is_a_forecast_except_for_prices(csv: Csv) -> None:
    text = "from,grams_per_kwh,price_per_kwh\n2026-10-13T11:00Z,5,5\n2026-10-13T12:00Z,6,6\n2026-10-13T13:00Z,7,7\n"
    kinds = [point.kind for point in csv.fetch(text).points]
    assert kinds == [PointKind.ACTUAL, PointKind.ACTUAL, PointKind.FORECAST]
    prices = csv.fetch(text, Wants(Measure.PRICE, currency="CNY")).points
    assert {point.kind for point in prices} == {PointKind.ACTUAL}


def test_local_times_need_the_time_zone(csv: Csv) -> None:
    text = _TWO.replace("+00:00", "").replace("+02:00", "")
    error = csv.trouble(text)
    assert error.trouble is Trouble.INVALID
    assert f"{csv.path}:2: '2026-10-13T10:00' has no offset" in error.detail
    assert _spans(csv.fetch(text, timezone="Asia/Shanghai"))[0][0] == "2026-10-13T02:00"


def test_the_autumn_day_in_local_time_has_25_hours(csv: Csv) -> None:
    hours = ["00", "01", "02", "02", *(f"{hour:02}" for hour in range(3, 24))]
    rows = "".join(f"2026-10-25 {hour}:00,{100 + index}\n" for index, hour in enumerate(hours))
    window = Window(at("2026-10-24T22:00+00:00"), at("2026-10-25T23:00+00:00"), at("2026-10-26T00:00+00:00"))
    answer = csv.fetch("from,grams_per_kwh\n" + rows, window=window, timezone="Europe/Paris")
    assert [point.value // _G for point in answer.points] == list(range(100, 125))
    assert {point.duration_ns for point in answer.points} == {NS_PER_HOUR}
    assert text_of(answer.points[0].start_wall_ns) == "2026-10-24T22:00"
    assert text_of(answer.points[-1].end_wall_ns) == "2026-10-25T23:00"


def test_the_hour_that_spring_leaves_out_is_refused_with_its_line(csv: Csv) -> None:
    text = "from,grams_per_kwh\n2026-03-29 01:00,1\n2026-03-29 02:00,2\n2026-03-29 03:00,3\n"
    error = csv.trouble(text, timezone="Europe/Paris")
    assert f"{csv.path}:3: " in error.detail
    assert "does not exist in Europe/Paris" in error.detail


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("from,to,grams_per_kwh\n2026-10-13T10:00Z,2026-10-13T12:00Z,1\n2026-10-13T11:00Z,2026-10-13T13:00Z,2\n", 3,
         "overlaps {path}:2: both hold from 2026-10-13T11:00:00Z on"),
        ("from,to,grams_per_kwh\n2026-10-13T10:00Z,2026-10-13T11:00Z,1\n2026-10-13T10:00Z,2026-10-13T11:00Z,1\n", 3,
         "overlaps {path}:2"),
        ("from,to,grams_per_kwh\n2026-10-13T10:00Z,2026-10-13T12:00Z,\n2026-10-13T11:00Z,2026-10-13T13:00Z,2\n", 3,
         "overlaps {path}:2"),
        ("from,to,grams_per_kwh\n2026-10-13T10:00Z,2026-10-13T09:00Z,1\n", 2, "put an end after its start"),
        ("from,grams_per_kwh\n2026-10-13T10:00Z,1\n2026-10-13T10:00Z,1\n", 2, "{path}:3 does not start later"),
        ("from,grams_per_kwh\n2026-10-13T10:00Z,1\n#\n2026-10-13T09:00Z,1\n", 2, "{path}:4 does not start later"),
        ("from,to,grams_per_kwh\n2026-10-13T10:00Z,2026-10-13T11:00Z,123,4\n", 2, "write decimals with a point"),
        ("from,to,grams_per_kwh\n2026-10-13T10:00Z,2026-10-13T11:00Z\n", 2, "ends before the column 'grams_per_kwh'"),
        ("from,to,grams_per_kwh\nyesterday,2026-10-13T11:00Z,1\n", 2, "'yesterday' is no time"),
        ("from,to,grams_per_kwh\n2026-10-13T10:00Z,noon,1\n", 2, "'noon' is no time"),
        ('from,grams_per_kwh\n2026-10-13T10:00Z,"1\n', 2, "check its quotes"),
        ("# note\nfrom;to;grams_per_kwh\n", 2, "divide columns by commas"),
        ("from,to,co2\n2026-10-13T10:00Z,2026-10-13T11:00Z,1\n", 1, "write the header from,to,grams_per_kwh"),
        ("2026-10-13T10:00Z,2026-10-13T11:00Z,1\n", 1, "write the header from,to,grams_per_kwh"),
        ("from,from,grams_per_kwh\n", 1, "the column 'from' stands twice"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_named_with_the_cure(csv: Csv, text: str, line: int, said: str) -> None:
    error = csv.trouble(text)
    assert error.trouble is Trouble.INVALID
    assert error.detail.startswith(f"{csv.path}:{line}: ")
    assert said.format(path=csv.path) in error.detail


def test_files_that_are_none(csv: Csv, tmp_path: Path) -> None:
    assert "is empty; write the header from,to,kwh" in csv.trouble("\n# nothing\n", Wants(Measure.ENERGY)).detail
    assert f"{csv.path}:2: is not UTF-8" in csv.trouble("from,grams_per_kwh\n\u00e9".encode("latin-1")).detail
    assert csv.trouble("from,grams_per_kwh\n").trouble is Trouble.EMPTY
    with pytest.raises(FeedError, match="mend `path`") as caught:
        _provider(tmp_path / "none.csv").fetch(PlainWeb(), _DAY)
    assert caught.value.trouble is Trouble.NOT_FOUND
    with pytest.raises(FeedError, match="is no regular file"):
        _provider(tmp_path).fetch(PlainWeb(), _DAY)


def test_the_caliber_is_declared_and_the_time_of_writing_is_that_of_issue(csv: Csv) -> None:
    csv.path.write_text(_TWO)
    os.utime(csv.path, ns=(5, at("2026-10-13T11:30+00:00")))
    provider = _provider(csv.path, factors=Factors.DIRECT, gas=Gas.CO2, zone="DE")
    assert provider.series.caliber is not None
    assert (provider.series.caliber.factors, provider.series.caliber.gas) == (Factors.DIRECT, Gas.CO2)
    (first, _) = provider.fetch(PlainWeb(), _DAY).points
    assert first.issued_wall_ns == at("2026-10-13T11:30+00:00")


_EXPORT_OLD = """\
Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh (LCA),\
Low Carbon Percentage,Renewable Percentage,Data Source,Data Estimated,Data Estimation Method
2026-10-13 09:00:00,Germany,Germany,DE,321.5,380.12,50.1,45.0,entsoe.eu,false,
2026-10-13 10:00:00,Germany,Germany,DE,,,50.1,45.0,entsoe.eu,false,
2026-10-13 11:00:00,Germany,Germany,DE,333.0,391.5,48.0,44.0,"entsoe.eu, eex.com",true,TIME_SLICER_AVERAGE
"""
_EXPORT_NEW = _EXPORT_OLD.replace("Intensity", "intensity").replace("(LCA)", "(Life cycle)")
_EXPORT_NEW = _EXPORT_NEW.replace("Low Carbon Percentage", "Carbon-free energy percentage (CFE%)")
_EXPORT_NEW = _EXPORT_NEW.replace("Data Estimated,Data Estimation Method", "Data estimated,Data estimation method")


class TestExportsOfElectricityMaps:
    """The yearly files, whose header has changed once."""

    @pytest.mark.parametrize("text", [_EXPORT_OLD, _EXPORT_NEW], ids=["old header", "new header"])
    def test_life_cycle_and_direct_by_factors(self, csv: Csv, text: str) -> None:
        answer = csv.fetch(text)
        assert _spans(answer) == [
            ("2026-10-13T09:00", "2026-10-13T10:00", 380_120_000),
            ("2026-10-13T11:00", "2026-10-13T12:00", 391_500_000),
        ]
        assert [point.kind for point in answer.points] == [PointKind.ACTUAL, PointKind.ESTIMATED]
        assert answer.skipped == {Skipped.NULL: 1}
        direct = csv.fetch(text, factors=Factors.DIRECT)
        assert [point.value for point in direct.points] == [321_500_000, 333_000_000]

    def test_the_times_are_of_utc_whatever_the_configuration_says(self, csv: Csv) -> None:
        assert _spans(csv.fetch(_EXPORT_NEW, timezone="Asia/Shanghai")) == _spans(csv.fetch(_EXPORT_NEW))

    def test_the_zone_must_be_the_one_that_is_asked_for(self, csv: Csv) -> None:
        assert len(csv.fetch(_EXPORT_NEW, zone="DE").points) == 2
        error = csv.trouble(_EXPORT_NEW, zone="FR")
        assert error.trouble is Trouble.WRONG_ZONE
        assert "is of DE, not of FR" in error.detail

    def test_several_zones_in_one_file_are_told_apart(self, csv: Csv) -> None:
        text = _EXPORT_NEW + "2026-10-13 09:00:00,France,France,FR,30,44,90,30,rte,false,\n"
        assert "set `zone`" in csv.trouble(text).detail
        assert len(csv.fetch(text, zone="DE").points) == 2
        assert [point.value for point in csv.fetch(text, zone="FR", step_ns=NS_PER_HOUR).points] == [44 * _G]

    def test_it_holds_no_prices_and_perhaps_not_the_factors(self, csv: Csv) -> None:
        assert "and no price" in csv.trouble(_EXPORT_NEW, Wants(Measure.PRICE)).detail
        text = _EXPORT_NEW.replace("(Life cycle)", "(new name)")
        assert "has no column of lifecycle intensity" in csv.trouble(text).detail


def _tell(path: Path, text: str, when: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(at(when), at(when)))


class TestChanges:
    """A file is read again when it has changed, and only then."""

    def test_a_replaced_file_is_read_again(self, csv: Csv) -> None:
        _tell(csv.path, _TWO, "2026-10-13T01:00+00:00")
        provider = _provider(csv.path)
        assert provider.fetch(PlainWeb(), _DAY).points[1].value == 401 * _G
        fresh = csv.path.with_suffix(".new")
        _tell(fresh, _TWO.replace("401", "402"), "2026-10-13T01:00+00:00")  # the same size and time
        fresh.rename(csv.path)
        assert provider.fetch(PlainWeb(), _DAY).points[1].value == 402 * _G

    def test_a_file_that_has_not_changed_is_not_parsed_again(self, csv: Csv) -> None:
        _tell(csv.path, _TWO, "2026-10-13T01:00+00:00")
        provider = _provider(csv.path)
        first, _ = provider.file.current(_DAY.now_wall_ns)
        second, _ = provider.file.current(_DAY.now_wall_ns)
        assert second is first

    def test_two_writes_within_one_tick_of_the_clock_are_both_seen(self, csv: Csv) -> None:
        _tell(csv.path, _TWO, _NOW)
        provider = _provider(csv.path)
        provider.fetch(PlainWeb(), _DAY)
        with csv.path.open("r+") as file:
            file.write(_TWO.replace("401", "402"))
        os.utime(csv.path, ns=(at(_NOW), at(_NOW)))
        assert provider.fetch(PlainWeb(), _DAY).points[1].value == 402 * _G

    def test_a_mistake_is_told_until_it_is_mended(self, csv: Csv) -> None:
        _tell(csv.path, "nonsense\n", "2026-10-13T01:00+00:00")
        provider = _provider(csv.path)
        for _ in range(2):
            with pytest.raises(FeedError, match="write the header") as caught:
                provider.fetch(PlainWeb(), _DAY)
            assert caught.value.trouble is Trouble.INVALID
        _tell(csv.path, _TWO, "2026-10-13T02:00+00:00")
        assert len(provider.fetch(PlainWeb(), _DAY).points) == 2
        csv.path.unlink()
        with pytest.raises(FeedError, match="cannot be read"):
            provider.fetch(PlainWeb(), _DAY)
        _tell(csv.path, _TWO, "2026-10-13T02:00+00:00")
        assert len(provider.fetch(PlainWeb(), _DAY).points) == 2
