"""Random alert lives: every minute's alerts and series, computed here, are what the real promtool finds."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.agent.rulefiles.random_lives import count_of, written
from tests.servers import need


def promtool(folder: Path, files: list[str]) -> subprocess.CompletedProcess[str]:
    command = [need("promtool", "prometheus"), "test", "rules", *files]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def run_seeds(folder: Path, seeds: range) -> None:
    files = [written(folder, seed) for seed in seeds]
    alerts, samples = count_of(folder, files)
    print(f"{len(files)} lives, {alerts} firing alerts, {samples} samples")
    assert alerts > 40 * len(files)
    done = promtool(folder, files)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def test_alerts_live_as_they_live_in_prometheus(tmp_path: Path) -> None:
    run_seeds(tmp_path, range(12))


@pytest.mark.nightly
def test_many_alerts_live_as_they_live_in_prometheus(tmp_path: Path) -> None:
    run_seeds(tmp_path, range(1000, 1200))


def test_one_wrong_expectation_among_all_is_found(tmp_path: Path) -> None:
    file = tmp_path / written(tmp_path, 1)
    content = json.loads(file.read_text())
    stated = [one for one in content["tests"][0]["alert_rule_test"] if one["exp_alerts"]]
    stated[-1]["exp_alerts"][0]["exp_annotations"]["text"] += "!"
    file.write_text(json.dumps(content))
    assert promtool(tmp_path, [file.name]).returncode == 1
