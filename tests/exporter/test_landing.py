"""The landing page: honest about its source, safe with hostile text, and complete without loading anything."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from tests.exporter.landing_reader import page_of
from tests.exporter.snapshots import WALL_NS, busy, lost, reading, snapshot, view
from tests.exporter.strategies import snapshots
from wattledger.exporter.landing import HEADERS
from wattledger.exporter.landing_style import STYLE, STYLE_SHA256
from wattledger.exporter.landing_text import duration, kwh, ranges, significant
from wattledger.exporter.rules_health import RulesHealth
from wattledger.exporter.snapshot import LedgerHealth, Snapshot, SourceHealth
from wattledger.rules.account import DeviceAccount
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import SourceKind
from wattledger.rules.state import State


def test_alerts_show_what_fires_and_who_is_not_reached() -> None:
    page = page_of(snapshot(view()))
    for words in ("GPU 8 has held a model and done nothing for 15m 0s", "firing", "for 15 min 0 s", "1 pending"):
        assert words in page.words
    assert "https://hooks.example.org/gpu is not reached. refused; 2 alerts wait." in page.words
    assert "http://10.0.0.1:9093" not in page.words, "who is reached needs no word"


def test_quiet_rules_say_so_and_a_host_without_rules_says_nothing() -> None:
    quiet = replace(snapshot(view()).rules, alerts=())
    assert "None of 4 rules has found anything." in page_of(snapshot(view(), rules=quiet)).words
    assert "Alerts" not in page_of(snapshot(view(), rules=RulesHealth())).words


def test_a_web_config_that_is_not_in_force_is_announced() -> None:
    made = snapshot(view())
    assert "Web config" not in page_of(made).words
    assert "Web config" not in page_of(replace(made, agent=replace(made.agent, web_config_ok=None))).words
    broken = page_of(replace(made, agent=replace(made.agent, web_config_ok=False))).words
    assert "Web config not in force. It is wrong as it stands" in broken


def test_many_alerts_are_cut_short() -> None:
    health = snapshot().rules
    many = tuple(replace(health.alerts[0], series=(("alertname", "A"), ("gpu", str(number)))) for number in range(60))
    assert "and 10 more: see ALERTS on /metrics" in page_of(snapshot(rules=replace(health, alerts=many))).words


def test_each_gpu_shows_name_state_watts_and_both_energies() -> None:
    page = page_of(snapshot(view(state=State.HELD)))
    for words in ("NVIDIA H100 80GB HBM3", "held", "for 1 min 30 s", "312.3 W", "2.000 kWh", "0.250 kWh", "12.5 %"):
        assert words in page.words
    assert "0.1.0" in page.words


@pytest.mark.parametrize(("kind", "word"), [(SourceKind.SIM, "Simulated."), (SourceKind.REPLAY, "Replayed.")])
def test_numbers_that_are_not_of_this_hardware_are_announced_above_everything(kind: SourceKind, word: str) -> None:
    made = snapshot(view(), source=SourceHealth(kind, success=True))
    words = page_of(made).words
    assert words.index(word) < words.index("kWh")
    assert word not in page_of(snapshot(view())).words


def test_a_device_that_does_not_answer_shows_why_and_no_watts() -> None:
    page = page_of(snapshot(lost(view(), Gap.TIMEOUT)))
    assert "does not answer" in page.words
    assert "timeout" in page.words
    assert " W" not in page.words
    assert "2.000 kWh" in page.words
    unlisted = page_of(snapshot(view(present=False))).words
    assert "not listed any more" in unlisted
    assert " W" not in unlisted


def test_a_device_without_any_measure_of_energy_shows_absent_and_not_zero() -> None:
    blind = reading(
        view(account=DeviceAccount("GPU-x")), values={}, gaps={Quantity.POWER_AVERAGE_MW: Gap.UNSUPPORTED}
    )
    words = page_of(snapshot(blind)).words
    assert words.count("absent") >= 5
    assert "unsupported" in words
    assert "0 kWh" not in words
    assert "0 W" not in words


def test_trouble_with_source_ledger_and_data_is_said_on_the_page() -> None:
    failed = SourceHealth(SourceKind.NVML, success=False, reason=Gap.NO_DRIVER, detail="libnvidia-ml.so.1 not found")
    made = snapshot(source=failed, ledger=LedgerHealth(writable=False, path="/var/l.db", detail="disk is full"))
    words = page_of(made).words
    assert "libnvidia-ml.so.1 not found" in words
    assert "disk is full (/var/l.db)" in words
    assert "no sample yet" in page_of(None).words
    assert "lists no GPU" in page_of(snapshot()).words


def test_hostile_text_stays_text() -> None:
    hostile = "<script>alert('x')</script>\"&\udcff"
    made = view(owner=hostile, state_detail=hostile)
    made = reading(made, identity=replace(made.reading.identity, name=hostile, uuid=hostile))
    page = page_of(snapshot(made), address="<script>:1")
    assert "script" not in page.tags
    assert page.words.count("<script>alert('x')</script>\"&\ufffd") == 4
    assert "127.0.0.1:9889" in page.words


@settings(max_examples=60)
@given(snapshots())
def test_whatever_a_host_shows_the_page_is_whole_and_loads_nothing(made: Snapshot) -> None:
    page = page_of(made)
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert "Scrape it" in page.words


@pytest.mark.parametrize("address", ["gpu-7.example.org:9889", "[::1]:9889", "10.0.0.7"])
def test_the_scrape_configuration_names_the_address_the_page_was_asked_at(address: str) -> None:
    lines = page_of(snapshot(view()), address).words.split("Scrape it\n")[1].strip().splitlines()
    assert lines == [
        "scrape_configs:",
        "- job_name: wattledger",
        "  static_configs:",
        f'  - targets: ["{address}"]',
    ]


def test_the_legend_can_be_broken_into_lines_on_a_narrow_screen() -> None:
    assert "Energy by state: active held allocated parked unobserved unknown" in page_of(snapshot(view())).words


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = page_of(busy(view(), lost(view(1))))
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert {address for address in page.addresses if not address.startswith("data:image/svg+xml,")} == {
        "/metrics",
        "/-/healthy",
        "/-/ready",
    }
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_policy_allows_this_style_sheet_and_nothing_else() -> None:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert digest == STYLE_SHA256, "put the new digest into landing_style.py"
    policy = dict(HEADERS)["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert "unsafe" not in policy


def test_both_colour_schemes_define_the_same_colours() -> None:
    light, dark = STYLE.split("prefers-color-scheme:dark")
    names = set(re.findall(r"(--[a-z-]+):", light))
    assert names == set(re.findall(r"(--[a-z-]+):", dark.split("}}")[0]))
    assert names >= {f"--{state}" for state in State}


@pytest.mark.parametrize(
    ("energy_mj", "words"),
    [
        (0, "0"),
        (1, "under 0.00001"),
        (36_000_000, "0.01000"),
        (7_200_000_000, "2.000"),
        (3_600_000_000 * 1234, "1,234.0"),
        (3_600_000_000 * 1_234_567, "1,234,567"),
    ],
)
def test_kilowatt_hours_read_well_at_every_size(energy_mj: int, words: str) -> None:
    assert kwh(energy_mj) == words


@pytest.mark.parametrize(
    ("nanoseconds", "words"),
    [
        (-5, "0.0 s"),
        (1_500_000_000, "1.5 s"),
        (59 * NS_PER_SECOND, "59 s"),
        (11_520 * NS_PER_SECOND, "3 h 12 min"),
        (200_000 * NS_PER_SECOND, "2 d 7 h"),
        (WALL_NS, "20717 d 14 h"),
    ],
)
def test_lengths_of_time_read_well_at_every_size(nanoseconds: int, words: str) -> None:
    assert duration(nanoseconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.0, "0"),
        (1e-9, "under 0.000001"),
        (0.0000123, "0.000012"),
        (0.0304, "0.0304"),
        (0.9999, "1.000"),
        (3.14159, "3.14"),
        (99.96, "100.0"),
        (812.5, "812"),
        (1_234_567.8, "1,234,568"),
    ],
)
def test_numbers_of_any_size_have_three_digits_that_count(number: float, words: str) -> None:
    assert significant(number) == words


def test_numbers_of_gpus_are_told_in_short() -> None:
    assert ranges([7, 0, 1, 2, 3, 5, 8]) == "0-3,5,7-8"
    assert ranges([4]) == "4"
    assert ranges([]) == ""
