"""Checks of the way to NVML: binding, library, kernel module, device nodes, initialisation; no check of a board."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from wattledger.agent.detect import LIBRARY, LIBRARY_FOLDERS
from wattledger.agent.sources.base import SourceError
from wattledger.agent.sources.nvml import load_binding, owner_of_module
from wattledger.agent.sources.nvml_codes import LIB_RM_VERSION_MISMATCH, LIBRARY_NOT_FOUND

from .finding import Finding, limited, missing, present
from .surroundings import Surroundings, first_line

_VERSION = re.compile(r"\b(\d{3,}\.\d+(?:\.\d+)?)\b")
_INSTALL = "install the NVIDIA driver; in a container pass it in: --gpus all, NVIDIA_DRIVER_CAPABILITIES=utility"
_SPLIT = " (NVML code"  # what explain() puts between what happened and the cure


def check_binding(_at: Surroundings) -> Iterator[Finding]:
    """Say whether the module pynvml is NVIDIA's."""
    try:
        load_binding()
    except SourceError as wrong:
        why, _, cure = wrong.detail.partition(": pip ")
        why = why.removesuffix("; cure")
        yield missing("Python binding", why, f"pip {cure}" if cure else "", essential=True)
        return
    yield present("Python binding", owner_of_module("pynvml"), essential=True)


def check_library(at: Surroundings) -> Iterator[Finding]:
    """Say where the driver library lies."""
    found = _library(at)
    if found is not None and at.nvml.code != LIBRARY_NOT_FOUND:
        version = _library_version(found)
        yield present("driver library", f"{found}{f', version {version}' if version else ''}", essential=True)
    elif at.nvml.code == LIBRARY_NOT_FOUND:
        where = f"{found} exists but does not load" if found else f"{LIBRARY} was not found"
        yield missing("driver library", where, _INSTALL, essential=True)
    elif at.nvml.sample is not None:
        yield present("driver library", f"{LIBRARY}, found by the loader", essential=True)
    else:
        yield limited("driver library", f"{LIBRARY} is in none of the usual folders", _INSTALL)


def check_module(at: Surroundings) -> Iterator[Finding]:
    """Say whether the kernel driver is loaded, and of the library's version."""
    loaded = _first_version(first_line(at.roots.proc / "driver/nvidia/version"))
    if not loaded:
        if at.nvml.sample is not None:  # as under WSL, whose driver is the host's
            yield present("kernel driver", f"answers as {at.nvml.sample.host.driver_version}", essential=True)
        else:
            yield missing(
                "kernel driver",
                "/proc/driver/nvidia/version is not there",
                "modprobe nvidia; if that fails, see dmesg, and rebuild the module for this kernel (dkms)",
                essential=True,
            )
        return
    library = _library(at)
    version = _library_version(library) if library else ""
    if at.nvml.code == LIB_RM_VERSION_MISMATCH or (version and version != loaded and at.nvml.sample is None):
        yield missing(
            "kernel driver",
            f"version {loaded} is loaded, the library is {version or 'another'}",
            "reboot, or stop what uses the GPUs and reload the nvidia modules",
            essential=True,
        )
    else:
        yield present("kernel driver", f"version {loaded}", essential=True)


def check_nodes(at: Surroundings) -> Iterator[Finding]:
    """Say whether this user may open the device nodes."""
    nodes = sorted(path for path in at.roots.dev.glob("nvidia*") if re.fullmatch(r"nvidia(ctl|\d+)", path.name))
    closed = [path.name for path in nodes if not at.may(path, os.R_OK | os.W_OK)]
    if closed:
        yield missing(
            "device nodes",
            f"no access to {', '.join(closed)}",
            "let this user read and write them (SupplementaryGroups=video, DeviceAllow=, or the container's cgroup)",
            essential=True,
        )
    elif nodes:
        yield present("device nodes", ", ".join(path.name for path in nodes), essential=True)
    elif at.nvml.sample is not None:
        yield present("device nodes", "none below /dev, and NVML answers", essential=True)
    else:
        yield missing(
            "device nodes",
            "there is no /dev/nvidiactl",
            "nvidia-modprobe -c 0 -u; in a container pass the GPUs in: --gpus all",
            essential=True,
        )


def check_nvml(at: Surroundings) -> Iterator[Finding]:
    """Say what came of opening NVML."""
    report = at.nvml
    if report.sample is not None:
        host = report.sample.host
        cuda = f", CUDA up to {host.cuda_version}" if host.cuda_version else ""
        yield present("NVML", f"driver {host.driver_version}, NVML {host.nvml_version}{cuda}", essential=True)
    elif report.hung:
        yield missing(
            "NVML",
            f"{report.failure}: the driver hangs, or takes long to initialise the GPUs",
            "see dmesg for Xid; keep the driver initialised (nvidia-persistenced); else reboot",
            essential=True,
        )
    else:
        what, found, cure = report.failure.partition(_SPLIT)
        code, _, cure = cure.partition("): ") if found else ("", "", "")
        yield missing("NVML", f"{what}{_SPLIT}{code})" if found else what, cure, essential=True)


def check_mps(at: Surroundings) -> Iterator[Finding]:
    """Say whether a variable makes NVML show the devices of an MPS server."""
    if at.environment.get("NVML_MPS_DEVICE_ENUMERATION"):
        yield limited(
            "MPS view",
            "NVML_MPS_DEVICE_ENUMERATION is set: nearly nothing is supported then; the agent unsets it for itself",
            "remove it from the agent's environment",
        )
    else:
        yield present("MPS view", "off: NVML_MPS_DEVICE_ENUMERATION is not set")


def _library(at: Surroundings) -> Path | None:
    folders = [Path(folder) for folder in at.environment.get("LD_LIBRARY_PATH", "").split(os.pathsep) if folder]
    folders += [at.roots.libraries / folder for folder in LIBRARY_FOLDERS]
    for folder in folders:
        if (folder / LIBRARY).exists():
            return folder / LIBRARY
    return None


def _library_version(path: Path) -> str:
    """Give the version in the name that the link leads to: libnvidia-ml.so.580.95.05."""
    return _first_version(path.resolve().name.removeprefix("libnvidia-ml.so."))


def _first_version(text: str) -> str:
    found = _VERSION.search(text)
    return found.group(1) if found else ""
