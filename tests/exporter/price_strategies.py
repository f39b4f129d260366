"""Hypothesis strategies for grams, money, feeds and meters on snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypothesis import strategies as st

from tests.exporter.drawn import COUNTS, TEXTS, maybe
from wattledger.exporter.feeds import FeedHealth
from wattledger.exporter.node import NodeSourceHealth, NodeView
from wattledger.exporter.prices import PriceNow, PricesView, Rate
from wattledger.rules.chain.chain import Stage
from wattledger.rules.chain.node_energy import NodeBasis
from wattledger.rules.chain.node_model import NodeSource, NodeTotal
from wattledger.rules.chain.totals import FacilityTotal
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import Accounting, Caliber, Measure, PointKind, Series
from wattledger.rules.pricing.model import Boundary, PriceTotal, TotalKind
from wattledger.rules.quantity import Gap

_MEASURES = {
    Measure.INTENSITY: st.builds(Series, st.just(Measure.INTENSITY), TEXTS, TEXTS, st.builds(Caliber)),
    Measure.PRICE: st.builds(Series, st.just(Measure.PRICE), TEXTS, TEXTS, currency=TEXTS),
    Measure.PUE: st.builds(Series, st.just(Measure.PUE), TEXTS, TEXTS),
}
_RATES = st.builds(
    Rate,
    st.sampled_from(Boundary),
    st.dictionaries(st.sampled_from(Accounting), st.floats(0, 1e300)),
    maybe(st.floats(-1e300, 1e300)),
)


@st.composite
def feeds(draw: st.DrawFn, level: int) -> FeedHealth:
    """Give a feed; the level tells apart two whose texts become the same."""
    known = draw(maybe(st.integers(-(2**62), 2**62)))
    return FeedHealth(
        chain=draw(TEXTS),
        level=level,
        provider=draw(TEXTS),
        zone=draw(TEXTS),
        series=draw(st.one_of(*_MEASURES.values())),
        state=draw(st.sampled_from(FeedState)),
        age_ns=draw(maybe(COUNTS)),
        trouble=draw(TEXTS),
        detail=draw(TEXTS),
        errors=draw(st.dictionaries(st.sampled_from(["timeout", "throttled"]), COUNTS)),
        skipped=draw(st.dictionaries(st.sampled_from(["null", "duplicate"]), COUNTS)),
        value=known,
        kind=None if known is None else draw(st.sampled_from(PointKind)),
    )


_LABELS: Mapping[TotalKind, Callable[[str], tuple[str, ...]]] = {
    TotalKind.EMISSIONS: lambda text: ("location", text, "gpu"),
    TotalKind.UNCOVERED: lambda text: (text, "gpu"),
    TotalKind.COST: lambda text: (text, "gpu"),
    TotalKind.CREDIT: lambda text: (text, "facility"),
    TotalKind.UNPRICED: lambda text: (text, "node"),
    TotalKind.SUPPLY: lambda text: (text,),
    TotalKind.LOAD: lambda text: (text,),
    TotalKind.LOSS: lambda text: (text,),
    TotalKind.MATCHED: lambda _: (),
    TotalKind.WITH_GRID: lambda _: (),
    TotalKind.WITH_GRID_REST: lambda _: (),
    TotalKind.UNMATCHED: lambda _: (),
}


@st.composite
def prices(draw: st.DrawFn, services: Sequence[str]) -> PricesView:
    """Give counters of any kind, and rates of some of *services*."""
    kinds = draw(st.lists(st.sampled_from(TotalKind), unique=True, max_size=5))
    totals = [PriceTotal(kind, _LABELS[kind](draw(TEXTS)), draw(COUNTS), draw(COUNTS)) for kind in kinds]
    return PricesView(
        totals=tuple(totals),
        currency=draw(TEXTS),
        price=draw(maybe(st.builds(PriceNow, st.integers(-(2**62), 2**62), TEXTS))),
        rates={service: draw(_RATES) for service in services if draw(st.booleans())},
        open_uncovered_mj=draw(st.dictionaries(st.sampled_from(Accounting), COUNTS)),
        corrections=draw(COUNTS),
        pue=draw(maybe(st.floats(1, 10))),
    )


@st.composite
def nodes(draw: st.DrawFn) -> NodeView:
    """Give a node with one meter."""
    meter = (draw(TEXTS), draw(st.sampled_from(NodeSource)))
    return NodeView(
        sources=(NodeSourceHealth(meter[1], success=draw(st.booleans()), reason=draw(maybe(st.sampled_from(Gap)))),),
        totals=(NodeTotal(*meter, draw(COUNTS), draw(COUNTS), draw(COUNTS)),),
        powers_mw={meter: draw(COUNTS)},
        basis=draw(maybe(st.sampled_from(NodeBasis))),
        meter=draw(maybe(st.just(meter))),
        residual_mw=draw(maybe(st.integers(-(2**40), 2**40))),
        facility=draw(maybe(st.builds(FacilityTotal, COUNTS, st.dictionaries(st.sampled_from(Stage), COUNTS)))),
    )
