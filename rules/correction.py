"""Gain and offset of one board, in whole numbers; the reference meter they come from is the operator's matter."""

from dataclasses import dataclass

from .instant import NS_PER_SECOND

MILLION = 1_000_000
# A counter steps every 20 to 100 ms and is read up to five times a second: so long may it seem to stand still.
DEBT_NS = NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Correction:
    """True power = `gain_ppm` / 1e6 x read power + `offset_mw`. Boards differ by about 5 % and a few watts."""

    gain_ppm: int = MILLION
    offset_mw: int = 0

    @property
    def is_identity(self) -> bool:
        """Tell whether nothing is changed."""
        return self.gain_ppm == MILLION and self.offset_mw == 0

    def power_mw(self, raw_mw: int) -> int:
        """Correct a power reading; never below zero."""
        return max(0, raw_mw * self.gain_ppm // MILLION + self.offset_mw)


@dataclass(slots=True)
class CorrectedEnergy:
    """Applies a correction to a run of deltas and carries what is below a millijoule to the next one.

    With the carry, the sum over any run equals the corrected sum within one millijoule. A delta that an offset
    would make negative gives 0 and is made up by the next ones, as far as the counter's steps can be the reason:
    a draw that stays below the offset is 0, as in `power_mw`, and takes nothing from the work that follows.
    """

    correction: Correction
    _carry: int = 0  # in 1e-15 mJ

    def add(self, raw_mj: int, duration_ns: int) -> int:
        """Give the corrected whole millijoules of a delta of *raw_mj* that took *duration_ns*."""
        if self.correction.is_identity:
            return raw_mj
        exact = (
            self._carry
            + raw_mj * self.correction.gain_ppm * NS_PER_SECOND
            + self.correction.offset_mw * duration_ns * MILLION
        )
        whole = max(0, exact // (MILLION * NS_PER_SECOND))
        most_debt = min(0, self.correction.offset_mw) * DEBT_NS * MILLION
        self._carry = max(most_debt, exact - whole * MILLION * NS_PER_SECOND)
        return whole
