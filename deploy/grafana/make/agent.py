"""Dashboard Agent: whether the agents themselves are well, and what they cost."""

from . import units, variables
from .links import to_host
from .panels import WHOLE_WIDTH, Column, Look, lines, number, table, tile
from .queries import HOST, RANGE, RATE, Query, added, now
from .sheet import Row, Sheet

_SOURCE = f"max by (instance, source) ({{metric}}{{{{{HOST}}}}})"


def sheet() -> Sheet:
    """Give the dashboard."""
    return Sheet(
        name="agent",
        title="Agent",
        text="Whether the agents read, book, store and tell as they should, and what they and their scrapes cost.",
        variables=(variables.datasource(), variables.job(), variables.instances()),
        alerts=HOST,
        rows=(_summary(), _source(), _ledger(), _cost(), _rules(), _meters()),
    )


def _summary() -> Row:
    return Row(
        "Summary",
        (
            number(
                tile(
                    "Sources that fail",
                    "Hosts whose last reading of the GPUs failed.",
                    units.COUNT,
                    steps=((1, "red"),),
                ),
                now(f"sum(1 - wattledger_source_success{{{HOST}}})"),
            ),
            number(
                tile("Scrapes that fail", "Of Prometheus itself.", units.COUNT, steps=((1, "red"),)),
                now(f'sum(1 - up{{job=~"$job",{HOST}}})'),
            ),
            number(
                tile(
                    "Oldest sample",
                    "Age of the sample that a page shows.",
                    units.SECONDS,
                    steps=((30, "orange"), (300, "red")),
                ),
                now(f"max(time() - wattledger_sample_timestamp_seconds{{{HOST}}})"),
            ),
            number(
                tile(
                    "Ledgers not writable",
                    "Books that do not reach the disk.",
                    units.COUNT,
                    steps=((1, "red"),),
                ),
                now(f"sum(1 - wattledger_ledger_writable{{{HOST}}})"),
            ),
            number(
                tile(
                    "Samplers replaced",
                    "In the shown time.",
                    units.COUNT,
                    steps=((1, "orange"), (5, "red")),
                ),
                now(added("wattledger_source_restarts_total", HOST)),
            ),
            number(
                tile(
                    "Configurations refused",
                    "Hosts on which an older configuration is in force because the file is wrong.",
                    units.COUNT,
                    steps=((1, "orange"),),
                ),
                now(f"sum(1 - wattledger_config_last_reload_successful{{{HOST}}})"),
            ),
        ),
    )


def _source() -> Row:
    return Row(
        "Source of samples",
        (
            lines(
                Look("Time to read a sample", "One reading of all GPUs.", units.SECONDS),
                Query(_SOURCE.format(metric="wattledger_source_duration_seconds"), "{{instance}} {{source}}"),
            ),
            lines(
                Look("Tick", "Time to account, store and evaluate a sample.", units.SECONDS),
                Query(f"wattledger_tick_duration_seconds{{{HOST}}}", "{{instance}}"),
            ),
            lines(
                Look(
                    "Missed samples, replaced and abandoned samplers",
                    "In each shown step; abandoned are those that hang in a driver call and cannot be killed yet.",
                    units.COUNT,
                ),
                Query(
                    f"sum by (instance) (increase(wattledger_source_missed_ticks_total{{{HOST}}}{RATE}))",
                    "{{instance}} missed",
                ),
                Query(
                    f"sum by (instance) (increase(wattledger_source_restarts_total{{{HOST}}}{RATE}))",
                    "{{instance}} replaced",
                ),
                Query(f"wattledger_source_abandoned_samplers{{{HOST}}}", "{{instance}} abandoned"),
            ),
            lines(
                Look("Driver calls", "Calls into the driver library a second.", units.PER_SECOND),
                Query(
                    f"sum by (instance) (rate(wattledger_source_driver_calls_total{{{HOST}}}{RATE}))", "{{instance}}"
                ),
            ),
            table(
                Look(
                    "Why sources fail",
                    "Empty while all sources succeed.",
                    units.COUNT,
                    width=8,
                    links=(to_host(from_table=True),),
                ),
                Column(
                    "Now",
                    units.COUNT,
                    f"max by (instance, source, reason) (wattledger_source_failure_info{{{HOST}}})",
                ),
            ),
            table(
                Look(
                    "Versions",
                    "Of the agent and of the driver. Source sim is a simulated host: nothing of it is measured.",
                    units.COUNT,
                    width=16,
                    links=(to_host(from_table=True),),
                ),
                Column(
                    "Up for",
                    units.SECONDS,
                    f"max by (instance, version, source) (wattledger_build_info{{{HOST}}}) * on (instance) "
                    f"group_left () (time() - wattledger_agent_start_time_seconds{{{HOST}}})",
                ),
                sort="Up for",
            ),
        ),
    )


def _ledger() -> Row:
    return Row(
        "Ledger and workloads",
        (
            lines(
                Look("Size of the ledger", "On disk.", units.BYTES, width=8),
                Query(f"wattledger_ledger_size_bytes{{{HOST}}}", "{{instance}}"),
            ),
            lines(
                Look("Age of the last write", "That succeeded.", units.SECONDS, width=8),
                Query(f"time() - wattledger_ledger_last_commit_timestamp_seconds{{{HOST}}}", "{{instance}}"),
            ),
            lines(
                Look(
                    "Workloads over their limit",
                    "1 is workloads.limit: what is beyond it shares kind=folded. Folded are counted on their own.",
                    units.RATIO,
                    width=8,
                ),
                Query(f"wattledger_workloads{{{HOST}}} / (wattledger_workloads_limit{{{HOST}}} > 0)", "{{instance}}"),
            ),
            number(
                Look("Writes that failed", "In the shown time.", units.COUNT, width=8, height=5, steps=((1, "red"),)),
                now(added("wattledger_ledger_commit_failures_total", HOST)),
            ),
            number(
                Look(
                    "Workloads folded",
                    "Now, on all chosen hosts.",
                    units.COUNT,
                    width=8,
                    height=5,
                    steps=((1, "orange"),),
                ),
                now(f"sum(wattledger_workloads_folded{{{HOST}}})"),
            ),
            number(
                Look(
                    "Processes whose workload is not known",
                    "By reason.",
                    units.COUNT,
                    width=8,
                    height=5,
                    steps=((1, "orange"),),
                ),
                now(f"sum by (reason) (wattledger_gpu_holding_processes_unresolved{{{HOST}}})", "{{reason}}"),
            ),
        ),
    )


def _cost() -> Row:
    return Row(
        "What it costs",
        (
            lines(
                Look("CPU", "Cores that daemon and sampler take together.", units.RATIO, width=8),
                Query(f"rate(wattledger_agent_cpu_seconds_total{{{HOST}}}{RATE})", "{{instance}}"),
            ),
            lines(
                Look("Memory", "Resident, of daemon and sampler together.", units.BYTES, width=8),
                Query(f"wattledger_agent_resident_memory_bytes{{{HOST}}}", "{{instance}}"),
            ),
            lines(
                Look("Time of a scrape", "As Prometheus measures it.", units.SECONDS, width=8),
                Query(f'scrape_duration_seconds{{job=~"$job",{HOST}}}', "{{instance}}"),
            ),
            lines(
                Look("Series of a scrape", "Samples that a page gives Prometheus.", units.COUNT, width=8),
                Query(f'scrape_samples_scraped{{job=~"$job",{HOST}}}', "{{instance}}"),
            ),
            lines(
                Look("Requests", "Answered a second, by status.", units.PER_SECOND, width=8),
                Query(f"sum by (code) (rate(wattledger_http_requests_total{{{HOST}}}{RATE}))", "{{code}}"),
            ),
            lines(
                Look("Requests refused", "For want of room, a second.", units.PER_SECOND, width=8),
                Query(f"rate(wattledger_http_refused_total{{{HOST}}}{RATE})", "{{instance}}"),
            ),
        ),
    )


def _rules() -> Row:
    failures, missed = "wattledger_rule_evaluation_failures_total", "wattledger_rule_group_missed_evaluations_total"
    return Row(
        "Rules and alerts of the hosts",
        (
            lines(
                Look("Time of groups of rules", "The last evaluation of each group.", units.SECONDS, width=8),
                Query(
                    f"max by (file, group) (wattledger_rule_group_duration_seconds{{{HOST}}})", "{{file}} {{group}}"
                ),
            ),
            lines(
                Look("Rules that fail, evaluations missed", "In each shown step.", units.COUNT, width=8),
                Query(f"sum by (instance) (increase({failures}{{{HOST}}}{RATE}))", "{{instance}} failed"),
                Query(f"sum by (instance) (increase({missed}{{{HOST}}}{RATE}))", "{{instance}} missed"),
            ),
            lines(
                Look("Memory of the history", "Of samples that the rules look back on.", units.BYTES, width=8),
                Query(f"wattledger_rule_history_bytes{{{HOST}}}", "{{instance}}"),
            ),
            table(
                Look(
                    "Receivers of alerts",
                    "In the shown time: alerts taken, attempts that failed, alerts lost; and what waits now. Empty "
                    "where no receiver is configured.",
                    units.COUNT,
                    width=WHOLE_WIDTH,
                ),
                Column("Taken", units.COUNT, _told("sent")),
                Column("Attempts failed", units.COUNT, _told("failed"), steps=((1, "orange"),)),
                Column("Lost", units.COUNT, _told("dropped"), steps=((1, "red"),)),
                Column(
                    "Waiting",
                    units.COUNT,
                    f"max by (instance, kind, receiver) (wattledger_notifications_queue_length{{{HOST}}})",
                ),
            ),
        ),
    )


def _meters() -> Row:
    return Row(
        "Meters of the node",
        (
            table(
                Look(
                    "Meters that answer",
                    "Whether the last reading of each kind of meter succeeded. Simulated hosts have none.",
                    units.COUNT,
                ),
                Column("Success", units.COUNT, _SOURCE.format(metric="wattledger_node_source_success")),
                Column("Took", units.SECONDS, _SOURCE.format(metric="wattledger_node_source_duration_seconds")),
            ),
            table(
                Look("Meters that give nothing", "With the reason.", units.COUNT),
                Column(
                    "Now",
                    units.COUNT,
                    f"max by (instance, source, reason) (wattledger_node_source_absent_info{{{HOST}}})",
                ),
            ),
        ),
    )


def _told(what: str) -> str:
    return f"sum by (instance, kind, receiver) (increase(wattledger_notifications_{what}_total{{{HOST}}}{RANGE}))"
