"""The counters of prices in memory, and which of them the file does not have; it writes nothing."""

from collections.abc import Mapping

from wattledger.rules.chain.node_model import NodeKey, NodeTotal
from wattledger.rules.pricing.model import PriceTotal

from .base import NodeCommit, PriceCommit, PriceKey, Prices


class PriceBooks:
    """All counters as last committed. `written` false: none of what it begins with is in the file."""

    def __init__(self, prices: Prices | None = None, *, written: bool = True) -> None:
        begun = Prices() if prices is None else prices
        self.totals: dict[PriceKey, PriceTotal] = {}
        self.certificates: dict[str, int] = {}
        self.nodes: dict[NodeKey, NodeTotal] = {}
        self.changed: dict[PriceKey, None] = {}
        self.changed_certificates: dict[str, None] = {}
        self.changed_nodes: dict[NodeKey, None] = {}
        self.merge(PriceCommit(totals=begun.totals, certificates=begun.certificates, node=NodeCommit(begun.nodes)))
        if written:
            self.settle()

    def merge(self, prices: PriceCommit) -> None:
        """Take the counters of a commit; what it has of history is not looked at."""
        for total in prices.totals:
            if self.totals.get(total.key) != total:
                self.totals[total.key] = total
                self.changed[total.key] = None
        self._merge_certificates(prices.certificates)
        for node in prices.node.totals:
            self.nodes[node.key] = node
            self.changed_nodes[node.key] = None

    def _merge_certificates(self, certificates: Mapping[str, int]) -> None:
        for lot, used_mj in certificates.items():
            if self.certificates.get(lot) != used_mj:
                self.certificates[lot] = used_mj
                self.changed_certificates[lot] = None

    def settle(self) -> None:
        """Note that the file has everything."""
        self.changed.clear()
        self.changed_certificates.clear()
        self.changed_nodes.clear()

    def all(self) -> Prices:
        """Give the counters; what is open is not known here."""
        return Prices(tuple(self.totals.values()), dict(self.certificates), nodes=tuple(self.nodes.values()))
