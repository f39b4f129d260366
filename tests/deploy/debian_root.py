"""The .deb as `make deb` builds it, and clean Debian roots to install it in, each a container of its own."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import need

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "deploy/debian/build"
_INCLUDED = "systemd,systemd-sysv,dbus,python3,procps,ca-certificates"
_BUILD_SECONDS = 600
_BOOTSTRAP_SECONDS = 1200
_COMMAND_SECONDS = 300


def built_package(factory: pytest.TempPathFactory) -> Path:
    """Give the package, built once for all processes of a run of tests."""
    need("dpkg-deb", "dpkg")
    base = factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "debian-package"
    out.mkdir(exist_ok=True)
    with _locked(out / "lock"):
        if not (found := list(out.glob("*.deb"))):
            _build(out)
            found = list(out.glob("*.deb"))
    (package,) = found
    return package


def _build(out: Path) -> None:
    done = subprocess.run(
        [str(BUILD)],
        env=os.environ | {"OUT": str(out)},
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def newer_package(package: Path, folder: Path, version: str) -> Path:
    """Give the same package as *version*, with a configuration of which one comment is another."""
    tree = folder / "newer"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], timeout=_COMMAND_SECONDS, check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    with (tree / "etc/wattledger/wattledger.yaml").open("a") as conffile:
        conffile.write("# A comment that the older version does not have.\n")
    newer = folder / f"wattledger_{version}.deb"
    build = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(tree), str(newer)]
    subprocess.run(build, capture_output=True, timeout=_COMMAND_SECONDS, check=True)
    return newer


class DebianRoot:
    """A root file system; what runs in it sees neither the files, the processes nor the network of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        """Give the place of *name*, an absolute path in the root."""
        return self.path / name.lstrip("/")

    def command(self, *arguments: str) -> list[str]:
        """Give the command line by which nspawn starts *arguments* in the root."""
        nspawn = need("systemd-nspawn", "systemd-container")
        return [nspawn, "-q", "-D", str(self.path), "--register=no", "--keep-unit", "--private-network", *arguments]

    def run(self, *command: str, expect: int = 0) -> str:
        """Run *command*, expect its exit status, and give its standard output."""
        environment = ["--setenv=DEBIAN_FRONTEND=noninteractive", "--setenv=LC_ALL=C.UTF-8"]
        done = subprocess.run(
            self.command("--pipe", *environment, "--", *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == expect, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def install(self, package: Path) -> str:
        """Install *package* by apt; an edited configuration is kept where the package has another one."""
        shutil.copy(package, self.file("/root"))
        return self.run("apt-get", "-y", "-o", "Dpkg::Options::=--force-confold", "install", f"/root/{package.name}")


@contextmanager
def fresh_root(folder: Path) -> Iterator[DebianRoot]:
    """Lend a copy of a minimal Debian 12, which is made once a machine and kept in the user's cache."""
    if os.geteuid() != 0:
        reason = "only root can make a Debian root"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    made = _made_root()
    copy = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", str(made), str(copy)], timeout=_COMMAND_SECONDS, check=True)
    try:
        yield DebianRoot(copy)
    finally:
        shutil.rmtree(copy)


def _made_root() -> Path:
    debootstrap = need("debootstrap", "debootstrap")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wattledger-tests"
    cache.mkdir(parents=True, exist_ok=True)
    made, partial = cache / f"bookworm-{_INCLUDED}", cache / "bookworm.new"
    with _locked(cache / "lock"):
        if not made.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
            command = [
                debootstrap,
                "--variant=minbase",
                f"--include={_INCLUDED}",
                "bookworm",
                str(partial),
                _archive(),
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_BOOTSTRAP_SECONDS, check=False)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr
            partial.rename(made)
    return made


def _archive() -> str:
    """Give the archive from which this machine has its own packages."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    texts = [place.read_text() for place in places if place.suffix in (".list", ".sources") and place.is_file()]
    for pattern in (r"(?m)^URIs:\s*(\S+/debian/?)\s*$", r"(?m)^deb\s+(?:\[.*?\]\s+)?(\S+/debian/?)\s"):
        for text in texts:
            if match := re.search(pattern, text):
                return match[1]
    pytest.fail("no Debian archive is named in /etc/apt/sources.list.d")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
