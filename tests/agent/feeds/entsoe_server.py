"""ENTSO-E: day-ahead prices of one zone for whole days of the market, for a token, with equal prices left out.

The price of a quarter hour in sequence 1 is the number of its three quarters since the epoch modulo 200, minus 50;
other sequences are dearer by their number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.agent.feeds.feed_server import Asked, Reply
from tests.agent.feeds.wall import ANSWERS

_MARKET = ZoneInfo("Europe/Brussels")
_QUARTER = 900
_SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"


def euros(second: int, sequence: int = 1) -> int:
    """Give the price per MWh of the quarter hour that begins at *second*."""
    return second // (3 * _QUARTER) % 200 - 50 + (sequence - 1)


@dataclass(frozen=True, slots=True)
class EntsoeServer:
    """Has the prices of *eic* until the day *newest*, and of sequence 1 until *newest_coupled*."""

    newest: str
    newest_coupled: str = "2100-01-01"
    eic: str = "10Y1001A1001A82H"
    sequences: tuple[int, ...] = ()
    token: str = "0a1b2c3d-0000-4000-8000-0123456789ab"  # noqa: S105  (of this server)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        query = asked.query
        if query.get("securityToken") != self.token:
            return Reply(f"Unauthorized. Missing or invalid security token {query.get('securityToken')}", 401)
        if query["documentType"] != "A44" or query["in_Domain"] != query["out_Domain"]:
            return Reply("<Acknowledgement_MarketDocument/>", 400)
        days = list(self._days(_moment(query["periodStart"]), _moment(query["periodEnd"])))
        series = [one for day in days for one in self._series(day)] if query["in_Domain"] == self.eic else []
        if not series:
            return Reply((ANSWERS / "entsoe" / "nothing.xml").read_bytes())
        return Reply(document(*series))

    def _days(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Give the midnights of the market's days that have a part in what was asked for."""
        day = start.astimezone(_MARKET).replace(hour=0, minute=0, fold=0)
        newest = datetime.fromisoformat(self.newest).replace(tzinfo=_MARKET)
        while day.astimezone(UTC) < end and day.date() <= newest.date():
            yield day
            day += timedelta(days=1)  # of the local clock

    def _series(self, day: datetime) -> Iterator[str]:
        first = int(day.timestamp())
        last = int((day + timedelta(days=1)).astimezone(UTC).timestamp())
        for sequence in self.sequences or (1,):
            if sequence == 1 and f"{day:%Y-%m-%d}" > self.newest_coupled:
                continue
            points: list[tuple[int, object]] = []
            told = None
            for position, second in enumerate(range(first, last, _QUARTER), start=1):
                price = euros(second, sequence)
                if price != told:
                    points.append((position, price))
                told = price
            extra = {_SEQUENCE: str(sequence)} if self.sequences else {}
            yield time_series(_text(first), _text(last), points, eic=self.eic, **extra)


def document(*series: str) -> str:
    """Give a price document."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">'
        f"<mRID>1</mRID><type>A44</type>{''.join(series)}</Publication_MarketDocument>"
    )


def time_series(
    start: str,
    end: str,
    points: list[tuple[int, object]],
    *,
    eic: str = "10Y1001A1001A82H",
    resolution: str = "PT15M",
    **changed: str,
) -> str:
    """Give a series with one period. *changed* are elements of the series by name; an empty one is left out."""
    told = {
        "in_Domain.mRID": eic,
        "out_Domain.mRID": eic,
        "contract_MarketAgreement.type": "A01",
        "currency_Unit.name": "EUR",
        "price_Measure_Unit.name": "MWH",
        "curveType": "A03",
        **changed,
    }
    elements = "".join(f"<{name}>{text}</{name}>" for name, text in told.items() if text)
    values = "".join(
        f"<Point><position>{position}</position><price.amount>{price}</price.amount></Point>"
        for position, price in points
    )
    interval = f"<timeInterval><start>{start}</start><end>{end}</end></timeInterval>"
    return (
        f"<TimeSeries><mRID>1</mRID>{elements}<Period>{interval}<resolution>{resolution}</resolution>{values}"
        "</Period></TimeSeries>"
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(f"{text}+0000", "%Y%m%d%H%M%z")


def _text(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%MZ}"
