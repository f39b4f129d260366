"""Queries of panels, and the selectors and terms that several of them share; what is drawn of them is not known here.

A term never adds up what contains or repeats another: states, layers and phases are parts of a whole; accountings,
boundaries, scopes, domains of meters and kinds of tokens are not.
"""

from dataclasses import dataclass

RANGE, RATE = "[$__range]", "[$__rate_interval]"
KWH = 3.6e6
IDLE = 'state=~"held|allocated|parked"'
WASTED = 'state=~"held|allocated"'  # parked boards are nobody's
BOARD = "instance, gpu, uuid"

HOST = 'instance=~"$instance"'
GPU = f'{HOST},gpu=~"$gpu"'
CLUSTER = 'cluster=~"$cluster"'
SERVICE = f'{HOST},service=~"$service"'


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel. *legend* takes labels as `{{gpu}}`; *step* is the least time between two points.

    An *instant* one gives one value a series, as of the end of the shown time.
    """

    expr: str
    legend: str = ""
    instant: bool = False
    step: str = ""


def now(expr: str, legend: str = "") -> Query:
    """Give a query of one value a series."""
    return Query(expr, legend, instant=True)


def power(select: str) -> str:
    """Give the power of each board: the mean over a second where it gives one, else the driver's latest value."""
    return (
        f'(sum without (reading) (wattledger_gpu_power_watts{{{select},reading="average"}}) or '
        f'sum without (reading) (wattledger_gpu_power_watts{{{select},reading="instant"}}))'
    )


def added(metric: str, select: str, *, by: str = "") -> str:
    """Give what a counter grew by in the shown time."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (increase({metric}{{{select}}}{RANGE}))"


def kwh(metric: str, select: str, *, by: str = "") -> str:
    """Give the kilowatt-hours that a counter of joules grew by in the shown time."""
    return f"{added(metric, select, by=by)} / {KWH:.1e}".replace("e+06", "e6")


def rate(metric: str, select: str, *, by: str) -> str:
    """Give the growth of a counter a second, by labels."""
    return f"sum by ({by}) (rate({metric}{{{select}}}{RATE}))"


def recorded_kwh(series: str, select: str, *, by: str = "") -> str:
    """Give the kilowatt-hours of recorded watts over the shown time.

    Points are five minutes apart however often the rule is evaluated, and minutes without one count as nothing.
    """
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (sum_over_time({series}{{{select}}}[$__range:5m])) * 300 / 3.6e6"


def owned(expr: str, *, owner: str = 'owner=~"$owner"') -> str:
    """Give *expr*, of boards, with the owner that the configuration gives each; boards without one are left out."""
    owners = f"max by ({BOARD}, owner) (wattledger_gpu_owner_info{{{HOST},{owner}}})"
    return f"{expr} * on ({BOARD}) group_left (owner) {owners}"


def gpu_joule_price() -> str:
    """Give, by host, what a joule of its GPUs came to in the shown time, at the boundary that is chosen."""
    cost = added("wattledger_cost_total", f'{HOST},currency="$currency",boundary="$boundary"', by="instance")
    energy = added("wattledger_gpu_energy_joules_total", HOST, by="instance")
    return f"({cost} / ({energy} > 0))"


def coded(metric: str, label: str, select: str, *, values: tuple[str, ...], by: str) -> str:
    """Give one number for which of *values* a family has now in *label*: 1 for the first, 2 for the next."""
    parts = (
        f'{number} * (max by ({by}) ({metric}{{{select},{label}="{value}"}}) == 1)'
        for number, value in enumerate(values, start=1)
    )
    return " or ".join(parts)
