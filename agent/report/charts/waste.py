"""Who let devices idle: kilowatt-hours that they drew while an owner held or had been given them, with money."""

from collections.abc import Sequence

from wattledger.agent.report.words import AT, short_cost
from wattledger.exporter.landing_text import kwh, percent
from wattledger.rules.report.groups import Sum
from wattledger.rules.report.model import Group, Report
from wattledger.rules.usage.workload import WorkloadKind

from .bars import ROW_HEIGHT, Bar, bars
from .figure import Key, figure, missing
from .svg import chart

_MOST_BARS = 12
_HEADING = "Waste by owner"
_NOBODY = frozenset({WorkloadKind.UNATTRIBUTED, WorkloadKind.FOLDED})


def waste_chart(report: Report) -> str:
    """Give the section: those with the most idle energy first, the rest as one bar."""
    wasteful = sorted(
        (group for group in report.owners if group.sum.idle_mj),
        key=lambda group: (-group.sum.idle_mj, group.name, group.detail),
    )
    if not wasteful:
        return missing("waste", _HEADING, "Nobody held or was given a GPU that idled.")
    shown = wasteful[:_MOST_BARS] if len(wasteful) > _MOST_BARS + 1 else wasteful
    drawn = [_bar(group, report) for group in shown]
    left = wasteful[len(shown) :]
    if left:
        drawn.append(_bar(Group(f"{len(left)} more", "", sum((group.sum for group in left), Sum()), 0), report))
    summary = _summary(report, wasteful)
    keys = [Key("idle", "held or given, and idle")]
    if any(group.sum.avoidable_mj for group in shown):
        keys.append(Key("idle part", "of it above the draw of a GPU that nobody holds: avoidable at once"))
    if any(group.detail in _NOBODY for group in shown):
        keys.append(Key("nobody", "of nobody, or not known whose"))
    picture = chart(f"{_HEADING}. {summary}", ROW_HEIGHT * len(drawn), bars(drawn))
    return figure("waste", _HEADING, summary, keys, picture)


def _bar(group: Group, report: Report) -> Bar:
    came_to = group.sum
    paid = _money_words(came_to, report.currency)
    words = f"{kwh(came_to.idle_mj)} kWh" + (f" · {paid}" if paid else "")
    tip = (
        f"{group.name} {group.detail}\n{words} while idle\n"
        f"{percent(came_to.idle_mj, came_to.energy_mj)} of its {kwh(came_to.energy_mj)} kWh\n"
        f"{kwh(came_to.avoidable_mj)} kWh of it avoidable"
    )
    kind = "nobody" if group.detail in _NOBODY else "idle"
    detail = group.detail if group.detail != group.name else ""
    return Bar(group.name, detail, came_to.idle_mj, came_to.avoidable_mj, words, kind, tip)


def _money_words(came_to: Sum, currency: str) -> str:
    """Give what the idle energy cost; empty where no price of it is known."""
    if not currency or not came_to.idle_priced.priced_mj:
        return ""
    return f"{short_cost(came_to.idle_priced, share=came_to.priced_share)} {currency}"


def _summary(report: Report, wasteful: Sequence[Group]) -> str:
    idle_mj = sum(group.sum.idle_mj for group in wasteful)
    owned = [group for group in wasteful if group.detail not in _NOBODY]
    if not owned:
        return f"{kwh(idle_mj)} kWh were drawn by GPUs that idled, none of it by GPUs that somebody held."
    first = owned[0]
    money_words = f" Money is what that energy cost, {AT[report.boundary]}." if report.currency else ""
    return (
        f"{first.name} ({first.detail}) let GPUs idle for {kwh(first.sum.idle_mj)} kWh, "
        f"{percent(first.sum.idle_mj, idle_mj)} of all {kwh(idle_mj)} kWh of idle energy.{money_words}"
    )
