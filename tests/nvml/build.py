"""Knows how to turn the C sources into libnvidia-ml.so.1, once per content; knows nothing of its use."""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .layout import FOLDER, static_assertions

FLAGS = ("-std=gnu11", "-O2", "-g1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden")
LIBRARY = "libnvidia-ml.so.1"


class BuildError(Exception):
    """The double cannot be built here; the message says what is missing."""


def nvml_header() -> Path:
    """Find nvml.h of the installed package nvidia-nvml-dev; raises BuildError without it."""
    try:
        files = importlib.metadata.files("nvidia-nvml-dev") or []
    except importlib.metadata.PackageNotFoundError as missing:
        raise BuildError("nvml.h: package nvidia-nvml-dev is not installed (dependency group test)") from missing
    for entry in files:
        if entry.name == "nvml.h":
            return Path(str(entry.locate()))
    raise BuildError("nvml.h: package nvidia-nvml-dev is installed but holds no nvml.h")


def build_double(cache: Path | None = None) -> Path:
    """Give the folder that holds libnvidia-ml.so.1, compiling it when no build of this content exists.

    Raises BuildError with the compiler's words. Safe against concurrent callers: the finished library
    is renamed into place.
    """
    compiler = shutil.which(os.environ.get("CC", "gcc"))
    if compiler is None:
        raise BuildError("gcc: not found; the NVML double is compiled by the test run")
    header = nvml_header()
    sources = sorted(FOLDER.glob("*.c"))
    checks = "\n".join(static_assertions()) + "\n"
    key = hashlib.sha256("\0".join((compiler, *FLAGS, checks)).encode())
    for path in (header, *sources, *sorted(FOLDER.glob("*.h")), FOLDER / "functions.def"):
        key.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = (cache or _default_cache()) / key.hexdigest()[:24]
    library = folder / LIBRARY
    if library.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        check_file = Path(work, "layout_check.c")
        check_file.write_text(checks, encoding="ascii")
        built = Path(work, LIBRARY)
        command = [compiler, *FLAGS, f"-I{FOLDER}", f"-I{header.parent}", f"-Wl,-soname,{LIBRARY}"]
        command += ["-o", str(built), *map(str, sources), str(check_file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"gcc failed on the NVML double:\n{done.stderr}")
        built.replace(library)
    return folder


def _default_cache() -> Path:
    configured = os.environ.get("WATTLEDGER_NVML_DOUBLE_BUILD")
    return Path(configured) if configured else Path(tempfile.gettempdir(), f"nvml-double-{os.getuid()}")
