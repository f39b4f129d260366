"""What the hours of a simulated host came to: a stepped intensity feed with a fallback, contracts, and a tariff."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from wattledger.agent.supply_desk import cover_of
from wattledger.rules.apportion import apportion
from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.feeds.model import Accounting, Caliber, Measure, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.hour import Cover, HourFacts, price_hour
from wattledger.rules.pricing.model import MJ_PER_KWH, Boundary, HourPrice
from wattledger.rules.supply.certificates import CertificateBook, Lot
from wattledger.rules.supply.hour import SupplyBooks, settle_hour
from wattledger.rules.supply.model import Layer, Offer
from wattledger.rules.tariff.prices import PricePoint

CURRENCY = "EUR"
ZONE = "DE"
PUE_PERCENT = 128
FEED = Series(Measure.INTENSITY, "electricity_maps", ZONE, Caliber())
TABLE = Series(Measure.INTENSITY, "table", ZONE, Caliber(), source="yearly factors of zones, 2025")
RESIDUAL = Series(
    Measure.INTENSITY,
    "table",
    ZONE,
    Caliber(accounting=Accounting.MARKET),
    source="residual mixes, 2025",
)
_MICRO = 1_000_000


class HostPricer:
    """Prices the hours of one host in the order of time: certificates are used up as it goes."""

    def __init__(self, clock: ZoneInfo, *, with_supply: bool) -> None:
        self._clock = clock
        self._with_supply = with_supply
        self._books: SupplyBooks | None = None

    def price(self, hour: int, gpu_mj: int, *, final: bool) -> HourPrice:
        """Give the hour with its prices at the boards and at the meter."""
        local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._clock)
        facility_mj = gpu_mj * PUE_PERCENT // 100
        facts = HourFacts(
            hour=hour,
            energies={Boundary.GPU: _quarters(gpu_mj), Boundary.FACILITY: _quarters(facility_mj)},
            location=tuple(_intensities(hour, local)),
            residual=(_known(hour, (0, 4), 690, PointKind.FACTOR, series=RESIDUAL),),
            prices=(PricePoint(hour * NS_PER_HOUR, (hour + 1) * NS_PER_HOUR, *_tariff(local)),),
            cover=self._cover(hour, local, facility_mj) if self._with_supply else None,
            currency=CURRENCY,
            zone=ZONE,
        )
        return replace(price_hour(facts).row, final=final)

    def _cover(self, hour: int, local: datetime, load_mj: int) -> Cover:
        if self._books is None:
            year = 366 * 24 * NS_PER_HOUR
            start = hour * NS_PER_HOUR
            lot = Lot("guarantees-2026", 150 * MJ_PER_KWH, start - year, start, start + year)
            self._books = SupplyBooks(certificates=CertificateBook((lot,)))
        sun = max(0, 16 - (local.hour - 13) ** 2) * (1 + local.day * 7 % 5)
        wind = 20 + (local.day * 37 + local.hour // 4 * 11) % 60
        offers = (
            Offer(Layer.ONSITE, "roof", sun * MJ_PER_KWH // 40, 30 * _MICRO),
            Offer(Layer.CONTRACT_INTRA, "wind-ppa", wind * MJ_PER_KWH // 50, 11 * _MICRO),
        )
        supply, self._books = settle_hour(hour, load_mj, offers if load_mj else (), self._books)
        return cover_of(supply)


def _quarters(energy_mj: int) -> tuple[int, ...]:
    return tuple(apportion(energy_mj, (1, 1, 1, 1)))


def _intensities(hour: int, local: datetime) -> Iterator[Resolved]:
    """Give quarters of hours; for a while only the table knows, and for some hours nobody."""
    if local.day == 23 and local.hour < 14:
        yield _known(hour, (0, 4), 363, PointKind.FACTOR, series=TABLE, level=1)
    elif local.day == 11 and 2 <= local.hour < 11:
        yield Resolved(hour * NS_PER_HOUR, (hour + 1) * NS_PER_HOUR)
    else:
        by_hour = (395, 388, 380, 378, 385, 400, 430, 455, 440, 400, 355, 320, 300, 295, 310, 350, 405, 470, 520, 530)
        grams = by_hour[local.hour] if local.hour < len(by_hour) else 490 - 25 * (local.hour - 20)
        grams = grams * (78 + local.day * 29 % 45) // 100
        kind = PointKind.ESTIMATED if local.hour % 6 == 5 else PointKind.ACTUAL
        yield _known(hour, (0, 2), grams, kind, series=FEED)
        yield _known(hour, (2, 4), grams + 9, kind, series=FEED)


def _known(
    hour: int, quarters: tuple[int, int], grams: int, kind: PointKind, *, series: Series, level: int = 0
) -> Resolved:
    start, end = (hour * NS_PER_HOUR + quarter * NS_PER_HOUR // 4 for quarter in quarters)
    return Resolved(start, end, grams * _MICRO, kind, level, series, held=False)


def _tariff(local: datetime) -> tuple[int, str]:
    """Give millionths of the currency per kWh, and the name of the period."""
    if local.weekday() >= 5 or local.hour < 6 or local.hour >= 22:
        return 172_000, "valley"
    if 8 <= local.hour < 12 or 17 <= local.hour < 20:
        return 318_000, "peak"
    return 236_000, "flat"
