"""Settings from variables and flags, as entries that override the file's; what they mean is the schema's matter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from .document import Entry, Kind, Scalar
from .document import Mapping as MappingNode
from .problem import Origin, Place, Problem, guess

PREFIX = "WATTLEDGER_"
CONFIG_VARIABLE = "WATTLEDGER_CONFIG"

# Variable -> key path.
VARIABLES = {
    "WATTLEDGER_LISTEN": ("listen",),
    "WATTLEDGER_INTERVAL": ("interval",),
    "WATTLEDGER_STATE_DIR": ("state_dir",),
    "WATTLEDGER_SOURCE": ("source",),
    "WATTLEDGER_WEB_CONFIG": ("web_config",),
    "WATTLEDGER_LOG_LEVEL": ("log", "level"),
    "WATTLEDGER_LOG_FORMAT": ("log", "format"),
}
_FOR_TESTS = ("WATTLEDGER_NVML_DOUBLE",)
# Kubernetes sets these in every pod of a namespace that has a Service named wattledger.
_FROM_KUBERNETES = ("WATTLEDGER_SERVICE_", "WATTLEDGER_PORT_")
_SYSTEM_STATE_DIR = "/var/lib/wattledger"


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says, as written; None where a flag was not given."""

    listen: str | None = None
    interval: str | None = None
    state_dir: str | None = None
    source: str | None = None
    web_config: str | None = None
    log_level: str | None = None


def from_environment(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """Give key path and value of each known variable; an empty variable counts as not set."""
    for name, path in VARIABLES.items():
        if text := environment.get(name):
            yield path, _scalar(name, text)


def from_flags(overrides: Overrides) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """Give key path and value of each flag that was given."""
    for item in fields(overrides):
        text = getattr(overrides, item.name)
        if text is not None:
            path = ("log", "level") if item.name == "log_level" else (item.name,)
            yield path, _scalar("--" + item.name.replace("_", "-"), text)


def unknown_variables(environment: Mapping[str, str]) -> Iterator[Problem]:
    """Give a doubt for every variable that looks like ours and is not."""
    known = (CONFIG_VARIABLE, *VARIABLES)
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or name in _FOR_TESTS:
            continue
        if name == "WATTLEDGER_PORT" or name.startswith(_FROM_KUBERNETES):
            continue
        cure = guess(name, known) or f"the variables are {', '.join(known)}"
        yield Problem(Place(Origin(name, Path())), "", f"unknown variable, ignored; {cure}")


def default_state_dir(environment: Mapping[str, str], *, is_root: bool) -> Scalar | None:
    """Give the state folder where nothing names one: systemd's, the system's, or the user's; None without a home."""
    if given := environment.get("STATE_DIRECTORY"):
        return _scalar("STATE_DIRECTORY", given.split(":", 1)[0])  # systemd lists several with colons
    if is_root:
        return _scalar("default", _SYSTEM_STATE_DIR)
    state_home = environment.get("XDG_STATE_HOME", "")
    if Path(state_home).is_absolute():  # a relative one is to be ignored, says the XDG base directory specification
        return _scalar("XDG_STATE_HOME", f"{state_home}/wattledger")
    if home := environment.get("HOME"):
        return _scalar("HOME", f"{home}/.local/state/wattledger")
    return None


def overlaid(root: MappingNode, path: tuple[str, ...], value: Scalar) -> MappingNode:
    """Give *root* with one more entry at *path* that overrides what stands there; the latter is still judged."""
    name, *rest = path
    key = Scalar(name, Kind.TEXT, value.place)
    if not rest:
        return MappingNode((*root.entries, Entry(key, value)), root.place)
    inner, others = MappingNode((), value.place), []
    for entry in root.entries:
        if entry.key.text == name and isinstance(entry.value, MappingNode):
            inner = entry.value
        else:
            others.append(entry)
    return MappingNode((*others, Entry(key, overlaid(inner, tuple(rest), value))), root.place)


def _scalar(origin: str, text: str) -> Scalar:
    return Scalar(text, Kind.TEXT, Place(Origin(origin, Path())))
