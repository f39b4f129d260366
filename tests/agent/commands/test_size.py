"""`wattledger size` as it is typed: its table, its JSON, what it refuses, and the examples of docs/size.md."""

import argparse
import io
import json
import re
import shlex
from decimal import Decimal
from pathlib import Path

import pytest

from wattledger.agent.commands.size import size_command
from wattledger.agent.commands.size_flags import add_size

DOCUMENT = (Path(__file__).parents[3] / "docs" / "size.md").read_text()
EXAMPLES = re.findall(r"```\n\$ wattledger size (.*?[^\\])\n(.*?)```", DOCUMENT, re.DOTALL)
STUDY = "--gpus 100000 --watts-per-gpu 1390 --pue 1.25 --utilisation 80%"


def run(line: str) -> tuple[int, str, str]:
    parser = argparse.ArgumentParser(prog="wattledger size")
    add_size(parser)
    out, err = io.StringIO(), io.StringIO()
    code = size_command(parser.parse_args(shlex.split(line)), out=out, err=err)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(("line", "output"), EXAMPLES)
def test_the_examples_of_the_page_are_what_is_printed(line: str, output: str) -> None:
    assert run(line.replace("\\\n", " ")) == (0, output, "")


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 2


def test_the_study_comes_out_however_its_power_is_told() -> None:
    by_gpu, by_hall = run(STUDY)[1], run("--it-mw 139 --gpus 100000 --pue 1.25 --utilisation 0.80")[1]
    line = "  facility                    1,217.64  GWh  974.112 GWh x PUE 1.25\n"
    assert line in by_gpu
    assert line in by_hall
    assert "  a GPU, rated                   1,390  W    139 MW / 100,000 GPUs, at the server\n" in by_hall


def test_what_lacks_says_which_flags_give_it() -> None:
    _, table, _ = run("--it-mw 2")
    assert re.findall(r"^  (\S.*?) +- .*add (.*)$", table, re.MULTILINE) == [
        ("servers, mean", "--utilisation"),
        ("facility, rated", "--pue"),
        ("facility, mean", "--utilisation, --pue"),
        ("servers", "--utilisation"),
        ("facility", "--utilisation, --pue"),
        ("emissions, by location", "--utilisation, --pue, --grid-factor"),
        ("emissions, by market", "--utilisation, --pue, --green-share, --grid-factor"),
        ("cost", "--utilisation, --pue, --price"),
    ]


def test_json_has_every_digit() -> None:
    flags = "--grid-factor 647.9 --green-share 60.5% --price 0.381 --currency CNY --lifetime 5 --json"
    code, text, _ = run(f"--gpus 100000 --watts-per-gpu 1390 --pue 1.25 --utilisation 80.1% {flags}")
    told = json.loads(text, parse_float=Decimal)
    energy = Decimal(1390) * 100_000 / 1_000_000 * Decimal("0.801") * Decimal("8.76") * Decimal("1.25")
    assert code == 0
    assert told["year"]["facility_gwh"] == energy
    assert told["year"]["location_tonnes"] == energy * Decimal("647.9")
    assert told["year"]["market_tonnes"] == energy * Decimal("0.395") * Decimal("647.9")
    assert told["lifetime"]["cost"] == energy * 5 * 1_000_000 * Decimal("0.381")
    assert told["given"]["currency"] == "CNY"
    assert [line["verdict"] for line in told["policy"]] == ["pass", "pass", "reached", "fail"]
    assert told["policy"][3]["margin"] == Decimal("-0.195")


def test_json_without_a_lifetime_has_none() -> None:
    told = json.loads(run(f"{STUDY} --json")[1])
    assert told["lifetime"] is None
    assert told["year"]["cost"] is None


def test_a_region_gives_the_factor_of_the_shipped_tables() -> None:
    _, table, _ = run(f"{STUDY} --grid-factor cn-nm --residual-factor CN --green-share 0.5")
    assert re.search(r"grid factor +647\.9 +g/kWh +CN-NM: MEE .*2023", table)
    assert re.search(r"residual factor +609\.6 +g/kWh +CN: MEE .*without traded non-fossil", table)
    assert re.search(r"emissions, by location +788,908\.956 +t CO2 +1,217\.64 GWh x 647\.9 g/kWh\n", table)
    assert re.search(r"emissions, by market +371,136\.672 +t CO2 +\(1,217\.64 GWh - 608\.82 GWh\) x 609\.6", table)
    _, table, _ = run(f"{STUDY} --grid-factor DE")
    assert re.search(r"grid factor +344\.1 +g/kWh +DE: .*2024", table)
    assert " t CO2e " in table


def test_a_region_without_a_factor_has_that_of_the_country_and_shows_it() -> None:
    assert re.search(r"grid factor +530\.6 +g/kWh +CN: ", run(f"{STUDY} --grid-factor CN-XZ")[1])


def test_a_tiny_plan_does_not_round_to_nothing() -> None:
    _, table, _ = run("--gpus 1 --watts-per-gpu 333.3 --pue 1.5 --utilisation 0.5")
    assert re.search(r"servers, rated +0\.000333  MW   1 GPU x 333\.3 W\n", table)
    assert re.search(r"facility +0\.00219  GWh  0\.00146 GWh x PUE 1\.5\n", table)


REFUSED = {
    "--gpus 5.5 --it-mw 1": "--gpus 5.5: is no number of GPUs; write a whole number above 0",
    "--gpus 0 --it-mw 1": "--gpus 0: is no number of GPUs; write a whole number above 0",
    "--watts-per-gpu 700": "--watts-per-gpu: is of one GPU; add --gpus, how many there are",
    "--gpus 1 --watts-per-gpu 1,390": "--watts-per-gpu 1,390: is no number; write it in digits without commas",
    "--it-mw 1e3": "--it-mw 1e3: is no number; write it in digits such as 0.8, with at most 9 decimals",
    "--it-mw 0": "--it-mw 0: is out of range; write a number above 0 and at most 100,000",
    "--it-mw 1 --pue 0.99": "--pue 0.99: is out of range; write a number from 1 to 10",
    "--it-mw 1 --utilisation 80": "--utilisation 80: is more than all of it; write a share such as 0.8, or 80%",
    "--it-mw 1 --green-share 101%": (
        "--green-share 101%: is out of range; write a share from 0 to 1, or from 0% to 100%"
    ),
    "--it-mw 1 --green-share=-0.1": (
        "--green-share -0.1: is out of range; write a share from 0 to 1, or from 0% to 100%"
    ),
    "--it-mw 1 --grid-factor 0.5306": (
        "--grid-factor 0.5306: is below a gram per kWh, so it may be in kilograms; write it in grams"
    ),
    "--it-mw 1 --grid-factor 9999": (
        "--grid-factor 9999: is out of range; write grams per kWh from 0 to 2000, or a region such as CN-NM"
    ),
    "--it-mw 1 --grid-factor CN-NN": "--grid-factor CN-NN: 'CN-NN' is not in the table; did you mean",
    "--it-mw 1 --green-share 0.5 --residual-factor DE": (
        "--residual-factor DE: no residual factor is shipped for it; write grams per kWh, or CN"
    ),
    "--it-mw 1 --residual-factor 600": "--residual-factor: is of what is not green; add --green-share",
    "--it-mw 1 --price 0.4": "--price: has no currency; add --currency, such as CNY",
    "--it-mw 1 --currency CNY": "--currency: has no price; add --price, or leave it out",
    "--it-mw 1 --price 1 --currency yuan": (
        "--currency yuan: is no currency; write its three capital letters, such as CNY"
    ),
    "--it-mw 1 --lifetime 0": "--lifetime 0: is out of range; write a number above 0 and at most 100",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_used_is_refused_with_the_cure(line: str) -> None:
    code, out, err = run(line)
    assert (code, out) == (2, "")
    assert err.startswith(REFUSED[line])
    assert err.count("\n") == 1


def test_everything_wrong_is_told_at_once() -> None:
    _, _, err = run("--it-mw x --pue y --lifetime z")
    assert [line.split(":")[0] for line in err.splitlines()] == ["--it-mw x", "--pue y", "--lifetime z"]


@pytest.mark.parametrize("line", ["--gpus 5", "--gpus 5 --watts-per-gpu 700 --it-mw 1"])
def test_the_power_is_told_once(line: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run(line)
    assert caught.value.code == 2


def test_a_lifetime_of_one_year_is_one() -> None:
    _, output, _ = run("--it-mw 1 --lifetime 1")
    assert "\n1 year\n" in output
    assert "\n1.5 years\n" in run("--it-mw 1 --lifetime 1.5")[1]


@pytest.mark.parametrize("line", ["--price -0 --utilisation 1", "--price -0.05 --utilisation 0"])
def test_nothing_has_no_sign(line: str) -> None:
    plan = f"--it-mw 1 --pue 1.2 --currency EUR {line}"
    assert not re.search(r"-0[^.0-9]", run(plan)[1])
    assert not re.search(r"-0[^.0-9]", run(f"{plan} --json")[1])
