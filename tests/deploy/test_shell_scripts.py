"""Every shell script of deploy/ before shellcheck, and the scripts for Slurm before odd environments."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import need

ROOT = Path(__file__).resolve().parents[2]
PROLOG, EPILOG = (ROOT / "deploy/slurm" / name for name in ("prolog.sh", "epilog.sh"))
SHEBANGS = (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash", b"#!/usr/bin/env sh")


def scripts() -> list[str]:
    files = [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    return sorted(
        str(path.relative_to(ROOT)) for path in files if path.read_bytes().partition(b"\n")[0].strip() in SHEBANGS
    )


def shellcheck(*paths: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).with_name("shellcheck")
    program = str(beside) if beside.exists() else need("shellcheck", "shellcheck")
    return subprocess.run(
        [program, "--severity=style", *paths], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_shellcheck_finds_nothing_in_what_is_shipped() -> None:
    names = scripts()
    assert {"deploy/debian/build", "deploy/debian/postinst", "deploy/slurm/prolog.sh", "deploy/helm/sync"} <= set(
        names
    )
    done = shellcheck(*names)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_fault_would_be_found(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nrm -rf $1\n")
    assert shellcheck(str(script)).returncode == 1


def run(script: Path, map_dir: Path, **environment: str) -> None:
    """Run *script* as slurmd does, with nothing else set, and hold it to its promise never to fail."""
    command = ["/usr/bin/env", "-i", f"WATTLEDGER_JOB_MAP_DIR={map_dir}"]
    command += [f"{name}={value}" for name, value in environment.items()]
    done = subprocess.run([*command, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def written(map_dir: Path) -> dict[str, str]:
    """Give every file of the folder, hidden ones too."""
    return {path.name: path.read_text() for path in map_dir.iterdir()}


@pytest.mark.parametrize(
    ("gpus", "names"),
    [
        ("0", {"0"}),
        ("0,1,7", {"0", "1", "7"}),
        ("0-2,5", {"0", "1", "2", "5"}),
        ("0:1,0:2", {"0.1", "0.2"}),
        ("1.5", {"1.5"}),
        ("10", {"10"}),
        ("", set()),
        ("../../etc/passwd,*,$(id),MIG-1234,.1,1.,1-,a,0", {"0"}),
    ],
)
def test_the_prolog_writes_a_file_for_each_gpu_and_the_epilog_takes_them_away(
    tmp_path: Path, gpus: str, names: set[str]
) -> None:
    map_dir = tmp_path / "a" / "map"
    run(PROLOG, map_dir, SLURM_JOB_ID="17", SLURM_JOB_GPUS=gpus)
    assert map_dir.stat().st_mode & 0o777 == 0o755
    assert written(map_dir) == dict.fromkeys(names, "17\n")
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in map_dir.iterdir())
    run(EPILOG, map_dir, SLURM_JOB_ID="17")
    assert written(map_dir) == {}


@pytest.mark.parametrize(
    "environment", [{}, {"SLURM_JOB_GPUS": "0"}, {"SLURM_JOB_ID": "x; id", "SLURM_JOB_GPUS": "0"}]
)
def test_without_a_job_nothing_is_written(tmp_path: Path, environment: dict[str, str]) -> None:
    map_dir = tmp_path / "map"
    for script in (PROLOG, EPILOG):
        run(script, map_dir, **environment)
    assert not map_dir.exists()


def test_a_job_without_gpus_writes_nothing_and_ends_well(tmp_path: Path) -> None:
    run(PROLOG, tmp_path / "map", SLURM_JOB_ID="3")
    run(EPILOG, tmp_path / "map", SLURM_JOB_ID="3")
    assert written(tmp_path / "map") == {}


@pytest.mark.parametrize("visible", ["MIG-5c8a1e0f-0000-4000-8000-000000000000", "0,MIG-GPU-8f2c/1/0"])
def test_numbers_that_slurm_gives_to_mig_instances_are_taken_for_no_gpus(tmp_path: Path, visible: str) -> None:
    """Slurm's gres_common.c: SLURM_JOB_GPUS counts gres devices, CUDA_VISIBLE_DEVICES has what is theirs alone."""
    run(PROLOG, tmp_path / "map", SLURM_JOB_ID="5", SLURM_JOB_GPUS="3", CUDA_VISIBLE_DEVICES=visible)
    assert not (tmp_path / "map").exists()
    run(PROLOG, tmp_path / "map", SLURM_JOB_ID="6", SLURM_JOB_GPUS="3", CUDA_VISIBLE_DEVICES="3")
    assert written(tmp_path / "map") == {"3": "6\n"}


def test_what_a_skipped_epilog_left_is_the_next_jobs_and_a_late_epilog_takes_nothing_of_it(tmp_path: Path) -> None:
    map_dir = tmp_path / "map"
    run(PROLOG, map_dir, SLURM_JOB_ID="1", SLURM_JOB_GPUS="0,1")
    run(PROLOG, map_dir, SLURM_JOB_ID="11", SLURM_JOB_GPUS="1")
    assert written(map_dir) == {"0": "1\n", "1": "11\n"}
    run(EPILOG, map_dir, SLURM_JOB_ID="1", SLURM_JOB_GPUS="0,1")
    assert written(map_dir) == {"1": "11\n"}


def test_a_folder_that_cannot_be_made_costs_no_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for script in (PROLOG, EPILOG):
        run(script, tmp_path / "file" / "map", SLURM_JOB_ID="1", SLURM_JOB_GPUS="0")
    (tmp_path / "map" / "0").mkdir(parents=True)
    (tmp_path / "map" / "0" / "something").touch()
    run(PROLOG, tmp_path / "map", SLURM_JOB_ID="1", SLURM_JOB_GPUS="0,1")
    assert (tmp_path / "map" / "1").read_text() == "1\n"
