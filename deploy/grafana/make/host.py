"""Dashboard Host: one host, GPU by GPU: watts, states, who has what, heat, errors."""

from . import units, variables
from .colours import STATES
from .links import to_host
from .panels import RISING, WHOLE_WIDTH, Column, Look, bars, lines, number, stack, table, tile, timeline
from .queries import GPU, HOST, IDLE, RATE, Query, added, coded, kwh, now, power, rate
from .sheet import Row, Sheet

_BOARD = "GPU {{gpu}}"
_WORKLOAD = "gpu, kind, workload"
_COST = 'currency="$currency",boundary="$boundary"'


def sheet() -> Sheet:
    """Give the dashboard."""
    return Sheet(
        name="host",
        title="Host",
        text="One host, GPU by GPU: what each draws and does, who has it, how hot it is and what went wrong.",
        variables=(
            variables.datasource(),
            variables.job(),
            variables.instance(),
            variables.gpu(),
            variables.currency(),
            variables.boundary(),
        ),
        alerts=HOST,
        rows=(_summary(), _power(), _states(), _usage(), _sensors(), _errors()),
    )


def _summary() -> Row:
    energy, states = "wattledger_gpu_energy_joules_total", "wattledger_gpu_state_energy_joules_total"
    idle = f"{added(states, f'{GPU},{IDLE}')} / ({added(energy, GPU)} > 0)"
    return Row(
        "Summary",
        (
            number(
                tile("Power now", "What the chosen GPUs draw now, all together.", units.WATTS),
                now(f"sum({power(GPU)})"),
            ),
            number(
                tile(
                    "Energy",
                    "Energy of the chosen GPUs in the shown time, by the counter.",
                    units.KILOWATT_HOURS,
                ),
                now(kwh(energy, GPU)),
            ),
            number(
                tile(
                    "Idle share",
                    "Share of that energy while GPUs did no work: held, allocated or parked. What is unobserved or "
                    "unknown is in the whole and not in the share.",
                    units.RATIO,
                    steps=RISING,
                ),
                now(idle),
            ),
            number(
                tile(
                    "Avoidable",
                    "Energy above the bare boards while processes held GPUs and did no work.",
                    units.KILOWATT_HOURS,
                ),
                now(kwh("wattledger_gpu_avoidable_energy_joules_total", GPU)),
            ),
            number(
                tile(
                    "Cost of the host, $currency",
                    "What the energy of all GPUs of the host cost in the shown time, up to the chosen boundary.",
                    units.MONEY,
                ),
                now(added("wattledger_cost_total", f"{HOST},{_COST}", by="currency"), "{{currency}}"),
            ),
            number(
                tile(
                    "GPUs that do not answer",
                    "Listed or known to the ledger, and without an answer now.",
                    units.COUNT,
                    steps=((1, "red"),),
                ),
                now(f"sum(1 - wattledger_gpu_up{{{GPU}}})"),
            ),
        ),
    )


def _power() -> Row:
    return Row(
        "Power",
        (
            stack(
                Look(
                    "Power by GPU",
                    "The mean over the last second where the board gives one, else the driver's latest value.",
                    units.WATTS,
                ),
                Query(f"sum by (gpu) ({power(GPU)})", _BOARD),
            ),
            stack(
                Look(
                    "Power by state",
                    "Mean power by what the GPUs were doing, from the energy counters: the areas add up to the "
                    "whole. Energy of the time in which the agent was down comes at once, as unobserved.",
                    units.WATTS,
                    colours=STATES,
                ),
                Query(rate("wattledger_gpu_state_energy_joules_total", GPU, by="state"), "{{state}}"),
            ),
            lines(
                Look(
                    "Power over the limit in force",
                    "1 is the power limit that is enforced now.",
                    units.RATIO,
                ),
                Query(
                    f"sum by (gpu) ({power(GPU)} / on (instance, gpu, uuid) "
                    f'wattledger_gpu_power_limit_watts{{{GPU},limit="enforced"}})',
                    _BOARD,
                ),
                top=1.2,
                dashed=((1, "red"),),
            ),
            lines(
                Look(
                    "Power of the node by its meters",
                    "Each meter by itself: node contains everything, psys the packages, and so on. They are not to "
                    "be added up. Empty where the host has no meter that may be read.",
                    units.WATTS,
                ),
                Query(f"wattledger_node_power_watts{{{HOST}}}", "{{domain}} by {{source}}"),
            ),
        ),
    )


def _states() -> Row:
    state = coded("wattledger_gpu_state", "state", GPU, values=tuple(STATES), by="instance, gpu")
    return Row(
        "States",
        (
            timeline(
                Look(
                    "State by GPU",
                    "active: work ran; held: a process has it and does nothing; allocated: given to someone, no "
                    "process; parked: nobody has it; unobserved: the agent was down; unknown: signals are missing.",
                    units.COUNT,
                    width=16,
                    height=9,
                ),
                Query(state, _BOARD),
                STATES,
            ),
            bars(
                Look(
                    "Time by state",
                    "Of all chosen GPUs together, in the shown time.",
                    units.SECONDS,
                    width=8,
                    height=9,
                    colours=STATES,
                ),
                now(added("wattledger_gpu_state_seconds_total", GPU, by="state"), "{{state}}"),
            ),
        ),
    )


def _usage() -> Row:
    energy, avoidable = "wattledger_workload_energy_joules_total", "wattledger_workload_avoidable_energy_joules_total"
    return Row(
        "Who has what",
        (
            table(
                Look(
                    "Workloads",
                    "Each joule of a GPU is in exactly one row. kind unattributed belongs to nobody, folded is what "
                    "workloads beyond workloads.limit used together.",
                    units.WATTS,
                    width=WHOLE_WIDTH,
                    height=9,
                ),
                Column("Power", units.WATTS, rate(energy, GPU, by=_WORKLOAD)),
                Column("Energy", units.KILOWATT_HOURS, kwh(energy, GPU, by=_WORKLOAD)),
                Column("of it idle", units.KILOWATT_HOURS, kwh(energy, f"{GPU},{IDLE}", by=_WORKLOAD)),
                Column("avoidable", units.KILOWATT_HOURS, kwh(avoidable, GPU, by=_WORKLOAD)),
                sort="Energy",
            ),
            stack(
                Look(
                    "Power by workload",
                    "The twelve with the most power at each moment.",
                    units.WATTS,
                    width=16,
                ),
                Query(f"topk(12, {rate(energy, GPU, by='kind, workload')})", "{{kind}} {{workload}}"),
            ),
            bars(
                Look(
                    "How parts were told",
                    "Energy in the shown time by how a workload's part was determined: exclusive, sm_share "
                    "(measured), estimated (MIG), equal (nothing tells holders apart), allocated, remainder.",
                    units.KILOWATT_HOURS,
                    width=8,
                ),
                now(kwh(energy, GPU, by="method"), "{{method}}"),
            ),
        ),
    )


def _sensors() -> Row:
    return Row(
        "Heat, clocks and use",
        (
            lines(
                Look("Temperature", "By GPU and sensor.", units.CELSIUS),
                Query(f"wattledger_gpu_temperature_celsius{{{GPU}}}", "GPU {{gpu}} {{sensor}}"),
            ),
            lines(
                Look(
                    "Degrees below the slowdown",
                    "How far the sensor of the GPU is below the temperature at which the device slows down.",
                    units.CELSIUS,
                ),
                Query(
                    f'wattledger_gpu_temperature_limit_celsius{{{GPU},limit="slowdown"}} - on (instance, gpu, uuid) '
                    f'wattledger_gpu_temperature_celsius{{{GPU},sensor="gpu"}}',
                    _BOARD,
                ),
                dashed=((5, "green"),),
            ),
            lines(
                Look(
                    "Clocks held down",
                    "Share of the time in which a reason held the clocks down. Reasons overlap: they do not add up.",
                    units.RATIO,
                ),
                Query(f"rate(wattledger_gpu_throttle_seconds_total{{{GPU}}}{RATE}) > 0", "GPU {{gpu}} {{reason}}"),
                top=1,
            ),
            lines(
                Look("SM clock", "Present clock of the SMs.", units.HERTZ),
                Query(f'wattledger_gpu_clock_hertz{{{GPU},domain="sm"}}', _BOARD),
            ),
            lines(
                Look(
                    "Utilisation and SM activity",
                    "Utilisation is 1 as soon as one kernel runs; SM activity says how much of the device worked "
                    "(Hopper and newer).",
                    units.RATIO,
                ),
                Query(f"wattledger_gpu_utilization_ratio{{{GPU}}}", "GPU {{gpu}} utilisation"),
                Query(f"wattledger_gpu_sm_activity_ratio{{{GPU}}}", "GPU {{gpu}} SM activity"),
                top=1,
            ),
            lines(
                Look("Memory in use", "Device memory that processes hold, over its size.", units.RATIO),
                Query(
                    f"wattledger_gpu_memory_used_bytes{{{GPU}}} / wattledger_gpu_memory_size_bytes{{{GPU}}}",
                    _BOARD,
                ),
                top=1,
            ),
        ),
    )


def _errors() -> Row:
    unknown = "wattledger_gpu_energy_unknown_seconds_total"
    return Row(
        "Errors and trust",
        (
            table(
                Look(
                    "Alerts that fire",
                    "Of the host's own rules or of Prometheus: what each means is in docs/alerts.md.",
                    units.COUNT,
                    links=(to_host(from_table=True),),
                ),
                Column(
                    "Firing",
                    units.COUNT,
                    "max by (alertname, severity, instance, gpu, owner, workload, service) "
                    f'(ALERTS{{{HOST},alertstate="firing"}})',
                ),
                hidden=("instance",),
            ),
            lines(
                Look(
                    "Xid errors",
                    "Error events of the driver by NVIDIA's number, since the books began. Each step up is one, and "
                    "so is where a line begins.",
                    units.COUNT,
                ),
                # The counter is born with its first event, of which there is no increase.
                Query(f"wattledger_gpu_xid_errors_total{{{GPU}}}", "GPU {{gpu}} Xid {{xid}}"),
            ),
            lines(
                Look("ECC errors", "By the driver's volatile counters, in each shown step.", units.COUNT),
                Query(f"increase(wattledger_gpu_ecc_errors_total{{{GPU}}}{RATE})", "GPU {{gpu}} {{kind}}"),
            ),
            lines(
                Look(
                    "Counter against power",
                    "Energy by the hardware counter over energy by integrated power: 1 is agreement.",
                    units.RATIO,
                ),
                Query(f"wattledger_gpu_counter_divergence_ratio{{{GPU}}}", _BOARD),
            ),
            bars(
                Look(
                    "Time without known energy",
                    "Up to a reset of the counter, or in a segment that was rejected, in the shown time.",
                    units.SECONDS,
                    width=8,
                    steps=((1, "orange"),),
                ),
                now(added(unknown, GPU, by="gpu"), _BOARD),
            ),
            table(
                Look(
                    "Values that could not be read",
                    "A value is never replaced by 0 or by an older one: it is absent, with this reason.",
                    units.COUNT,
                    width=16,
                ),
                Column("GPUs", units.COUNT, f"count by (value, reason) (wattledger_gpu_absent_info{{{GPU}}})"),
            ),
        ),
    )
