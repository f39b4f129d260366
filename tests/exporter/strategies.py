"""Hypothesis strategies for snapshots: hostile texts, huge counters, values that are there or not."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from tests.exporter.snapshots import NOW
from wattledger.exporter.delivery import ReceiverKind, ReceiverStats
from wattledger.exporter.rules_health import AlertView, GroupHealth, RulesHealth
from wattledger.exporter.snapshot import (
    AgentHealth,
    ConfigHealth,
    DeviceView,
    LedgerHealth,
    Snapshot,
    SourceHealth,
)
from wattledger.rules.account import Baseline, Carried, DeviceAccount, StateTotal, XidCount
from wattledger.rules.alerting import AlertState
from wattledger.rules.history import HistoryStats
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import DeviceIdentity, EnergyScope, HostFacts, MigInstance, Reading, SourceKind, Values
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State

T = TypeVar("T")

# As lists, since st.text never draws surrogates, whatever its alphabet.
TEXTS = st.lists(st.sampled_from('\\"\n\r\ud800\udfff}{,=# é€😀') | st.characters(), max_size=8).map("".join)
COUNTS = st.integers(0, 2**63)
WALL_NS = st.integers(0, 2**62)


def maybe(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """Give *strategy*'s values, or None."""
    return st.none() | strategy


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


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Give snapshots of up to three devices with different uuids."""
    return Snapshot(
        at=NOW,
        sample_at=draw(maybe(st.builds(Instant, COUNTS, WALL_NS))),
        fresh_ns=10**10,
        host=draw(st.builds(HostFacts, TEXTS, TEXTS, TEXTS, TEXTS)),
        devices=tuple(draw(_views(number)) for number in range(draw(st.integers(0, 3)))),
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
        rules=draw(_rules()),
    )
