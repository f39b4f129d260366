"""What pages show of the node beyond its GPUs: its meters, what they counted, and what the house took."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattledger.rules.chain.node_energy import NodeBasis
from wattledger.rules.chain.node_model import NodeKey, NodeSource, NodeTotal
from wattledger.rules.chain.totals import FacilityTotal
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap


@dataclass(frozen=True, slots=True)
class NodeSourceHealth:
    """How one kind of meter is doing. There is no reason as long as it was not asked, and after a success."""

    source: NodeSource
    success: bool = False
    reason: Gap | None = None
    detail: str = ""
    last_success: Instant | None = None
    duration_ns: int | None = None  # of the last attempt


@dataclass(frozen=True, slots=True)
class NodeView:
    """The node. `totals` are of every meter ever read, `powers_mw` of those that answer.

    `meter` speaks for the whole node now, in the way of `basis`, which is None before anything is known;
    `residual_mw` is the mean power of what neither GPUs nor processors nor memory took, below 0 where the meters
    contradict each other.
    """

    sources: tuple[NodeSourceHealth, ...] = ()
    totals: tuple[NodeTotal, ...] = ()
    powers_mw: Mapping[NodeKey, int] = field(default_factory=dict)
    basis: NodeBasis | None = None
    meter: NodeKey | None = None
    residual_mw: int | None = None
    facility: FacilityTotal | None = None


NO_NODE = NodeView()
