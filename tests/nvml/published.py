"""Knows what NVML shows of a power trace at a given time: the twin of physics.c, in Python's integers.

It reads the same control structure as the library, so a test that compares the two compares two programs.
"""

from enum import StrEnum

from .layout import Gpu
from .trace import PJ_PER_MJ, PowerTrace

_MASK = (1 << 64) - 1


class Shown(StrEnum):
    """Which power reading."""

    AVERAGE = "average"  # field 185
    INSTANT = "instant"  # field 186
    USAGE = "usage"  # nvmlDeviceGetPowerUsage


def mix(seed: int, number: int) -> int:
    """Hash a seed and an update number to 64 bits (splitmix64's finaliser)."""
    z = (seed + number * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def update_time_ns(gpu: Gpu, number: int, *, noise: bool) -> int:
    """Time of firmware update *number*."""
    jitter = mix(gpu.seed, number) % (gpu.jitter_ns + 1) if noise and gpu.jitter_ns else 0
    return int(gpu.phase_ns + number * gpu.update_ns + jitter)


def update_at(gpu: Gpu, t_ns: int, *, noise: bool) -> int:
    """Give the number of the latest update at or before *t_ns*."""
    number = int((t_ns - gpu.phase_ns) // gpu.update_ns)
    return number if update_time_ns(gpu, number, noise=noise) <= t_ns else number - 1


def published_mw(gpu: Gpu, trace: PowerTrace, shown: Shown, t_ns: int, *, noise: bool = False) -> int:
    """Power reading at *t_ns*, mW: mean over the window before the latest update, gain, offset, quantum."""
    window = {
        Shown.AVERAGE: gpu.average_window_ns,
        Shown.INSTANT: gpu.window_ns,
        Shown.USAGE: gpu.usage_window_ns,
    }[shown]
    number = update_at(gpu, t_ns, noise=noise)
    end = update_time_ns(gpu, number, noise=noise) - gpu.lag_ns
    mean = (trace.energy_pj(end) - trace.energy_pj(end - window)) // window
    reading = mean * gpu.gain_ppm // 1_000_000 + gpu.offset_mw
    if noise and gpu.noise_mw:
        # Four uniform draws add up to nearly a normal; their sd is a fourth of the span over sqrt(0.75).
        z = mix(gpu.seed ^ _MASK, number)
        total = sum((z >> shift) & 0xFFFF for shift in (0, 16, 32, 48)) - 2 * 0xFFFF
        reading += _toward_zero(total * gpu.noise_mw, 37837)
    if reading <= 0:
        return 0
    return int((reading + gpu.quantum_mw // 2) // gpu.quantum_mw * gpu.quantum_mw)


def counter_mj(gpu: Gpu, trace: PowerTrace, t_ns: int, *, noise: bool = False) -> int:
    """Energy counter at *t_ns*, mJ."""
    ticks = (t_ns - gpu.counter_phase_ns) // gpu.tau_ns
    tick = gpu.counter_phase_ns + ticks * gpu.tau_ns
    if tick <= gpu.epoch_ns:
        return 0
    epoch_pj = gpu.epoch_mj * PJ_PER_MJ + gpu.epoch_pj
    if 0 <= gpu.samples_from_ns < tick:
        true_pj = trace.energy_pj(gpu.samples_from_ns) - epoch_pj + _samples_pj(gpu, trace, tick, noise=noise)
    else:
        true_pj = trace.energy_pj(tick) - epoch_pj
    shown = true_pj * gpu.gain_ppm // 1_000_000 + gpu.offset_mw * (tick - gpu.epoch_ns)
    return int(max(0, shown * gpu.counter_gain_ppm // 1_000_000 // PJ_PER_MJ))


def _samples_pj(gpu: Gpu, trace: PowerTrace, tick_ns: int, *, noise: bool) -> int:
    number = update_at(gpu, gpu.samples_from_ns, noise=noise) + 1
    total = 0
    while (at := update_time_ns(gpu, number, noise=noise)) <= tick_ns:
        end = at - gpu.lag_ns
        window_pj = trace.energy_pj(end) - trace.energy_pj(end - gpu.window_ns)
        total += window_pj // gpu.window_ns * gpu.update_ns
        number += 1
    return total


def _toward_zero(numerator: int, denominator: int) -> int:
    """Divide as C does."""
    return -(-numerator // denominator) if numerator < 0 else numerator // denominator
