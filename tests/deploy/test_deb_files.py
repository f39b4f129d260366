"""What the .deb is made of, judged without building it."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.deploy.debian_root import BUILD, ROOT
from tests.servers import need
from wattledger.agent.cli import parser
from wattledger.agent.config import SourceMode, load_config

CONFFILE = ROOT / "deploy/debian/wattledger.yaml"
ENVIRONMENT = ROOT / "deploy/debian/default"
UNIT = ROOT / "deploy/systemd/wattledger.service"


def test_every_line_of_the_configuration_that_has_its_mark_taken_away_is_the_default(tmp_path: Path) -> None:
    all_set = tmp_path / "all.yaml"
    all_set.write_text(re.sub(r"(?m)^#(?= *[a-z_]+:)(?! [a-z])", "", CONFFILE.read_text()))
    keys = re.findall(r"(?m)^ *([a-z_]+):", all_set.read_text())
    assert {"listen", "interval", "job_map_dir", "packs", "page"} <= set(keys)
    in_force = load_config(all_set, environment={}, is_root=True)
    assert in_force.config == load_config(None, environment={}, is_root=True).config
    assert in_force.warnings == ()


@pytest.mark.parametrize("conffile", [CONFFILE, ENVIRONMENT])
def test_as_they_are_installed_they_set_nothing(conffile: Path) -> None:
    lines = conffile.read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_environment_that_has_its_marks_taken_away_is_the_units_and_is_taken(tmp_path: Path) -> None:
    lines = re.findall(r"(?m)^#([A-Z_]+)=(.*)$", ENVIRONMENT.read_text())
    environment = {name: " ".join(shlex.split(value)) for name, value in lines}
    assert f"Environment=WATTLEDGER_SOURCE={environment['WATTLEDGER_SOURCE']} ARGS=\n" in UNIT.read_text()
    assert parser().parse_args(["run", *environment.pop("ARGS").split()]).log_level == "debug"
    in_force = load_config(None, environment=environment, is_root=True)
    assert (in_force.config.source.kind, in_force.warnings) == (SourceMode.NVML, ())


def test_a_version_that_debian_does_not_know_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    need("dpkg-deb", "dpkg")
    if not Path("/usr/bin/python3").exists():
        pytest.skip("the distribution's Python is not installed")
    environment = os.environ | {"VERSION": "new one", "OUT": str(tmp_path / "out")}
    done = subprocess.run([str(BUILD)], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "VERSION=new one is no version of a Debian package" in done.stderr
    assert not (tmp_path / "out").exists()
