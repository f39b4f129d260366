"""Families of services: their energy and tokens, joules per token, and why a ratio is not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from wattledger.rules.tokens.totals import Phase

from .family import Family, Row
from .rows import host
from .units import joules, seconds

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import Snapshot
    from wattledger.rules.tokens.totals import ServiceTotal
    from wattledger.rules.tokens.view import ServiceView

_SERVICE = ("service",)
_MODEL = ("service", "model")


def _of_service(
    name: str, text: str, read: Callable[[ServiceView], Iterable[Row]], *, labels: tuple[str, ...] = ()
) -> Family:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for view in snapshot.services:
            for extra, number in read(view):
                yield (view.service, *extra), number

    return host(name, text, rows, labels=(*_SERVICE, *labels))


def _of_total(
    name: str, text: str, read: Callable[[ServiceTotal, bool], Iterable[Row]], *, labels: tuple[str, ...] = ()
) -> Family:
    """Make a family of the totals of each model; *read* is also told whether the row is the one with the energy."""

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for view in snapshot.services:
            for total in view.totals:
                for extra, number in read(total, total.model == view.energy_model):
                    yield (total.service, total.model, *extra), number

    return host(name, text, rows, labels=(*_MODEL, *labels))


def _one(value: float | None) -> tuple[Row, ...]:
    return () if value is None else (((), value),)


def _energy(total: ServiceTotal, _: bool) -> Iterator[Row]:
    # A service without a device has tokens and no energy: 0 would be 0 joules per token.
    if total.phases:
        yield ("active",), joules(total.active_mj)
        yield ("total",), joules(total.total_mj)


def _tokens(total: ServiceTotal, _: bool) -> Iterator[Row]:
    for kind, number in total.tokens.items():
        yield (kind,), number


def _phases(view: ServiceView) -> Iterator[Row]:
    for phase in Phase:
        found = [total.phases[phase] for total in view.totals if phase in total.phases]
        if found:
            yield (phase,), joules(sum(found))


def _requests(view: ServiceView) -> Iterator[Row]:
    for state, number in (("running", view.running), ("waiting", view.waiting)):
        if number is not None:
            yield (state,), number


def _ratios(view: ServiceView) -> Iterator[Row]:
    for ratio in view.ratios:
        yield (ratio.model, ratio.per, ratio.scope), ratio.joules


FAMILIES = (
    _of_service(
        "wattledger_service_info",
        "A service that produces or consumes tokens, always 1: what server it is, its role, when its output counter "
        "moves (iteration or finish), and how sure it is which devices are its own.",
        lambda view: (((view.server, view.role, view.counter_class, view.attribution), 1),),
        labels=("server", "role", "counter_class", "attribution"),
    ),
    _of_service(
        "wattledger_service_up",
        "Whether the token counters of the service were read at the last attempts (1) or not (0).",
        lambda view: (((), int(view.up)),),
    ),
    _of_service(
        "wattledger_service_gpus", "Devices of this host that the service holds.", lambda view: _one(view.devices)
    ),
    _of_total(
        "wattledger_service_energy_joules_total",
        "Energy that goes with the tokens of the service, committed with them: up to the moment at which the tokens "
        "were read. active: while its devices worked; total: with the idle share. What no token counts go with is in "
        "wattledger_service_phase_energy_joules_total alone.",
        _energy,
        labels=("scope",),
    ),
    _of_total(
        "wattledger_service_tokens_total",
        "Tokens, committed with the energy they took. prompt is prompt_cached and prompt_computed together; a kind "
        "that the server does not tell is absent.",
        _tokens,
        labels=("kind",),
    ),
    _of_service(
        "wattledger_service_phase_energy_joules_total",
        "All energy of the service by what it was about: serving, idle (read, and nobody asked), starting (up to "
        "the first request of a process), restart and unread (what was counted meanwhile is lost).",
        _phases,
        labels=("phase",),
    ),
    _of_service(
        "wattledger_service_joules_per_token",
        "Joules per token over the last wattledger_service_ratio_window_seconds. per: output, total (prompt and "
        "output), computed (prompt that was not cached, and output); prefill and decode where they run on devices of "
        "their own; training. Absent where it cannot be told: wattledger_service_ratio_withheld_info says why.",
        _ratios,
        labels=("model", "per", "scope"),
    ),
    _of_service(
        "wattledger_service_ratio_window_seconds",
        "Time that ratios, coverage and rates of the service are over.",
        lambda view: _one(seconds(view.window_ns) if view.window_ns else None),
    ),
    _of_service(
        "wattledger_service_ratio_withheld_info",
        "Why the service shows no joules per token, always 1; absent while it shows them.",
        lambda view: () if view.withheld is None else (((view.withheld,), 1),),
        labels=("reason",),
    ),
    _of_service(
        "wattledger_service_coverage_ratio",
        "Energy in the window that has token counts to go with, over all but that of starting. Below 0.9 no ratio is "
        "shown.",
        lambda view: _one(view.coverage),
    ),
    _of_service(
        "wattledger_service_ratio_implausible",
        "Whether joules per output token are outside 0.01 to 50 (1), which no published measurement is, or not (0).",
        lambda view: _one(int(view.implausible) if view.ratios else None),
    ),
    _of_service(
        "wattledger_service_tokens_per_second",
        "Output tokens a second over the same window (of a prefill server: computed prompt tokens).",
        lambda view: _one(view.tokens_per_second),
    ),
    _of_service(
        "wattledger_service_requests",
        "Requests that run in the server and that wait, as it says itself.",
        _requests,
        labels=("state",),
    ),
    _of_total(
        "wattledger_service_preemptions_total",
        "Requests that the server pushed aside and computes again: energy without tokens.",
        lambda total, _: _one(total.preemptions or None),
    ),
    _of_total(
        "wattledger_service_wasted_draft_tokens_total",
        "Tokens proposed by speculative decoding and rejected: energy without output.",
        lambda total, _: _one(total.drafts_wasted or None),
    ),
    _of_service(
        "wattledger_service_wasted_draft_ratio",
        "Rejected over proposed draft tokens in the window.",
        lambda view: _one(view.wasted_draft_ratio),
    ),
)
