"""From a configuration to a desk of prices: each part where it is configured, and nothing else is loaded or kept."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds.feed_server import Asked, Reply, serving
from wattledger.agent.config import load_config
from wattledger.agent.feeds.desk import FeedDesk
from wattledger.agent.feeds.store import STORE_NAME
from wattledger.agent.feeds.times import iso_of
from wattledger.agent.ledger import Ledger, MemoryLedger, PriceCommit, UsageCommit
from wattledger.agent.price_build import price_desk
from wattledger.agent.price_desk import PriceDesk
from wattledger.exporter.prices import NO_PRICES, PriceNow
from wattledger.rules.account import Entry
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import Boundary, TotalKind
from wattledger.rules.state import State
from wattledger.rules.supply.model import Layer
from wattledger.rules.tokens.totals import Phase, ServiceWindow

HOUR = 490_000
KWH = 3_600_000_000
ROOT = Path(__file__).resolve().parents[2]


class Built:
    """The desk of a configuration, on a host whose clock is told."""

    def __init__(
        self,
        folder: Path,
        text: str,
        *,
        environment: Mapping[str, str] | None = None,
        ledger: Ledger | None = None,
        keeps: bool = True,
    ) -> None:
        file = folder / "wattledger.yml"
        file.write_text(text)
        self.state_dir = folder / "state"
        self.clock = FakeClock(wall_ns=HOUR * NS_PER_HOUR)
        self.ledger = MemoryLedger() if ledger is None else ledger
        self.desk: PriceDesk = price_desk(
            load_config(file, environment={}, is_root=True).config,
            clock=self.clock,
            ledger=self.ledger,
            state_dir=self.state_dir if keeps else None,
            environment=environment or {},
            has_meters=False,
        )

    def ask(self) -> None:
        """Ask all feeds, whose first turn comes by chance within five seconds."""
        self.clock.advance(5)
        assert isinstance(self.desk._feeds, FeedDesk)
        self.desk._feeds.turn()

    def tick(self, energy_mj: int, seconds: float = 60) -> PriceCommit:
        begin = self.clock.now()
        self.clock.advance(seconds)
        end = self.clock.now()
        entries = [Entry("GPU-1", State.ACTIVE, begin, end, energy_mj)] if energy_mj else []
        commit = self.desk.book(entries, end)
        self.ledger.commit({}, entries, end, prices=commit)
        return commit

    def shown(self, kind: TotalKind, *labels: str) -> int:
        view = self.desk.view(self.clock.now(), ())
        return {total.key: total.shown for total in view.totals}[kind, labels]


def test_without_configuration_there_is_nothing(tmp_path: Path) -> None:
    built = Built(tmp_path, "interval: 1s\n")
    assert built.desk.feeds() == ()
    assert built.desk.view(built.clock.now(), ()) == NO_PRICES
    built.tick(KWH)
    assert built.shown(TotalKind.LOAD, Boundary.GPU) == KWH
    assert [total.kind for total in built.desk.view(built.clock.now(), ()).totals] == [TotalKind.LOAD]


def test_feeds_stand_in_their_chains_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
carbon:
  feeds:
  - {kind: gb, zone: GB}
  - {kind: static, zone: GB, value: 211, factors: direct, gas: co2}
  residual: [{kind: table, source: mee_residual}]
  marginal: [{kind: watttime, zone: X, username: me, password_file: p}]
supply:
- {kind: onsite, name: roof, meter: {kind: csv, path: roof.csv}}
facility: {feed: {kind: static, value: 1.3}}
tariff: {currency: EUR, feed: {kind: energy_charts, zone: DE-LU}}
"""
    found = [(feed.chain, feed.level, feed.provider, feed.zone) for feed in Built(tmp_path, text).desk.feeds()]
    assert found == [
        ("location", 0, "gb", "GB"),
        ("location", 1, "static", "GB"),
        ("residual", 0, "mee_residual", "CN"),
        ("marginal", 0, "watttime", "X"),
        ("price", 0, "energy_charts", "DE-LU"),
        ("pue", 0, "static", ""),
        ("supply:roof", 0, "csv", ""),
    ]


def test_what_is_configured_is_what_energy_comes_to(tmp_path: Path) -> None:
    text = """
carbon:
  feeds: [{kind: static, zone: DE, value: 0.4, unit: kg/kWh}]
  residual: [{kind: static, zone: rest, value: 600}]
supply: [{kind: contract, name: w, scope: intra, share: 0.5}]
facility: {pue: 1.25}
tariff: {currency: EUR, price: 0.3}
"""
    built = Built(tmp_path, text)
    built.ask()
    built.tick(4 * KWH)
    facility = Boundary.FACILITY
    assert built.shown(TotalKind.EMISSIONS, Accounting.LOCATION, "DE", facility) == 5 * KWH * 400_000_000
    assert built.shown(TotalKind.EMISSIONS, Accounting.MARKET, "rest", facility) == 5 * KWH * 300_000_000
    assert built.shown(TotalKind.SUPPLY, Layer.CONTRACT_INTRA) == 5 * KWH // 2
    assert built.shown(TotalKind.COST, "EUR", facility) == 5 * KWH * 300_000
    view = built.desk.view(built.clock.now(), ())
    assert (view.pue, view.currency, view.price) == (1.25, "EUR", PriceNow(300_000))


def test_prices_of_a_feed_carry_what_comes_on_top(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        f"from,to,price_per_kwh\n{iso_of((HOUR - 1) * NS_PER_HOUR)},{iso_of((HOUR + 2) * NS_PER_HOUR)},-0.1\n"
    )
    built = Built(tmp_path, "tariff: {currency: EUR, feed: {kind: csv, path: p.csv}, adder: 0.25}\n")
    built.ask()
    built.tick(KWH)
    assert built.desk.view(built.clock.now(), ()).price == PriceNow(150_000)
    assert built.shown(TotalKind.COST, "EUR", Boundary.GPU) == KWH * 150_000


def test_energy_that_has_no_value_bears_the_zone_of_the_first_feed(tmp_path: Path) -> None:
    text = (
        "carbon: {feeds: [{kind: csv, path: none.csv}, {kind: table, source: mee, region: CN-ZJ}]}\n"
        "supply: [{kind: contract, name: coal, scope: intra, share: 1, renewable: false, grams_per_kwh: 900}]\n"
    )
    built = Built(tmp_path, text)
    built.ask()
    built.tick(KWH)
    assert built.shown(TotalKind.EMISSIONS, Accounting.MARKET, "CN-ZJ", Boundary.GPU) == KWH * 900_000_000


@pytest.mark.parametrize(
    ("text", "minutes"), [("tariff: {currency: EUR, price: 1}\n", 15), ("carbon: {open: 3h, feeds: [FEED]}\n", 180)]
)
def test_an_hour_waits_for_values_where_some_may_still_come_and_for_late_energy_always(
    tmp_path: Path, text: str, minutes: int
) -> None:
    built = Built(tmp_path, text.replace("FEED", "{kind: static, zone: DE, value: 1}"))
    if "carbon" in text:
        built.ask()
    built.tick(KWH)
    assert built.tick(0, minutes * 60 + 3500).closings == []
    assert [closing.hour for closing in built.tick(0, 100).closings] == [HOUR]


def test_what_a_service_used_before_the_hour_ended_and_told_after_it_has_its_price(tmp_path: Path) -> None:
    built = Built(tmp_path, "tariff: {currency: EUR, price: 1}\n")
    built.tick(KWH, seconds=3590)
    start = built.clock.now()
    built.tick(KWH // 100, seconds=30)
    window = ServiceWindow("chat", start, built.clock.now(), Phase.SERVING, KWH // 100, KWH // 100)
    built.clock.advance(30)
    built.ledger.commit({}, [], built.clock.now(), usage=UsageCommit(windows=[("m", window)]))
    assert built.tick(0, seconds=7200).closings
    rows = built.ledger.service_history(HOUR * NS_PER_HOUR, (HOUR + 2) * NS_PER_HOUR)
    assert [(row.total_mj, row.priced.priced_mj, row.open_mj) for row in rows] == [
        (KWH // 300, KWH // 300, 0),
        (KWH // 150, KWH // 150, 0),
    ]


def answer(asked: Asked) -> Reply:
    """Answer as a grid does that knows its users."""
    if asked.headers.get("authorization") != "Bearer s3cret":
        return Reply("who are you?", 401)
    times = [iso_of((HOUR + number) * NS_PER_HOUR) for number in range(-3, 3)]
    return Reply([{"t": time, "g": 412.5} for time in times])


FEED = "{kind: http_json, zone: DE, url: 'URL', values: '[].g', times: '[].t'"


def test_secrets_are_found_where_the_configuration_says_they_are(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "token").chmod(0o600)
    with serving(answer) as server:
        for where, environment in (("token_file: token", {}), ("token_variable: TOKEN", {"TOKEN": "s3cret"})):
            text = f"carbon: {{feeds: [{FEED}, {where}}}]}}\n".replace("URL", server.url)
            built = Built(tmp_path, text, environment=environment)
            built.ask()
            (feed,) = built.desk.feeds()
            assert feed.trouble == "", feed.detail
            built.tick(KWH)
            assert built.shown(TotalKind.EMISSIONS, Accounting.LOCATION, "DE", Boundary.GPU) == KWH * 412_500_000
            built.desk.close()


def test_a_secret_that_is_not_there_costs_that_feed_alone(tmp_path: Path) -> None:
    text = f"carbon: {{feeds: [{FEED}, token_variable: NONE}}, {{kind: static, zone: XX, value: 500}}]}}\n"
    built = Built(tmp_path, text.replace("URL", "http://127.0.0.1:9"))
    built.ask()
    assert [(feed.provider, feed.trouble) for feed in built.desk.feeds()] == [
        ("http_json", "unauthorized"),
        ("static", ""),
    ]
    built.tick(KWH)
    assert built.shown(TotalKind.EMISSIONS, Accounting.LOCATION, "XX", Boundary.GPU) == KWH * 500_000_000


@pytest.mark.parametrize("keeps", [True, False])
def test_what_the_web_gave_is_kept_where_there_is_a_folder(tmp_path: Path, keeps: bool) -> None:
    with serving(
        Reply([{"t": iso_of(HOUR * NS_PER_HOUR), "g": 1}, {"t": iso_of((HOUR + 1) * NS_PER_HOUR), "g": 2}])
    ) as server:
        built = Built(tmp_path, f"carbon: {{feeds: [{FEED}}}]}}\n".replace("URL", server.url), keeps=keeps)
        built.ask()
        assert built.desk.feeds()[0].trouble == ""
        built.desk.close()
    assert (tmp_path / "state" / STORE_NAME).exists() is keeps


def test_an_agent_that_starts_in_an_outage_goes_on_with_what_was_kept_and_waits_for_nobody(tmp_path: Path) -> None:
    text = f"carbon: {{feeds: [{FEED}, token_variable: TOKEN}}]}}\n"
    with serving(answer) as server:
        text = text.replace("URL", server.url)
        before = Built(tmp_path, text, environment={"TOKEN": "s3cret"})
        before.ask()
        before.desk.close()
    again = Built(tmp_path, text, environment={"TOKEN": "s3cret"})
    assert isinstance(again.desk._feeds, FeedDesk)
    again.desk._feeds.load()
    again.tick(KWH, seconds=1)  # takes it in
    again.tick(KWH, seconds=1)
    assert again.shown(TotalKind.EMISSIONS, Accounting.LOCATION, "DE", Boundary.GPU) == 2 * KWH * 412_500_000
    again.ask()
    (feed,) = again.desk.feeds()
    assert (feed.trouble, feed.value) == ("unreachable", 412_500_000)


def test_hours_that_closed_while_the_agent_was_down_wait_for_an_answer_and_are_not_priced_by_old_forecasts(
    tmp_path: Path,
) -> None:
    text = f"carbon: {{feeds: [{FEED}}}]}}\n"
    grams = [100, 500]
    rows = [iso_of((HOUR + number) * NS_PER_HOUR) for number in range(-3, 15)]
    with serving(lambda _: Reply([{"t": row, "g": grams[0]} for row in rows])) as server:
        text = text.replace("URL", server.url)
        before = Built(tmp_path, text)
        before.ask()
        before.desk.close()
        del grams[0]
        again = Built(tmp_path, text)
        assert isinstance(again.desk._feeds, FeedDesk)
        again.desk._feeds.load()
        again.tick(12 * KWH, seconds=12 * 3600)
        assert not again.tick(0, seconds=1).closings, "the cache says what was expected of these hours"
        assert again.desk.feeds()[0].kind == "forecast"
        again.ask()
        closings = again.tick(0, seconds=1).closings
        again.desk.close()
    assert [(closing.hour - HOUR, sum(slot.location for slot in closing.slots)) for closing in closings] == [
        (number, KWH * 500_000_000) for number in range(6)
    ]


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("{url: URL/old", "{url: URL/new"),
        ("values: '[].g'", "values: '[].other'"),
        ("times: '[].t'", "times: '[].at'"),
        ("unit: g/kWh", "unit: lb/MWh"),
        ("step: 1h", "step: 30m"),
    ],
)
def test_what_was_kept_is_not_taken_where_the_configuration_reads_it_from_elsewhere_or_otherwise(
    tmp_path: Path, was: str, is_now: str
) -> None:
    text = (
        "carbon:\n  feeds:\n  - {url: URL/old, kind: http_json, zone: DE, values: '[].g', times: '[].t',"
        " unit: g/kWh, step: 1h, poll: POLL}\n"
    )
    rows = [{"t": iso_of(HOUR * NS_PER_HOUR), "g": 412.5}]
    with serving(Reply(rows)) as server:
        text = text.replace("URL", server.url)
        built = Built(tmp_path, text.replace("POLL", "15m"))
        built.ask()
        built.desk.close()
    values = []
    for changed in (
        text.replace("POLL", "20m"),
        text.replace(was.replace("URL", server.url), is_now).replace("POLL", "15m"),
    ):
        again = Built(tmp_path, changed.replace("URL", server.url))
        assert isinstance(again.desk._feeds, FeedDesk)
        again.desk._feeds.load()
        again.desk._feeds.changes()
        values.append(again.desk.feeds()[0].value)
        again.desk.close()
    assert values == [412_500_000, None], "how often it is asked does not matter"


def test_files_and_constants_are_kept_nowhere(tmp_path: Path) -> None:
    built = Built(tmp_path, "carbon: {feeds: [{kind: static, zone: DE, value: 1}]}\n")
    built.ask()
    built.desk.close()
    assert not (tmp_path / "state").exists()


def test_certificates_go_on_from_what_the_ledger_has(tmp_path: Path) -> None:
    text = """
carbon: {feeds: [{kind: static, zone: DE, value: 400}], open: 1h}
supply:
- {kind: certificates, name: gec, part: 0.003, certificates: [{name: lot, mwh: 1, from: 2025-11-01T00:00:00Z,
   to: 2025-12-01T00:00:00Z, valid_until: 2027-12-01T00:00:00Z}]}
"""
    ledger = MemoryLedger()
    first = Built(tmp_path, text, ledger=ledger)
    first.ask()
    first.tick(2 * KWH)
    first.tick(0, 2 * 3600)
    assert ledger.load_prices().certificates["lot:lot"] == 2 * KWH
    again = Built(tmp_path, text, ledger=ledger)
    again.clock.advance(3 * 3600)
    again.ask()
    again.tick(2 * KWH)
    assert again.shown(TotalKind.SUPPLY, Layer.CERTIFICATES) == 3 * KWH, "1 kWh was left"


SCRIPT = """
import sys
from pathlib import Path
from wattledger.agent.clock import SystemClock
from wattledger.agent.config import load_config
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.price_build import price_desk
config = load_config(Path(sys.argv[1]), environment={}, is_root=True).config
price_desk(config, clock=SystemClock(), ledger=MemoryLedger(), state_dir=None, environment={}, has_meters=False)
parts = {name.removeprefix("wattledger.agent.").split(".")[0] for name in sys.modules if "wattledger.agent" in name}
print(*sorted(parts & {"feeds", "supply", "supply_desk", "tariff", "hourly_prices"}))
print(*sorted({"urllib3", "ssl", "zoneinfo"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [("interval: 1s\n", ""), (f"carbon: {{feeds: [{FEED}}}]}}\n", "feeds")],
    ids=["nothing", "a feed"],
)
def test_what_is_not_configured_is_not_loaded(tmp_path: Path, text: str, parts: str) -> None:
    file = tmp_path / "wattledger.yml"
    file.write_text(text.replace("URL", "http://127.0.0.1:9"))
    command = [sys.executable, "-c", SCRIPT, str(file)]
    environment = {"PYTHONPATH": str(ROOT / ".importroot")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded, web = done.stdout.splitlines()
    # A configuration that speaks of grams or money is judged by all that knows of them.
    assert set(parts.split()) <= set(loaded.split())
    assert not {"supply_desk", "hourly_prices"} & set(loaded.split())
    assert web == "", "HTTP is loaded with the first request"
    assert bool(parts) is bool(loaded)


def test_meters_that_no_host_has_load_neither_openssl_nor_a_foreign_library(tmp_path: Path) -> None:
    file = tmp_path / "wattledger.yml"
    file.write_text("interval: 1s\n")
    script = SCRIPT.replace("has_meters=False", "has_meters=True").replace(
        '{"urllib3", "ssl", "zoneinfo"}', '{"hashlib", "ctypes", "urllib3", "ssl", "zoneinfo"}'
    )
    environment = {"PYTHONPATH": str(ROOT / ".importroot")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1] == "", "megabytes of memory on each host"
