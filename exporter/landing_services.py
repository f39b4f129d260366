"""Services on the landing page: joules per token, or the reason why there are none and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wattledger.rules.tokens.model import Attribution, Role, TokenKind, Withheld
from wattledger.rules.tokens.totals import Phase, Scope
from wattledger.rules.tokens.view import Per

from .landing_text import duration, escaped, kwh, percent, significant

if TYPE_CHECKING:
    from wattledger.rules.tokens.view import ServiceView

_MOST_ROWS = 30
_MOST_MODELS = 5

_PER = {
    Per.OUTPUT: "output token",
    Per.TOTAL: "token, prompt and output",
    Per.COMPUTED: "token that was computed",
    Per.PREFILL: "prompt token that was computed",
    Per.DECODE: "output token",
    Per.TRAINING: "token",
}
_ATTRIBUTION = {
    Attribution.EXCLUSIVE: "its own",
    Attribution.SHARED: "shared",
    Attribution.CONFIGURED: "configured",
    Attribution.NONE: "not known",
}
# The tokens that a role is about, where they are not the output.
_COUNTED = {
    Role.PREFILL: ((TokenKind.PROMPT_COMPUTED,), "prompt"),
    Role.TRAINING: ((TokenKind.PROMPT, TokenKind.OUTPUT), "consumed"),
}
# What holds, and what to do about it.
REASONS = {
    Withheld.NO_PERMISSION: (
        "The sockets of its processes may not be looked at",
        "run the agent as root or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or name the service in services.list",
    ),
    Withheld.UNREACHABLE: (
        "Its page of metrics does not answer",
        "see whether the server runs and may be reached from here",
    ),
    Withheld.NOT_UNDERSTOOD: (
        "It answers, and tells no token counters",
        "turn its metrics on (SGLang --enable-metrics, llama.cpp --metrics), or name their address in services.list",
    ),
    Withheld.KNOWN_BAD: ("This version of the server counts tokens wrongly", "use another version"),
    Withheld.NO_GPU: (
        "No GPU of this host is known to be its own",
        "let the agent see the processes of the host (hostPID: true), or give the service its gpus in services.list",
    ),
    Withheld.REMOTE_RANKS: (
        "Its tokens come from GPUs of other hosts too",
        "add up the energy of all its hosts in Prometheus, and divide by the tokens there",
    ),
    Withheld.SHARED: (
        "Others use its GPUs, and nothing tells their parts from each other",
        "give it GPUs or MIG instances of its own",
    ),
    Withheld.STARTING: ("It has not served anything yet", "send it a request"),
    Withheld.COVERAGE: (
        "Too much of its energy has no tokens to go with",
        "wait; if it stays so, see whether its page answers without gaps",
    ),
    Withheld.SHORT_WINDOW: (
        "It counts tokens when a request ends, and too short a time was seen",
        "wait for some minutes",
    ),
    Withheld.FEW_TOKENS: ("Too few tokens came to divide by", "wait for more requests"),
    Withheld.NO_TOKENS: ("No tokens came", "wait for requests"),
}


def service_section(services: Sequence[ServiceView]) -> str:
    """Give the section; empty text where there are none."""
    if not services:
        return ""
    left = len(services) - _MOST_ROWS
    more = f'<p class="dim">and {left} more: see wattledger_service_info on /metrics</p>\n' if left > 0 else ""
    return (
        '<h2 id="services">Services</h2>\n<div class="scroll"><table>\n<thead><tr><th>Service, model</th>'
        '<th>Server</th><th>Joules per token</th><th class="number">Tokens</th><th class="number">Energy</th>'
        '<th class="number">Coverage</th><th class="number">Requests</th></tr></thead>\n'
        f"<tbody>\n{''.join(_row(view) for view in services[:_MOST_ROWS])}</tbody>\n</table></div>\n{more}"
        '<p class="legend dim">Joules are those drawn while GPUs worked, and in brackets all of them. Coverage is '
        "the part of the energy that has token counts to go with.</p>\n"
    )


def _row(view: ServiceView) -> str:
    return (
        f'<tr><td class="name">{escaped(view.service)}{_models(view)}</td><td class="name">{_server(view)}</td>'
        f'<td class="wide">{_ratios(view) if view.ratios else _withheld(view)}</td>'
        f'<td class="number">{_rate(view)}</td><td class="number">{_energy(view)}</td>'
        f'<td class="number">{_coverage(view)}</td><td class="number">{_requests(view)}</td></tr>\n'
    )


def _models(view: ServiceView) -> str:
    names = [total.model for total in view.totals if total.model]
    shown = "".join(f"<small>{escaped(name)}</small>" for name in names[:_MOST_MODELS])
    left = len(names) - _MOST_MODELS
    return shown + (f"<small>and {left} more</small>" if left > 0 else "")


def _server(view: ServiceView) -> str:
    role = "" if view.role is Role.UNIFIED else f", {view.role}"
    gpus = f"{view.devices} GPU{'' if view.devices == 1 else 's'}, {_ATTRIBUTION[view.attribution]}"
    down = "" if view.up else '<small class="down">not read</small>'
    return f"{escaped(view.server)}{role}<small>{gpus}</small>{down}"


def _ratios(view: ServiceView) -> str:
    found = {(ratio.per, ratio.scope): ratio.joules for ratio in view.ratios}
    lines = []
    for per, words in _PER.items():
        active, total = found.get((per, Scope.ACTIVE)), found.get((per, Scope.TOTAL))
        if active is not None:
            in_all = "" if total is None else f" ({significant(total)} J)"
            lines.append(f"<div><b>{significant(active)} J</b>{in_all} per {words}</div>")
        elif total is not None:
            lines.append(f"<div><b>{significant(total)} J</b> in all per {words}</div>")
    if view.implausible:
        lines.append("<small>hardly right: outside of 0.01 to 50 J per output token</small>")
    return "".join(lines)


def _withheld(view: ServiceView) -> str:
    if view.withheld is None:
        return '<span class="dim">absent</span>'
    why, cure = REASONS[view.withheld]
    detail = f"<small>{escaped(view.detail)}</small>" if view.detail else ""
    return f'<span class="dim">{why}.</span><small>To do: {cure}.</small>{detail}'


def _rate(view: ServiceView) -> str:
    rate = '<span class="dim">absent</span>'
    if view.tokens_per_second is not None:
        rate = f"{significant(view.tokens_per_second)} /s"
    kinds, words = _COUNTED.get(view.role, ((TokenKind.OUTPUT,), "output"))
    counts = [total.tokens[kind] for total in view.totals for kind in kinds if kind in total.tokens]
    return rate + (f"<small>{sum(counts):,} {words}</small>" if counts else "")


def _energy(view: ServiceView) -> str:
    energies = {phase: sum(total.phases.get(phase, 0) for total in view.totals) for phase in Phase}
    whole_mj = sum(energies.values())
    parts = "".join(
        f"<small>{phase} {percent(energy_mj, whole_mj)}</small>" for phase, energy_mj in energies.items() if energy_mj
    )
    return f"{kwh(whole_mj)} kWh{parts}" if view.totals else '<span class="dim">absent</span>'


def _coverage(view: ServiceView) -> str:
    if view.coverage is None:
        return '<span class="dim">absent</span>'
    return f"{100 * view.coverage:.1f} %<small>of {duration(view.window_ns)}</small>"


def _requests(view: ServiceView) -> str:
    told = [
        f"{number:,.0f} {words}"
        for number, words in ((view.running, "run"), (view.waiting, "wait"))
        if number is not None
    ]
    return "<br>".join(told) or '<span class="dim">absent</span>'
