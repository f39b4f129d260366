"""The GPUs on the landing page: totals, a row each, where the energy went; the page around them is not its matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.state import IDLE_STATES, State

from .catalog import has_energy, is_live
from .catalog.units import watts
from .landing_text import duration, escaped, kwh, percent

if TYPE_CHECKING:
    from wattledger.rules.account import DeviceAccount
    from wattledger.rules.instant import Instant

    from .snapshot import DeviceView

_POWER = (Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW)


def totals(devices: Sequence[DeviceView]) -> str:
    """Give the tiles: draw now, energy, idle and avoidable energy of all devices."""
    draws = [power for view in devices if (power := _power_mw(view)) is not None]
    accounts = [view.account for view in devices if has_energy(view)]
    energy_mj = sum(account.energy_mj for account in accounts)
    idle_mj = sum(_idle_mj(account) for account in accounts)
    avoidable_mj = sum(account.avoidable_mj for account in accounts)

    def energy(part_mj: int) -> str:
        return f"{kwh(part_mj)} kWh" if accounts else "absent"

    tiles = (
        (f"{watts(sum(draws)):,.0f} W" if draws else "absent", f"drawn now by {len(draws)} of {len(devices)} GPUs"),
        (energy(energy_mj), "since the ledger began"),
        (energy(idle_mj), f"while idle {percent(idle_mj, energy_mj)}"),
        (energy(avoidable_mj), f"avoidable {percent(avoidable_mj, energy_mj)}"),
    )
    items = "".join(f'<li><b>{number}</b><span class="dim">{words}</span></li>' for number, words in tiles)
    return f'<ul class="tiles">{items}</ul>\n'


def device_table(devices: Sequence[DeviceView], now: Instant) -> str:
    """Give the table of *devices*, in their order."""
    rows = "".join(_row(view, now) for view in devices)
    return (
        '<div class="scroll"><table>\n<thead><tr><th>GPU</th><th>Name</th><th>State</th><th class="number">Power</th>'
        '<th class="number">Energy</th><th class="number">Avoidable</th><th>Absent values</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n"
    )


def legend() -> str:
    """Give the colours of the states."""
    words = " ".join(f'<b class="{state}">{state}</b>' for state in State)  # lines are broken at spaces alone
    return (
        f'<p class="legend">Energy by state: {words}<br><span class="dim">Idle is held, allocated and parked. '
        "Avoidable is what a device held without work draws above its bare idle.</span></p>\n"
    )


def state_bar(energies_mj: Mapping[State, int]) -> str:
    """Give a bar of where energy went, by state; empty text where there is none."""
    whole_mj = sum(energies_mj.values())
    if whole_mj <= 0:
        return ""
    segments, left = [], 0.0
    for state in State:
        energy_mj = energies_mj.get(state, 0)
        if energy_mj <= 0:
            continue
        width = 100 * energy_mj / whole_mj
        words = f"{state}: {kwh(energy_mj)} kWh ({percent(energy_mj, whole_mj)})"
        segments.append(
            f'<rect class="{state}" x="{left:.2f}" width="{width:.2f}" height="10"><title>{words}</title></rect>'
        )
        left += width
    return f'<svg class="states" viewBox="0 0 100 10" preserveAspectRatio="none" role="img">{"".join(segments)}</svg>'


def _row(view: DeviceView, now: Instant) -> str:
    identity, account = view.reading.identity, view.account
    index = str(identity.index) if identity.index >= 0 else "-"
    owner = f"<small>owner {escaped(view.owner)}</small>" if view.owner else ""
    energy, avoidable = '<span class="dim">absent</span>', ""
    if has_energy(view):
        states = {state: total.energy_mj for state, total in account.states.items()}
        energy = f"{kwh(account.energy_mj)} kWh{state_bar(states)}"
        share = percent(account.avoidable_mj, account.energy_mj)
        avoidable = f"{kwh(account.avoidable_mj)} kWh<small>{share}</small>"
    return (
        f"<tr><td>{index}</td>"
        f"<td>{escaped(identity.name or account.name)}<small>{escaped(identity.uuid)}</small>{owner}</td>"
        f"<td>{_state(view, now)}</td>"
        f'<td class="number">{_power(view)}</td>'
        f'<td class="number">{energy}</td>'
        f'<td class="number">{avoidable}</td>'
        f"<td>{_gaps(view)}</td></tr>\n"
    )


def _state(view: DeviceView, now: Instant) -> str:
    if not view.present:
        return '<span class="down">not listed any more</span>'
    if not view.reading.up:
        return f'<span class="down">does not answer</span><small>{escaped(_reasons(view))}</small>'
    if view.state is None:
        return '<span class="dim">not judged yet</span>'
    since = ""
    if view.state_since_wall_ns > 0:
        since = f"<small>for {duration(now.wall_ns - view.state_since_wall_ns)}</small>"
    detail = f"<small>{escaped(view.state_detail)}</small>" if view.state_detail else ""
    return f'<span class="state {view.state}">{view.state}</span>{since}{detail}'


def _power_mw(view: DeviceView) -> int | None:
    if not is_live(view):
        return None
    for quantity in _POWER:
        power_mw = view.reading.integer(quantity)
        if power_mw is not None:
            return power_mw
    return None


def _power(view: DeviceView) -> str:
    power_mw = _power_mw(view)
    if power_mw is None:
        reasons = {gap for quantity in _POWER if (gap := view.reading.gaps.get(quantity)) is not None}
        return f'<span class="dim">absent</span><small>{escaped(", ".join(sorted(reasons)))}</small>'
    limit_mw = view.reading.integer(Quantity.POWER_LIMIT_ENFORCED_MW)
    text = f"{watts(power_mw):,.1f} W"
    if not limit_mw:
        return text
    # A draw may pass the limit for a moment; the meter then shows full.
    meter = f'<meter min="0" max="{limit_mw}" value="{min(power_mw, limit_mw)}"></meter>'
    return f"{text}{meter}<small>of {watts(limit_mw):,.0f} W</small>"


def _idle_mj(account: DeviceAccount) -> int:
    return sum(total.energy_mj for state, total in account.states.items() if state in IDLE_STATES)


def _gaps(view: DeviceView) -> str:
    by_reason: dict[Gap, list[str]] = {}
    for quantity, gap in view.reading.gaps.items():
        by_reason.setdefault(gap, []).append(quantity)
    if not by_reason:
        return '<span class="dim">none</span>'
    listed = "".join(
        f"<small><b>{escaped(gap)}</b>: {escaped(', '.join(names))}</small>"
        for gap, names in sorted(by_reason.items())
    )
    return f"<details><summary>{len(view.reading.gaps)}</summary>{listed}</details>"


def _reasons(view: DeviceView) -> str:
    # What a device never offered says nothing about why it does not answer now.
    reasons = set(view.reading.gaps.values())
    return ", ".join(sorted(reasons - {Gap.UNSUPPORTED} or reasons)) or Gap.LOST
