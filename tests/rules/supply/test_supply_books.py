"""What one hour leaves to the next: certificates, batteries, and open hours that are settled anew."""

from tests.rules.supply.supplies import KWH, lot, offer
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.supply.certificates import CertificateBook, Lot
from wattledger.rules.supply.chain import SupplyChain
from wattledger.rules.supply.hour import HourSupply, SupplyBooks, settle_hour
from wattledger.rules.supply.match import match_hour
from wattledger.rules.supply.model import Layer
from wattledger.rules.supply.storage import Storage, StorageBook

BATTERY = StorageBook((Storage("battery", 6 * KWH),))


def covered(supply: HourSupply) -> dict[str, float]:
    return {one.name: one.energy_mj / KWH for one in supply.layers} | {"grid": supply.unmatched_mj / KWH}


def used(book: CertificateBook, hours: dict[int, float]) -> dict[str, float]:
    for hour, kwh in hours.items():
        _, book = book.cover(hour, match_hour(round(kwh * KWH), []))
    return {name: energy_mj / KWH for name, energy_mj in book.used_mj.items()}


def test_a_lot_covers_what_is_unmatched_in_the_order_of_time_until_it_is_used_up() -> None:
    book = CertificateBook((lot("a", 5, 0, 10),))
    match, book = book.cover(2, match_hour(4 * KWH, [offer(Layer.ONSITE, 1)]))
    assert (match.taken[1].energy_mj, match.unmatched_mj) == (3 * KWH, 0)
    match, book = book.cover(3, match_hour(4 * KWH, []))
    assert (match.taken[0].energy_mj, match.unmatched_mj) == (2 * KWH, 2 * KWH)
    assert book.left_mj(book.lots[0]) == 0
    match, after = book.cover(4, match_hour(4 * KWH, []))
    assert match.taken == ()
    assert after == book


def test_a_lot_covers_load_from_its_generation_until_it_lapses() -> None:
    book = CertificateBook((lot("a", 100, 4, 8, until=10),))
    assert used(book, {3: 1}) == {}
    assert used(book, {4: 1, 9: 1}) == {"a": 2}
    assert used(book, {10: 1}) == {}


def test_what_lapses_first_is_used_first() -> None:
    book = CertificateBook((lot("late", 100, 0, 4, until=20), lot("early", 2, 0, 4, until=10)))
    assert used(book, {5: 3}) == {"early": 2, "late": 1}


def test_a_lot_of_one_hour_covers_that_hour_alone_and_counts_as_matched() -> None:
    book = CertificateBook((lot("year", 100, 0, 50), lot("hour", 2, 7, 8, until=50)))
    match, after = book.cover(7, match_hour(5 * KWH, []))
    assert [(take.offer.name, take.energy_mj // KWH, take.offer.is_matched) for take in match.taken] == [
        ("hour", 2, True),
        ("year", 3, False),
    ]
    assert used(after, {8: 1})["hour"] == 2
    match, _ = book.cover(7, match_hour(KWH, []))
    assert match.taken[0].surplus_mj == KWH


def test_a_lot_within_an_hour_carries_it_and_one_across_its_end_does_not() -> None:
    quarter = NS_PER_HOUR // 4
    assert Lot("a", KWH, 7 * NS_PER_HOUR + quarter, 7 * NS_PER_HOUR + 2 * quarter, 0).hour == 7
    assert Lot("a", KWH, 7 * NS_PER_HOUR + quarter, 8 * NS_PER_HOUR + quarter, 0).hour is None


def test_what_a_lot_used_is_kept_when_it_is_gone_and_a_lot_that_shrank_has_nothing_left() -> None:
    book = CertificateBook((lot("a", 1, 0, 10),), {"gone": 7, "a": 3 * KWH})
    match, after = book.cover(1, match_hour(KWH, []))
    assert match.taken == ()
    assert after.used_mj == {"gone": 7, "a": 3 * KWH}


def test_a_battery_gives_back_what_surplus_charged_and_the_rest_is_the_grids() -> None:
    books = SupplyBooks(storage=BATTERY)
    sun, rest = offer(Layer.ONSITE, 14, name="sun"), offer(Layer.STORAGE, 5, name="battery")
    supply, books = settle_hour(0, 10 * KWH, [sun], books)
    assert books.storage.stock_mj == {"battery": 4 * KWH}
    supply, books = settle_hour(1, 10 * KWH, [rest], books)
    assert covered(supply) == {"battery": 4, "grid": 6}
    assert books.storage.stock_mj == {"battery": 0}


def test_a_battery_holds_no_more_than_its_capacity() -> None:
    _, books = settle_hour(0, 0, [offer(Layer.ONSITE, 14)], SupplyBooks(storage=BATTERY))
    assert books.storage.stock_mj == {"battery": 6 * KWH}


def test_what_is_charged_in_an_hour_is_not_given_back_in_it() -> None:
    supply, books = settle_hour(
        0, 0, [offer(Layer.ONSITE, 3), offer(Layer.STORAGE, 3, name="battery")], SupplyBooks(storage=BATTERY)
    )
    assert covered(supply) == {"grid": 0}
    assert books.storage.stock_mj == {"battery": 3 * KWH}


def test_what_a_battery_loses_makes_nothing_green() -> None:
    # 8 kWh of sun a day, of which 6 come back. The grid charges the other 2 that the meter sees by night.
    lossy = SupplyBooks(storage=StorageBook((Storage("battery", 100 * KWH, efficiency_ppm=750_000),)))
    green = 0
    for day in range(10):
        _, lossy = settle_hour(2 * day, 0, [offer(Layer.ONSITE, 8), offer(Layer.STORAGE, 0, name="battery")], lossy)
        night, lossy = settle_hour(2 * day + 1, 8 * KWH, [offer(Layer.STORAGE, 8, name="battery")], lossy)
        green += night.matched_mj // KWH
    assert green == 60


def test_a_battery_takes_no_more_surplus_than_it_has_room_for() -> None:
    book = StorageBook((Storage("a", 3 * KWH, efficiency_ppm=500_000), Storage("b", 9 * KWH)))
    after = book.after(match_hour(0, [offer(Layer.ONSITE, 10)]))
    assert after.stock_mj == {"a": 3 * KWH, "b": 4 * KWH}, "6 kWh fill the first"


def test_surplus_charges_no_battery_before_it_is_there_or_after_it_is_gone() -> None:
    later = Storage("later", 6 * KWH, from_wall_ns=2 * NS_PER_HOUR, to_wall_ns=4 * NS_PER_HOUR)
    books = SupplyBooks(storage=StorageBook((later, Storage("always", 3 * KWH))))
    held = []
    for hour in range(6):
        _, books = settle_hour(hour, 0, [offer(Layer.ONSITE, 1)], books)
        held.append([books.storage.stock_mj.get(name, 0) // KWH for name in ("later", "always")])
    assert held == [[0, 1], [0, 2], [1, 2], [2, 2], [0, 3], [0, 3]]


def test_what_a_battery_holds_is_forgotten_when_none_is_there_any_more() -> None:
    gone = StorageBook((Storage("battery", 6 * KWH, to_wall_ns=NS_PER_HOUR),), {"battery": 5 * KWH})
    _, books = settle_hour(1, KWH, [], SupplyBooks(storage=gone))
    assert books.storage == StorageBook(gone.storages)


def test_surplus_charges_one_battery_after_the_other() -> None:
    book = StorageBook((Storage("a", 2 * KWH), Storage("b", 2 * KWH)))
    after = book.after(match_hour(0, [offer(Layer.ONSITE, 3)]))
    assert after.stock_mj == {"a": 2 * KWH, "b": KWH}


def test_only_green_surplus_made_on_site_charges() -> None:
    for other in (
        offer(Layer.ONSITE, 3, renewable=False),
        offer(Layer.ONSITE, 3, sold=True),
        offer(Layer.DIRECT_LINE, 3),
    ):
        assert BATTERY.after(match_hour(0, [other])).stock_mj == {"battery": 0}


def test_a_battery_whose_meter_has_no_value_is_taken_to_be_empty() -> None:
    full = StorageBook(BATTERY.storages, {"battery": 5 * KWH})
    assert full.after(match_hour(KWH, []), {"battery"}).stock_mj == {"battery": 0}
    assert full.after(match_hour(KWH, []), {"roof"}).stock_mj == {"battery": 5 * KWH}


def test_a_battery_charged_from_the_grid_is_an_offer_like_any_other() -> None:
    supply, _ = settle_hour(0, 10 * KWH, [offer(Layer.STORAGE, 3, name="other")], SupplyBooks(storage=BATTERY))
    assert covered(supply) == {"other": 3, "grid": 7}


LOTS = SupplyBooks(CertificateBook((lot("a", 10, 0, 100),)), BATTERY)
SUN, NIGHT = [offer(Layer.ONSITE, 14, name="sun")], [offer(Layer.STORAGE, 9, name="battery")]


def test_an_open_hour_asked_anew_uses_nothing_twice() -> None:
    chain = SupplyChain(LOTS)
    for _ in range(3):
        assert covered(chain.cover(5, 4 * KWH, [])) == {"a": 4, "grid": 0}
    assert covered(chain.cover(6, 9 * KWH, [])) == {"a": 6, "grid": 3}
    assert chain.close(6).certificates.used_mj == {"a": 10 * KWH}


def test_a_change_of_an_open_hour_makes_later_ones_stale() -> None:
    chain = SupplyChain(LOTS)
    chain.cover(5, 4 * KWH, [])
    chain.cover(6, 9 * KWH, [])
    chain.cover(7, 0, [])
    assert chain.stale() == ()
    chain.cover(5, 7 * KWH, [])
    assert chain.stale() == (6,)
    assert chain.stale() == ()
    assert covered(chain.cover(6, 9 * KWH, [])) == {"a": 3, "grid": 6}
    assert chain.close(7).certificates.used_mj == {"a": 10 * KWH}


def test_an_hour_that_is_asked_about_before_an_earlier_one_yields_to_it() -> None:
    chain = SupplyChain(LOTS)
    assert covered(chain.cover(6, 9 * KWH, [])) == {"a": 9, "grid": 0}
    assert covered(chain.cover(5, 9 * KWH, [])) == {"a": 9, "grid": 0}
    assert chain.stale() == (6,)
    assert covered(chain.cover(6, 9 * KWH, [])) == {"a": 1, "grid": 8}


def test_closed_hours_stand_and_load_that_comes_late_has_the_grid() -> None:
    chain = SupplyChain(LOTS)
    chain.cover(5, 4 * KWH, SUN)
    chain.cover(6, 4 * KWH, [])
    assert chain.close(5).certificates.used_mj == {}
    assert chain.settled == 5
    assert covered(chain.cover(5, 2 * KWH, SUN)) == {"grid": 2}
    assert covered(SupplyChain(LOTS, settled=5).cover(4, 2 * KWH, SUN)) == {"grid": 2}
    assert chain.close(6).certificates.used_mj == {"a": 4 * KWH}


def test_batteries_carry_from_hour_to_hour_and_over_a_restart_and_are_empty_after_a_gap() -> None:
    books = SupplyBooks(storage=BATTERY)
    chain = SupplyChain(books)
    chain.cover(5, 10 * KWH, SUN)
    assert covered(chain.cover(6, 10 * KWH, NIGHT)) == {"battery": 4, "grid": 6}
    kept = chain.close(5)
    assert covered(SupplyChain(kept, settled=5).cover(6, 10 * KWH, NIGHT)) == {"battery": 4, "grid": 6}
    assert covered(SupplyChain(kept, settled=5).cover(7, 10 * KWH, NIGHT)) == {"grid": 10}
    after_gap = SupplyChain(books)
    after_gap.cover(5, 10 * KWH, SUN)
    assert covered(after_gap.cover(7, 10 * KWH, NIGHT)) == {"grid": 10}
    after_gap.cover(6, 0, [])
    assert after_gap.stale() == (7,)
