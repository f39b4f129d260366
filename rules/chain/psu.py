"""The power supplies of a node: several that share its load."""

from dataclasses import dataclass

from .curve import PPM, Curve


@dataclass(frozen=True, slots=True)
class Psu:
    """*count* equal power supplies of *rated_mw* each. Redundant ones share the load evenly, so each runs lower.

    Energy is in picojoules (milliwatts times nanoseconds).
    """

    curve: Curve
    rated_mw: int
    count: int = 1

    def input_pj(self, output_pj: int, duration_ns: int) -> int:
        """Give what they take from the outlet to give *output_pj* in *duration_ns*."""
        return self.curve.input(output_pj, self._rated_pj(duration_ns))

    def output_pj(self, input_pj: int, duration_ns: int) -> int:
        """Give what comes out of them when they take *input_pj*: the most for which that is enough."""
        return self.curve.output(input_pj, self._rated_pj(duration_ns))

    def load_ppm(self, output_pj: int, duration_ns: int) -> int:
        """Give the load of each, in millionths of its rating."""
        return output_pj * PPM // self._rated_pj(duration_ns)

    def _rated_pj(self, duration_ns: int) -> int:
        return self.rated_mw * self.count * duration_ns
