"""Families of power, energy, states and baselines: the books of each device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from wattledger.rules.account import StateTotal
from wattledger.rules.quantity import Quantity
from wattledger.rules.state import State

from .family import Row
from .rows import device, measured
from .units import MW_PER_WATT, joules, seconds, watts

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import DeviceView
    from wattledger.rules.account import DeviceAccount

_STATES = tuple(((state.value,), state) for state in State)
_ENERGY_SIGNALS = (Quantity.ENERGY_MJ, Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW)
_NOTHING_YET = StateTotal()


def has_energy(view: DeviceView) -> bool:
    """Tell whether the books of the device have energy to show."""
    # A board without counter and power sensor has no joules to show: 0 would claim that it drew none. A board that
    # can be measured starts at 0, which is what the ledger has of it.
    return bool(view.account.methods) or any(signal in view.reading.values for signal in _ENERGY_SIGNALS)


def _energy(view: DeviceView) -> Iterator[Row]:
    if has_energy(view):
        yield (), joules(view.account.energy_mj)


def _avoidable(view: DeviceView) -> Iterator[Row]:
    if has_energy(view):
        yield (), joules(view.account.avoidable_mj)


def _state_energy(view: DeviceView) -> Iterator[Row]:
    if has_energy(view):
        states = view.account.states
        for extra, state in _STATES:
            yield extra, joules(states.get(state, _NOTHING_YET).energy_mj)


def _state_seconds(view: DeviceView) -> Iterator[Row]:
    states = view.account.states
    for extra, state in _STATES:
        yield extra, seconds(states.get(state, _NOTHING_YET).duration_ns)


def _episode_energy(view: DeviceView) -> Iterator[Row]:
    if view.state is not None and view.state_energy_mj is not None and has_energy(view):
        yield (), joules(view.state_energy_mj)


def _method_energy(view: DeviceView) -> Iterator[Row]:
    for method, energy_mj in view.account.methods.items():
        yield (method,), joules(energy_mj)


def _baselines(view: DeviceView) -> Iterator[Row]:
    for baseline in view.baselines:
        yield (baseline.kind, baseline.origin), watts(baseline.power_mw)


def _divergence(view: DeviceView) -> Iterator[Row]:
    if view.divergence_ratio is not None:
        yield (), view.divergence_ratio


def _of_account(value: Callable[[DeviceAccount], float]) -> Callable[[DeviceView], tuple[Row, ...]]:
    return lambda view: (((), value(view.account)),)


FAMILIES = (
    measured(
        "wattledger_gpu_power_watts",
        "Power draw, by what the reading means: average is the mean over the last second, instant the driver's "
        "latest value, which covers from 10 ms to 100 ms depending on the architecture.",
        {"average": Quantity.POWER_AVERAGE_MW, "instant": Quantity.POWER_INSTANT_MW},
        label="reading",
        scale=MW_PER_WATT,
    ),
    measured(
        "wattledger_gpu_power_limit_watts",
        "Power limits: the range that may be set (min, max), the default, the one requested and the one enforced.",
        {
            "min": Quantity.POWER_LIMIT_MIN_MW,
            "max": Quantity.POWER_LIMIT_MAX_MW,
            "default": Quantity.POWER_LIMIT_DEFAULT_MW,
            "requested": Quantity.POWER_LIMIT_REQUESTED_MW,
            "enforced": Quantity.POWER_LIMIT_ENFORCED_MW,
        },
        label="limit",
        scale=MW_PER_WATT,
    ),
    measured(
        "wattledger_gpu_power_floor_watts",
        "Floor that power smoothing holds the draw at, 0 when smoothing is off; above 0 an idle draw is on purpose.",
        Quantity.POWER_FLOOR_MW,
        scale=MW_PER_WATT,
    ),
    device(
        "wattledger_gpu_energy_joules_total",
        "Energy the device drew since the ledger began, carried on over restarts and counter resets. "
        "Absent for a board that can measure neither energy nor power.",
        _energy,
    ),
    device(
        "wattledger_gpu_state_energy_joules_total",
        "The same energy by the state the device was in; the states sum to it. Idle: held, allocated, parked.",
        _state_energy,
        labels=("state",),
    ),
    device(
        "wattledger_gpu_state_seconds_total",
        "Time by the state the device was in.",
        _state_seconds,
        labels=("state",),
    ),
    device(
        "wattledger_gpu_state_episode_energy_joules",
        "Energy since the device has been in its present state, or since the agent started if that was later.",
        _episode_energy,
    ),
    device(
        "wattledger_gpu_avoidable_energy_joules_total",
        "Energy above the bare baseline while a process held the device and did no work; part of the held state's.",
        _avoidable,
    ),
    device(
        "wattledger_gpu_energy_method_joules_total",
        "The same energy by how it was measured; the methods sum to it. counter: difference of the hardware "
        "counter; average_power, instant_power: power integrated over time.",
        _method_energy,
        labels=("method",),
    ),
    device(
        "wattledger_gpu_energy_unknown_seconds_total",
        "Time whose energy could not be known: up to a reset of the hardware counter, or in a rejected segment.",
        _of_account(lambda account: seconds(account.unknown_ns)),
    ),
    device(
        "wattledger_gpu_energy_resets_total",
        "Resets of the hardware energy counter that were seen (reboot, driver reload, GPU reset).",
        _of_account(lambda account: account.counter_resets),
    ),
    device(
        "wattledger_gpu_energy_rejected_segments_total",
        "Differences of the hardware energy counter that were physically impossible and not booked.",
        _of_account(lambda account: account.rejected_segments),
    ),
    device(
        "wattledger_gpu_energy_suspect",
        "Whether the hardware energy counter persistently disagrees with the integral of power (1) or not (0).",
        lambda view: (((), int(view.counter_suspect)),),
    ),
    device(
        "wattledger_gpu_counter_divergence_ratio",
        "Energy by the hardware counter over energy by integrated power, last full window; 1 is agreement.",
        _divergence,
    ),
    device(
        "wattledger_gpu_baseline_watts",
        "Idle draw of this board without any process (bare) and with a process that does no work (context), "
        "with its origin: learnt on this board, configured, or a prior of its model.",
        _baselines,
        labels=("kind", "origin"),
    ),
)
