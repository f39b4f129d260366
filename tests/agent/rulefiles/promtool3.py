"""A promtool of Prometheus 3 for the nightly run, built from its Go module where a toolchain is at hand, and kept."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# 3.13, without service discovery, which is most of the building.
MODULE, VERSION = "github.com/prometheus/prometheus", "v0.313.5"


def promtool3(config: pytest.Config) -> str:
    """Give the path of the program, WATTLEDGER_PROMTOOL3 or one built in minutes; skip the test without Go."""
    given = os.environ.get("WATTLEDGER_PROMTOOL3")
    if given:
        return given
    go = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if go is None:
        pytest.skip("promtool 3 is built by Go, which is not installed; or set WATTLEDGER_PROMTOOL3")
    assert config.cache is not None
    folder = config.cache.mkdir(f"promtool-{VERSION}")
    program = folder / "promtool"
    if not program.exists():
        _build(go, folder, program)
    return str(program)


def _build(go: str, folder: Path, program: Path) -> None:
    # Its go.mod has replace directives, so `go install` refuses it; as a dependency of an empty module it builds.
    (folder / "go.mod").write_text("module oracle\n\ngo 1.25\n")
    source = f"{MODULE}/cmd/promtool"
    for command in (
        [go, "get", f"{source}@{VERSION}"],
        [go, "build", "-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", str(program.with_suffix(".new")), source],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=1800)
        if done.returncode:
            pytest.fail(f"{' '.join(command)}: {done.stderr[-2000:]}")
    program.with_suffix(".new").rename(program)
