"""Splitting what some energy came to over its parts, number by number; each number of the parts sums to the whole."""

from collections.abc import Sequence

from wattledger.rules.apportion import apportion
from wattledger.rules.pricing.model import NOTHING, Priced

Columns = tuple[int, int, int, int, int, int, int, int]


def columns(priced: Priced) -> Columns:
    """Give the numbers, energy first."""
    return (
        priced.energy_mj,
        priced.location,
        priced.location_covered_mj,
        priced.market,
        priced.market_covered_mj,
        priced.cost,
        priced.credit,
        priced.priced_mj,
    )


def less(whole: Priced, part: Priced) -> Priced:
    """Give what is left of *whole* without *part*; no number of it is below 0."""
    return Priced(*(max(0, a - b) for a, b in zip(columns(whole), columns(part), strict=True)))


def by_energy(whole: Priced, energies: Sequence[int], *, of_mj: int | None = None) -> list[Priced]:
    """Split *whole* by energy. *of_mj* is all the energy that it is of, where *energies* are not all of it.

    Energies that are less than it have their part alone; the parts are of no more energy than it is.
    """
    if not whole.energy_mj:
        return [NOTHING] * len(energies)
    here_mj = sum(energies)
    all_mj = max(whole.energy_mj, here_mj, of_mj or 0)
    if len(energies) == 1 and here_mj == all_mj:
        return [whole]
    weights = [*energies, all_mj - here_mj]
    return _split(whole, [weights] * len(columns(whole)))


def in_step(whole: Priced, parts: Sequence[Priced], of: Priced) -> list[Priced]:
    """Split *whole* as *of*, which is the same at another boundary, falls on *parts*: each number in its own way.

    A number that is nowhere in *of* goes by energy.
    """
    if not whole.energy_mj:
        return [NOTHING] * len(parts)
    if len(parts) == 1 and parts[0] == of:
        return [whole]
    found: list[list[int]] = []
    for all_of_it, *numbers in zip(columns(of), *map(columns, parts), strict=True):
        weights = list(numbers)
        found.append([*weights, max(0, all_of_it - sum(weights))])
    by_mj = found[0]
    return _split(whole, [weights if any(weights) else by_mj for weights in found])


def _split(whole: Priced, weights: Sequence[Sequence[int]]) -> list[Priced]:
    """Split each number by weights of its own; the last part is nobody's and is left out."""
    split: list[list[int]] = []
    first, first_weights = whole.energy_mj, weights[0]
    for number, by in zip(columns(whole), weights, strict=True):
        if not number:
            split.append([0] * (len(by) - 1))
        elif split and number == first and by == first_weights:  # all of the energy has a value, as is usual
            split.append(split[0])
        else:
            split.append(apportion(number, by)[:-1])
    return [Priced(*numbers) for numbers in zip(*split, strict=True)]
