"""Power of the cooling: by a coefficient of performance, or as a part of the PUE."""

from dataclasses import dataclass

from .curve import PPM

COP_UNIT = 1_000


@dataclass(frozen=True, slots=True)
class Cooling:
    """Exactly one of the two is set, else ValueError. Energy is in picojoules.

    `cop_permille`: heat carried away over power taken, in thousandths. The heat is all power that comes in before
    it: of the node and of the losses in front of it. `pue_part_ppm`: the partial PUE of the cooling in millionths,
    which is (node + cooling) / node, the node at the inputs of its power supplies.
    """

    cop_permille: int | None = None
    pue_part_ppm: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is both, neither, or no number that cooling can have."""
        if (self.cop_permille is None) is (self.pue_part_ppm is None):
            raise ValueError("cooling has either a coefficient of performance or a part of the PUE")
        if self.cop_permille is not None and self.cop_permille <= 0:
            raise ValueError(f"a coefficient of performance of {self.cop_permille} thousandths is not above 0")
        if self.pue_part_ppm is not None and self.pue_part_ppm < PPM:
            raise ValueError(f"a part of the PUE of {self.pue_part_ppm} millionths is below 1")

    def energy_pj(self, node_pj: int, heat_pj: int) -> int:
        """Give what it takes, rounded to the nearest."""
        if self.cop_permille is not None:
            return (2 * heat_pj * COP_UNIT + self.cop_permille) // (2 * self.cop_permille)
        assert self.pue_part_ppm is not None  # noqa: S101  (one of the two is set)
        return (2 * node_pj * (self.pue_part_ppm - PPM) + PPM) // (2 * PPM)
