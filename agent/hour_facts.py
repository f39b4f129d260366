"""What is known of an hour that is priced: what node and house took, what feeds and tariff say, who supplied it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wattledger.exporter.prices import PriceNow
from wattledger.rules.chain.chain import PowerPath, Pue, facility_energy
from wattledger.rules.chain.node_model import MeteredAt
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.hour import Cover, HourFacts, Quarters
from wattledger.rules.pricing.model import SLOT_NS, Boundary, slots_of_hour

from .node_desk import NodeDesk
from .price_parts import CARBON_FREE, LOCATION, PUE, RESIDUAL, SUPPLY, Feeds, PriceSettings, Supplies, Tariffs

if TYPE_CHECKING:
    from wattledger.rules.feeds.fallback import Resolved

ONE = 1_000_000  # a PUE of 1 in millionths


@dataclass(slots=True)
class _Surroundings:
    """What is around the GPUs in an hour: energies of wider boundaries by quarter, and losses by stage."""

    energies: dict[Boundary, Quarters] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HourKnowledge:
    """Asks the parts that are there. It keeps nothing of an hour."""

    settings: PriceSettings
    feeds: Feeds | None = None
    supplies: Supplies | None = None
    tariffs: Tariffs | None = None
    node: NodeDesk | None = None

    def facts(self, hour: int, gpu: Quarters, now_wall_ns: int) -> HourFacts:
        """Give what is known of an hour in which the GPUs took *gpu*, as far as it has gone by now."""
        settings, start = self.settings, hour * NS_PER_HOUR
        around = self._surroundings(hour, gpu, now_wall_ns)
        facts = HourFacts(
            hour,
            {Boundary.GPU: gpu} | around.energies,
            location=self._resolve(LOCATION, start) if settings.has_carbon else (),
            residual=self._resolve(RESIDUAL, start) if settings.has_residual else None,
            carbon_free=self._resolve(CARBON_FREE, start) if settings.has_carbon_free else None,
            prices=() if self.tariffs is None else self.tariffs.points(start, start + NS_PER_HOUR),
            currency=settings.currency,
            zone=settings.zone,
            losses=around.losses,
            until_wall_ns=now_wall_ns,
        )
        return facts if self.supplies is None else replace(facts, cover=self._cover(hour, facts))

    def _surroundings(self, hour: int, gpu: Quarters, now_wall_ns: int) -> _Surroundings:
        """Give what node and house took in an hour, as far as meters and the configuration know it."""
        around = _Surroundings()
        node: list[int] = []
        facility: list[int] = []
        for slot, gpu_mj in zip(slots_of_hour(hour), gpu, strict=True):
            base_mj, at, duration_ns, is_node = self._node_of(slot, gpu_mj, now_wall_ns)
            if is_node:
                node.append(base_mj)
            path = self._path_at(slot * SLOT_NS)
            if path is None:
                if self.settings.has_pue_feed and not base_mj:
                    facility.append(0)  # of nothing a house makes nothing, whatever its PUE: the quarters to come too
                continue
            taken = facility_energy(path, base_mj, duration_ns, at=at)
            facility.append(taken.total_mj)
            for loss in taken.losses:
                around.losses[loss.stage] = around.losses.get(loss.stage, 0) + loss.energy_mj
        if len(node) == len(gpu):
            around.energies[Boundary.NODE] = tuple(node)
        if len(facility) == len(gpu):
            around.energies[Boundary.FACILITY] = tuple(facility)
        else:
            around.losses.clear()
        return around

    def _node_of(self, slot: int, gpu_mj: int, now_wall_ns: int) -> tuple[int, MeteredAt, int, bool]:
        """Give the energy of the node in a quarter hour, where it was metered, for how long, and whether it is known.

        Where it is not, losses are on top of the GPUs alone, which are metered behind the power supplies. A quarter
        that is yet to come took nothing.
        """
        if self.node is not None and slot * SLOT_NS < now_wall_ns:
            energy, duration_ns = self.node.energy(slot, gpu_mj, now_wall_ns)
            if energy.energy_mj is not None and energy.energy_mj >= gpu_mj:
                return energy.energy_mj, energy.at, duration_ns, True
        duration_ns = max(1, min(now_wall_ns - slot * SLOT_NS, SLOT_NS))
        is_empty = self.node is not None and slot * SLOT_NS >= now_wall_ns
        return gpu_mj, MeteredAt.SUPPLY_OUTPUT, duration_ns, is_empty

    def _cover(self, hour: int, facts: HourFacts) -> Cover:
        assert self.supplies is not None  # noqa: S101  (asked for only where there is one)

        def metered(name: str) -> int | None:
            parts = [part.value for part in self._resolve(SUPPLY + name, hour * NS_PER_HOUR)]
            known = [value for value in parts if value is not None]
            return sum(known) if known and len(known) == len(parts) else None

        return self.supplies.cover(hour, sum(facts.energies[facts.load]), metered)

    def _path_at(self, wall_ns: int) -> PowerPath | None:
        """Give the way to the meter of the house; None where none is configured, or the feed has no value."""
        if not self.settings.has_pue_feed:
            return self.settings.path
        millionths = self._fed_pue(wall_ns)
        return None if millionths is None else Pue(millionths)

    def pue_at(self, wall_ns: int) -> float | None:
        """Give the PUE of a moment; None where none is known."""
        path = self._path_at(wall_ns)
        return path.ppm / ONE if isinstance(path, Pue) else None

    def _fed_pue(self, wall_ns: int) -> int | None:
        if self.feeds is None:
            return None
        (now, *_) = self.feeds.resolve(PUE, wall_ns, wall_ns + 1)
        return None if now.value is None or now.value < ONE else now.value  # no house takes less than its nodes

    def _resolve(self, chain: str, start_wall_ns: int) -> Sequence[Resolved]:
        return () if self.feeds is None else self.feeds.resolve(chain, start_wall_ns, start_wall_ns + NS_PER_HOUR)

    def price_at(self, wall_ns: int) -> PriceNow | None:
        """Give what a kWh costs at a moment; None where that is not known."""
        if self.tariffs is None:
            return None
        hour = wall_ns // NS_PER_HOUR * NS_PER_HOUR
        points = self.tariffs.points(hour, hour + NS_PER_HOUR)
        now = next(point for point in points if wall_ns < point.end_wall_ns)
        return None if now.value is None else PriceNow(now.value, now.label)
