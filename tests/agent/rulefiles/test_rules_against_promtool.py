"""Rule files that promtool accepts are accepted here, and what it refuses is refused, with place and cure."""

import subprocess
from pathlib import Path

import pytest

from tests.agent.rulefiles.rule_tables import BAD, GOOD, NEWER, STRICTER
from tests.servers import need
from wattledger.agent.rulefiles import LoadedRules, load_rule_file


def promtool_accepts(path: Path) -> bool:
    done = subprocess.run(
        [need("promtool", "prometheus"), "check", "rules", str(path)], capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


def load(text: str, folder: Path) -> tuple[LoadedRules, Path]:
    path = folder / "rules.yml"
    path.write_text(text)
    return load_rule_file(path), path


@pytest.mark.parametrize("what", GOOD)
def test_both_accept(what: str, tmp_path: Path) -> None:
    loaded, path = load(GOOD[what], tmp_path)
    assert loaded.problems == ()
    assert promtool_accepts(path)


@pytest.mark.parametrize("what", BAD)
def test_both_refuse(what: str, tmp_path: Path) -> None:
    loaded, path = load(BAD[what], tmp_path)
    assert not promtool_accepts(path)
    assert loaded.problems
    assert all(str(problem).startswith(f"{path}:") for problem in loaded.problems)
    assert all(problem.place.line is not None for problem in loaded.problems)


@pytest.mark.parametrize("what", NEWER)
def test_fields_of_prometheus_3_are_accepted(what: str, tmp_path: Path) -> None:
    loaded, path = load(NEWER[what], tmp_path)
    assert loaded.problems == ()
    assert not promtool_accepts(path)


@pytest.mark.parametrize("what", STRICTER)
def test_what_cannot_work_is_refused_though_promtool_accepts_it(what: str, tmp_path: Path) -> None:
    loaded, path = load(STRICTER[what], tmp_path)
    assert loaded.problems
    assert promtool_accepts(path)
