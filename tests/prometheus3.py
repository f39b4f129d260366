"""Programs of Prometheus 3 for the nightly run, built from its Go module where a toolchain is at hand, and kept."""

import fcntl
import os
import shutil
import subprocess
from enum import StrEnum
from pathlib import Path

import pytest

# 3.13, without service discovery, which is most of the building.
MODULE, VERSION = "github.com/prometheus/prometheus", "v0.313.5"


class Program(StrEnum):
    """What is built of the module, by the name of its folder under cmd/."""

    PROMETHEUS = "prometheus"
    PROMTOOL = "promtool"


_GIVEN_BY = {Program.PROMETHEUS: "WATTLEDGER_PROMETHEUS3", Program.PROMTOOL: "WATTLEDGER_PROMTOOL3"}


def prometheus3(program: Program, config: pytest.Config) -> str:
    """Give the path of *program*: what its environment variable says, or one built in minutes; skip without Go."""
    variable = _GIVEN_BY[program]
    given = os.environ.get(variable)
    if given:
        return given
    go = shutil.which("go", path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if go is None:
        pytest.skip(f"{program} of Prometheus 3 is built by Go, which is not installed; or set {variable}")
    assert config.cache is not None
    folder = config.cache.mkdir(f"{program}-{VERSION}")
    built = folder / program
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and one of them builds
        if not built.exists():
            _build(go, folder, program)
    return str(built)


def _build(go: str, folder: Path, program: Program) -> None:
    # Its go.mod has replace directives, so `go install` refuses it; as a dependency of an empty module it builds.
    (folder / "go.mod").write_text("module oracle\n\ngo 1.25\n")
    source = f"{MODULE}/cmd/{program}"
    fresh = folder / f"{program}.new"
    for command in (
        [go, "get", f"{source}@{VERSION}"],
        [go, "build", "-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", str(fresh), source],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=1800)
        if done.returncode:
            pytest.fail(f"{' '.join(command)}: {done.stderr[-2000:]}")
    fresh.rename(folder / program)
