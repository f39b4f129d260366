"""Offers and lots as tests write them: energy in kWh, intensity in grams; and as hypothesis makes them."""

from hypothesis import strategies as st

from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.supply.certificates import Lot
from wattledger.rules.supply.model import PRIORITY, Layer, Offer

KWH = 3_600_000_000
GRAM = 1_000_000
OFFERED = tuple(layer for layer in PRIORITY if layer not in {Layer.CERTIFICATES, Layer.GRID})


def offer(
    layer: Layer,
    kwh: float = 0,
    *,
    name: str = "",
    grams: float = 0,
    share_ppm: int = 0,
    renewable: bool = True,
    carbon_free: bool = True,
    sold: bool = False,
) -> Offer:
    return Offer(
        layer,
        name or layer.value,
        round(kwh * KWH),
        round(grams * GRAM),
        share_ppm,
        renewable=renewable,
        carbon_free=carbon_free,
        certificates_sold=sold,
    )


def lot(name: str, kwh: float, start: int, end: int, until: int | None = None, *, grams: float = 0) -> Lot:
    """Give a lot generated in the hours `[start, end)`, valid until an hour, or until its end."""
    last = (end if until is None else until) * NS_PER_HOUR
    return Lot(name, round(kwh * KWH), start * NS_PER_HOUR, end * NS_PER_HOUR, last, round(grams * GRAM))


loads = st.integers(0, 10**13)
energies = st.one_of(st.just(0), st.integers(0, 10**13), st.integers(0, 3))


@st.composite
def offers_of_hours(draw: st.DrawFn, *, shares: bool = True) -> Offer:
    """Give an offer of any layer that sources have, of an amount or of a share."""
    of_share = shares and draw(st.booleans())
    return Offer(
        draw(st.sampled_from(OFFERED)),
        draw(st.sampled_from("abcd")),
        0 if of_share else draw(energies),
        draw(st.integers(0, 10**9)),
        draw(st.integers(1, 10**6)) if of_share else 0,
        renewable=draw(st.booleans()),
        carbon_free=draw(st.booleans()),
        certificates_sold=draw(st.booleans()),
    )


many_offers = st.lists(offers_of_hours(), max_size=6)
