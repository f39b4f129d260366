"""The ODRÉ portal with éCO2mix: rows each quarter of an hour, a value in every *each* of them, 100 rows a page.

The value of a row is its number since the epoch modulo 60, plus 10.
"""

import re
from datetime import UTC, datetime, timedelta

from tests.agent.feeds.feed_server import Asked, Reply

_QUARTER = timedelta(minutes=15)
_WHERE = re.compile(
    r"date_heure > date'(?P<since>[^']+)' and date_heure < date'(?P<until>[^']+)' and taux_co2 is not null", re.ASCII
)
_DEEPEST = 10_000


def grams(start: datetime) -> int:
    """Give the value of a row."""
    return 10 + int(start.timestamp()) // 900 % 60


class RteServer:
    """Has values until *newest*. *holds_back*: it counts so many rows more than it gives."""

    def __init__(self, newest: str, *, each: int = 2, holds_back: int = 0) -> None:
        self.newest = datetime.fromisoformat(newest)
        self.each = each
        self.holds_back = holds_back

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        query = asked.query
        found = _WHERE.fullmatch(query["where"])
        limit, offset = int(query["limit"]), int(query["offset"])
        if found is None or limit > 100 or offset + limit > _DEEPEST or query["timezone"] != "UTC":
            return Reply({"error_code": "ODSQLError", "message": "ODSQL query is malformed"}, status=400)
        since, until = (datetime.fromisoformat(found[name]) for name in ("since", "until"))
        number = int(since.timestamp()) // 900 + 1
        starts: list[datetime] = []
        while (start := datetime.fromtimestamp(number * 900, UTC)) < min(until, self.newest + _QUARTER):
            if number % self.each == 0:
                starts.append(start)
            number += 1
        if query["order_by"] == "date_heure desc":
            starts.reverse()
        page = [
            {"perimetre": "France", "date_heure": start.isoformat(), "taux_co2": grams(start)}
            for start in starts[offset : offset + limit]
        ]
        return Reply({"total_count": len(starts) + self.holds_back, "results": page})
