"""Hypothesis strategies for snapshots: hostile texts, huge counters, values that are there or not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from tests.exporter.drawn import COUNTS, TEXTS, WALL_NS, maybe
from tests.exporter.price_strategies import feeds, nodes, prices
from tests.exporter.snapshots import NOW
from wattledger.exporter.catalog import WORKLOAD_NAMES
from wattledger.exporter.catalog.family import device_label_values
from wattledger.exporter.delivery import ReceiverKind, ReceiverStats
from wattledger.exporter.node import NO_NODE
from wattledger.exporter.prices import NO_PRICES
from wattledger.exporter.rules_health import AlertView, GroupHealth, RulesHealth
from wattledger.exporter.snapshot import (
    AgentHealth,
    ConfigHealth,
    DeviceView,
    LedgerHealth,
    Snapshot,
    SourceHealth,
)
from wattledger.exporter.usage import UsageHealth, usage_views
from wattledger.rules.account import Baseline, Carried, DeviceAccount, StateTotal, XidCount
from wattledger.rules.alerting import AlertState
from wattledger.rules.history import HistoryStats
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import DeviceIdentity, EnergyScope, HostFacts, MigInstance, Reading, SourceKind, Values
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State
from wattledger.rules.tokens.model import Attribution, CounterClass, Role, TokenKind, Withheld
from wattledger.rules.tokens.totals import Phase, Scope, ServiceTotal
from wattledger.rules.tokens.view import Per, Ratio, ServiceView
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import FOLDED, UNATTRIBUTED, ShareMethod, Workload, WorkloadKind


def _values(quantities: st.SearchStrategy[Quantity]) -> st.SearchStrategy[Values]:
    numbers = COUNTS | st.floats()  # NaN and infinities too: they must not reach a page
    return st.dictionaries(quantities, numbers, max_size=12)


_QUANTITIES = st.sampled_from(Quantity)
_GAPS = st.dictionaries(_QUANTITIES, st.sampled_from(Gap), max_size=6)

_INSTANCES = st.lists(
    st.builds(
        MigInstance,
        uuid=TEXTS,
        gpu_instance=st.integers(0, 6),
        compute_instance=st.integers(0, 6),
        profile=TEXTS,
        values=_values(_QUANTITIES),
        gaps=_GAPS,
    ),
    max_size=3,
    unique_by=lambda mig: (mig.gpu_instance, mig.compute_instance),  # two broken texts may become the same one
)


@st.composite
def _accounts(draw: st.DrawFn, uuid: str) -> DeviceAccount:
    return DeviceAccount(
        uuid=uuid,
        name=draw(TEXTS),
        states=draw(st.dictionaries(st.sampled_from(State), st.builds(StateTotal, COUNTS, COUNTS))),
        methods=draw(st.dictionaries(st.sampled_from(Method), COUNTS)),
        avoidable_mj=draw(COUNTS),
        unknown_ns=draw(COUNTS),
        counter_resets=draw(COUNTS),
        rejected_segments=draw(COUNTS),
        counters=draw(
            st.dictionaries(st.sampled_from(sorted(COUNTERS)), st.builds(Carried, COUNTS, COUNTS), max_size=4)
        ),
        xids=draw(st.dictionaries(st.integers(0, 200), st.builds(XidCount, COUNTS, WALL_NS), max_size=3)),
    )


@st.composite
def _views(draw: st.DrawFn, number: int) -> DeviceView:
    uuid = f"GPU-{number}" + draw(TEXTS)
    identity = st.builds(
        DeviceIdentity,
        uuid=st.just(uuid),
        index=st.integers(-1, 7),
        name=TEXTS,
        serial=TEXTS,
        energy_scope=st.sampled_from(EnergyScope),
    )
    return DeviceView(
        reading=Reading(
            identity=draw(identity),
            at=NOW,
            up=draw(st.booleans()),
            values=draw(_values(_QUANTITIES)),
            gaps=draw(_GAPS),
            instances=tuple(draw(_INSTANCES)),
        ),
        account=draw(_accounts(uuid)),
        present=draw(st.booleans()),
        state=draw(maybe(st.sampled_from(State))),
        state_detail=draw(TEXTS),
        state_since_wall_ns=draw(WALL_NS),
        state_energy_mj=draw(maybe(COUNTS)),
        owner=draw(TEXTS),
        divergence_ratio=draw(maybe(st.floats(0, 2))),
        counter_suspect=draw(st.booleans()),
        baselines=tuple(
            Baseline(kind, draw(st.sampled_from(BaselineOrigin)), draw(st.integers(0, 10**6)))
            for kind in draw(st.sets(st.sampled_from(BaselineKind)))
        ),
    )


_LABEL_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)


@st.composite
def _alerts(draw: st.DrawFn, number: int) -> AlertView:
    state = draw(st.sampled_from([AlertState.PENDING, AlertState.FIRING]))
    labels = draw(st.dictionaries(_LABEL_NAMES, TEXTS, max_size=3))
    labels |= {"alertname": f"A{number}", "alertstate": state.value}
    return AlertView(f"A{number}", state, tuple(sorted(labels.items())), (("summary", draw(TEXTS)),), 0, 1.0)


@st.composite
def _rules(draw: st.DrawFn) -> RulesHealth:
    groups = st.builds(
        GroupHealth,
        file=TEXTS,
        name=st.just("g"),
        rules=st.integers(0, 9),
        interval_ms=st.integers(1, 10**6),
        evaluations=COUNTS,
        last_at_ms=maybe(COUNTS),
        duration_ns=maybe(COUNTS),
        errors=st.lists(st.tuples(TEXTS, TEXTS), max_size=1).map(tuple),
    )
    history = st.builds(HistoryStats, COUNTS, COUNTS, COUNTS, COUNTS)
    return RulesHealth(
        groups=tuple(draw(st.lists(groups, max_size=1))),
        alerts=tuple(draw(_alerts(number)) for number in range(draw(st.integers(0, 3)))),
        history=draw(maybe(history)),
        receivers=tuple(
            ReceiverStats(
                ReceiverKind.WEBHOOK, f"r{number}", 1, draw(COUNTS), 0, 0, 10, draw(maybe(WALL_NS)), draw(TEXTS)
            )
            for number in range(draw(st.integers(0, 2)))
        ),
    )


# Few, so that different workloads often have the same labels: equal texts, and such as a page cannot tell apart.
_TITLES = st.sampled_from(["", "a", "\ud800", "\udfff", "\ufffd"]) | TEXTS
_NAMES = st.dictionaries(st.sampled_from(WORKLOAD_NAMES), _TITLES, max_size=3).map(lambda names: tuple(names.items()))
_WORKLOADS = st.sampled_from([FOLDED, UNATTRIBUTED]) | st.builds(
    Workload, st.sampled_from(WorkloadKind), TEXTS, _TITLES, _NAMES
)


def usage_totals(uuids: st.SearchStrategy[str]) -> st.SearchStrategy[list[UsageTotal]]:
    """Give totals of workloads on devices of *uuids*, in any order."""
    total = st.builds(
        UsageTotal,
        uuid=uuids,
        workload=_WORKLOADS,
        state=st.sampled_from(State),
        method=st.sampled_from(ShareMethod),
        energy_mj=COUNTS,
        duration_ns=COUNTS,
        avoidable_mj=COUNTS,
    )
    return st.lists(total, max_size=6)


@st.composite
def _usage(draw: st.DrawFn, views: tuple[DeviceView, ...]) -> UsageHealth:
    labels = {view.reading.identity.uuid: device_label_values(view) for view in views}
    totals = draw(usage_totals(st.sampled_from([*labels, "GPU-excluded"])))
    return UsageHealth(
        views=usage_views(totals, labels),
        shown=draw(COUNTS),
        folded=draw(COUNTS),
        limit=draw(maybe(COUNTS)),
        processes=draw(COUNTS),
        unresolved=(("gone", draw(COUNTS)),),
    )


_RATIOS = st.builds(Ratio, TEXTS, st.sampled_from(Per), st.sampled_from(Scope), st.floats(0, 1e300))


@st.composite
def _services(draw: st.DrawFn, number: int) -> ServiceView:
    # Two broken texts may become the same one, so a number tells services and models apart.
    service = f"s{number}" + draw(TEXTS)
    models = [f"{index}" + draw(TEXTS) for index in range(draw(st.integers(0, 2)))]
    total = st.builds(
        ServiceTotal,
        service=st.just(service),
        active_mj=COUNTS,
        total_mj=COUNTS,
        phases=st.dictionaries(st.sampled_from(Phase), COUNTS, max_size=2),
        tokens=st.dictionaries(st.sampled_from(TokenKind), COUNTS, max_size=4),
        preemptions=COUNTS,
        drafts_wasted=COUNTS,
    )
    ratios = draw(st.lists(_RATIOS, max_size=3, unique_by=lambda ratio: (ratio.per, ratio.scope)))
    return ServiceView(
        service=service,
        server=draw(TEXTS),
        role=draw(st.sampled_from(Role)),
        counter_class=draw(st.sampled_from(CounterClass)),
        attribution=draw(st.sampled_from(Attribution)),
        energy_model=draw(st.sampled_from([*models, ""])),
        totals=tuple(replace(draw(total), model=model) for model in (*models, "")),
        up=draw(st.booleans()),
        detail=draw(TEXTS),
        running=draw(maybe(st.floats(0, 1e300))),
        waiting=draw(maybe(st.floats(0, 1e300))),
        ratios=tuple(ratios),
        withheld=None if ratios else draw(st.sampled_from(Withheld)),
        coverage=draw(maybe(st.floats(0, 1))),
        window_ns=draw(COUNTS),
        tokens_per_second=draw(maybe(st.floats(0, 1e300))),
        wasted_draft_ratio=draw(maybe(st.floats(0, 1))),
        implausible=draw(st.booleans()),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Give snapshots of up to three devices with different uuids, or of one with grams, money, feeds and meters."""
    is_priced = draw(st.booleans())  # not both: one draw has its limit
    devices = tuple(draw(_views(number)) for number in range(draw(st.integers(0, 1 if is_priced else 3))))
    services = tuple(draw(_services(number)) for number in range(draw(st.integers(0, 1 if is_priced else 2))))
    return Snapshot(
        at=NOW,
        sample_at=draw(maybe(st.builds(Instant, COUNTS, WALL_NS))),
        fresh_ns=10**10,
        host=draw(st.builds(HostFacts, TEXTS, TEXTS, TEXTS, TEXTS)),
        devices=devices,
        source=draw(
            st.builds(
                SourceHealth,
                kind=st.sampled_from(SourceKind),
                success=st.booleans(),
                reason=maybe(st.sampled_from(Gap)),
                detail=TEXTS,
                last_success_wall_ns=maybe(WALL_NS),
                duration_ns=maybe(COUNTS),
                restarts=COUNTS,
                driver_busy_ns=COUNTS,
            )
        ),
        ledger=draw(
            st.builds(LedgerHealth, writable=st.booleans(), moved_aside=TEXTS, last_commit_wall_ns=maybe(WALL_NS))
        ),
        config=draw(st.builds(ConfigHealth, st.booleans(), WALL_NS, TEXTS)),
        agent=draw(
            st.builds(
                AgentHealth,
                version=TEXTS,
                started_wall_ns=WALL_NS,
                cpu_ns=maybe(COUNTS),
                http_requests=maybe(st.dictionaries(st.integers(100, 599), COUNTS, max_size=3)),
            )
        ),
        rules=RulesHealth() if is_priced else draw(_rules()),
        usage=draw(_usage(devices)),
        services=services,
        feeds=tuple(draw(feeds(level)) for level in range(draw(st.integers(0, 2)))) if is_priced else (),
        prices=draw(prices([service.service for service in services])) if is_priced else NO_PRICES,
        node=draw(nodes()) if is_priced else NO_NODE,
    )
