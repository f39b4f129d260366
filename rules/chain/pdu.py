"""Distribution between the UPS and the outlets: cables, busbars, transformers, as one efficiency."""

from dataclasses import dataclass

from .curve import PPM


@dataclass(frozen=True, slots=True)
class Pdu:
    """An efficiency that does not depend on the load, in millionths. Energy is in picojoules.

    Raises ValueError for an efficiency that is not above 0 and at most 1.
    """

    efficiency_ppm: int

    def __post_init__(self) -> None:
        """Refuse an efficiency that none can have."""
        if not 0 < self.efficiency_ppm <= PPM:
            raise ValueError(f"efficiency {self.efficiency_ppm} millionths is not above 0 and at most 1")

    def input_pj(self, output_pj: int) -> int:
        """Give what goes in for *output_pj*, rounded to the nearest."""
        return (2 * output_pj * PPM + self.efficiency_ppm) // (2 * self.efficiency_ppm)
