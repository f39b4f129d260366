"""The UPS, or the rectifiers of a supply with direct current: this node's part of it."""

from dataclasses import dataclass

from .curve import PPM, Curve


@dataclass(frozen=True, slots=True)
class Ups:
    """A UPS that feeds many nodes. `rated_mw` is this node's part of its rating: the rating, divided by the nodes.

    All units in parallel count, redundant ones too, as they share the load. None goes with a curve that is the same
    at any load, and raises ValueError with another. Energy is in picojoules.
    """

    curve: Curve
    rated_mw: int | None = None

    def __post_init__(self) -> None:
        """Refuse a curve whose load cannot be known."""
        if self.rated_mw is None and len(self.curve.points) > 1:
            raise ValueError(f"curve {self.curve.name}: needs a rating")

    def input_pj(self, output_pj: int, duration_ns: int) -> int:
        """Give what it takes from the grid to give *output_pj* in *duration_ns*."""
        return self.curve.input(output_pj, (self.rated_mw or 1) * duration_ns)

    def load_ppm(self, output_pj: int, duration_ns: int) -> int | None:
        """Give its load, in millionths of its rating; None where it has none."""
        return None if self.rated_mw is None else output_pj * PPM // (self.rated_mw * duration_ns)
