"""What covered the load of all hours together: layers, the green part, and what was matched by the hour."""

from wattledger.rules.pricing.model import Boundary
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer

from .model import SupplySum
from .rows import HostHour


class SupplyTally:
    """Adds up the supply of hours of hosts."""

    def __init__(self) -> None:
        self._layers: dict[Layer, int] = {}
        self._green_mj: int | None = 0
        self._certificates_mj = self._matched_mj = 0
        self._hours = self._unmatched_hours = 0
        self._with_grid: GridScore | None = None
        self._grid_sources: dict[str, int] = {}
        self._without_mj = dict.fromkeys(Boundary, 0)

    def add(self, hour: HostHour) -> None:
        """Take in an hour."""
        if not hour.price.supply:
            # Load too: supply was configured later, or nobody told.
            for boundary, priced in hour.price.boundaries.items():
                self._without_mj[boundary] += priced.energy_mj
            return
        self._hours += 1
        self._add_with_grid(hour.price.with_grid)
        matched_mj = 0
        for use in hour.price.supply:
            self._layers[use.layer] = self._layers.get(use.layer, 0) + use.energy_mj
            matched_mj += use.energy_mj if use.is_matched else 0
            if use.is_green and self._green_mj is not None:
                self._green_mj += use.energy_mj
                self._certificates_mj += use.energy_mj if use.layer is Layer.CERTIFICATES else 0
        if hour.matched_mj is not None:
            matched_mj, self._green_mj = hour.matched_mj, None
        self._matched_mj += matched_mj
        self._unmatched_hours += matched_mj < sum(use.energy_mj for use in hour.price.supply)

    def _add_with_grid(self, score: GridScore | None) -> None:
        if score is None:
            return
        self._with_grid = score if self._with_grid is None else self._with_grid + score
        if score.source:
            self._grid_sources[score.source] = self._grid_sources.get(score.source, 0) + score.covered_mj

    def sum(self, load: Boundary) -> SupplySum | None:
        """Give what it came to; *load* is the boundary whose energy is the load. None where nobody told of supply."""
        if not self._hours:
            return None
        return SupplySum(
            load_mj=sum(self._layers.values()) + self._without_mj[load],
            layers={layer: self._layers[layer] for layer in Layer if layer in self._layers},
            green_mj=self._green_mj,
            green_certificates_mj=self._certificates_mj,
            matched_mj=self._matched_mj,
            hours=self._hours,
            unmatched_hours=self._unmatched_hours,
            with_grid=self._with_grid,
            grid_sources=dict(sorted(self._grid_sources.items())),
        )
