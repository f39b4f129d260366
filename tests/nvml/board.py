"""Knows how a spec and its profile become one board of the control file; knows nothing of time."""

from .layout import NVLINKS, Gpu, Has
from .power import milli
from .profiles import MIB, GpuSpec, Profile, stable_number, stable_uuid


def fill_gpu(gpu: Gpu, slot: int, *, spec: GpuSpec, profile: Profile, boot_seed: int) -> None:
    """Write identity, publication and idle state of one board; the trace and the counter start elsewhere."""
    identity, publication, idle = profile.identity, profile.publication, profile.idle
    uuid = spec.uuid or stable_uuid(f"{profile.key}/{slot}")
    gpu.uuid, gpu.name = uuid.encode(), (spec.name or identity.name).encode()
    gpu.seed = stable_number(f"{uuid}/{boot_seed}")
    gpu.serial = (spec.serial or str(1_320_000_000_000 + stable_number(uuid) % 10**9)).encode()
    gpu.vbios, gpu.part_number = b"96.00.74.00.1C", identity.part_number.encode()
    gpu.pci_bus, gpu.pci_device_id, gpu.minor = 0x10 + slot, identity.pci_device_id, slot
    gpu.bus_id = (spec.bus_id or f"00000000:{gpu.pci_bus:02X}:00.0").encode()
    gpu.architecture, gpu.brand, (gpu.cc_major, gpu.cc_minor) = (
        identity.architecture,
        identity.brand,
        identity.compute,
    )
    gpu.cores, gpu.bus_width, gpu.virtualization = identity.cores, identity.bus_width, spec.virtualization
    gpu.supports = profile.has.value

    ms = 1_000_000
    gpu.update_ns, gpu.window_ns = publication.update_ms * ms, publication.window_ms * ms
    gpu.average_window_ns, gpu.usage_window_ns = 1000 * ms, publication.usage_window_ms * ms
    gpu.lag_ns = (publication.update_ms if spec.lag_ms is None else spec.lag_ms) * ms
    gpu.jitter_ns, gpu.quantum_mw, gpu.noise_mw = (
        publication.jitter_ms * ms,
        publication.quantum_mw,
        publication.noise_mw,
    )
    gpu.gain_ppm, gpu.offset_mw = round(spec.gain * 1_000_000), milli(spec.offset_w)
    gpu.phase_ns = gpu.seed % gpu.update_ns if spec.phase_ms is None else spec.phase_ms * ms
    gpu.tau_ns, gpu.counter_gain_ppm = publication.tau_ms * ms, 1_000_000
    gpu.counter_phase_ns = (
        (gpu.seed >> 20) % gpu.tau_ns if spec.counter_phase_ms is None else spec.counter_phase_ms * ms
    )
    gpu.util_period_ns = publication.sample_ms * ms

    for step, value in ((gpu.sm_clock, idle.sm[0]), (gpu.mem_clock, idle.mem[0]), (gpu.pstate, idle.pstate[0])):
        step.before = step.after = value
    gpu.max_sm_clock, gpu.max_mem_clock = idle.sm[1], idle.mem[1]
    gpu.temperature_mc, gpu.memory_temperature_mc = 34_250, 41_000
    gpu.limit_min_mw, gpu.limit_max_mw, gpu.limit_default_mw = (watts * 1000 for watts in profile.limits_w)
    gpu.limit_mw = gpu.limit_default_mw
    gpu.memory_total = profile.memory_bytes
    gpu.memory_reserved = 500 * MIB if profile.memory_bytes else 0
    gpu.bar1_total, gpu.bar1_used = profile.memory_bytes, 2 * MIB
    gpu.pcie_max_gen, gpu.pcie_max_width = profile.pcie
    gpu.pcie_gen, gpu.pcie_width = profile.pcie
    gpu.nvlinks = min(profile.nvlinks, NVLINKS) if profile.has & Has.NVLINK else 0
    gpu.fan_percent, gpu.persistence = 30, 1
