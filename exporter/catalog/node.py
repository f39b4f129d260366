"""Families of the whole node by its meters, and of what the house took for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .family import Family, Row
from .rows import host
from .units import joules, seconds, watts

if TYPE_CHECKING:
    from wattledger.exporter.node import NodeView
    from wattledger.rules.chain.node_model import NodeTotal

_METER = ("domain", "source")
_SOURCE = ("source",)


def _totals(number: Callable[[NodeTotal], float]) -> Callable[[NodeView], Iterator[Row]]:
    def rows(view: NodeView) -> Iterator[Row]:
        for total in view.totals:
            yield total.key, number(total)

    return rows


def _powers(view: NodeView) -> Iterator[Row]:
    for key, power_mw in view.powers_mw.items():
        yield key, watts(power_mw)


def _basis(view: NodeView) -> Iterator[Row]:
    if view.basis is not None:
        yield (view.basis, *(("", "") if view.meter is None else view.meter)), 1


def _residual(view: NodeView) -> Iterator[Row]:
    if view.residual_mw is not None:
        yield (), watts(view.residual_mw)


def _success(view: NodeView) -> Iterator[Row]:
    for source in view.sources:
        yield (source.source,), int(source.success)


def _durations(view: NodeView) -> Iterator[Row]:
    for source in view.sources:
        if source.duration_ns is not None:
            yield (source.source,), seconds(source.duration_ns)


def _reasons(view: NodeView) -> Iterator[Row]:
    for source in view.sources:
        if source.reason is not None:
            yield (source.source, source.reason), 1


def _facility(view: NodeView) -> Iterator[Row]:
    if view.facility is not None:
        yield (), joules(view.facility.total_mj)


def _losses(view: NodeView) -> Iterator[Row]:
    if view.facility is not None:
        for stage, energy_mj in view.facility.losses_mj.items():
            yield (stage,), joules(energy_mj)


def _family(
    name: str, text: str, read: Callable[[NodeView], Iterable[Row]], *, labels: tuple[str, ...] = ()
) -> Family:
    return host(name, text, lambda snapshot: read(snapshot.node), labels=labels)


FAMILIES: tuple[Family, ...] = (
    _family(
        "wattledger_node_energy_joules_total",
        "Energy of the host by its meters, carried on over restarts. domain: node (all of it), psys (the "
        "processor's platform), package-N and dram-N (a processor, its memory), module-N (a processor with its "
        "GPUs), psu-N (the input of a power supply). Domains contain each other: they are not to be added up.",
        _totals(lambda total: joules(total.energy_mj)),
        labels=_METER,
    ),
    _family(
        "wattledger_node_power_watts",
        "Power of the host by its meters; of a counter the mean between its last two readings.",
        _powers,
        labels=_METER,
    ),
    _family(
        "wattledger_node_unmetered_seconds_total",
        "Time whose energy the meter does not know: it was silent, or its counter began anew. It is added when "
        "the meter answers again.",
        _totals(lambda total: seconds(total.unmetered_ns)),
        labels=_METER,
    ),
    _family(
        "wattledger_node_meter_resets_total",
        "Counters of the meter that began anew, as after a boot.",
        _totals(lambda total: total.resets),
        labels=_METER,
    ),
    _family(
        "wattledger_node_basis_info",
        "How the energy of the whole node is known, always 1: metered, with the meter that speaks for it; "
        "estimated, from GPUs and facility.host_overhead_watts; partial, so that none is claimed.",
        _basis,
        labels=("basis", *_METER),
    ),
    _family(
        "wattledger_node_residual_watts",
        "What is left of the node's power after its GPUs, processors and memory, as far as they are metered. "
        "Below 0 the meters contradict each other.",
        _residual,
    ),
    _family(
        "wattledger_node_source_success",
        "Whether the last reading of this kind of meter succeeded (1) or not (0).",
        _success,
        labels=_SOURCE,
    ),
    _family(
        "wattledger_node_source_duration_seconds",
        "Time that the last reading of this kind of meter took.",
        _durations,
        labels=_SOURCE,
    ),
    _family(
        "wattledger_node_source_absent_info",
        "Why this kind of meter gives nothing, always 1.",
        _reasons,
        labels=("source", "reason"),
    ),
    _family(
        "wattledger_facility_energy_joules_total",
        "Energy at the meter of the house for this host: the node and the losses in front of it, by a PUE or by "
        "the power chain that is configured. Where no meter tells the node, the GPUs alone and their losses.",
        _facility,
    ),
    _family(
        "wattledger_facility_loss_joules_total",
        "The part of it that was lost, by stage: psu, pdu, ups, cooling; overhead is all of a PUE.",
        _losses,
        labels=("stage",),
    ),
)
