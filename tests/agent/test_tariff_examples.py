"""The Chinese tariffs of docs/examples, loaded as they stand and priced hour by hour, midnight to midnight."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.agent.tariff_sections import load
from wattledger.agent.tariff import make_tariff, tariff_doubts, tariff_mistakes
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.tariff.prices import price_points

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
FILES = sorted(FOLDER.glob("tariff-*.yml"))
LETTERS = {"S": "sharp", "P": "peak", "F": "flat", "V": "valley"}

# A letter for each hour of the day that begins at 0. Those of the first dates are of the project's notes on prices.
HOURS = {
    ("beijing", "2023-07-04"): "VVVVVVVFFFPSSPPFSFPPPFFV",
    ("beijing", "2023-08-31"): "VVVVVVVFFFPSSPPFSFPPPFFV",
    ("beijing", "2023-06-30"): "VVVVVVVFFFPPPPPFFFPPPFFV",
    ("beijing", "2023-01-01"): "VVVVVVVFFFPPPPPFFFPPPFFV",
    ("beijing", "2023-09-01"): "VVVVVVVFFFPPPFFFFPPPPPFV",
    ("beijing", "2024-07-01"): "VVVVVVVFFFPSSFFFSPPPPPFV",
    ("beijing", "2024-12-31"): "VVVVVVVFFFPPPFFFFPSSSPFV",
    ("shanghai", "2022-09-30"): "VVVVVVFFPPPFFPPFFFPPPFVV",
    ("shanghai", "2022-10-01"): "VVVVVVFFPPPFFFFFFFPPPFVV",
    ("shanghai", "2022-12-31"): "VVVVVVFFPPPFFFFFFFPPPFVV",
    ("shanghai", "2023-01-01"): "VVVVVVFFPPPFFFFFFFPSSFVV",
    ("shanghai", "2023-07-01"): "VVVVVVFFPPPPSSPFFFPPPFVV",
    ("shanghai", "2023-09-30"): "VVVVVVFFPPPPPPPFFFPPPFVV",
    ("shanghai", "2024-02-29"): "VVVVVVFFPPPFFFFFFFPPPFVV",
    ("hunan", "2021-03-01"): "VVVVVVVFPPPFFFFPPPPSSSFV",
    ("hunan", "2021-12-31"): "VVVVVVVFPPPFFFFPPPPSSSFV",
    ("hainan", "2024-04-30"): "VVVVVVVFFFPPFFFFPPPPPPFV",
    ("hainan", "2024-05-01"): "VVVVVVVFFFPPFFFFPPPPSSFV",
    ("hainan", "2024-08-01"): "VVVVVVVFFFPPFFFFPPPPPPFV",
}


@pytest.mark.parametrize(("city", "day"), HOURS)
def test_each_hour_of_the_day_is_of_its_period(city: str, day: str) -> None:
    tariff = make_tariff(load((FOLDER / f"tariff-{city}.yml").read_text("utf-8")))
    midnight = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    start = round(midnight.timestamp()) * NS_PER_SECOND
    hours = [price_points(tariff, start + hour * NS_PER_HOUR, start + (hour + 1) * NS_PER_HOUR) for hour in range(24)]
    assert all(len(points) == 1 for points in hours)
    assert [points[0].label for points in hours] == [LETTERS[letter] for letter in HOURS[city, day]]
    of_label = {points[0].label: points[0].value for points in hours}
    assert all(points[0].value == of_label[points[0].label] for points in hours)
    assert (of_label["valley"] or 0) < (of_label["flat"] or 0) < (of_label["peak"] or 0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_has_a_price_for_every_moment_and_no_doubt(path: Path) -> None:
    section = load(path.read_text("utf-8"))
    assert list(tariff_mistakes(section)) == list(tariff_doubts(section)) == []
    start = round(datetime(2022, 12, 1, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * NS_PER_SECOND
    points = price_points(make_tariff(section), start, start + 800 * 24 * NS_PER_HOUR)
    assert all(point.value is not None and point.label for point in points)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_says_that_it_is_none_to_copy(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "no default" in text
    assert "placeholders" in text


def test_all_examples_are_priced() -> None:
    assert {f"tariff-{city}" for city, _ in HOURS} == {path.stem for path in FILES}
    assert all(len(letters) == 24 for letters in HOURS.values())
