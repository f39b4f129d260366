"""`wattledger check FILE`: what it prints where, and with which exit code."""

import io
from pathlib import Path

import pytest

from wattledger.agent.config import Place, Problem
from wattledger.agent.config.check import check_file
from wattledger.agent.config.problem import Origin


def check(file: Path, text: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    file.write_text(text)
    out, err = io.StringIO(), io.StringIO()
    code = check_file(file, out, {"STATE_DIRECTORY": "/s", **(environment or {})}, err=err)
    return code, out.getvalue(), err.getvalue()


def test_a_good_file_is_ok_and_shows_what_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    code, out, err = check(file, "interval: 500ms\nowners: [{gpus: [0, 1], owner: a}]", {"WATTLEDGER_LISTEN": ":1"})
    assert (code, err) == (0, "")
    assert out == (
        f"{file}: ok\n"
        "  listen      :1\n"
        "  interval    500ms\n"
        "  state_dir   /s\n"
        "  source      auto\n"
        "  web_config  none\n"
        "  history     400d\n"
        "  log         level=info format=auto\n"
        "  gpus        energy=auto corrections=0 exclude=0\n"
        "  states      dwell=5s activity=0.05 maintenance=0\n"
        "  owners      gpus=2\n"
    )


def test_a_bad_file_gives_its_problems_and_warnings_and_no_output(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    code, out, err = check(file, "interval: 5\ncarbon: {}\n")
    assert (code, out) == (1, "")
    assert err == (
        f"{file}:1:11: interval: `5` has no unit; write 5s\n"
        f"warning: {file}:2:1: carbon: not part of this version; ignored\n"
    )


def test_a_warning_alone_leaves_the_file_ok(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    code, out, err = check(file, "carbon: {}\n")
    assert (code, err) == (0, f"warning: {file}:1:1: carbon: not part of this version; ignored\n")
    assert out.startswith(f"{file}: ok\n")


def test_problems_go_to_standard_error_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_file(tmp_path / "none.yml", io.StringIO(), {}) == 1
    assert "none.yml: cannot be read: No such file or directory" in capsys.readouterr().err


def test_a_rule_file_is_recognised_and_refused(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    code, out, err = check(file, "groups: [{name: idle, rules: [{alert: A, expr: up == 0}]}]")
    assert (code, out, err) == (1, "", f"{file}: rule files: not part of this version\n")


def test_a_file_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    code, out, _ = check(tmp_path / "c\udcff\n.yml", "web_config: null")
    assert code == 0
    assert out.startswith(f"{tmp_path}/c\\udcff\\n.yml: ok\n  listen")


def test_a_checker_of_rules_takes_the_place_of_the_refusal(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("groups: []")
    out, err = io.StringIO(), io.StringIO()
    assert check_file(file, out, {}, err=err, rule_checker=lambda _: ()) == 0
    assert (out.getvalue(), err.getvalue()) == (f"{file}: ok\n", "")

    def one_problem(path: Path) -> tuple[Problem, ...]:
        return (Problem(Place(Origin(str(path), path.parent), 3, 5), "", "no such function"),)

    assert check_file(file, out, {}, err=err, rule_checker=one_problem) == 1
    assert err.getvalue() == f"{file}:3:5: no such function\n"
