"""Offers against the load of one hour, and what that is by the two methods of Scope 2; it knows no other hour."""

from collections.abc import Sequence

from .model import OWN_LAYERS, HourMatch, Offer, Take


def match_hour(load_mj: int, offers: Sequence[Offer]) -> HourMatch:
    """Cover the load with the offers in their order, each joule once; what is offered beyond the load covers nothing.

    A share is of the whole load, and limited by what is left of it. Neither load nor offers are below 0.
    """
    left_mj = load_mj
    taken = []
    for offer in offers:
        available_mj = offer.available_mj(load_mj)
        energy_mj = min(left_mj, available_mj)
        left_mj -= energy_mj
        taken.append(Take(offer, energy_mj, available_mj - energy_mj))
    return HourMatch(load_mj, tuple(taken), left_mj)


def market_product(match: HourMatch, residual: int | None) -> tuple[int, int]:
    """Give the market-based product (millijoules x micrograms per kWh), and the energy that is not in it.

    GHG Protocol Scope 2 Guidance: what a source or contract covers has that factor, the rest that of the residual mix
    (*residual*, micrograms per kWh). Power whose certificates were sold is the rest too. Without a residual factor
    the rest is in no product.
    """
    product = sum(take.product for take in match.taken if not take.offer.certificates_sold)
    rest_mj = match.unmatched_mj + sold_mj(match)
    return (product, rest_mj) if residual is None else (product + rest_mj * residual, 0)


def location_split(match: HourMatch) -> tuple[int, int]:
    """Give the energy that was made or stored here, and that of the grid.

    GHG Protocol Scope 2 Guidance, section 5.4: what an owner generates and consumes itself was not bought and is not
    in Scope 2. Contracts, direct lines and certificates change nothing here: their energy has the mix of the place.
    """
    own_mj = sum(take.energy_mj for take in match.taken if take.offer.layer in OWN_LAYERS)
    return own_mj, match.load_mj - own_mj


def location_own_product(match: HourMatch) -> int:
    """Give the product of what was made or stored here by its own factors, its certificates sold or not."""
    return sum(take.product for take in match.taken if take.offer.layer in OWN_LAYERS)


def sold_mj(match: HourMatch) -> int:
    """Give the energy taken from sources whose certificates went to others."""
    return sum(take.energy_mj for take in match.taken if take.offer.certificates_sold)
