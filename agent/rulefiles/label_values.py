"""Which values the labels of our families can have, taken from the catalogue; labels of free text are not here."""

from collections.abc import Iterable, Mapping

from wattledger.exporter.catalog import FAMILIES, subjects_of
from wattledger.exporter.catalog.family import DeviceFamily, Family, WorkloadFamily
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth, DeviceView, LedgerHealth, Snapshot, SourceHealth
from wattledger.rules.account import Baseline, Carried, DeviceAccount
from wattledger.rules.chain.chain import Stage
from wattledger.rules.chain.node_energy import NodeBasis
from wattledger.rules.chain.node_model import NodeSource
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import Accounting, Factors, Gas, PointKind, Signal
from wattledger.rules.instant import Instant
from wattledger.rules.pricing.model import Boundary
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import DeviceIdentity, EnergyScope, HostFacts, Reading, SourceKind
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State
from wattledger.rules.supply.model import Layer
from wattledger.rules.tokens.model import Attribution, CounterClass, Role, TokenKind, Withheld
from wattledger.rules.tokens.totals import Phase, Scope
from wattledger.rules.tokens.view import Per
from wattledger.rules.usage.workload import ShareMethod, WorkloadKind

from ..feeds.base import Skipped, Trouble
from ..workloads.procfs import Unresolved

LabelValues = Mapping[str, tuple[str, ...]]

# Closed by their types. What a reason is depends on the label beside it: that of a failed rule is free text.
_BY_LABEL: LabelValues = {
    "source": tuple(SourceKind),
    "energy_scope": tuple(EnergyScope),
    "accounting": tuple(Accounting),
    "boundary": tuple(Boundary),
    "layer": tuple(Layer),
    "signal": tuple(Signal),
    "factors": tuple(Factors),
    "gas": tuple(Gas),
    "basis": tuple(NodeBasis),
    "stage": tuple(Stage),
}
_BY_LABELS: Mapping[tuple[str, ...], LabelValues] = {
    ("value", "reason"): {"value": ("device", *Quantity), "reason": tuple(Gap)},
    ("source", "reason"): {"reason": tuple(Gap)},
    ("alertstate",): {"alertstate": ("pending", "firing")},
    ("state", "method"): {"state": tuple(State), "method": tuple(ShareMethod)},
    ("service", "reason"): {"reason": tuple(Withheld)},
    ("service", "state"): {"state": ("running", "waiting")},
    ("service", "phase"): {"phase": tuple(Phase)},
    ("service", "model", "scope"): {"scope": tuple(Scope)},
    ("service", "model", "kind"): {"kind": tuple(TokenKind)},
    ("service", "model", "per", "scope"): {"per": tuple(Per), "scope": tuple(Scope)},
    ("service", "server", "role", "counter_class", "attribution"): {
        "role": tuple(Role),
        "counter_class": tuple(CounterClass),
        "attribution": tuple(Attribution),
    },
}


_BY_NAME: Mapping[str, LabelValues] = {
    "wattledger_gpu_holding_processes_unresolved": {"reason": tuple(Unresolved)},
    "wattledger_carbon_intensity_grams_per_kwh": {"kind": tuple(PointKind)},
    "wattledger_feed_state_info": {"state": tuple(FeedState)},
    "wattledger_feed_failures_total": {"reason": tuple(Trouble)},
    "wattledger_feed_skipped_values_total": {"reason": tuple(Skipped)},
}


_NODE_PREFIX = "wattledger_node_"  # of meters of the node; elsewhere the source is that of samples


def closed_labels() -> dict[str, LabelValues]:
    """Give the possible values of each label that is a closed set, by the name of the family.

    They are what a device shows of which everything is known, so that a new row of the catalogue is here by itself.
    """
    view = _device_of_everything()
    subjects = subjects_of(_snapshot(view), labelled=lambda _names, _values: None, nothing=None)
    found: dict[str, LabelValues] = {}
    for family in FAMILIES:
        values = dict(_BY_LABELS.get(family.labels, {}))
        values |= {label: _BY_LABEL[label] for label in family.labels if label in _BY_LABEL}
        values |= _BY_NAME.get(family.name, {})
        if family.name.startswith(_NODE_PREFIX) and "source" in family.labels:
            values["source"] = tuple(NodeSource)
        if isinstance(family, WorkloadFamily):
            values["kind"] = tuple(WorkloadKind)
        if isinstance(family, DeviceFamily):
            values = _shown(family, (row for _, rows in family.blocks(subjects) for row, _ in rows)) | values
        if values:
            found[family.name] = values
    return found


def _shown(family: Family, rows: Iterable[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    columns = zip(*rows, strict=True)
    return {
        label: tuple(dict.fromkeys(map(str, column))) for label, column in zip(family.labels, columns, strict=False)
    }


def _device_of_everything() -> DeviceView:
    """Give a device that has every value of a closed set, and none of the free texts: no owner, no Xid."""
    at = Instant(mono_ns=1, wall_ns=1)
    baselines = tuple(Baseline(kind, origin, 1) for kind in BaselineKind for origin in BaselineOrigin)
    account = DeviceAccount(
        "",
        methods=dict.fromkeys(Method, 1),
        counters=dict.fromkeys(COUNTERS, Carried(1, 1)),
    )
    reading = Reading(DeviceIdentity("", 0, ""), at, values=dict.fromkeys(Quantity, 1))
    return DeviceView(reading, account, state=State.ACTIVE, baselines=baselines)


def _snapshot(view: DeviceView) -> Snapshot:
    at = view.reading.at
    return Snapshot(
        at,
        at,
        0,
        HostFacts(),
        (view,),
        SourceHealth(SourceKind.SIM, success=True),
        LedgerHealth(writable=True),
        ConfigHealth(),
        AgentHealth("", 0),
    )
