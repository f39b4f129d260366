"""The headline figure: energy by the counter against the closed-form truth of the double, over a minute of bursts."""

from pathlib import Path

import pytest

from tests.bench.energy_error import METHODS, PATTERNS, measure_error


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_counter_books_a_host_of_8_gpus_within_a_thousandth_of_the_truth(
    tmp_path: Path, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = measure_error(tmp_path, METHODS[0], pattern)
    with capsys.disabled():
        print(f"\n{pattern}: host {error.host:+.4%}, worst board {error.worst:+.4%}")
    assert abs(error.host) <= 0.001
