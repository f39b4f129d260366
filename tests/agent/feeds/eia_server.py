"""The API of EIA: generation by fuel and hour of some balancing authorities, in pages, for a key.

Pages are cut without being told, and rows come in another order for each page unless they are sorted by period and
fuel. The hour that ENDS at a number of hours since the epoch has that number modulo 24 as MWh of coal, beside a fixed
rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from tests.agent.feeds.feed_server import Asked, Reply

_REST = {"NG": 300, "NUC": 200, "SUN": 0, "WND": 500, "WAT": 30, "BAT": -50}
_SORTED = ("period", "asc", "fueltype", "asc")


def mix(hour: int) -> Mapping[str, int]:
    """Give the MWh by fuel of the hour that ends *hour* hours after the epoch."""
    return {"COL": 1000 + hour % 24, **_REST}


def grams(hour: int) -> float:
    """Give the intensity of the hour that ends then, with the factors of the life cycle."""
    coal = 1000 + hour % 24
    emitted = coal * 820 + 300 * 490 + 200 * 12 + 500 * 11 + 30 * 24
    return emitted / (coal + 300 + 200 + 500 + 30)


@dataclass(slots=True)
class EiaServer:
    """Has values of hours that end until *newest*. *most_rows*: of one page; *holds_back*: rows it only counts."""

    newest: str
    most_rows: int = 5000
    holds_back: int = 0
    key: str = "eia-key-0123456789"
    zones: tuple[str, ...] = ("CISO", "MISO")
    random: Random = field(default_factory=lambda: Random(1))  # noqa: S311  (an order, no secret)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        query = asked.query
        if query.get("api_key") != self.key:
            told = f"An invalid api_key was supplied: {query.get('api_key')}. Get one at eia.gov"
            return Reply({"error": {"code": "API_KEY_INVALID", "message": told}}, 403)
        if asked.path != "/v2/electricity/rto/fuel-type-data/data/" or query["frequency"] != "hourly":
            return Reply({"error": "Not Found", "code": 404}, 404)
        rows = self._rows(query) if query["facets[respondent][]"] in self.zones else []
        if tuple(query.get(f"sort[{n}][{what}]") for n in (0, 1) for what in ("column", "direction")) != _SORTED:
            self.random.shuffle(rows)
        offset = int(query["offset"])
        page = rows[offset : offset + min(int(query["length"]), self.most_rows)]
        total = str(len(rows) + self.holds_back)
        return Reply({"response": {"total": total, "data": page}, "apiVersion": "2.1.8"})

    def _rows(self, query: Mapping[str, str]) -> list[dict[str, str]]:
        first, last = (_hour(query[name]) for name in ("start", "end"))
        return [
            {
                "period": f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%H}",
                "respondent": query["facets[respondent][]"],
                "fueltype": fuel,
                "value": str(energy),
                "value-units": "megawatthours",
            }
            for hour in range(first, min(last, _hour(self.newest)) + 1)
            for fuel, energy in sorted(mix(hour).items())
        ]


def _hour(text: str) -> int:
    return int(datetime.strptime(f"{text}+0000", "%Y-%m-%dT%H%z").timestamp()) // 3600
