"""Dashboard Waste: when GPUs burnt power and did no work, for whom, what it cost and how much could be saved."""

from . import units, variables
from .colours import STATES
from .links import to_host
from .panels import RISING, WHOLE_WIDTH, Column, Look, bars, heat, lines, number, stack, table, tile
from .queries import (
    BOARD,
    HOST,
    IDLE,
    KWH,
    RANGE,
    WASTED,
    Query,
    added,
    gpu_joule_price,
    kwh,
    now,
    owned,
    rate,
)
from .sheet import Row, Sheet

_ENERGY, _STATES = "wattledger_gpu_energy_joules_total", "wattledger_gpu_state_energy_joules_total"
_AVOIDABLE = "wattledger_gpu_avoidable_energy_joules_total"
_BOARD = "{{instance}} GPU {{gpu}}"
_MONEY_TEXT = (
    " Money is the energy times what a joule of the host's GPUs came to in the shown time, up to the chosen "
    "boundary: the losses of node and house are shared by energy."
)


def sheet() -> Sheet:
    """Give the dashboard."""
    return Sheet(
        name="waste",
        title="Waste",
        text="Power of GPUs that do no work: when, where, for whom, in kWh and money, and what of it could be saved.",
        variables=(
            variables.datasource(),
            variables.job(),
            variables.instances(),
            variables.owner(HOST),
            variables.namespace(),
            variables.currency(),
            variables.boundary(),
        ),
        alerts=HOST,
        rows=(_summary(), _when(), _whom(), _could_be_saved()),
        past="now-24h",
    )


def _summary() -> Row:
    idle = f"sum by (instance) (increase({_STATES}{{{HOST},{IDLE}}}{RANGE}))"
    avoidable = f"sum by (instance) (increase({_AVOIDABLE}{{{HOST}}}{RANGE}))"
    return Row(
        "Summary",
        (
            number(
                tile(
                    "Idle energy",
                    "Of held, allocated and parked GPUs in the shown time.",
                    units.KILOWATT_HOURS,
                ),
                now(kwh(_STATES, f"{HOST},{IDLE}")),
            ),
            number(
                tile("Idle share", "Of all energy of the GPUs.", units.RATIO, steps=RISING),
                now(f"{added(_STATES, f'{HOST},{IDLE}')} / ({added(_ENERGY, HOST)} > 0)"),
            ),
            number(
                tile(
                    "Avoidable",
                    "The part of it above the bare boards while processes held GPUs: what unloading would save.",
                    units.KILOWATT_HOURS,
                ),
                now(kwh(_AVOIDABLE, HOST)),
            ),
            number(
                tile("Idle, $currency", "What the idle energy cost." + _MONEY_TEXT, units.MONEY),
                now(_money(idle), "$currency"),
            ),
            number(
                tile("Avoidable, $currency", "What the avoidable energy cost." + _MONEY_TEXT, units.MONEY),
                now(_money(avoidable), "$currency"),
            ),
            number(
                tile(
                    "Idle time of GPUs",
                    "Hours of GPUs that did no work, all of them together.",
                    units.HOURS,
                ),
                now(f"{added('wattledger_gpu_state_seconds_total', f'{HOST},{IDLE}')} / 3600"),
            ),
        ),
    )


def _when() -> Row:
    return Row(
        "When and where",
        (
            heat(
                Look(
                    "Idle watts by hour and GPU",
                    "Mean power while the GPU did no work, hour by hour: dark rows are GPUs, dark columns nights and "
                    "weekends. Show a week to see them.",
                    units.WATTS,
                    width=WHOLE_WIDTH,
                    height=11,
                ),
                Query(rate(_STATES, f"{HOST},{IDLE}", by="instance, gpu"), _BOARD, step="1h"),
            ),
            stack(
                Look(
                    "Idle power by state",
                    "held: a process has it; allocated: given to someone, no process; parked: nobody has it.",
                    units.WATTS,
                    colours=STATES,
                ),
                Query(rate(_STATES, f"{HOST},{IDLE}", by="state"), "{{state}}"),
            ),
            table(
                Look(
                    "Idle now",
                    "GPUs that do no work now, for how long, and what they have drawn since then.",
                    units.SECONDS,
                    links=(to_host(from_table=True),),
                ),
                Column("State for", units.SECONDS, _if_idle("time() - wattledger_gpu_state_since_timestamp_seconds")),
                Column(
                    "Energy since",
                    units.KILOWATT_HOURS,
                    _if_idle("wattledger_gpu_state_episode_energy_joules", per=KWH),
                ),
                hidden=("uuid",),
                sort="State for",
            ),
        ),
    )


def _whom() -> Row:
    by_owner = f"increase({_STATES}{{{HOST},{WASTED}}}{RANGE})"
    owners = f"sum by (owner) ({owned(by_owner)})"
    owners_by_host = f"sum by (instance, owner) ({owned(by_owner)})"
    return Row(
        "For whom",
        (
            bars(
                Look(
                    "Worst owners",
                    "Idle energy in the shown time of the GPUs of each owner, held or allocated. By the owner of "
                    "now.",
                    units.KILOWATT_HOURS,
                    height=9,
                ),
                now(f"topk(15, {owners} / {KWH:.0f} > 0)", "{{owner}}"),
            ),
            bars(
                Look("Worst owners, $currency", "The same in money." + _MONEY_TEXT, units.MONEY, height=9),
                now(f"topk(15, {_money(owners_by_host, by='owner')} > 0)", "{{owner}} $currency"),
            ),
            table(
                Look(
                    "Worst workloads",
                    "Who held GPUs and did nothing, or was given GPUs and did not use them. The chosen namespaces "
                    "hold for pods; what is no pod has none." + _MONEY_TEXT,
                    units.KILOWATT_HOURS,
                    width=WHOLE_WIDTH,
                    height=10,
                    links=(to_host(from_table=True),),
                ),
                Column("Idle energy", units.KILOWATT_HOURS, f"{_of_workloads('energy_joules', WASTED)} / {KWH:.0f}"),
                Column("avoidable", units.KILOWATT_HOURS, f"{_of_workloads('avoidable_energy_joules')} / {KWH:.0f}"),
                Column(
                    "$currency",
                    units.MONEY,
                    f"{_of_workloads('energy_joules', WASTED)} * on (instance) group_left () {gpu_joule_price()}",
                ),
                Column("Idle time", units.SECONDS, _of_workloads("seconds", WASTED)),
                sort="Idle energy",
            ),
        ),
    )


def _could_be_saved() -> Row:
    board = f"sum by (instance, gpu) (increase({_STATES}{{{HOST},{IDLE}}}{RANGE})) / {KWH:.0f}"
    return Row(
        "What could be saved",
        (
            lines(
                Look(
                    "Avoidable power",
                    "What each GPU draws above its bare board while it is held and does no work.",
                    units.WATTS,
                ),
                Query(f"wattledger:gpu_avoidable_watts{{{HOST}}} > 0", _BOARD),
            ),
            lines(
                Look(
                    "Avoidable share of hosts",
                    "Avoidable over all power of the GPUs of a host. The line is where WattledgerHostAvoidablePower "
                    "begins.",
                    units.RATIO,
                ),
                Query(f"wattledger:host_avoidable_ratio{{{HOST}}}", "{{instance}}"),
                top=1,
                dashed=((0.2, "red"),),
            ),
            table(
                Look(
                    "Idle and avoidable energy by GPU",
                    "In the shown time. A GPU that is idle and hardly avoidable should go to someone else, or its "
                    "host be switched off.",
                    units.KILOWATT_HOURS,
                    height=10,
                    links=(to_host(from_table=True),),
                ),
                Column("Idle", units.KILOWATT_HOURS, board),
                Column(
                    "avoidable",
                    units.KILOWATT_HOURS,
                    f"sum by (instance, gpu) (increase({_AVOIDABLE}{{{HOST}}}{RANGE})) / {KWH:.0f}",
                ),
                sort="Idle",
            ),
            table(
                Look(
                    "Baselines",
                    "Draw without a process (bare) and with one that does nothing (context), and where the number "
                    "comes from: learnt on this board, configured, or a prior of its model.",
                    units.WATTS,
                    height=10,
                    links=(to_host(from_table=True),),
                ),
                Column(
                    "Baseline",
                    units.WATTS,
                    f"max by (instance, gpu, kind, origin) (wattledger_gpu_baseline_watts{{{HOST}}})",
                ),
            ),
        ),
    )


def _money(energy: str, *, by: str = "") -> str:
    """Give what *energy*, in joules by host, came to."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} ({energy} * on (instance) group_left () {gpu_joule_price()})"


def _if_idle(value: str, *, per: float = 1) -> str:
    """Give *value* of the boards that are idle now, with the state they are in."""
    state = f"max by ({BOARD}, state) (wattledger_gpu_state{{{HOST},{IDLE}}} == 1)"
    scaled = f"({value}{{{HOST}}})" if per == 1 else f"({value}{{{HOST}}} / {per:.0f})"
    return f"{state} * on ({BOARD}) group_left () {scaled}"


def _of_workloads(family: str, select: str = "") -> str:
    """Give what a counter of workloads grew by, of the chosen namespaces and of all that have none.

    A scrape that has a namespace of its own shows that of a pod as `exported_namespace`.
    """
    metric, rest = f"wattledger_workload_{family}_total", f",{select}" if select else ""
    parts = (
        'kind="pod",exported_namespace!="",exported_namespace=~"$namespace"',
        'kind="pod",exported_namespace="",namespace=~"$namespace"',
        'kind!~"pod|unattributed|folded"',
    )
    grown = " or ".join(f"increase({metric}{{{HOST}{rest},{part}}}{RANGE})" for part in parts)
    return f"sum by (instance, kind, workload) ({grown})"
