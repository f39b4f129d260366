"""Everything the checks may touch, as one value: folders, variables, settings, and the driver's answers."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from wattledger.agent.config import Config
from wattledger.agent.sources.dcgm_address import USUAL

from .report import NvmlReport

Access = Callable[[Path, int], bool]
HasModule = Callable[[str], bool]


def has_module(name: str) -> bool:
    """Say whether a top-level Python module is installed; it is not imported."""
    return find_spec(name) is not None


@dataclass(frozen=True, slots=True)
class Roots:
    """The tops of the folders that are looked at."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    run: Path = Path("/run")
    etc: Path = Path("/etc")
    var: Path = Path("/var")
    libraries: Path = Path("/")  # above usr/lib and the like

    @classmethod
    def below(cls, top: Path) -> "Roots":
        """Give all of them below *top*."""
        return cls(top / "proc", top / "sys", top / "dev", top / "run", top / "etc", top / "var", libraries=top)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The host, the settings in force and what the driver answered."""

    roots: Roots
    environment: Mapping[str, str]
    state_dir: Path | None
    listen_host: str
    listen_port: int
    nvml: NvmlReport
    access: Access = field(default=os.access)
    config: Config = field(default_factory=Config)  # the defaults where it is refused
    has_module: HasModule = field(default=has_module)
    exporter_url: str = USUAL  # where a dcgm-exporter is looked for when none is configured

    def may(self, path: Path, mode: int) -> bool:
        """Say whether this user may use *path* so (os.R_OK, os.W_OK)."""
        return self.access(path, mode)


def first_line(path: Path) -> str:
    """Give the first line of a file, or "" where there is none to read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return " ".join(file.readline().split())
    except OSError:
        return ""


def is_there(path: Path) -> bool | None:
    """Say whether there is such a file or folder; None where this user may not see that."""
    try:
        path.stat()
    except PermissionError:
        return None
    except OSError:
        return False
    return True


def field_of(path: Path, name: str) -> str:
    """Give what stands behind "name:" in a file of lines, such as /proc/self/status; "" where nothing does."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), "")
