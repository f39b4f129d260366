"""A report of a fleet from a server on loopback: what is asked, what is refused, and what the answers leave out."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.feeds.feed_server import FeedServer, Reply, serving
from tests.agent.report.fleet import (
    CHAT,
    COST,
    END_NS,
    GRAMS,
    HOURS,
    START_NS,
    STATE,
    TRAIN,
    A,
    B,
    Counter,
    FleetServer,
    always,
    counters,
)
from tests.agent.report.reading import read_source
from tests.bench.contenders import free_port
from wattledger.agent.report.from_prometheus import PrometheusSource
from wattledger.agent.report.progress import Progress
from wattledger.agent.report.prometheus_api import PrometheusPlace
from wattledger.agent.report.source import ReportError
from wattledger.agent.report.words import headline, methods
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import Boundary
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.model import Report
from wattledger.rules.state import State

SPAN = (START_NS, END_NS)


class Terminal(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


@contextmanager
def fleet(server: FleetServer) -> Iterator[FeedServer]:
    with serving(server) as listening:
        yield listening


def source(place: PrometheusPlace, *, progress: Progress | None = None) -> PrometheusSource:
    return PrometheusSource(place, *SPAN, environment={}, progress=progress)


HERE = PrometheusPlace("")  # the address is that of the server


def read(server: FleetServer, by: GroupBy = GroupBy.OWNER, *, place: PrometheusPlace = HERE) -> Report:
    with fleet(server) as listening:
        return read_source(source(replace(place, url=listening.url)), SPAN, by)


def refused(server: FleetServer, place: PrometheusPlace = HERE) -> str:
    with pytest.raises(ReportError) as caught:
        read(server, place=place)
    return str(caught.value)


def without(*names: str) -> FleetServer:
    return FleetServer([counter for counter in counters() if counter.name not in names])


def said(report: Report) -> str:
    return " ".join(methods(report))


def grown(server: FleetServer) -> list[Mapping[str, str]]:
    return [query for query in server.asked if "increase(" in query["query"]]


def test_hours_are_asked_for_at_their_ends_and_one_an_hour() -> None:
    server = FleetServer()
    report = read(server)
    assert report.total.energy_mj == round(HOURS * 0.84 * 3.6e9)
    assert [point.hour for point in report.hours] == list(range(START_NS // NS_PER_HOUR, END_NS // NS_PER_HOUR))
    start = START_NS // 10**9
    for query in grown(server):
        assert query["step"] == "3600"
        assert (int(query["start"]), int(query["end"])) == (start + 3600, start + HOURS * 3600)
    assert set(server.methods) == {"GET"}


def test_an_answer_that_is_too_large_is_asked_for_in_parts_and_comes_to_the_same() -> None:
    whole, parts = FleetServer(), FleetServer(most_samples=12)
    assert replace(read(parts), notes=()) == replace(read(whole), notes=())
    assert len(parts.asked) > len(whole.asked)


def test_an_hour_that_is_too_large_is_told_with_the_cure() -> None:
    words = refused(FleetServer(most_samples=2))
    assert "too many samples into memory" in words
    assert words.endswith("; narrow it down with --match")


def test_how_many_hours_are_asked_for_at_once_goes_by_the_number_of_series() -> None:
    many = [
        Counter(STATE, {"instance": A, "uuid": f"GPU-{number}", "state": "parked"}, always(1))
        for number in range(60_000)
    ]
    server = FleetServer(many)
    with fleet(server) as listening:
        fleets = source(PrometheusPlace(listening.url))
        assert fleets._hours_at_once() == 4


def test_long_matchers_go_as_a_form() -> None:
    server = FleetServer()
    labels = ", ".join(f'label_{number}=""' for number in range(200))
    assert read(server, place=replace(HERE, match=labels)).total.energy_mj == read(FleetServer()).total.energy_mj
    assert "POST" in server.methods
    assert labels in server.asked[-1]["query"]


def test_matchers_stand_in_every_query() -> None:
    server = FleetServer()
    report = read(server, place=replace(HERE, match='{instance="gpu-b:9889",}'))
    assert report.hosts == 1
    assert all('instance="gpu-b:9889"' in query["query"] for query in server.asked)


def test_a_counter_that_is_there_twice_is_refused() -> None:
    words = refused(FleetServer(times=2))
    assert "is there 2 times" in words
    assert '--match, such as replica="a"' in words


def test_what_the_server_warns_of_stands_on_the_report() -> None:
    report = read(FleetServer(warnings=("store gateway 3 is down",)))
    assert report.notes[-1] == "Prometheus warns that an answer is not whole: store gateway 3 is down"
    assert report.notes.count(report.notes[-1]) == 1


def test_a_token_is_sent_and_a_user_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("abc\n")
    for place, header in (
        (PrometheusPlace("", bearer_token_file=secret), "Bearer abc"),
        (PrometheusPlace("", username="me", password_file=secret), "Basic bWU6YWJj"),
    ):
        with fleet(FleetServer()) as listening:
            read_source(source(replace(place, url=listening.url)), SPAN)
            assert {request.headers["authorization"] for request in listening.asked} == {header}


def test_headers_go_with_every_request_and_beside_a_login(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("abc")
    tenant = replace(HERE, headers=(("X-Scope-OrgID", "team-a"),), bearer_token_file=secret)
    with fleet(FleetServer()) as listening:
        read_source(source(replace(tenant, url=listening.url)), SPAN)
        assert {request.headers["x-scope-orgid"] for request in listening.asked} == {"team-a"}
        assert {request.headers["authorization"] for request in listening.asked} == {"Bearer abc"}


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (replace(HERE, username="me"), "--username and --password-file go together"),
        (replace(HERE, password_file=Path("x")), "--username and --password-file go together"),
        (
            replace(HERE, username="me", password_file=Path("x"), bearer_token_file=Path("y")),
            "two ways to log in; give one",
        ),
        (
            replace(HERE, bearer_token_file=Path("/nowhere")),
            "--bearer-token-file /nowhere cannot be read (No such file or directory)",
        ),
    ],
)
def test_half_of_a_login_is_refused(place: PrometheusPlace, words: str) -> None:
    assert words in refused(FleetServer(), place)


BAD_DATA = {"status": "error", "errorType": "bad_data", "error": "invalid parameter"}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply("denied", status=401), "give --bearer-token-file, or --username and --password-file"),
        (Reply("denied", status=403), "give --bearer-token-file"),
        (Reply("404 page not found", status=404), "status 404; give the address as Grafana's data source has it"),
        (
            Reply("slow down", status=429, headers={"Retry-After": "9"}),
            "it refuses so many requests; try again later",
        ),
        (Reply("oh", status=500), "status 500: oh"),
        (Reply(BAD_DATA, status=400), "status 400: invalid parameter"),
        (Reply(BAD_DATA), "invalid parameter"),
        (Reply({"status": "error"}), "it gives no reason"),
        (Reply("<html>log in</html>"), "the answer is none of Prometheus"),
        (Reply({"status": "success", "data": {"result": 7}}), "the answer is none of Prometheus"),
        (Reply({"status": "success"}), "it gives no reason"),
        (Reply("", status=302, headers={"Location": "/login"}), "redirects are not followed (to /login)"),
        (Reply({"error": "query timed out in query execution"}, status=503), "timed out"),
    ],
)
def test_a_refusal_is_told_with_its_cure(reply: Reply, words: str) -> None:
    assert words in refused(FleetServer(broken=reply))


def test_a_token_that_is_refused_is_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sesame-sesame")
    words = refused(
        FleetServer(broken=Reply("no sesame-sesame here", status=401)), replace(HERE, bearer_token_file=secret)
    )
    assert "sesame" not in words
    assert "check the token or password" in words


def test_nobody_who_listens_is_told() -> None:
    refused_there = r"http://127\.0\.0\.1:\d+/api/v1/query_range: Connection refused; check --prometheus, and whether"
    with pytest.raises(ReportError, match=refused_there):
        read_source(source(PrometheusPlace(f"http://127.0.0.1:{free_port()}")), SPAN)


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x", "http://me:secret@127.0.0.1:9"])
def test_an_address_that_is_none_is_told_without_its_secret(url: str) -> None:
    with pytest.raises(ReportError, match=r"^--prometheus: it") as caught:
        read_source(source(PrometheusPlace(url)), SPAN)
    assert "secret@" not in str(caught.value)
    assert "url" not in str(caught.value)
    assert "`" not in str(caught.value)


def test_without_series_it_says_what_there_is() -> None:
    with fleet(FleetServer([])) as listening:
        empty = source(PrometheusPlace(listening.url, match='job="x"'))
        assert read_source(empty, SPAN).gpus == 0
        assert empty.what_there_is() == (
            f'{listening.url} has no series {STATE}{{job="x"}} now; check --match, and whether it scrapes the hosts'
        )
    with fleet(FleetServer()) as listening:
        words = source(PrometheusPlace(listening.url)).what_there_is()
        assert words.endswith(f"has 5 series {STATE}{{}} now, and none that grew in that time")


def test_families_that_are_missing_are_told_and_nothing_is_made_of_them() -> None:
    names = ("wattledger_workload_energy_joules_total", "wattledger_service_tokens_total", GRAMS, COST)
    report = read(without(*names, "wattledger_workload_seconds_total", "wattledger_supply_energy_joules_total"))
    assert f"This Prometheus has none of {', '.join(names)}" in said(report)
    assert headline(report)[1] == "not known location-based, not known market-based"
    assert (report.groups, report.supply, report.currency) == ((), None, "")
    assert report.total.energy_mj == round(HOURS * 0.84 * 3.6e9)


def test_an_hour_without_a_gram_is_not_covered() -> None:
    found = [
        replace(counter, growth=lambda hour, old=counter.growth: 0.0 if hour == 2 else old(hour))  # type: ignore[misc]
        if counter.name == GRAMS
        else counter
        for counter in counters()
    ]
    report = read(FleetServer(found))
    whole = report.boundaries[Boundary.FACILITY]
    assert whole.location_covered_mj == whole.energy_mj * (HOURS - 1) // HOURS
    assert "(of 83.3 % of the energy; the rest is not known)" in headline(report)[1]


def test_market_grams_that_are_not_told_are_no_zero_where_no_contract_covers_the_load() -> None:
    found = [counter for counter in counters() if counter.labels.get("accounting") != "market"]
    report = read(FleetServer(found))
    whole = report.boundaries[Boundary.FACILITY]
    assert whole.market_covered_mj == round(HOURS * 0.9 * 3.6e9)  # of the host whose contract covers all


def test_energy_that_hours_closed_without_a_factor_for_is_told() -> None:
    labels = {"instance": A, "accounting": "location", "boundary": "gpu"}
    uncovered = Counter("wattledger_emissions_uncovered_energy_joules_total", labels, always(3.6e6))
    report = read(FleetServer([*counters(), uncovered]))
    assert f"had {HOURS}.000 kWh of GPUs without a location-based factor" in said(report)


def test_a_boundary_that_one_host_does_not_know_is_told_of_none() -> None:
    found = [
        counter
        for counter in counters()
        if counter.name != "wattledger_facility_energy_joules_total" or counter.labels["instance"] == A
    ]
    report = read(FleetServer(found))
    assert report.boundary is Boundary.GPU
    assert f"is known for {HOURS} of {2 * HOURS} hours of hosts" in said(report)


def test_money_in_two_currencies_is_not_added_up() -> None:
    found = [
        replace(counter, labels={**counter.labels, "currency": "CNY"})
        if counter.name == COST and counter.labels["instance"] == B
        else counter
        for counter in counters()
    ]
    report = read(FleetServer(found))
    assert report.currency == "EUR"
    assert "Cost in CNY is left out: the report is in EUR." in said(report)
    assert "(of 71.4 % of the energy" in headline(report)[2]


def test_hosts_whose_boards_are_made_up_are_named_before_everything_else() -> None:
    found = [
        replace(counter, labels={"instance": B, "source": "sim"})
        if counter.name == "wattledger_source_info" and counter.labels["instance"] == B
        else counter
        for counter in counters()
    ]
    assert headline(read(FleetServer(found)))[0] == (
        "SIMULATED IN PART: the GPUs of 1 of 2 hosts are made up: gpu-b:9889."
    )


def test_what_only_a_later_agent_tells_is_kept_as_unknown() -> None:
    later = Counter(STATE, {"instance": A, "uuid": "GPU-a0", "state": "dreaming"}, always(3.6e6))
    report = read(FleetServer([*counters(), later]))
    assert report.states[State.UNKNOWN].energy_mj == HOURS * 3_600_000_000


def test_values_that_are_no_numbers_are_left_out() -> None:
    odd = [
        Counter(STATE, {"instance": A, "uuid": f"GPU-{text}", "state": "parked"}, always(float(text)))
        for text in ("inf", "1e400", "1e15")
    ]
    report = read(FleetServer([*counters(), *odd]), GroupBy.GPU)
    assert {group.detail for group in report.groups} == {"GPU-a0", "GPU-a1", "GPU-b0", "GPU-1e15"}


def test_our_labels_are_told_apart_from_those_of_the_scrape() -> None:
    assert {group.name for group in read(FleetServer(), GroupBy.NAMESPACE).groups} == {
        "research",
        "serving",
        "(none)",
    }


def test_with_honor_labels_ours_are_where_they_were() -> None:
    found = [
        replace(
            counter,
            labels={
                name.removeprefix("exported_"): value
                for name, value in sorted(counter.labels.items(), key=lambda item: item[0].startswith("exported_"))
            },
        )
        for counter in counters()
    ]
    report = read(FleetServer(found), GroupBy.NAMESPACE)
    assert {group.name for group in report.groups} == {"research", "serving", "(none)"}
    assert read(FleetServer(found), GroupBy.MODEL).models[0].service == "chat"
    assert {group.name for group in read(FleetServer(found)).groups} >= {TRAIN, CHAT}


def test_a_terminal_sees_how_far_it_is_and_nothing_else_does() -> None:
    terminal, file = Terminal(), io.StringIO()
    with fleet(FleetServer(most_samples=12)) as listening:
        for stream in (terminal, file):
            read_source(source(PrometheusPlace(listening.url), progress=Progress(stream)), SPAN)
    assert file.getvalue() == ""
    shown = terminal.getvalue()
    assert "[..............................]   0 % hosts" in shown
    assert "#" in shown
    assert shown.endswith("\r\x1b[K")
