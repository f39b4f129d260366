"""The Carbon Intensity API: half hours from the one that ends at `from`, `actual` when one is over, 14 days at most.

The forecast of a half hour is its number since the epoch modulo 300, plus 50; what was is one more.
"""

import re
from datetime import UTC, datetime, timedelta

from tests.agent.feeds.feed_server import Asked, Reply

_HALF_HOUR = timedelta(minutes=30)
_PATH = re.compile(
    r"(?P<regional>/regional)?/intensity/(?P<start>[^/]+)/(?P<end>[^/]+)(?:/regionid/(?P<region>\d+))?", re.ASCII
)
_TIME = "%Y-%m-%dT%H:%MZ"


def forecast(start: datetime) -> int:
    """Give the grams per kWh that are forecast for a half hour."""
    return 50 + int(start.timestamp()) // 1800 % 300


class GbServer:
    """Answers as of *now*. With *as_list* the envelope of a region is a list of one."""

    def __init__(self, now: str, *, as_list: bool = False) -> None:
        self.now = datetime.fromisoformat(now)
        self.as_list = as_list

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        found = _PATH.fullmatch(asked.path)
        if found is None:
            return _refused("Please enter a valid path")
        try:
            start = _time(found["start"])
            end = start + timedelta(hours=48) if found["end"] == "fw48h" else _time(found["end"])
        except ValueError:
            return _refused("Please enter a valid datetime in ISO8601 format YYYY-MM-DDThh:mmZ")
        if end - start > timedelta(days=14):
            return _refused("The maximum date range is limited to 14 days")
        count = int((end - start) / _HALF_HOUR) + 1
        is_regional = found["regional"] is not None
        rows = [self._row(start + (number - 1) * _HALF_HOUR, is_regional=is_regional) for number in range(count)]
        if not is_regional:
            return Reply({"data": rows})
        if not 1 <= int(found["region"]) <= 17:
            return _refused("Please enter a valid region ID i.e. 1-17.")
        region = {"regionid": int(found["region"]), "shortname": "Somewhere", "data": rows}
        return Reply({"data": [region] if self.as_list else region})

    def _row(self, start: datetime, *, is_regional: bool) -> dict[str, object]:
        intensity: dict[str, object] = {"forecast": forecast(start), "index": "low"}
        if not is_regional:
            is_over = start + _HALF_HOUR <= self.now
            intensity["actual"] = forecast(start) + 1 if is_over else None
        return {"from": start.strftime(_TIME), "to": (start + _HALF_HOUR).strftime(_TIME), "intensity": intensity}


def _time(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def _refused(message: str) -> Reply:
    return Reply({"error": {"code": "400 Bad Request", "message": message}}, status=400)
