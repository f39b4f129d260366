"""A base for images, made of this machine's files: Debian's Python, the libraries it needs, pip. It has no shell."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pip

from tests.servers import need

# What Debian's Python, and the wheels of the image, are linked against; more comes by dependencies.
SEEDS = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
_WANTED = re.compile(r"(lib|python3|zlib).*|media-types")
_MERGED = ("bin", "sbin", "lib", "lib64")
FOLDERS = ("dev", "proc", "sys", "tmp", "etc", "var/lib", "usr/lib/python3/dist-packages")


def make(root: Path) -> None:
    """Fill *root*. Skips, and in CI fails, where the packages of Debian are not there."""
    need("dpkg-query", "dpkg")
    need("python3.11", "python3")
    for name in (*FOLDERS, *(f"usr/{folder}" for folder in _MERGED)):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in _MERGED:
        (root / name).symlink_to(f"usr/{name}")
    for package in sorted(_closure()):
        for line in _dpkg("--listfiles", package).splitlines():
            _copy(Path(line), root)
    # Debian's own python3-pip has dozens of dependencies; pip is files of Python and takes itself along.
    shutil.copytree(Path(pip.__file__).parent, root / "usr/lib/python3/dist-packages/pip")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/usr/sbin/nologin\n")
    (root / "etc/group").write_text("root:x:0:\n")
    subprocess.run([need("ldconfig", "libc-bin"), "-r", str(root)], check=True, timeout=60)
    assert not (root / "bin/sh").exists()


def _closure() -> set[str]:
    found: set[str] = set()
    left = list(SEEDS)
    while left:
        package = left.pop()
        if package in found:
            continue
        found.add(package)
        said = _dpkg("--show", "--showformat=${Pre-Depends},${Depends}", package)
        for clause in said.split(","):
            name = re.split(r"[\s:(|]", clause.strip())[0]
            if _WANTED.fullmatch(name) and _installed(name):
                left.append(name)
    return found


def _installed(package: str) -> bool:
    done = subprocess.run(["dpkg-query", "--status", package], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def _dpkg(*arguments: str) -> str:
    done = subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def _copy(path: Path, root: Path) -> None:
    """Put the file, link or folder at *path* where it belongs in *root*; documents are left out."""
    if not path.is_absolute() or not (path.exists() or path.is_symlink()) or "/usr/share/doc" in str(path):
        return
    place = root / path.parent.resolve().relative_to("/") / path.name
    if place.is_symlink() or place.exists():
        return
    if path.is_dir() and not path.is_symlink():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, place, follow_symlinks=False)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
