"""Unit-test files run through promtool and through `wattledger rules test`: the same exit codes, the same words."""

import io
import json
import subprocess
from pathlib import Path

import pytest

from tests.agent.rulefiles.unit_test_tables import (
    BAD_SERIES,
    BAD_VALUES,
    DOES_NOT_HOLD,
    GOOD_SERIES,
    GOOD_VALUES,
    HOLDS,
    MALFORMED,
    RULES,
    series_file,
)
from tests.servers import need
from wattledger.agent.rulefiles import run_rule_tests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in RULES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def ours(path: Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = run_rule_tests([path], out, err)
    return code, out.getvalue(), err.getvalue()


def promtools(path: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [need("promtool", "prometheus"), "test", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def both(text: str, folder: Path) -> tuple[tuple[int, str, str], tuple[int, str, str]]:
    path = folder / "test.yml"
    path.write_text(text)
    return ours(path), promtools(path)


@pytest.mark.parametrize("what", HOLDS)
def test_what_holds_for_promtool_holds_here(what: str, folder: Path) -> None:
    got, want = both(HOLDS[what], folder)
    assert want[0] == 0, want
    assert got == want


@pytest.mark.parametrize("what", DOES_NOT_HOLD)
def test_what_fails_with_promtool_fails_here_in_the_same_words(what: str, folder: Path) -> None:
    got, want = both(DOES_NOT_HOLD[what], folder)
    assert want[0] == 1, want
    if what == "a broken rule file":  # told in our own words: place and cure
        assert (got[0], got[1]) == (want[0], want[1])
        assert f"{folder / 'broken.yml'}:5:11: groups[0].rules[0].expr:" in got[2]
    else:
        assert got == want


@pytest.mark.parametrize("what", MALFORMED)
def test_what_promtool_cannot_read_is_refused_with_its_place(what: str, folder: Path) -> None:
    got, want = both(MALFORMED[what], folder)
    assert (got[0], want[0]) == (1, 1)
    assert "FAILED" in got[2]


def test_series_and_values_are_read_or_refused_as_promtool_does(folder: Path) -> None:
    different = []
    cases = [(series, "1", 1) for series in BAD_SERIES] + [("m", values, 1) for values in BAD_VALUES]
    cases += [(series, "1", 0) for series in GOOD_SERIES] + [("m", values, 0) for values in GOOD_VALUES]
    for series, values, code in cases:
        got, want = both(series_file(series, values), folder)
        if (got[0], want[0]) != (code, code):
            different.append((series, values, got, want))
    assert different == []


def test_values_stand_for_the_same_samples(folder: Path) -> None:
    """Each sample is read back with its time, at a millisecond that no other has."""
    from wattledger.agent.rulefiles.notation import parse_values  # noqa: PLC0415
    from wattledger.rules.promql.model import is_stale  # noqa: PLC0415

    tests = []
    for text in ("1+2x5", "10-0.1x7 _ stale 3", "_x3 0.1+0.1x20", "5x0 _x0 6 stale _x2 -1e3+.5x3", "1 2 3"):
        expected = [
            {
                "expr": "m and timestamp(m) == time()",
                "eval_time": f"{minute}m",
                "exp_samples": [] if value is None or is_stale(value) else [{"labels": "m", "value": value}],
            }
            for minute, value in enumerate(parse_values(text))
        ]
        tests.append(
            {"interval": "1m", "input_series": [{"series": "m", "values": text}], "promql_expr_test": expected}
        )
    got, want = both(json.dumps({"tests": tests}), folder)
    assert (got[0], want[0]) == (0, 0), want


def test_a_fuzzy_comparison_lets_the_neighbouring_float_pass(folder: Path) -> None:
    path = folder / "test.yml"
    path.write_text("fuzzy_compare: true\n" + DOES_NOT_HOLD["the neighbouring float"])
    assert ours(path)[0] == 0
    path.write_text("fuzzy_compare: true\n" + DOES_NOT_HOLD["another value"])
    assert ours(path)[0] == 1


def test_histograms_are_refused_with_their_place(folder: Path) -> None:
    path = folder / "test.yml"
    path.write_text("tests:\n- input_series:\n  - {series: m, values: '{{schema:1}}'}\n")
    assert f"{path}:3:25: tests[0].input_series[0].values: at character 1: native histograms" in ours(path)[2]


def test_every_mistake_is_told_at_once(folder: Path) -> None:
    path = folder / "test.yml"
    path.write_text("evaluation_intervall: 1m\ntests:\n- input_series:\n  - {series: 'm{', values: 1 q}\n  nam: x\n")
    told = ours(path)[2]
    assert (
        f"{path}:1:1: the field `evaluation_intervall` is not known here; did you mean `evaluation_interval`?" in told
    )
    assert f"{path}:4:14: tests[0].input_series[0].series: at character 3: a label is missing" in told
    assert f"{path}:4:28: tests[0].input_series[0].values: at character 3: `q` is no value" in told
    assert f"{path}:5:3: tests[0]: the field `nam` is not known here; did you mean `name`?" in told


def test_a_file_that_is_not_there_fails(folder: Path) -> None:
    code, _, told = ours(folder / "nope.yml")
    assert code == 1
    assert "cannot be read: No such file or directory; check the path of the test file" in told
