"""What some rows of a report came to, by whatever they are grouped."""

from dataclasses import dataclass

from wattledger.rules.pricing.model import NOTHING, Priced
from wattledger.rules.tokens.model import TokenKind


@dataclass(frozen=True, slots=True)
class Sum:
    """What some rows came to. `idle_mj` was drawn while held, allocated or parked; `avoidable_mj` is part of it.

    `priced` is at the boundary of the report, so its energy is not that of the boards where that is wider; of it
    `idle_priced` is what was drawn while idle.
    """

    energy_mj: int = 0
    idle_mj: int = 0
    avoidable_mj: int = 0
    duration_ns: int = 0
    idle_ns: int = 0
    priced: Priced = NOTHING
    idle_priced: Priced = NOTHING

    def __add__(self, other: "Sum") -> "Sum":
        """Give the sum, term by term."""
        return Sum(
            self.energy_mj + other.energy_mj,
            self.idle_mj + other.idle_mj,
            self.avoidable_mj + other.avoidable_mj,
            self.duration_ns + other.duration_ns,
            self.idle_ns + other.idle_ns,
            self.priced + other.priced,
            self.idle_priced + other.idle_priced,
        )


@dataclass(frozen=True, slots=True)
class ModelSum:
    """What a service and model came to. Tokens of a kind that was not told are not in the mapping."""

    service: str
    model: str
    active_mj: int = 0
    total_mj: int = 0
    tokens: tuple[tuple[TokenKind, int], ...] = ()
    priced: Priced = NOTHING

    def of(self, kind: TokenKind) -> int | None:
        """Give the tokens of a kind; None where they are not known."""
        return dict(self.tokens).get(kind)
