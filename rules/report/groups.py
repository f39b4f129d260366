"""What some rows of a report came to, by whatever they are grouped."""

from collections.abc import Sequence
from dataclasses import dataclass

from wattledger.rules.pricing.model import NOTHING, Priced
from wattledger.rules.tokens.model import TokenKind


@dataclass(frozen=True, slots=True)
class Sum:
    """What some rows came to. `idle_mj` was drawn while held, allocated or parked; `avoidable_mj` is part of it.

    `priced` is at the boundary of the report, so its energy is not that of the boards where that is wider; of it
    `idle_priced` is what was drawn while idle. Nothing is known yet of what `unpriced_mj`, energy of boards, came to.
    """

    energy_mj: int = 0
    idle_mj: int = 0
    avoidable_mj: int = 0
    duration_ns: int = 0
    idle_ns: int = 0
    priced: Priced = NOTHING
    idle_priced: Priced = NOTHING
    unpriced_mj: int = 0

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
            self.unpriced_mj + other.unpriced_mj,
        )

    @property
    def priced_share(self) -> float:
        """Give the part of the energy that prices are of."""
        return priced_share(self.unpriced_mj, self.energy_mj)


@dataclass(frozen=True, slots=True)
class ModelSum:
    """What a service and model came to. Tokens of a kind that was not told are not in the mapping."""

    service: str
    model: str
    active_mj: int = 0
    total_mj: int = 0
    tokens: tuple[tuple[TokenKind, int], ...] = ()
    priced: Priced = NOTHING
    unpriced_mj: int = 0

    def of(self, kind: TokenKind) -> int | None:
        """Give the tokens of a kind; None where they are not known."""
        return dict(self.tokens).get(kind)

    @property
    def priced_share(self) -> float:
        """Give the part of the energy that prices are of."""
        return priced_share(self.unpriced_mj, self.total_mj)


def priced_share(unpriced_mj: int, energy_mj: int) -> float:
    """Give the part of some energy that prices are of; all of nothing."""
    return 1 - unpriced_mj / energy_mj if energy_mj else 1.0


def all_of(models: Sequence[ModelSum], name: str) -> ModelSum:
    """Give several as one of that *name*. How many tokens of a kind they had is known where each of them tells it."""
    counts = [dict(model.tokens) for model in models]
    return ModelSum(
        name,
        "",
        sum(model.active_mj for model in models),
        sum(model.total_mj for model in models),
        tuple((kind, sum(of[kind] for of in counts)) for kind in TokenKind if all(kind in of for of in counts)),
        sum((model.priced for model in models), NOTHING),
        sum(model.unpriced_mj for model in models),
    )
