"""The laws of the supply as properties: no joule is lost, none counts twice, and no share is above one."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.supply.supplies import energies, loads, many_offers, offers_of_hours
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.supply.certificates import CertificateBook, Lot
from wattledger.rules.supply.chain import SupplyChain
from wattledger.rules.supply.hour import SupplyBooks, settle_hour
from wattledger.rules.supply.match import location_own_product, location_split, market_product, match_hour, sold_mj
from wattledger.rules.supply.model import Layer, Offer
from wattledger.rules.supply.score import GreenShare, green_share, share_of_hour
from wattledger.rules.supply.storage import Storage, StorageBook

volumes = st.lists(offers_of_hours(shares=False), max_size=6)
residuals = st.one_of(st.none(), st.integers(0, 2 * 10**9))


@st.composite
def lots(draw: st.DrawFn, name: str) -> Lot:
    start = draw(st.integers(0, 20))
    end = start + draw(st.integers(1, 8))
    until = draw(st.one_of(st.just(end), st.integers(start + 1, 40)))
    return Lot(name, draw(energies), start * NS_PER_HOUR, end * NS_PER_HOUR, until * NS_PER_HOUR)


books_of_lots = st.tuples(*(lots(name) for name in "xyz")).map(CertificateBook)
hours_of_load = st.lists(st.tuples(loads, many_offers), min_size=1, max_size=8)


@given(loads, many_offers)
def test_what_was_taken_and_what_is_unmatched_are_the_load(load_mj: int, offers: list[Offer]) -> None:
    match = match_hour(load_mj, offers)
    assert sum(take.energy_mj for take in match.taken) + match.unmatched_mj == load_mj
    assert match.unmatched_mj >= 0


@given(loads, many_offers)
def test_each_joule_of_an_offer_is_taken_or_left_over(load_mj: int, offers: list[Offer]) -> None:
    match = match_hour(load_mj, offers)
    assert [take.offer for take in match.taken] == offers
    for take in match.taken:
        assert min(take.energy_mj, take.surplus_mj) >= 0
        assert take.energy_mj + take.surplus_mj == take.offer.available_mj(load_mj)
    assert match.unmatched_mj == 0 or not any(take.surplus_mj for take in match.taken)


@given(loads, loads, volumes)
def test_more_load_takes_no_less_of_any_offer_and_leaves_no_less_unmatched(
    one: int, other: int, offers: list[Offer]
) -> None:
    less, more = match_hour(min(one, other), offers), match_hour(max(one, other), offers)
    assert all(few.energy_mj <= many.energy_mj for few, many in zip(less.taken, more.taken, strict=True))
    assert less.unmatched_mj <= more.unmatched_mj


@given(loads, loads, many_offers)
def test_with_shares_more_load_has_no_less_covered(one: int, other: int, offers: list[Offer]) -> None:
    less, more = match_hour(min(one, other), offers), match_hour(max(one, other), offers)
    assert less.load_mj - less.unmatched_mj <= more.load_mj - more.unmatched_mj


@given(loads, many_offers, st.randoms(use_true_random=False))
def test_the_order_of_offers_changes_nothing_of_how_much_is_covered(
    load_mj: int, offers: list[Offer], random: object
) -> None:
    shuffled = sorted(offers, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert match_hour(load_mj, shuffled).unmatched_mj == match_hour(load_mj, offers).unmatched_mj


@given(loads, energies, energies, st.integers(0, 10**9))
def test_offers_that_are_alike_may_stand_in_any_order(load_mj: int, one: int, other: int, intensity: int) -> None:
    pair = [Offer(Layer.CONTRACT_INTRA, "a", one, intensity), Offer(Layer.CONTRACT_INTRA, "b", other, intensity)]
    here, there = match_hour(load_mj, pair), match_hour(load_mj, pair[::-1])
    assert market_product(here, 7) == market_product(there, 7)
    assert location_split(here) == location_split(there)


@given(loads, many_offers, residuals)
def test_both_methods_speak_of_the_whole_load(load_mj: int, offers: list[Offer], residual: int | None) -> None:
    supply, _ = settle_hour(0, load_mj, offers, SupplyBooks(), residual=residual)
    assert supply.location_own_mj + supply.location_grid_mj == load_mj
    made_mj = supply.location_own_mj - supply.sold_mj
    assert made_mj + supply.contract_mj + supply.market_rest_mj == load_mj
    own_product = supply.location_own_product - supply.sold_product
    rest = (0, supply.market_rest_mj) if residual is None else (supply.market_rest_mj * residual, 0)
    assert (supply.market_product, supply.market_uncovered_mj) == (
        own_product + supply.contract_product + rest[0],
        rest[1],
    )


@given(loads, many_offers, st.integers(0, 10**9))
def test_a_residual_mix_as_clean_as_the_sources_makes_them_all_alike(
    load_mj: int, offers: list[Offer], intensity: int
) -> None:
    same = [
        Offer(one.layer, one.name, one.energy_mj, intensity, one.share_ppm, certificates_sold=one.certificates_sold)
        for one in offers
    ]
    match = match_hour(load_mj, same)
    assert market_product(match, intensity) == (load_mj * intensity, 0)
    _, grid_mj = location_split(match)
    assert location_own_product(match) + grid_mj * intensity == load_mj * intensity
    assert sold_mj(match) + match.unmatched_mj == market_product(match, None)[1]


@given(books_of_lots, st.lists(loads, max_size=30))
def test_certificates_cover_no_more_than_there_are_and_no_load_twice(
    book: CertificateBook, hourly: list[int]
) -> None:
    covered = dict.fromkeys("xyz", 0)
    for hour, load_mj in enumerate(hourly):
        match, book = book.cover(hour, match_hour(load_mj, []))
        assert sum(take.energy_mj for take in match.taken) + match.unmatched_mj == load_mj
        for take in match.taken:
            covered[take.offer.name] += take.energy_mj
    assert covered == {name: book.used_mj.get(name, 0) for name in "xyz"}
    assert all(book.used_mj.get(lot.name, 0) <= lot.energy_mj for lot in book.lots)


@given(books_of_lots, st.integers(0, 30), loads)
def test_only_lots_that_are_used_up_or_not_for_the_hour_leave_load_unmatched(
    book: CertificateBook, hour: int, load_mj: int
) -> None:
    match, after = book.cover(hour, match_hour(load_mj, []))
    usable = [lot for lot in book.lots if lot.is_for(hour)]
    assert {take.offer.name for take in match.taken} <= {lot.name for lot in usable}
    if match.unmatched_mj:
        assert not any(after.left_mj(lot) for lot in usable)


@given(
    st.integers(0, 10**13),
    st.integers(0, 10**13),
    st.just(10**6) | st.integers(1, 10**6),
    st.lists(st.tuples(loads, energies, energies), max_size=20),
)
def test_a_battery_gives_back_no_more_green_energy_than_surplus_could_charge(
    capacity_mj: int, stock_mj: int, efficiency_ppm: int, hours: list[tuple[int, int, int]]
) -> None:
    battery = Storage("battery", capacity_mj, efficiency_ppm=efficiency_ppm)
    book = StorageBook((battery,), {"battery": stock_mj})
    held_mj = min(stock_mj, capacity_mj)
    surplus_mj = given_mj = 0
    for load_mj, sun_mj, discharged_mj in hours:
        offers = (Offer(Layer.ONSITE, "sun", sun_mj), Offer(Layer.STORAGE, "battery", discharged_mj))
        limited = book.limited(offers)
        match = match_hour(load_mj, limited)
        given_mj += limited[1].energy_mj
        assert (given_mj - held_mj) * 10**6 <= surplus_mj * efficiency_ppm
        surplus_mj += match.taken[0].surplus_mj
        book = book.after(match)
        assert 0 <= book.stock_mj["battery"] <= capacity_mj
        assert (given_mj + book.stock_mj["battery"] - held_mj) * 10**6 <= surplus_mj * efficiency_ppm


@given(st.integers(1, 10**6), energies, energies)
def test_what_charges_a_battery_is_no_more_than_the_surplus_and_no_less_than_it_holds(
    efficiency_ppm: int, surplus_mj: int, room_mj: int
) -> None:
    charged_mj, held_mj = Storage("battery", room_mj, efficiency_ppm=efficiency_ppm).charged(surplus_mj, room_mj)
    assert 0 <= held_mj <= min(room_mj, charged_mj) <= charged_mj <= surplus_mj
    assert held_mj * 10**6 <= charged_mj * efficiency_ppm


@given(
    st.lists(st.tuples(st.integers(0, 6), loads, energies, energies), max_size=12),
    st.integers(0, 10**13),
    books_of_lots,
)
def test_hours_asked_anew_in_any_order_come_out_as_if_they_were_settled_once(
    asked: list[tuple[int, int, int, int]], capacity_mj: int, lots: CertificateBook
) -> None:
    books = SupplyBooks(lots, StorageBook((Storage("battery", capacity_mj),)))
    chain, answers, known = SupplyChain(books), {}, {}
    for hour, load_mj, sun_mj, discharged_mj in asked:
        offers = (Offer(Layer.ONSITE, "sun", sun_mj), Offer(Layer.STORAGE, "battery", discharged_mj))
        known[hour] = (load_mj, offers)
        answers[hour] = chain.cover(hour, load_mj, offers)
        for stale in chain.stale():
            answers[stale] = chain.cover(stale, *known[stale])
        assert chain.stale() == ()
    before = None
    for hour, (load_mj, offers) in sorted(known.items()):
        if before is not None and before != hour - 1:
            books = SupplyBooks(books.certificates, StorageBook(books.storage.storages))
        supply, books = settle_hour(hour, load_mj, offers, books)
        assert answers[hour] == supply
        before = hour
    assert chain.close(6) == books


@given(hours_of_load, books_of_lots, st.integers(0, 10**6))
def test_no_share_is_above_one_and_layers_sum_to_the_load(
    hours: list[tuple[int, list[Offer]]], lots: CertificateBook, grid_ppm: int
) -> None:
    books, shares = SupplyBooks(lots), []
    for hour, (load_mj, offers) in enumerate(hours):
        supply, books = settle_hour(hour, load_mj, offers, books)
        assert sum(one.energy_mj for one in supply.layers) + supply.unmatched_mj == load_mj
        shares.append(share_of_hour(hour, supply, grid_free_ppm=grid_ppm))
    total = green_share(shares)
    assert sum(total.layers.values()) == total.load_mj == sum(load_mj for load_mj, _ in hours)
    if not total.load_mj:
        assert total.green_share is total.hourly_matched is total.hourly_matched_with_grid is None
        return
    with_all, without = total.green_share, total.green_share_without_certificates
    strict, with_grid = total.hourly_matched, total.hourly_matched_with_grid
    assert with_all is not None
    assert without is not None
    assert strict is not None
    assert with_grid is not None
    assert 0 <= without <= with_all <= 1
    assert 0 <= strict <= with_grid <= 1


@given(hours_of_load, books_of_lots, st.lists(st.none() | st.integers(0, 10**6), min_size=8, max_size=8))
def test_over_the_hours_whose_share_is_known_the_score_with_the_grid_is_not_below_the_strict_one(
    hours: list[tuple[int, list[Offer]]], lots: CertificateBook, grid_ppm: list[int | None]
) -> None:
    books, shares, exact = SupplyBooks(lots), [], Fraction(0)
    for hour, (load_mj, offers) in enumerate(hours):
        supply, books = settle_hour(hour, load_mj, offers, books)
        share = share_of_hour(hour, supply, grid_free_ppm=grid_ppm[hour])
        # What neither was matched nor came from another generator or contract, which share in nothing.
        mine = sum(one.energy_mj for one in supply.layers if one.is_matched or one.layer is not Layer.CERTIFICATES)
        rest_mj, ppm = load_mj - mine, grid_ppm[hour]
        assert share.with_grid.covered_mj == (load_mj if ppm is not None or not rest_mj else 0)
        if share.with_grid.covered_mj:
            shares.append(share)
            exact += share.matched_mj + Fraction(rest_mj * (ppm or 0), 10**6)
    total = green_share(shares)
    strict, with_grid = total.hourly_matched, total.hourly_matched_with_grid
    if strict is None or with_grid is None:
        assert strict is with_grid is None
        return
    assert 0 <= strict <= with_grid <= 1
    assert exact - len(shares) < total.with_grid.energy_mj <= exact, "an hour is rounded down to a millijoule"


@given(st.lists(st.tuples(loads, st.lists(energies, max_size=4)), min_size=1, max_size=10))
def test_the_strict_score_is_that_of_the_literature_where_all_supply_is_carbon_free(
    hours: list[tuple[int, list[int]]],
) -> None:
    shares = []
    for hour, (load_mj, supplied) in enumerate(hours):
        offers = [Offer(Layer.CONTRACT_INTRA, str(number), energy) for number, energy in enumerate(supplied)]
        shares.append(share_of_hour(hour, settle_hour(hour, load_mj, offers, SupplyBooks())[0]))
    total = green_share(shares)
    # carbon.md section 4: sum of min(L, C), which is the load less sum of max(0, L - C)
    assert total.matched_mj == sum(min(load_mj, sum(supplied)) for load_mj, supplied in hours)
    assert total.load_mj - total.matched_mj == sum(max(0, load_mj - sum(supplied)) for load_mj, supplied in hours)
    assert total.unmatched_hours == sum(load_mj > sum(supplied) for load_mj, supplied in hours)


@given(hours_of_load, st.integers(0, 8))
def test_shares_add_up_however_the_hours_are_cut(hours: list[tuple[int, list[Offer]]], cut: int) -> None:
    shares = [
        share_of_hour(hour, settle_hour(hour, load_mj, offers, SupplyBooks())[0])
        for hour, (load_mj, offers) in enumerate(hours)
    ]
    assert green_share(shares[:cut]) + green_share(shares[cut:]) == green_share(shares)
    assert GreenShare() + green_share(shares) == green_share(shares)
