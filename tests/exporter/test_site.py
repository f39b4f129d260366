"""The daemon's addresses: what is answered to whom, in which format, and what is said when there is no data."""

from __future__ import annotations

import gzip
import html
from dataclasses import replace

import pytest
import yaml

from tests.exporter.pages import parsed
from tests.exporter.snapshots import NOW, snapshot, view
from wattledger.exporter.http.model import Request
from wattledger.exporter.page import PageCache
from wattledger.exporter.render import Format, Renderer
from wattledger.exporter.render_choice import accepts_gzip, page_format
from wattledger.exporter.site import Site
from wattledger.exporter.snapshot import Snapshot, SourceHealth
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import SourceKind

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def site_of(made: Snapshot | None, *, age_ns: int = 0, scheme: str = "http") -> Site:
    pages = PageCache(Renderer())
    if made is not None:
        pages.publish(made)
    later = Instant(NOW.mono_ns + age_ns, NOW.wall_ns + age_ns)
    return Site(pages, now=lambda: later, version="0.1.0", scheme=lambda: scheme)


def get(path: str, **headers: str) -> Request:
    return Request("GET", path, "", {name.replace("_", "-"): text for name, text in headers.items()})


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        (BROWSER, TEXT),
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("text/plain;version=0.0.4;q=0.5, application/openmetrics-text;version=1.0.0;q=0.4", TEXT),
        ("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("APPLICATION/OpenMetrics-Text; Version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0, */*", TEXT),
        ("text/plain;q=0, application/*;q=0.1", OPENMETRICS),
        ("application/openmetrics-text;q=0.2, */*;q=0.9", TEXT),
        ("application/openmetrics-text;q=0.1, application/openmetrics-text;version=1.0.0, */*;q=0.5", OPENMETRICS),
        ("application/openmetrics-text;q=nan", TEXT),
        ("application/openmetrics-text;q=1e3", TEXT),
        ("application/openmetrics-text;q=1.5", TEXT),
        ("application/openmetrics-text;q=-1", TEXT),
        ("image/png", TEXT),
        (";;;,,,q=,=;", TEXT),
    ],
)
def test_the_format_follows_the_accept_header_and_its_weights(accept: str | None, expected: str) -> None:
    assert page_format(accept) == expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.8, br", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("br", False),
    ],
)
def test_the_page_is_compressed_for_those_who_accept_it(accept_encoding: str | None, *, expected: bool) -> None:
    assert accepts_gzip(accept_encoding) == expected


@pytest.mark.parametrize(("accept", "content_type"), [("*/*", TEXT), (PROMETHEUS_3, OPENMETRICS)])
def test_metrics_is_served_with_the_exact_content_type_and_reads_back(accept: str, content_type: str) -> None:
    response = site_of(snapshot(view()))(get("/metrics", accept=accept))
    assert (response.status, response.content_type) == (200, content_type)
    assert ("Vary", "Accept, Accept-Encoding") in response.headers
    assert "Content-Encoding" not in dict(response.headers)
    assert parsed(response.body, Format(content_type))


def test_metrics_is_compressed_when_asked_for() -> None:
    site = site_of(snapshot(view()))
    response = site(get("/metrics", accept_encoding="gzip"))
    assert dict(response.headers)["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.body) == site(get("/metrics")).body


def test_what_the_landing_page_has_for_prometheus_reaches_this_server() -> None:
    plain = site_of(snapshot(view()))(get("/", host="node7:9889")).body
    assert b"scheme: https" not in plain
    assert b"basic_auth" not in plain
    asked = get("/", host="node7:9889", authorization="Basic eDp5")
    secured = html.unescape(site_of(snapshot(view()), scheme="https")(asked).body.decode())
    (job,) = yaml.safe_load(secured.split("<pre>")[1].split("</pre>")[0])["scrape_configs"]
    assert job == {
        "job_name": "wattledger",
        "scheme": "https",
        "basic_auth": {"username": "NAME", "password_file": "FILE"},
        "static_configs": [{"targets": ["node7:9889"]}],
    }


def test_before_the_first_snapshot_there_are_no_metrics_and_the_answer_says_why() -> None:
    site = site_of(None)
    response = site(get("/metrics"))
    assert response.status == 503
    assert b"no sample yet" in response.body
    assert site(get("/-/ready")).status == 503
    assert site(get("/-/healthy")).status == 200
    assert b"no sample yet" in site(get("/")).body


def test_ready_while_the_sample_is_fresh_and_not_after() -> None:
    made = snapshot(view())
    assert site_of(made, age_ns=10 * NS_PER_SECOND)(get("/-/ready")).status == 200
    late = site_of(made, age_ns=11 * NS_PER_SECOND)(get("/-/ready"))
    assert late.status == 503
    assert b"last sample is 11.0 s old" in late.body


def test_not_ready_while_the_source_fails_and_the_reason_is_sent_even_when_it_is_not_utf8() -> None:
    failed = SourceHealth(SourceKind.NVML, success=False, reason=Gap.NO_DRIVER, detail="lib\udcff missing")
    response = site_of(replace(snapshot(), source=failed))(get("/-/ready"))
    assert response.status == 503
    assert "no_driver: lib\ufffd missing" in response.body.decode()
    assert "lib\ufffd missing" in site_of(replace(snapshot(), source=failed))(get("/")).body.decode()


@pytest.mark.parametrize("path", ["/metrics", "/"])
def test_values_past_their_time_are_withdrawn_though_nobody_published_anew(path: str) -> None:
    fresh = site_of(snapshot(view()), age_ns=0)
    stale = site_of(snapshot(view()), age_ns=snapshot(view()).fresh_ns + 60 * NS_PER_SECOND)
    assert stale(get(path)).status == 200
    shown, gone = fresh(get("/metrics")).body.decode(), stale(get("/metrics")).body.decode()
    assert "wattledger_gpu_power_watts{" in shown
    assert "wattledger_gpu_power_watts{" not in gone
    assert 'reason="timeout"' in gone
    assert "wattledger_gpu_energy_joules_total{" in gone
    assert 'wattledger_source_success{source="nvml"} 0' in gone
    assert stale(get("/-/ready")).status == 503


def test_a_page_published_meanwhile_is_not_withdrawn() -> None:
    pages = PageCache(Renderer())
    old, new = snapshot(view()), snapshot(view())
    pages.publish(new)
    pages.replace(old, old.expired(Instant(NOW.mono_ns + 60 * NS_PER_SECOND, NOW.wall_ns)))
    assert pages.snapshot is new


@pytest.mark.parametrize(
    "path", ["/anything", "/metrics/", "/Metrics", "/-/", "", "//", "/favicon.ico", "/debug/pprof/"]
)
def test_any_other_address_is_not_found(path: str) -> None:
    response = site_of(snapshot(view()))(get(path))
    assert response.status == 404
    assert response.content_type.startswith("text/plain")


def test_a_query_does_not_change_the_page() -> None:
    site = site_of(snapshot(view()))
    assert site(Request("GET", "/metrics", "target=http://x/", {})).body == site(get("/metrics")).body
