"""The shipped factors: every number against a copy that was written down apart from the table, and their calibers."""

from dataclasses import replace

import pytest

from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import around
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer
from wattledger.agent.feeds.numbers import micrograms_per_kwh
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.table import TableProvider, build, mistakes
from wattledger.agent.feeds.tabled import NoFactorError, Status, Table, TableSource
from wattledger.rules.feeds.model import Accounting, Basis, Caliber, Factors, Gas, Measure, PointKind, Signal

_WANTS = Wants(Measure.INTENSITY)
_SOON = "2025-06-01T00:00+00:00"

# In ten-thousandths of a kg, 2021, 2022, 2023; transcribed a second time from the reference, in its order.
_NATIONAL = {
    TableSource.MEE: (5568, 5366, 5306),
    TableSource.MEE_RESIDUAL: (5942, 5856, 6096),
    TableSource.MEE_FOSSIL: (8426, 8325, 8273),
}
_REGIONS = ("HUABEI", "DONGBEI", "HUADONG", "HUAZHONG", "XIBEI", "NANFANG", "XINAN")
_REGIONAL = {
    2021: (7120, 6012, 5992, 5354, 5951, 4326, 2113),
    2022: (6776, 5564, 5617, 5395, 5857, 3869, 2268),
    2023: (6361, 5122, 5500, 5271, 5543, 4042, 2472),
}
_PROVINCIAL = """
BJ 5688 5580 5554   HB 3672 4364 4044
TJ 7355 7041 6796   HN 5138 4900 4976
HE 7901 7252 6516   GD 4715 4403 4419
SX 7222 7096 6634   GX 5154 4044 4476
NM 7025 6849 6479   HI 4524 4184 3648
LN 5876 5626 4878   CQ 4743 5227 5581
JL 5629 4932 4671   SC 1255 1404 1564
HL 6342 5368 5229   GZ 5182 4989 5683
SH 5834 5849 5737   YN 1235 1073 1333
JS 6451 5978 5827   SN 6336 6558 6335
ZJ 5422 5153 4974   GS 4955 4772 4471
AH 7075 6782 6553   QH 1326 1567 1796
FJ 4711 4092 4211   NX 6546 6423 6187
JX 5835 5752 5836   XJ 6577 6231 6021
SD 6838 6410 6191   HA 6369 6058 5897
"""
_WORLD = {
    ("WORLD", 2024): 4730,
    ("CN", 2024): 5596,
    ("US", 2024): 3835,
    ("IN", 2024): 7083,
    ("DE", 2024): 3441,
    ("FR", 2024): 442,
    ("GB", 2024): 2109,
    ("SG", 2024): 4987,
    ("WORLD", 2023): 4844,
    ("CN", 2023): 5836,
    ("HK", 2022): 6995,
    ("TW", 2023): 6424,
    ("JP", 2023): 4854,
    ("KR", 2023): 4306,
}  # tenths of a gram


def _provider(source: str, region: str = "", year: int | None = None, *, zone: str = "") -> TableProvider:
    return build(Feed(kind=FeedKind.TABLE, source=source, region=region, year=year, zone=zone), _WANTS)


def _answer(provider: TableProvider, now: str = _SOON) -> Answer:
    return provider.fetch(PlainWeb(), around(now, hours_ahead=6))


def _micrograms(table: Table, region: str, year: int) -> int:
    factor = table.find(region, year)
    assert (factor.region, factor.year) == (region, year)
    return micrograms_per_kwh(factor.value, factor.unit)


def _provinces() -> dict[tuple[str, int], int]:
    words = _PROVINCIAL.split()
    cells = [words[start : start + 4] for start in range(0, len(words), 4)]
    return {
        (row[0], year): int(cell) for row in cells for year, cell in zip((2021, 2022, 2023), row[1:], strict=True)
    }


def test_the_copy_here_is_whole() -> None:
    assert len(_provinces()) == 30 * 3
    assert len({province for province, _ in _provinces()}) == 30
    assert [len(row) for row in _REGIONAL.values()] == [len(_REGIONS)] * 3 == [7] * 3


@pytest.mark.parametrize("source", _NATIONAL)
def test_every_national_factor(source: TableSource) -> None:
    table = Table(source)
    found = tuple(_micrograms(table, "CN", year) for year in (2021, 2022, 2023))
    assert found == tuple(cell * 100_000 for cell in _NATIONAL[source])


def test_every_regional_factor() -> None:
    table = Table(TableSource.MEE)
    for year, row in _REGIONAL.items():
        for name, cell in zip(_REGIONS, row, strict=True):
            assert _micrograms(table, f"CN-{name}", year) == cell * 100_000, (name, year)


def test_every_provincial_factor() -> None:
    table = Table(TableSource.MEE)
    for (province, year), cell in _provinces().items():
        assert _micrograms(table, f"CN-{province}", year) == cell * 100_000, (province, year)


def test_the_table_holds_nothing_else() -> None:
    with pytest.raises(NoFactorError) as caught:
        Table(TableSource.MEE).find("none")
    listed = str(caught.value).partition("are ")[2].split(", ")
    expected = ["CN", *(f"CN-{name}" for name in _REGIONS), "CN-XZ", "CN-HK", "CN-MO", "CN-TW"]
    assert sorted(listed) == sorted([*expected, *{f"CN-{province}" for province, _ in _provinces()}])
    assert len(listed) == 1 + 7 + 30 + 4


def test_every_value_of_the_world() -> None:
    table = Table(TableSource.WORLD)
    for (region, year), cell in _WORLD.items():
        assert _micrograms(table, region, year) == cell * 100_000, (region, year)
    with pytest.raises(NoFactorError) as caught:
        table.find("none")
    assert set(str(caught.value).partition("are ")[2].split(", ")) == {region for region, _ in _WORLD}


def test_the_newest_year_is_taken_where_none_is_asked_for() -> None:
    assert _provider("mee", "CN-ZJ").factor.year == 2023
    assert _provider("world", "CN").factor.year == 2024
    assert _provider("world", "HK").factor.year == 2022


def test_calibers_of_the_four_sources() -> None:
    direct = Caliber(Signal.AVERAGE, Factors.DIRECT, Gas.CO2, Basis.CONSUMPTION, Accounting.LOCATION)
    market = replace(direct, accounting=Accounting.MARKET)
    assert _provider("mee", "CN-ZJ").series.caliber == direct
    assert _provider("mee_residual").series.caliber == market
    assert _provider("mee_fossil", "CN").series.caliber == market
    assert _provider("world", "DE").series.caliber == Caliber(
        Signal.AVERAGE, Factors.LIFECYCLE, Gas.CO2E, Basis.PRODUCTION, Accounting.LOCATION
    )


def test_the_source_names_announcement_year_and_how_sure_it_is() -> None:
    first, second = (_provider("mee", "CN-ZJ", year).series.source for year in (2023, 2021))
    assert "公告2025年第47号" in first
    assert "2023" in first
    assert "quoted by others" not in first
    assert "公告2024年第12号" in second
    assert "quoted by others" in second
    assert "公告2024年第33号" in _provider("mee", "CN-ZJ", 2022).series.source
    assert "CC BY 4.0" in _provider("world", "DE").series.source


def test_the_status_of_each_group_is_kept() -> None:
    table = Table(TableSource.MEE)
    found = {
        (year, region): table.find(region, year).status
        for year in (2021, 2022, 2023)
        for region in ("CN", "CN-HUABEI", "CN-BJ")
    }
    quoted, unverified, verified = Status.QUOTED, Status.UNVERIFIED, Status.VERIFIED
    assert list(found.values()) == [unverified, quoted, quoted] * 2 + [verified] * 3


def test_a_factor_holds_for_all_time_and_was_issued_when_it_was_published() -> None:
    window = around(_SOON, hours_ahead=6)
    (point,) = _provider("mee", "CN-ZJ", 2023).fetch(PlainWeb(), window).points
    assert point.kind is PointKind.FACTOR
    assert point.start_wall_ns == 0
    assert point.end_wall_ns > window.end_wall_ns
    assert point.issued_wall_ns == 1_767_110_400 * 10**9  # 2025-12-31 in China


@pytest.mark.parametrize("region", ["CN-XZ", "CN-HK", "CN-MO", "CN-TW"])
def test_what_is_not_published_is_that_of_the_country_and_says_so(region: str) -> None:
    provider = _provider("mee", region, 2023)
    answer = _answer(provider)
    assert answer.points[0].value == 530_600_000
    assert provider.series.zone == region
    assert any(f"no factor is published for {region}" in word for word in answer.warnings)
    assert _answer(_provider("mee", "CN-XJ", 2023)).warnings == ()


@pytest.mark.parametrize(("now", "warned"), [("2025-12-30T00:00+00:00", False), ("2026-01-02T00:00+00:00", True)])
def test_a_factor_of_a_year_that_ended_two_years_ago_is_old(now: str, *, warned: bool) -> None:
    words = _answer(_provider("mee", "CN-ZJ", 2023), now).warnings
    assert any("more than two years ago; no newer one is shipped" in word for word in words) is warned


def test_an_old_year_names_the_newer_one_and_an_unverified_number_says_so() -> None:
    words = _answer(_provider("mee", "CN", 2021), "2026-10-13T00:00+00:00").warnings
    assert any("set year: 2023" in word for word in words)
    assert any("0.5568" in word and "not verified" in word for word in words)


def test_the_zone_is_a_name_and_may_be_the_region() -> None:
    assert _provider("mee", zone="CN-ZJ").factor.region == "CN-ZJ"
    assert _provider("mee", "CN-ZJ", zone="cell-7").series.zone == "cell-7"
    assert _provider("mee_residual", zone="CN-ZJ").series.zone == "CN-ZJ"


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"source": "mea", "region": "CN"}, "source", "did you mean `mee`"),
        ({"source": "mee", "region": "CN-zj"}, "region", "did you mean `CN-ZJ`"),
        ({"source": "mee"}, "region", "is missing"),
        ({"source": "world", "region": "Mars"}, "region", "the regions are WORLD, CN, US"),
        ({"source": "mee", "region": "CN-ZJ", "year": 2020}, "year", "the years are 2021, 2022, 2023"),
        ({"source": "world", "region": "HK", "year": 2024}, "year", "the years of HK are 2022"),
        ({"source": "mee_residual", "region": "CN-ZJ"}, "region", "only the country has"),
        ({"source": "mee_fossil", "region": "CN-XZ"}, "region", "only the country has"),
    ],
)
def test_what_no_table_holds_is_told_with_its_key(changes: dict[str, object], key: str, said: str) -> None:
    feed = Feed(kind=FeedKind.TABLE, **changes)  # type: ignore[arg-type]  # of a table
    ((found, message),) = mistakes(feed, _WANTS)
    assert found == key
    assert said in message
    with pytest.raises(ValueError, match=key):
        build(feed, _WANTS)
