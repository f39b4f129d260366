"""Knows what each kind of board draws, supports and refuses; knows no time and no control file.

Update period T and window W, idle draw and clocks are published measurements (Oxford GPU power benchmark,
gpu-parking-tax and others). A value marked `est` is an estimate, there to have some value.
"""

import hashlib
import random
from dataclasses import dataclass, replace
from typing import NamedTuple

from .layout import Has

NOTHING = Has(0)
VGPU_GUEST = 2
GIB = 1 << 30
MIB = 1 << 20


class Identity(NamedTuple):
    """Name and numbers of a kind of board. brand: nvmlBrandType_t; architecture: NVML_DEVICE_ARCH_*."""

    name: str
    architecture: int
    compute: tuple[int, int]
    pci_device_id: int
    brand: int
    cores: int
    bus_width: int
    part_number: str = ""


class Publication(NamedTuple):
    """How power is shown, ms: period, window of 186, window of the plain call; energy counter step; quantum mW."""

    update_ms: int
    window_ms: int
    usage_window_ms: int
    tau_ms: int
    quantum_mw: int
    jitter_ms: int = 0
    noise_mw: int = 0
    sample_ms: int = 167  # utilisation sample period, 1/6 s to 1 s by product


class Idle(NamedTuple):
    """Idle draw in W and clocks in MHz, without and with a context, and the P-states."""

    bare_w: float
    context_w: float
    sm: tuple[int, int]
    mem: tuple[int, int]
    pstate: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of board."""

    key: str
    identity: Identity
    publication: Publication
    idle: Idle
    limits_w: tuple[int, int, int]  # min, max, default
    memory_bytes: int
    has: Has
    pcie: tuple[int, int] = (4, 16)  # highest generation, width
    nvlinks: int = 0


_BASIC = Has.POWER | Has.SCOPE_GPU | Has.MEMORY_INFO | Has.LIMITS | Has.MEM_CLOCK
_CENTRE = _BASIC | Has.ECC | Has.SERIAL  # boards of data centres
_VOLTA = Has.ENERGY
_TURING = _VOLTA | Has.FINE_TEMP
_AMPERE = _TURING | Has.PCIE_BYTES
_ADA = _AMPERE | Has.AVERAGE | Has.TLIMIT
_HBM = Has.MEMORY_TEMP | Has.REMAPPED | Has.NVLINK | Has.MIG
_HOPPER = _CENTRE | _ADA | _HBM | Has.GPM
_GB = GIB

_OLD = Publication(20, 10, 10, 20, 370, 1)
_TU = Publication(100, 100, 100, 100, 20, 2)
_GA100 = Publication(100, 25, 25, 100, 90, 2, 35)
_GA10X = Publication(100, 100, 1000, 100, 15, 3, 100)
_AD = Publication(100, 100, 1000, 100, 15, 3, 140)
_GH100 = Publication(100, 25, 1000, 100, 10, 2, 40)
_GRACE = Publication(100, 20, 1000, 100, 10, 2, 40)

_ALL = (
    Profile(
        "pascal",
        Identity("Tesla P40", 4, (6, 1), 0x1B3810DE, 2, 3840, 384, "900-2G610-0000-000"),
        _OLD,
        Idle(9, 50, (544, 1303), (405, 3615), (8, 0)),
        (125, 250, 250),
        24 * _GB,
        _CENTRE | Has.RETIRED,
        (3, 16),
    ),
    Profile(
        "volta",
        Identity("Tesla V100-SXM2-16GB", 5, (7, 0), 0x1DB110DE, 2, 5120, 4096, "900-2G503-0000-000"),
        _OLD,
        Idle(26, 45, (135, 1380), (877, 877)),
        (150, 300, 300),
        16 * _GB,
        _CENTRE | _VOLTA | Has.RETIRED | Has.MEMORY_TEMP | Has.NVLINK,
        (3, 16),
        6,
    ),
    Profile(
        "turing",
        Identity("Tesla T4", 6, (7, 5), 0x1EB810DE, 2, 2560, 256, "900-2G183-0000-001"),
        _TU,
        Idle(12, 27, (300, 1590), (405, 5000), (8, 0)),  # context est
        (60, 70, 70),
        15 * _GB,
        _CENTRE | _TURING | Has.RETIRED,
        (3, 16),
    ),
    Profile(
        "a100",
        Identity("NVIDIA A100 80GB PCIe", 7, (8, 0), 0x20B510DE, 14, 6912, 5120, "900-21001-0020-000"),
        _GA100,
        Idle(53.7, 80.0, (210, 1410), (1512, 1512)),
        (150, 300, 300),
        80 * _GB,
        _CENTRE | _AMPERE | _HBM,
        (4, 16),
        12,
    ),
    Profile(
        "rtx3090",
        Identity("NVIDIA GeForce RTX 3090", 7, (8, 6), 0x220410DE, 5, 10496, 384),
        _GA10X,
        Idle(22, 105, (210, 1695), (405, 9501), (8, 2)),  # est
        (100, 385, 350),
        24 * _GB,
        _BASIC | _AMPERE | Has.AVERAGE | Has.FAN,
    ),
    Profile(
        "l40s",
        Identity("NVIDIA L40S", 8, (8, 9), 0x26B910DE, 14, 18176, 384, "900-2G133-0080-000"),
        _AD,
        Idle(35.6, 102.1, (210, 2520), (405, 9000), (8, 0)),
        (100, 350, 350),
        45 * _GB,
        _CENTRE | _ADA | Has.REMAPPED,
    ),
    Profile(
        "rtx4090",
        Identity("NVIDIA GeForce RTX 4090", 8, (8, 9), 0x268410DE, 5, 16384, 384),
        _AD,
        Idle(22, 51, (210, 2520), (405, 10501), (8, 2)),
        (150, 600, 450),
        24 * _GB,
        _BASIC | _ADA | Has.FAN,
    ),
    Profile(
        "h100",
        Identity("NVIDIA H100 80GB HBM3", 9, (9, 0), 0x233010DE, 14, 16896, 5120, "692-2G520-0200-000"),
        _GH100,
        Idle(71.8, 121.7, (345, 1980), (2619, 2619)),
        (200, 700, 700),
        80 * _GB,
        _HOPPER | Has.SCOPE_MEMORY,
        (5, 16),
        18,
    ),
    Profile(
        "h200",
        Identity("NVIDIA H200", 9, (9, 0), 0x233510DE, 14, 16896, 6144, "692-2G520-0280-001"),
        _GH100,
        Idle(76, 126, (345, 1980), (3201, 3201)),  # context est
        (200, 700, 700),
        141 * _GB,
        _HOPPER,
        (5, 16),
        18,
    ),
    Profile(
        "gh200",
        Identity("NVIDIA GH200 480GB", 9, (9, 0), 0x234210DE, 14, 16896, 6144, "900-2G530-0000-000"),
        _GRACE,
        Idle(140, 200, (345, 1980), (2619, 2619)),  # est; the whole module
        (100, 900, 900),
        96 * _GB,
        (_HOPPER | Has.SCOPE_MODULE) & ~Has.SCOPE_GPU,
        (5, 16),
        18,
    ),
    Profile(
        "gb10",
        Identity("NVIDIA GB10", 10, (12, 1), 0x2E1210DE, 14, 6144, 256),
        _GH100,
        Idle(5, 14, (208, 2411), (0, 0), (8, 0)),  # est
        (0, 0, 0),
        0,  # one memory for CPU and GPU: nothing to report
        Has.POWER | Has.SCOPE_GPU | _AMPERE | Has.AVERAGE,
        (5, 1),
    ),
    Profile(
        "b200",
        Identity("NVIDIA B200", 10, (10, 0), 0x290110DE, 14, 18944, 8192, "965-2G820-0100-000"),
        _GH100,
        Idle(140, 218, (120, 1965), (3996, 3996)),  # bare est
        (200, 1000, 1000),
        180 * _GB,
        _HOPPER | Has.SMOOTHING,
        (5, 16),
        18,
    ),
)
PROFILES = {profile.key: profile for profile in _ALL}


class MigShape(NamedTuple):
    """Size of a MIG instance, read from its profile name ("3g.40gb")."""

    slices: int
    memory_bytes: int
    profile_id: int  # NVML_GPU_INSTANCE_PROFILE_*_SLICE


def mig_shape(name: str) -> MigShape:
    """Read "<slices>g.<gigabytes>gb"; raises ValueError for anything else."""
    slices_text, _, memory_text = name.partition("g.")
    if not (slices_text.isdigit() and memory_text.removesuffix("gb").isdigit()):
        raise ValueError(f"MIG profile {name!r}: write it as '1g.10gb'")
    profile_id = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4, 8: 5, 6: 6}[int(slices_text)]
    return MigShape(int(slices_text), int(memory_text.removesuffix("gb")) * GIB, profile_id)


@dataclass(frozen=True, slots=True)
class GpuSpec:
    """One board of a test: a profile and what makes this board differ from it. None takes the profile's value.

    Gain and offset change what the board reports (power and counter), not what it draws.
    """

    profile: str
    uuid: str | None = None
    name: str | None = None
    serial: str | None = None
    bus_id: str | None = None
    gain: float = 1.0
    offset_w: float = 0.0
    lag_ms: int | None = None  # None: one update period, as seen on real boards
    phase_ms: int | None = None  # None: drawn from the UUID and the boot seed
    counter_phase_ms: int | None = None
    usage_window_ms: int | None = None  # driver 530 showed 100 ms on Ampere and Ada
    tau_ms: int | None = None
    bare_w: float | None = None
    context_w: float | None = None
    add: Has = NOTHING
    remove: Has = NOTHING
    virtualization: int = 0  # nvmlGpuVirtualizationMode_t; VGPU_GUEST shows no power and no energy

    def resolved(self) -> Profile:
        """Give the profile with this board's differences; raises ValueError for an unknown profile."""
        if self.profile not in PROFILES:
            raise ValueError(f"unknown profile {self.profile!r}: one of {', '.join(PROFILES)}")
        base = PROFILES[self.profile]
        publication = base.publication
        if self.usage_window_ms is not None:
            publication = publication._replace(usage_window_ms=self.usage_window_ms)
        if self.tau_ms is not None:
            publication = publication._replace(tau_ms=self.tau_ms)
        idle = base.idle
        if self.bare_w is not None:
            idle = idle._replace(bare_w=self.bare_w)
        if self.context_w is not None:
            idle = idle._replace(context_w=self.context_w)
        has = (base.has | self.add) & ~self.remove
        if self.virtualization == VGPU_GUEST:
            has &= ~(Has.POWER | Has.ENERGY | Has.AVERAGE | Has.LIMITS)
        return replace(base, publication=publication, idle=idle, has=has)

    def with_board_error(self, seed: int = 0) -> "GpuSpec":
        """Draw gain ~ N(0.97, 0.04) and offset in -22..+16 W, limited so that idle stays above zero."""
        dice = random.Random(f"{self.uuid}{seed}")  # noqa: S311 - reproducible, not secret
        gain = round(dice.gauss(0.97, 0.04), 6)
        idle_w = self.resolved().idle.bare_w
        return replace(self, gain=gain, offset_w=round(dice.uniform(max(-22.0, 1 - gain * idle_w), 16.0), 3))


def stable_uuid(text: str, prefix: str = "GPU") -> str:
    """Give a UUID that is a function of *text*, in NVML's spelling."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{prefix}-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def stable_number(text: str) -> int:
    """Give 64 bits that are a function of *text*."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
