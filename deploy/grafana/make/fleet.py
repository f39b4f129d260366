"""Dashboard Fleet: all hosts by what the rules of pack fleet record, and the hosts themselves."""

from . import units, variables
from .colours import ACCOUNTINGS, STATES
from .links import to_host, to_waste
from .panels import RISING, WHOLE_WIDTH, Column, Look, bars, lines, number, stack, table, tile
from .queries import CLUSTER, Query, added, now, recorded_kwh
from .sheet import Row, Sheet

_STATE_WATTS = "wattledger:cluster_state_watts:rate5m"
_WATTS, _IDLE = "wattledger:cluster_energy_watts:rate5m", "wattledger:cluster_idle_watts:rate5m"


def sheet() -> Sheet:
    """Give the dashboard."""
    return Sheet(
        name="fleet",
        title="Fleet",
        text="All hosts: power, energy, idle share, the worst wasters, and which host to look at. It reads what the "
        "rules of packs fleet and idle record in Prometheus, so that it stays fast with many GPUs.",
        variables=(
            variables.datasource(),
            variables.cluster(),
            variables.owner(CLUSTER),
            variables.currency(),
            variables.boundary(),
        ),
        alerts=CLUSTER,
        rows=(_summary(), _over_time(), _wasters(), _hosts()),
        past="now-24h",
    )


def _summary() -> Row:
    return Row(
        "Summary",
        (
            number(
                tile("Power", "Mean of the last five minutes, by the energy counters.", units.WATTS),
                now(f"sum({_WATTS}{{{CLUSTER}}})"),
            ),
            number(
                tile("GPUs", "That answer and have a state.", units.COUNT),
                now(f"sum(wattledger:cluster_state_gpus{{{CLUSTER}}})"),
            ),
            number(
                tile("Hosts", "That are scraped and show a sample.", units.COUNT),
                now(f"count(wattledger_sample_timestamp_seconds{{{CLUSTER}}})"),
            ),
            number(
                tile(
                    "Energy",
                    "In the shown time, from the recorded means. Time without samples counts as nothing.",
                    units.KILOWATT_HOURS,
                ),
                now(recorded_kwh(_WATTS, CLUSTER)),
            ),
            number(
                tile(
                    "Idle share",
                    "Share of that energy while GPUs did no work: held, allocated or parked.",
                    units.RATIO,
                    steps=RISING,
                ),
                now(f"{recorded_kwh(_IDLE, CLUSTER)} / ({recorded_kwh(_WATTS, CLUSTER)} > 0)"),
            ),
            number(
                tile(
                    "Avoidable power",
                    "What held GPUs draw above their bare boards, as a mean of five minutes.",
                    units.WATTS,
                ),
                now(f"sum(wattledger:cluster_avoidable_watts:rate5m{{{CLUSTER}}})"),
            ),
            number(
                Look(
                    "Cost, $currency",
                    "Of the energy in the shown time, up to the chosen boundary. Hosts without a tariff are not in "
                    "it.",
                    units.MONEY,
                    width=8,
                    height=4,
                ),
                now(
                    added(
                        "wattledger_cost_total",
                        f'{CLUSTER},currency="$currency",boundary="$boundary"',
                        by="currency",
                    ),
                    "{{currency}}",
                ),
            ),
            number(
                Look(
                    "CO2 by both accounts",
                    "In the shown time, up to the chosen boundary. location is the mix of the grid, market contracts "
                    "and certificates; they answer different questions and are never added up.",
                    units.GRAMS,
                    width=8,
                    height=4,
                    colours=ACCOUNTINGS,
                ),
                now(
                    added("wattledger_emissions_grams_total", f'{CLUSTER},boundary="$boundary"', by="accounting"),
                    "{{accounting}}",
                ),
            ),
            number(
                Look(
                    "Alerts that fire",
                    "By severity. An alert that the host and Prometheus both tell of counts once.",
                    units.COUNT,
                    width=8,
                    height=4,
                    steps=((1, "orange"),),
                ),
                now(
                    "count by (severity) (max without (alertstate) (ALERTS"
                    f'{{{CLUSTER},alertstate="firing",alertname=~"Wattledger.*"}}))',
                    "{{severity}}",
                ),
            ),
        ),
    )


def _over_time() -> Row:
    return Row(
        "Over time",
        (
            stack(
                Look(
                    "Power by state",
                    "Means of five minutes; the areas add up to the whole.",
                    units.WATTS,
                    colours=STATES,
                ),
                Query(f"sum by (state) ({_STATE_WATTS}{{{CLUSTER}}})", "{{state}}"),
            ),
            stack(
                Look("GPUs by state", "GPUs that do not answer are in none.", units.COUNT, colours=STATES),
                Query(f"sum by (state) (wattledger:cluster_state_gpus{{{CLUSTER}}})", "{{state}}"),
            ),
            stack(
                Look("Power by cluster", "The label cluster is one of your scrape configuration.", units.WATTS),
                Query(f"sum by (cluster) ({_WATTS}{{{CLUSTER}}})", "{{cluster}}"),
            ),
            lines(
                Look("Idle share by cluster", "Idle over all power, means of five minutes.", units.RATIO),
                Query(
                    f"sum by (cluster) ({_IDLE}{{{CLUSTER}}}) / (sum by (cluster) ({_WATTS}{{{CLUSTER}}}) > 0)",
                    "{{cluster}}",
                ),
                top=1,
            ),
            stack(
                Look("Power by model of GPU", "Means of five minutes.", units.WATTS),
                Query(f"sum by (name) (wattledger:model_energy_watts:rate5m{{{CLUSTER}}})", "{{name}}"),
            ),
            lines(
                Look(
                    "Joules per output token by served model",
                    "Energy over tokens of all services that serve a model, with the idle share (scope total); not a "
                    "mean of ratios. Services whose ratio is withheld are not in it.",
                    units.JOULES,
                ),
                Query(
                    f'wattledger:served_model_joules_per_token:ratio5m{{{CLUSTER},per="output",scope="total"}}',
                    "{{cluster}} {{model}}",
                ),
            ),
        ),
    )


def _wasters() -> Row:
    def worst(series: str, label: str, select: str) -> str:
        return f"topk(10, {recorded_kwh(series, select, by=label)} > 0)"

    owner = f'{CLUSTER},owner=~"$owner"'
    return Row(
        "Who wastes most: energy in the shown time of GPUs that were held or allocated and did no work",
        (
            bars(
                Look(
                    "By owner",
                    "Owners as the hosts' configurations name them. A click leads to their waste.",
                    unit=units.KILOWATT_HOURS,
                    width=6,
                    height=9,
                    links=(to_waste(),),
                ),
                now(worst("wattledger:owner_idle_watts:rate5m", "owner", owner), "{{owner}}"),
            ),
            bars(
                Look("By namespace", "Of pods.", units.KILOWATT_HOURS, width=6, height=9),
                now(worst("wattledger:namespace_idle_watts:rate5m", "namespace", CLUSTER), "{{namespace}}"),
            ),
            bars(
                Look(
                    "By user",
                    "Of workloads whose user is known; they may be Slurm jobs too.",
                    units.KILOWATT_HOURS,
                    width=6,
                    height=9,
                ),
                now(worst("wattledger:user_idle_watts:rate5m", "user", CLUSTER), "{{user}}"),
            ),
            bars(
                Look("By Slurm job", "Over all hosts of a job.", units.KILOWATT_HOURS, width=6, height=9),
                now(worst("wattledger:slurm_job_idle_watts:rate5m", "slurm_job", CLUSTER), "{{slurm_job}}"),
            ),
        ),
    )


def _hosts() -> Row:
    def of_host(series: str) -> str:
        return f"max by (cluster, instance) ({series}{{{CLUSTER}}})"

    states = f'wattledger_gpu_state{{{CLUSTER},state=~"held|allocated|parked"}}'
    return Row(
        "Hosts",
        (
            table(
                Look(
                    "Hosts one by one",
                    "A click on a host leads to it. The age is that of the sample its page shows.",
                    units.WATTS,
                    width=WHOLE_WIDTH,
                    height=10,
                    links=(to_host(from_table=True),),
                ),
                Column("Power", units.WATTS, of_host("wattledger:host_gpu_power_watts")),
                Column("avoidable", units.WATTS, of_host("wattledger:host_avoidable_watts")),
                Column("avoidable share", units.RATIO, of_host("wattledger:host_avoidable_ratio"), steps=RISING),
                Column("Idle GPUs", units.COUNT, f"sum by (cluster, instance) ({states})"),
                Column(
                    "GPUs without answer",
                    units.COUNT,
                    f"sum by (cluster, instance) (1 - wattledger_gpu_up{{{CLUSTER}}})",
                    steps=((1, "red"),),
                ),
                Column(
                    "Age of the sample",
                    units.SECONDS,
                    f"max by (cluster, instance) (time() - wattledger_sample_timestamp_seconds{{{CLUSTER}}})",
                    steps=((30, "orange"), (300, "red")),
                ),
                sort="Power",
            ),
        ),
    )
