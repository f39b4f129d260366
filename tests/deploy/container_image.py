"""The image as buildah makes it of the Containerfile and a local base, and containers of it without an engine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.agent.e2e_daemon import poll
from tests.bench.contenders import free_port
from tests.deploy import container_base
from tests.servers import need

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = ROOT / "deploy/container"
CONSTRAINTS = CONTAINER / "constraints.txt"
COPIED = ("agent", "exporter", "rules", "pyproject.toml", "README.md", "LICENSE", "deploy/container")
START_SECONDS = 30.0

# A root that cannot be written, but for the volume and /tmp; processes are counted anew, so the command is number 1.
_ENTER = """\
set -eu
chroot=$1 root=$2 state=$3 config=$4 user=$5
shift 5
mount --bind "$root" "$root"
mount --bind "$state" "$root/var/lib/wattledger"
[ -z "$config" ] || mount --bind "$config" "$root/etc/wattledger"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec "$chroot" --userspec="$user" --groups= "$root" "$@"
"""


@dataclass(frozen=True)
class Image:
    """Where its files lie, and what its configuration says."""

    root: Path
    config: Mapping[str, Any]

    @property
    def env(self) -> dict[str, str]:
        """Give the variables that a container of it has."""
        return dict(line.split("=", 1) for line in self.config["Env"])

    def installed(self) -> dict[str, str]:
        """Give each Python package with its version, names as constraints write them."""
        found = {}
        for folder in self.root.glob("opt/wattledger/lib/python3*/site-packages/*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
            found[name.replace("_", "-").lower()] = version
        return found


class Container:
    """A running container; `health` is what the image's health check says of it."""

    def __init__(self, image: Image, process: subprocess.Popen[str], port: int) -> None:
        self._image = image
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, str]:
        """Give status and body; raises OSError while nothing answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def answers(self, path: str, status: int = 200) -> bool:
        """Tell whether it answers there with *status*."""
        try:
            return self.get(path)[0] == status
        except OSError:
            return False

    def health(self) -> subprocess.CompletedProcess[str]:
        """Run the image's health check as an engine does."""
        kind, *command = self._image.config["Healthcheck"]["Test"]
        assert kind == "CMD", "no shell"
        listen = self.url.removeprefix("http://")
        command = [chroot(), f"--userspec={self._image.config['User']}", str(self._image.root), *command]
        env = self._image.env | {"WATTLEDGER_LISTEN": listen}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that is number 1 in it; with it the others go."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(children[0]), number)

    def kill(self) -> None:
        """End it with no chance to say anything, if it still runs."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """Build the image with `deploy/container/build`, without a network; its files are there until the end."""
    program = need("buildah", "buildah")
    engine = f"{program} --storage-driver vfs --root {folder}/store --runroot {folder}/run"
    base = folder / "base" / "root"
    base.mkdir(parents=True)
    container_base.make(base)
    (folder / "base/Containerfile").write_text("FROM scratch\nCOPY root/ /\n")
    env = dict(os.environ) | {"BUILDAH_ISOLATION": "chroot", "ENGINE": engine, "CONTEXT": str(_context(folder))}
    _run([*engine.split(), "build", "--quiet", "--tag", "base", str(folder / "base")], env)
    arguments = ["--build-arg", "BASE=localhost/base", "--build-arg", "PIP_NO_INDEX=1"]
    _run([str(CONTAINER / "build"), *arguments, "--tag", "wattledger:built"], env)
    name = _run([*engine.split(), "from", "localhost/wattledger:built"], env)
    said = json.loads(_run([*engine.split(), "inspect", "--type", "image", "localhost/wattledger:built"], env))
    root = Path(_run([*engine.split(), "mount", name], env))
    try:
        yield Image(root, said["Docker"]["config"])
    finally:
        _run([*engine.split(), "rm", name], env)
        shutil.rmtree(folder / "store")


def _context(folder: Path) -> Path:
    """Give a copy of what the build may see, with the wheels that docs/container.md tells to put there."""
    context = folder / "context"
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__", "*.whl"))
        else:
            shutil.copy(ROOT / name, context / name)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--requirement", str(CONSTRAINTS)]
    _run([*command, "--dest", str(context / "deploy/container/wheels")], os.environ)
    return context


@contextmanager
def running(
    image: Image,
    state: Path,
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    config: Path | None = None,
    user: str | None = None,
) -> Iterator[Container]:
    """Run *command* as a container: root read-only, the image's variables and user; stopped at the end by SIGTERM."""
    port = free_port()
    variables = image.env | {"WATTLEDGER_LISTEN": f"127.0.0.1:{port}"} | dict(env or {})
    log = state.with_suffix(".log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            entering(image, state, command, config=config, user=user),
            env=variables,
            stdout=output,
            stderr=output,
            text=True,
        )
        container = Container(image, process, port)
        try:
            poll(lambda: _came_up(container, log), "the page answers", START_SECONDS)
            yield container
            container.signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text()[-3000:]
        finally:
            container.kill()


def once(image: Image, state: Path, command: Sequence[str], *, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Run *command* as a container to its end; give exit code, output and errors."""
    process = subprocess.Popen(
        entering(image, state, command),
        env=image.env | dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        Container(image, process, 0).kill()
        raise
    return process.returncode, output, errors


def _came_up(container: Container, log: Path) -> bool:
    assert container.process.poll() is None, log.read_text(errors="replace")[-3000:]
    return container.answers("/-/healthy")


def entering(
    image: Image, state: Path, command: Sequence[str], *, config: Path | None = None, user: str | None = None
) -> list[str]:
    """Give the command that runs *command* in the image, in mounts and processes of its own."""
    owner = user or image.config["User"]
    state.mkdir(exist_ok=True)
    os.chown(state, *(int(number) for number in owner.split(":")))
    unshare = [
        need("unshare", "util-linux"),
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
    ]
    return [
        *unshare,
        "sh",
        "-c",
        _ENTER,
        "enter",
        chroot(),
        str(image.root),
        str(state),
        str(config or ""),
        owner,
        *command,
    ]


def chroot() -> str:
    """Give the program's path: the image's variables do not lead to it."""
    return need("chroot", "coreutils")


def _run(command: Sequence[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout.strip()
