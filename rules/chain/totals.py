"""What a house took since the books began: sums of facility energies, as values that can be stored."""

from dataclasses import dataclass, field

from .chain import FacilityEnergy, Stage


@dataclass(frozen=True, slots=True)
class FacilityTotal:
    """The load and each stage's losses, in millijoules; the sums of `FacilityEnergy`, which they add up to."""

    load_mj: int = 0
    losses_mj: dict[Stage, int] = field(default_factory=dict)

    @property
    def total_mj(self) -> int:
        """Give the energy at the meter of the house."""
        return self.load_mj + sum(self.losses_mj.values())

    def plus(self, energy: FacilityEnergy) -> "FacilityTotal":
        """Give the total with *energy* added."""
        losses = dict(self.losses_mj)
        for loss in energy.losses:
            losses[loss.stage] = losses.get(loss.stage, 0) + loss.energy_mj
        return FacilityTotal(self.load_mj + energy.load_mj, losses)
