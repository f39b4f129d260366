"""The catalogue of feeds: every kind has a provider, and a configuration that it cannot take is told with its key."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import FeedError, Trouble
from wattledger.agent.feeds.catalogue import build_provider, keys_of, mistakes, module_of
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Factors, Gas, Measure

_AT = "carbon.feeds[0]"
_ALL_KEYS = {info.encode_name for info in msgspec.structs.fields(Feed)}
_URL = "http://127.0.0.1:9"
_GRAMS = Measure.INTENSITY
_CSV = Path("/grid.csv")


def _told(kind: FeedKind, measure: Measure = Measure.INTENSITY, **keys: Any) -> list[tuple[str, str]]:
    return list(mistakes(Feed(kind=kind, **keys), measure, _AT, currency="CNY"))


@pytest.mark.parametrize("kind", FeedKind)
def test_every_kind_has_a_provider_whose_keys_exist(kind: FeedKind) -> None:
    keys = keys_of(kind)
    named = [*keys.required, *keys.optional, *(key for group in keys.one_of for key in group)]
    assert set(named) <= _ALL_KEYS
    assert len(named) == len(set(named))
    assert keys.measures
    assert keys.web is (kind not in (FeedKind.STATIC, FeedKind.TABLE, FeedKind.CSV, FeedKind.JSON))


def test_a_provider_is_imported_when_it_is_named() -> None:
    program = (
        "import sys; from wattledger.agent.config.feed_schema import FeedKind;"
        "from wattledger.agent.feeds.catalogue import keys_of, module_of; keys_of(FeedKind.STATIC);"
        "print([kind for kind in FeedKind if f'wattledger.agent.feeds.{module_of(kind)}' in sys.modules])"
    )
    path = Path(__file__).parents[3] / ".importroot"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": str(path)}, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[<FeedKind.STATIC: 'static'>]"


def test_modules_are_named_as_their_kinds_unless_the_library_has_the_name() -> None:
    assert {kind: module_of(kind) for kind in FeedKind if module_of(kind) != kind} == {
        FeedKind.CSV: "csv_file",
        FeedKind.JSON: "json_file",
    }


@pytest.mark.parametrize(
    ("kind", "measure", "keys"),
    [
        (FeedKind.STATIC, _GRAMS, {"value_micro": 380_000_000, "factors": Factors.DIRECT, "zone": "DE"}),
        (FeedKind.STATIC, Measure.PRICE, {"value_micro": -5, "unit": "CNY/kWh"}),
        (FeedKind.TABLE, _GRAMS, {"source": "mee", "region": "CN-ZJ", "year": 2023}),
        (FeedKind.CSV, Measure.ENERGY, {"path": Path("/meter.csv"), "timezone": "Asia/Shanghai"}),
        (FeedKind.JSON, Measure.PUE, {"path": Path("/pue.json"), "poll_ns": 60 * 10**9}),
        (FeedKind.HTTP_JSON, Measure.PRICE, {"url": _URL, "values": "v[]", "times": "t[]", "token_variable": "T"}),
        (FeedKind.PROMETHEUS, Measure.ENERGY, {"url": _URL, "query": "x", "unit": "W", "ca_file": Path("/ca.pem")}),
    ],
)
def test_what_is_right_is_built(kind: FeedKind, measure: Measure, keys: dict[str, Any]) -> None:
    assert _told(kind, measure, **keys) == []
    provider = build_provider(Feed(kind=kind, **keys), Wants(measure, currency="CNY", credential="h#1"))
    assert provider.series.measure is measure
    assert provider.pace.poll_ns > 0
    assert provider.pace.step_ns > 0
    if measure in (Measure.PRICE, Measure.ENERGY):
        assert provider.pace.max_age_ns == 0


@pytest.mark.parametrize(
    ("kind", "measure", "keys", "told"),
    [
        (FeedKind.CSV, _GRAMS, {}, [(_AT, "lacks the key `path`, which csv needs; add it")]),
        (FeedKind.CSV, _GRAMS, {"path": _CSV, "url": _URL}, [(f"{_AT}.url", "is not taken by csv; ")]),
        (FeedKind.CSV, Measure.ENERGY, {"path": _CSV, "gas": Gas.CO2}, [(f"{_AT}.gas", "is of carbon intensities")]),
        (FeedKind.STATIC, Measure.ENERGY, {}, [(f"{_AT}.kind", "static gives no energy; it gives")]),
        (FeedKind.STATIC, Measure.PUE, {"value_micro": 900_000}, [(f"{_AT}.value", "cannot be: a PUE is from 1")]),
        (FeedKind.STATIC, Measure.PUE, {"value_micro": 1, "times": "x"}, [(f"{_AT}.times", "is not taken by")]),
        (FeedKind.TABLE, _GRAMS, {"source": "mee", "region": "CN-YY"}, [(f"{_AT}.region", "'CN-YY' is not")]),
        (FeedKind.HTTP_JSON, _GRAMS, {"url": _URL, "values": "v"}, [(f"{_AT}.times", "is missing")]),
        (FeedKind.HTTP_JSON, _GRAMS, {"values": "v", "times": "t"}, [(_AT, "lacks the key `url`")]),
        (FeedKind.PROMETHEUS, Measure.PRICE, {"url": _URL, "query": "x", "unit": "EUR/MWh"},
         [(f"{_AT}.unit", "unit 'EUR/MWh' is in EUR and the tariff in CNY")]),
        (FeedKind.ELECTRICITY_MAPS, _GRAMS, {"zone": "DE"},
         [(_AT, "lacks one of the keys `token_file`, `token_variable`, which electricity_maps needs")]),
        (FeedKind.ELECTRICITY_MAPS, _GRAMS,
         {"zone": "DE", "token_file": Path("/t"), "token_variable": "T"},
         [(f"{_AT}.token_variable", "stands beside token_file; keep one of them")]),
        (FeedKind.ELECTRICITY_MAPS, _GRAMS, {"token_variable": "T"}, [(_AT, "lacks the key `zone`")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_key(
    kind: FeedKind, measure: Measure, keys: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    found = _told(kind, measure, **keys)
    assert [key for key, _ in found] == [key for key, _ in told]
    for (_, message), (_, beginning) in zip(found, told, strict=True):
        assert message.startswith(beginning)


def test_what_is_told_cannot_be_built() -> None:
    feed = Feed(kind=FeedKind.STATIC, value_micro=0)
    with pytest.raises(FeedError, match="value: cannot be") as caught:
        build_provider(feed, Wants(Measure.INTENSITY))
    assert caught.value.trouble is Trouble.INVALID
