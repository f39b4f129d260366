"""Dashboard Tokens: what a token takes in joules, grams and money, and why a number is not shown where it is not."""

from . import units, variables
from .colours import PHASES
from .panels import WHOLE_WIDTH, Column, Look, bars, lines, number, stack, table, timeline
from .queries import KWH, RANGE, RATE, SERVICE, Query, now, rate
from .sheet import Row, Sheet

_RATIO = f'{SERVICE},per="$per",scope="$scope"'
_TOKENS, _ENERGY = "wattledger_service_tokens_total", "wattledger_service_energy_joules_total"
_NAMED = "{{service}} {{model}}"
_PER_TEXT = (
    " per output, total (prompt and output), computed (prompt that was not cached, and output), prefill, decode or "
    "training; scope active is while the devices worked, total with the idle share. Absent where it is withheld."
)
_WITHHELD = {"withheld": "orange"}


def sheet() -> Sheet:
    """Give the dashboard."""
    return Sheet(
        name="tokens",
        title="Tokens",
        text="Joules, grams and money of a token beside tokens a second, service by service; where a number is "
        "withheld, why; and what energy went into besides tokens.",
        variables=(
            variables.datasource(),
            variables.job(),
            variables.instances(),
            variables.service(),
            variables.choice("per", "Per token of", "output", "total", "computed", "prefill", "decode", "training"),
            variables.choice("scope", "Energy", "total", "active"),
            variables.choice("accounting", "CO2 by", "location", "market"),
            variables.currency(),
        ),
        alerts=SERVICE,
        rows=(_per_token(), _trust(), _energy(), _serving()),
    )


def _per_token() -> Row:
    return Row(
        "A token",
        (
            lines(
                Look(
                    "Joules per token",
                    "As the hosts show it, over the window of each service." + _PER_TEXT,
                    units.JOULES,
                ),
                Query(f"wattledger_service_joules_per_token{{{_RATIO}}}", _NAMED),
            ),
            lines(
                Look(
                    "Tokens a second",
                    "Output tokens over the same window; of a prefill server computed prompt tokens. Joules per "
                    "token fall where this rises: compare at like load.",
                    units.TOKENS_PER_SECOND,
                ),
                Query(f"wattledger_service_tokens_per_second{{{SERVICE}}}", "{{service}}"),
            ),
            lines(
                Look(
                    "CO2 per token",
                    "By the chosen account, up to the widest boundary that is known, which the legend names."
                    + _PER_TEXT,
                    units.GRAMS,
                ),
                Query(
                    f'wattledger_service_grams_per_token{{{_RATIO},accounting="$accounting"}}',
                    f"{_NAMED} ({{{{accounting}}}}, {{{{boundary}}}})",
                ),
            ),
            lines(
                Look(
                    "Cost of a million tokens, $currency",
                    "Up to the widest boundary that is known, which the legend names." + _PER_TEXT,
                    units.MONEY,
                ),
                Query(
                    f'wattledger_service_cost_per_token{{{_RATIO},currency="$currency"}} * 1e6',
                    f"{_NAMED} ({{{{boundary}}}}) {{{{currency}}}}",
                ),
            ),
            lines(
                Look(
                    "Joules per token of an hour",
                    "As the rules of pack tokens record it, all models of a service together: calmer, and what "
                    "WattledgerServiceTokenEnergyRegression looks at." + _PER_TEXT,
                    units.JOULES,
                ),
                Query(f"wattledger:service_joules_per_token:ratio1h{{{_RATIO}}}", "{{service}}"),
            ),
            table(
                Look(
                    "In the shown time",
                    "Energy that goes with tokens, with the idle share, and output tokens. Their quotient holds for "
                    "servers that do the whole work (role unified).",
                    units.JOULES,
                ),
                Column("Energy", units.KILOWATT_HOURS, f"{_energy_in_range()} / {KWH:.0f}"),
                Column("Output tokens", units.COUNT, _tokens_in_range()),
                Column(
                    "Joules per output token",
                    units.JOULES,
                    f"{_energy_in_range()} / ({_tokens_in_range()} > 0) "
                    f'and on (instance, service) wattledger_service_info{{{SERVICE},role="unified"}}',
                ),
                sort="Energy",
            ),
        ),
    )


def _trust() -> Row:
    return Row(
        "Which numbers can be trusted",
        (
            timeline(
                Look(
                    "Withheld, and why",
                    "No joules per token are shown while a bar is there: no_permission, unreachable, not_understood, "
                    "known_bad, no_gpu, remote_ranks, shared, starting, coverage, short_window, few_tokens, "
                    "no_tokens.",
                    units.COUNT,
                ),
                Query(
                    f"max by (instance, service, reason) (wattledger_service_ratio_withheld_info{{{SERVICE}}})",
                    "{{service}}: {{reason}}",
                ),
                _WITHHELD,
            ),
            lines(
                Look(
                    "Coverage",
                    "Energy in the window that has token counts to go with. Below 0.9 no ratio is shown.",
                    units.RATIO,
                ),
                Query(f"wattledger_service_coverage_ratio{{{SERVICE}}}", "{{service}}"),
                top=1,
                dashed=((0.9, "blue"),),
            ),
            table(
                Look(
                    "Services",
                    "What each is, when its output counter moves, how sure it is which GPUs are its own, whether "
                    "it is read, and the time its ratios are over.",
                    units.COUNT,
                    width=WHOLE_WIDTH,
                ),
                Column("Read", units.COUNT, _described("wattledger_service_up"), steps=()),
                Column("GPUs", units.COUNT, _described("wattledger_service_gpus")),
                Column("Window", units.SECONDS, _described("wattledger_service_ratio_window_seconds")),
                Column(
                    "Implausible",
                    units.COUNT,
                    _described("wattledger_service_ratio_implausible"),
                    steps=((1, "red"),),
                ),
            ),
        ),
    )


def _energy() -> Row:
    phases = "wattledger_service_phase_energy_joules_total"
    return Row(
        "Energy",
        (
            stack(
                Look(
                    "Power by phase",
                    "All energy of the chosen services by what it was about: serving; idle (read, and nobody asked); "
                    "starting (up to the first request); restart and unread (what was counted meanwhile is lost).",
                    units.WATTS,
                    colours=PHASES,
                ),
                Query(rate(phases, SERVICE, by="phase"), "{{phase}}"),
            ),
            stack(
                Look("Power by service", "All phases together.", units.WATTS),
                Query(rate(phases, SERVICE, by="instance, service"), "{{service}}"),
            ),
            bars(
                Look(
                    "Idle share of services",
                    "Of their energy in the shown time.",
                    units.RATIO,
                    steps=((0.3, "orange"), (0.6, "red")),
                ),
                now(
                    f'sum by (instance, service) (increase({phases}{{{SERVICE},phase="idle"}}{RANGE})) '
                    f"/ (sum by (instance, service) (increase({phases}{{{SERVICE}}}{RANGE})) > 0)",
                    "{{service}}",
                ),
            ),
            number(
                Look(
                    "Joules per token now",
                    "The newest ratio of each service." + _PER_TEXT,
                    units.JOULES,
                ),
                now(f"wattledger_service_joules_per_token{{{_RATIO}}}", _NAMED),
            ),
        ),
    )


def _serving() -> Row:
    return Row(
        "Serving",
        (
            lines(
                Look(
                    "Tokens by kind",
                    "prompt is prompt_cached and prompt_computed together: lines are not to be added up.",
                    units.TOKENS_PER_SECOND,
                ),
                Query(f"sum by (service, kind) (rate({_TOKENS}{{{SERVICE}}}{RATE}))", "{{service}} {{kind}}"),
            ),
            lines(
                Look("Cached share of prompts", "Prompt tokens that needed no computing.", units.RATIO),
                Query(
                    f'sum by (service) (rate({_TOKENS}{{{SERVICE},kind="prompt_cached"}}{RATE})) '
                    f'/ (sum by (service) (rate({_TOKENS}{{{SERVICE},kind="prompt"}}{RATE})) > 0)',
                    "{{service}}",
                ),
                top=1,
            ),
            lines(
                Look("Requests", "That run in the server and that wait, as it says itself.", units.COUNT),
                Query(f"wattledger_service_requests{{{SERVICE}}}", "{{service}} {{state}}"),
            ),
            lines(
                Look(
                    "Work in vain",
                    "Rejected over proposed draft tokens in the window, and requests pushed aside a second and "
                    "computed again. Empty where nothing of it happens.",
                    units.RATIO,
                ),
                Query(f"wattledger_service_wasted_draft_ratio{{{SERVICE}}}", "{{service}} drafts rejected"),
                Query(
                    f"sum by (service) (rate(wattledger_service_preemptions_total{{{SERVICE}}}{RATE}))",
                    "{{service}} requests pushed aside",
                ),
            ),
        ),
    )


def _energy_in_range() -> str:
    return f'sum by (instance, service) (increase({_ENERGY}{{{SERVICE},scope="total"}}{RANGE}))'


def _tokens_in_range() -> str:
    return f'sum by (instance, service) (increase({_TOKENS}{{{SERVICE},kind="output"}}{RANGE}))'


def _described(metric: str) -> str:
    """Give a value of each service beside what it is."""
    info = (
        f"max by (instance, service, server, role, counter_class, attribution) (wattledger_service_info{{{SERVICE}}})"
    )
    return f"{info} * on (instance, service) group_left () {metric}{{{SERVICE}}}"
