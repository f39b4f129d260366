"""The files of the image, without building it: the linter's word, pins, and what the build may see."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.deploy.container_image import CONSTRAINTS, CONTAINER, COPIED, ROOT

CONTAINERFILE = CONTAINER / "Containerfile"


def instructions() -> list[str]:
    """Give every instruction on one line."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def test_the_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, CONTAINERFILE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_base_is_pinned_and_one_argument() -> None:
    (base,) = (line for line in instructions() if line.startswith("ARG BASE="))
    assert re.fullmatch(r"ARG BASE=[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)
    assert {line.split()[1] for line in instructions() if line.startswith("FROM ")} == {"${BASE}"}


def test_no_instruction_needs_a_shell() -> None:
    run = [line for line in instructions() if re.match(r"(RUN|CMD|ENTRYPOINT|HEALTHCHECK|\s+CMD)\b", line)]
    assert len(run) == 5
    assert all(re.search(r' \["[\w-]+".*\]$', line) for line in run), run


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["kubernetes"]]
    wanted += project["build-system"]["requires"]
    pinned = set(re.findall(r"^([\w-]+)==[\w.]+$", CONSTRAINTS.read_text().lower(), re.MULTILINE))
    assert {re.split(r"[<>=!~ ]", one)[0].lower() for one in wanted} <= pinned


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    lines = (CONTAINER / "Containerfile.dockerignore").read_text().splitlines()
    seen = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        name.rstrip("/")
        for line in instructions()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert seen == copied
    assert all((ROOT / name).exists() for name in copied)
    assert {"*", "**/__pycache__"} <= set(lines)
    assert all(any(name == top or name.startswith(f"{top}/") for top in COPIED) for name in copied)


def test_a_missing_engine_is_told_with_the_cure(tmp_path: Path) -> None:
    # A PATH with what the script itself needs and no engine.
    for name in ("sh", "sed", "git", "dirname"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    command = ["/bin/sh", str(CONTAINER / "build")]
    env = {"PATH": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no docker, podman or buildah; install one" in done.stderr
