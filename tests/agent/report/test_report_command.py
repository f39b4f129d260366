"""`wattledger report` as it is typed: formats, places, the tariff of the configuration, and what it refuses."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import environment
from tests.agent.fake_clock import FakeClock
from tests.agent.report.ledger_day import LedgerDay
from wattledger.agent.cli import main
from wattledger.agent.ledger import SqliteLedger
from wattledger.rules.report.choices import Format, GroupBy

SPAN = ("--since", "2024-11-04", "--until", "2024-11-05")


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the day of a small ledger."""
    folder = tmp_path_factory.mktemp("state")
    day = LedgerDay(folder)
    day.run()
    day.late()
    day.ledger.close()
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration with a tariff."""
    path = tmp_path / "wattledger.yml"
    path.write_text(
        "tariff: {currency: EUR, timezone: Europe/Berlin, price: 0.3, demand: {price_per_kw_month: 40}}\n"
    )
    return path


def report(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Printed:
    code = main(["report", *map(str, arguments)])
    printed = capsys.readouterr()
    return Printed(code, printed.out, printed.err)


def test_the_table_is_what_a_terminal_shows(capsys: pytest.CaptureFixture[str], state_dir: Path) -> None:
    printed = report(capsys, "--state-dir", state_dir, *SPAN)
    assert (printed.code, printed.err) == (0, "")
    lines = printed.out.splitlines()
    assert lines[0] == "2 GPUs, 2024-11-04 to 2024-11-05: 2024-11-04 00:00 to 2024-11-05 00:00 (UTC)"
    assert lines[2] == "  9.193 kWh at the meter; 7.354 kWh of GPUs, 34.6 % of it idle"
    assert any(line.startswith("serving/chat-0/server  pod ") for line in lines)


@pytest.mark.parametrize("by", list(GroupBy))
@pytest.mark.parametrize("kind", list(Format))
def test_every_format_has_every_way_to_group(
    capsys: pytest.CaptureFixture[str], state_dir: Path, kind: Format, by: GroupBy
) -> None:
    printed = report(capsys, "--state-dir", state_dir, *SPAN, "--by", by, "--format", kind)
    assert printed.code == 0
    match kind:
        case Format.JSON:
            assert json.loads(printed.out)["by"] == by
        case Format.CSV:
            head, *rows = csv.reader(io.StringIO(printed.out, newline=""))
            assert rows
            assert all(len(row) == len(head) for row in rows)
        case Format.HTML:
            assert printed.out.startswith("<!DOCTYPE html>")
        case Format.TABLE:
            assert "at the meter" in printed.out


def test_csv_tells_its_methods_beside_it(capsys: pytest.CaptureFixture[str], state_dir: Path) -> None:
    printed = report(capsys, "--state-dir", state_dir, *SPAN, "--format", "csv")
    assert printed.err.startswith("# Energy is that of the boards")
    assert all(line.startswith("# ") for line in printed.err.splitlines())
    assert "#" not in printed.out


def test_the_tariff_gives_the_clock_and_the_demand_charge(
    capsys: pytest.CaptureFixture[str], state_dir: Path, config: Path
) -> None:
    printed = report(capsys, "--config", config, "--state-dir", state_dir, *SPAN)
    assert "2024-11-04 00:00 to 2024-11-05 00:00 (Europe/Berlin)" in printed.out
    assert "The demand charge (40.0 EUR per kW and month) is not computed: no whole month is in" in printed.out


def test_a_whole_month_has_a_demand_charge_at_least(
    capsys: pytest.CaptureFixture[str], state_dir: Path, config: Path
) -> None:
    printed = report(
        capsys, "--config", config, "--state-dir", state_dir, "--since", "2024-11-01", "--until", "2024-12-01"
    )
    words = " ".join(printed.out.split())
    assert "Demand charge of 2024-11, on top of the cost: at least" in words
    assert "hours are known and not windows of 15m" in words


def test_a_demand_charge_in_another_currency_is_none_of_this_ledger(
    capsys: pytest.CaptureFixture[str], state_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "other.yml"
    config.write_text("tariff: {currency: CNY, price: 0.3, demand: {price_per_kw_month: 40}}\n")
    assert "emand charge" not in report(capsys, "--config", config, "--state-dir", state_dir, *SPAN).out


def test_the_time_zone_of_the_reader_goes_before_that_of_the_tariff(
    capsys: pytest.CaptureFixture[str], state_dir: Path, config: Path
) -> None:
    printed = report(capsys, "--config", config, "--state-dir", state_dir, *SPAN, "--timezone", "Asia/Shanghai")
    assert "(Asia/Shanghai)" in printed.out


@pytest.mark.parametrize(("boundary", "grams"), [("gpu", 3093), ("facility", 3866)])
def test_grams_at_a_boundary(capsys: pytest.CaptureFixture[str], state_dir: Path, boundary: str, grams: int) -> None:
    printed = report(capsys, "--state-dir", state_dir, *SPAN, "--boundary", boundary, "--format", "json")
    found = json.loads(printed.out)
    assert found["boundary"] == boundary
    assert found["total"]["location_grams"] == pytest.approx(grams, abs=1)


def test_a_file_is_written_as_it_would_be_shown(
    capsys: pytest.CaptureFixture[str], state_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
    assert report(capsys, "--state-dir", state_dir, *SPAN, "--format", "csv", "--output", path).out == ""
    shown = report(capsys, "--state-dir", state_dir, *SPAN, "--format", "csv").out
    assert path.read_bytes().decode() == shown
    assert "\r\n" in shown


def test_a_simulated_ledger_is_found_below_the_state_folder_and_told_loudly(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    day = LedgerDay(tmp_path / "sim")
    day.run(4)
    day.ledger.close()
    for folder in (tmp_path, tmp_path / "sim"):
        printed = report(capsys, "--state-dir", folder, *SPAN)
        assert printed.out.splitlines()[3].startswith("SIMULATED: these numbers come from a simulated host.")


def test_an_hour_that_runs_is_told_to_be_unfinished(capsys: pytest.CaptureFixture[str], state_dir: Path) -> None:
    assert "is not over" not in report(capsys, "--state-dir", state_dir, *SPAN).out
    assert "is not over: its numbers are those of" in report(
        capsys, "--state-dir", state_dir, "--since", "2024-11-04"
    ).out.replace("\n  ", " ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "soon"), "'soon' is no time; write 7d, today, yesterday"),
        (("--since", "2024-11-05", "--until", "2024-11-04"), "--until 2024-11-04 is not after --since 2024-11-05"),
        (("--timezone", "Mars/Base"), "--timezone Mars/Base is not known; write one such as Asia/Shanghai or UTC"),
        (("--timezone", "../../etc/passwd"), "is not known"),
        (
            (*SPAN, "--boundary", "node"),
            "--boundary node: it is known for 0 of 24 hours of hosts; write --boundary facility",
        ),
        (
            ("--since", "2024-01-01", "--until", "2024-02-01"),
            "has hours from 2024-11-04 00:00 UTC to 2024-11-05 00:00 UTC",
        ),
        ((*SPAN, "--output", "/nowhere/report"), "cannot be written (No such file or directory); give another"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(
    capsys: pytest.CaptureFixture[str], state_dir: Path, arguments: tuple[str, ...], words: str
) -> None:
    printed = report(capsys, "--state-dir", state_dir, *arguments)
    assert (printed.code, printed.out) == (1, "")
    assert printed.err.startswith("wattledger report: ")
    assert words in printed.err


def test_without_a_ledger_it_says_where_it_looked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    printed = report(capsys, "--state-dir", tmp_path)
    assert printed.code == 1
    assert f"{tmp_path}/ledger.sqlite3: there is no ledger here" in printed.err


def test_a_ledger_without_an_hour_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    SqliteLedger(tmp_path, clock=FakeClock()).close()
    assert "has no hour yet" in report(capsys, "--state-dir", tmp_path).err


def test_a_file_that_is_no_ledger_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database at all, but longer than a header" * 99)
    printed = report(capsys, "--state-dir", tmp_path)
    assert printed.code == 1
    assert str(tmp_path) in printed.err


def test_mistakes_of_the_configuration_are_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "bad.yml"
    config.write_text("tarif: {}\n")
    printed = report(capsys, "--config", config)
    assert printed.code == 1
    assert "tarif" in printed.err


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_number_of_rows(capsys: pytest.CaptureFixture[str], limit: str) -> None:
    with pytest.raises(SystemExit):
        main(["report", "--limit", limit])
    assert "is no number of rows; write a whole number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("X-Scope-OrgID", "is no header; write it as"),
        ("X Scope: a", "is no header"),
        ("X-Scope-OrgID: a\nHost: b", "is no header"),
        ("authorization: Bearer abc", "put the secret into a file: --bearer-token-file"),
        ("Host: a", "Host is not for --header; it is set by itself"),
    ],
)
def test_a_header_is_a_name_and_a_value_and_no_secret(
    capsys: pytest.CaptureFixture[str], header: str, said: str
) -> None:
    with pytest.raises(SystemExit):
        main(["report", "--prometheus", "http://127.0.0.1:1", "--header", header])
    assert said in capsys.readouterr().err


def test_a_terminal_without_the_characters_gets_marks_and_programs_get_utf_8(tmp_path: Path) -> None:
    day = LedgerDay(tmp_path, chat_title="训练/chat")
    day.run(4)
    day.ledger.close()
    for kind, shown in ((Format.TABLE, b"??/chat"), (Format.JSON, "训练/chat".encode())):
        command = [sys.executable, "-m", "wattledger.agent", "report", "--state-dir", str(tmp_path), *SPAN]
        done = subprocess.run(
            [*command, "--format", kind],
            env=environment({"PYTHONIOENCODING": "ascii"}),
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert shown in done.stdout


@pytest.mark.parametrize("since", ["2199-01-01", "2199-01-01T08:00+01:00"])
@pytest.mark.parametrize("until", ["now", "2199-02-01"])
def test_a_time_to_come_is_told_as_one(
    capsys: pytest.CaptureFixture[str], state_dir: Path, since: str, until: str
) -> None:
    printed = report(capsys, "--state-dir", state_dir, "--since", since, "--until", until)
    told = f"wattledger report: --since {since} is still to come; write a time that has been\n"
    assert (printed.code, printed.out, printed.err) == (1, "", told)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--match", 'cluster="a"'),
        ("--bearer-token-file", "token"),
        ("--username", "me"),
        ("--password-file", "secret"),
        ("--header", "X-Scope-OrgID: a"),
        ("--ca-file", "ca.pem"),
    ],
)
def test_what_chooses_of_a_fleet_is_refused_for_this_host(
    capsys: pytest.CaptureFixture[str], state_dir: Path, flag: str, value: str
) -> None:
    printed = report(capsys, "--state-dir", state_dir, *SPAN, flag, value)
    told = f"wattledger report: {flag} is of a fleet; add --prometheus, or leave {flag} out\n"
    assert (printed.code, printed.out, printed.err) == (1, "", told)


def test_an_empty_address_of_a_fleet_is_not_this_host(capsys: pytest.CaptureFixture[str], state_dir: Path) -> None:
    printed = report(capsys, "--state-dir", state_dir, *SPAN, "--prometheus", "")
    assert (printed.code, printed.out) == (1, "")
    assert printed.err.startswith("wattledger report: --prometheus: it is none; write one such as http://")


@pytest.mark.parametrize(("flag", "choices"), [("--by", GroupBy), ("--format", Format)])
def test_a_choice_that_is_none_is_told_with_those_there_are(
    capsys: pytest.CaptureFixture[str], flag: str, choices: type[GroupBy] | type[Format]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["report", flag, "colour"])
    assert left.value.code == 2
    assert f"argument {flag}: 'colour' is none; write one of {', '.join(choices)}" in capsys.readouterr().err
