"""What the .deb is made of, judged without building it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.debian_root import BUILD, ROOT
from tests.servers import need
from wattledger.agent.config import load_config

CONFFILE = ROOT / "deploy/debian/wattledger.yaml"


def test_every_line_of_the_configuration_that_has_its_mark_taken_away_is_the_default(tmp_path: Path) -> None:
    all_set = tmp_path / "all.yaml"
    all_set.write_text(re.sub(r"(?m)^#(?= *[a-z_]+:)(?! [a-z])", "", CONFFILE.read_text()))
    keys = re.findall(r"(?m)^ *([a-z_]+):", all_set.read_text())
    assert {"listen", "interval", "job_map_dir", "packs", "page"} <= set(keys)
    in_force = load_config(all_set, environment={}, is_root=True)
    assert in_force.config == load_config(None, environment={}, is_root=True).config
    assert in_force.warnings == ()


def test_as_it_is_installed_the_configuration_sets_nothing() -> None:
    lines = CONFFILE.read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_a_version_that_debian_does_not_know_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    need("dpkg-deb", "dpkg")
    if not Path("/usr/bin/python3").exists():
        pytest.skip("the distribution's Python is not installed")
    environment = os.environ | {"VERSION": "new one", "OUT": str(tmp_path / "out")}
    done = subprocess.run([str(BUILD)], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "VERSION=new one is no version of a Debian package" in done.stderr
    assert not (tmp_path / "out").exists()
