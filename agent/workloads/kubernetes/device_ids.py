"""Which GPU, or MIG instance of one, a device id of Kubernetes means; whether this host has it is not known here.

Shapes are those of NVIDIA's device plugin (`GPU-<uuid>`, `MIG-<uuid>`, `::<replica>` behind a shared one), of the one
of GKE (`nvidia0`, `nvidia0/gi3`, with `/vgpu1` when shared), and of NVIDIA's driver for resource claims (`gpu-0`,
`cmd/gpu-kubelet-plugin/deviceinfo.go`). N in `nvidiaN` and `gpu-N` is the minor number of /dev/nvidiaN.
"""

import re
from dataclasses import dataclass

from .messages import ClaimedDevice, ListedContainer

CLAIM_DRIVER = "gpu.nvidia.com"
_VENDOR = "nvidia.com/"

_HEX_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# Before driver 470 a MIG instance was named by its board and two numbers.
_UUID = re.compile(rf"GPU-{_HEX_UUID}|MIG-{_HEX_UUID}|MIG-GPU-{_HEX_UUID}/\d{{1,3}}/\d{{1,3}}", re.ASCII)
_REPLICA = re.compile(r"::\d{1,6}", re.ASCII)
_GKE = re.compile(r"(nvidia\d{1,6}(?:/gi\d{1,6})?)(?:/vgpu\d{1,6})?", re.ASCII)
# In a claim's own CDI device its uid stands before the name. A name that goes on (gpu-0-mig-1g5gb-19-4) tells where
# in a board an instance lies and not which it is; one of a board that is passed through (gpu-vfio-0) is no GPU here.
_CLAIMED = re.compile(rf"(?:{_HEX_UUID}-)?gpu-(\d{{1,6}})", re.ASCII)
_CDI_INDEX = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of a container: what they are called in allocations, and ids that tell of no device."""

    ids: frozenset[str]
    unresolved: tuple[str, ...] = ()


def devices_of(container: ListedContainer) -> Devices:
    """Give the NVIDIA devices of *container*; those of other vendors are nothing to us."""
    found: set[str] = set()
    unresolved: list[str] = []
    for granted in container.granted:
        # Resources are renamed at will (gpu.shared, mig-1g.10gb, a100): the ids tell what they are.
        if granted.resource.startswith(_VENDOR):
            for device_id in granted.device_ids:
                _sort(device_of(device_id), f"{granted.resource}={device_id}", found, unresolved)
    for claimed in container.claimed:
        if claimed.driver == CLAIM_DRIVER:
            _sort(claimed_device(claimed), f"{claimed.driver}/{claimed.pool}/{claimed.device}", found, unresolved)
    return Devices(frozenset(found), tuple(unresolved))


def device_of(device_id: str) -> str | None:
    """Give the device that a plugin's id means, whatever share of it; None for an id of another kind.

    The ids of HAMi (GPU-<uuid>-<n>) are refused on purpose: there the kubelet's choice is not the device in use.
    """
    plain = device_id
    shared = device_id.rfind("::")
    if shared >= 0 and _REPLICA.fullmatch(device_id, shared):
        plain = device_id[:shared]
    if _UUID.fullmatch(plain):
        return plain
    named = _GKE.fullmatch(device_id)
    return named[1] if named else None


def claimed_device(claimed: ClaimedDevice) -> str | None:
    """Give the device of a claim, by what names it surest; None where no name tells."""
    # VENDOR/CLASS=NAME
    cdi = [(kind, name) for kind, _, name in (full.partition("=") for full in claimed.cdi_names)]
    for name in (claimed.device, *(name for _, name in cdi)):
        if _UUID.fullmatch(name):
            return name
    for name in (claimed.device, *(name for _, name in cdi)):
        if match := _CLAIMED.fullmatch(name):
            return f"nvidia{int(match[1])}"
    for kind, name in cdi:
        if kind == "nvidia.com/gpu" and _CDI_INDEX.fullmatch(name):
            return f"nvidia{int(name)}"
    return None


def _sort(device: str | None, named: str, found: set[str], unresolved: list[str]) -> None:
    if device is None:
        unresolved.append(named)
    else:
        found.add(device)
