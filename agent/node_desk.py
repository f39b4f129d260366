"""The whole node beside its GPUs: what its meters counted, by the quarter hour, and what that says of all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from wattledger.exporter.node import NO_NODE, NodeSourceHealth, NodeView
from wattledger.rules.chain.node import NodeBook
from wattledger.rules.chain.node_energy import DomainEnergy, NodeEnergy, node_energy, slots_of
from wattledger.rules.chain.node_model import NodeKey, NodeReading, NodeTotal
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.pricing.model import SLOT_NS

from .ledger.base import NodeCommit

SlotMeter = tuple[int, NodeKey]
"""A quarter hour and a meter."""


class Meters(Protocol):
    """What reads the meters of the host. No call blocks."""

    def start(self) -> None: ...
    def close(self) -> None: ...
    def read(self, now: Instant) -> Sequence[NodeReading]: ...
    def health(self) -> tuple[NodeSourceHealth, ...]: ...


class NodeDesk:
    """Books what meters say. Every method is called by the tick thread alone."""

    def __init__(
        self,
        meters: Meters,
        totals: Iterable[NodeTotal] = (),
        slots: Mapping[SlotMeter, DomainEnergy] | None = None,
        *,
        overhead_mw: int | None = None,
    ) -> None:
        self._meters = meters
        self._stored = tuple(totals)
        self._book: NodeBook | None = None  # None until the boot of the host is known
        self._overhead_mw = overhead_mw
        self._slots: dict[int, dict[NodeKey, DomainEnergy]] = {}
        self._claim: NodeEnergy | None = None  # of the newest quarter hour
        self._claim_slot = self._claim_ns = 0
        for (slot, key), energy in (slots or {}).items():
            self._slots.setdefault(slot, {})[key] = energy

    def start(self) -> None:
        """Begin to read."""
        self._meters.start()

    def close(self) -> None:
        """Read no more."""
        self._meters.close()

    def tick(self, now: Instant, boot_id: str) -> NodeCommit:
        """Take what meters have said since the last call; give what is to be stored."""
        if self._book is None:
            self._book = NodeBook(self._stored, boot_id=boot_id)
        before = dict(self._book.totals)
        added: dict[SlotMeter, DomainEnergy] = {}
        for interval in self._book.add(self._meters.read(now)):
            for slot, part in slots_of(interval, SLOT_NS):
                key = (slot, interval.key)
                added[key] = added.get(key, DomainEnergy()) + part
        for (slot, meter), part in added.items():
            known = self._slots.setdefault(slot, {})
            known[meter] = known.get(meter, DomainEnergy()) + part
        changed = [total for key, total in self._book.totals.items() if before.get(key) is not total]
        return NodeCommit(changed, added)

    def energy(self, slot: int, gpu_mj: int, now_wall_ns: int) -> tuple[NodeEnergy, int]:
        """Give what the node took in a quarter hour as far as it is over, and how long that is."""
        duration_ns = max(1, min(now_wall_ns - slot * SLOT_NS, SLOT_NS))
        found = node_energy(
            self._slots.get(slot, {}), gpu_mj=gpu_mj, duration_ns=duration_ns, overhead_mw=self._overhead_mw
        )
        if slot >= self._claim_slot:
            self._claim, self._claim_slot, self._claim_ns = found, slot, duration_ns
        return found, duration_ns

    def forget(self, hour_slots: Iterable[int]) -> None:
        """Let go of quarter hours that are priced for good."""
        for slot in hour_slots:
            self._slots.pop(slot, None)

    def view(self, now: Instant) -> NodeView:
        """Give what the page shows of meters."""
        if self._book is None:
            return NO_NODE
        claim = self._claim
        residual_mw = None
        if claim is not None and claim.residual_mj is not None:
            residual_mw = claim.residual_mj * NS_PER_SECOND // self._claim_ns
        return NodeView(
            sources=self._meters.health(),
            totals=tuple(self._book.totals.values()),
            powers_mw=self._book.powers(now),
            basis=None if claim is None else claim.basis,
            meter=None if claim is None else claim.meter,
            residual_mw=residual_mw,
        )
