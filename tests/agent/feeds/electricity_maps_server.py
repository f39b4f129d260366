"""An Electricity Maps of one zone: a value for every hour, a plan, and the habit of taking the caller's place.

An hour's intensity is its number since the epoch modulo 400, plus 100, and its carbon-free share in percent that
number modulo 101. Both are measured when they are three hours old. The share has the form of `EnergyShare` of the
official SDK (electricitymaps 0.0.1), and its forecast that of `EnergyShareForecastResponse`.
"""

from datetime import UTC, datetime, timedelta

from tests.agent.feeds.feed_server import Asked, Reply

_HOUR = timedelta(hours=1)
FREE = frozenset({"history", "latest"})
PAID = FREE | {"past-range", "forecast"}


def intensity(hour: int) -> int:
    """Give the grams per kWh of an hour since the epoch."""
    return 100 + hour % 400


def carbon_free(hour: int) -> int:
    """Give the carbon-free percent of an hour since the epoch."""
    return hour % 101


class ElectricityMapsServer:
    """Answers as of *now*, which a test moves."""

    def __init__(self, now: str, *, zone: str = "DE", plan: frozenset[str] = PAID, horizon: int = 72) -> None:
        self.now = datetime.fromisoformat(now)
        self.zone = zone
        self.plan = plan
        self.longest_horizon = horizon
        self.here = "US-CAR-DUK"  # where the caller is
        self.token = "em-token"  # noqa: S105  (of this server alone)
        self.token_header = "auth-token"  # noqa: S105

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.headers.get(self.token_header) != self.token:
            return Reply({"error": "Invalid auth-token"}, status=401)
        query = asked.query
        _, _, signal, kind = asked.path.split("/")
        is_share = signal == "carbon-free-energy"
        zone = query.get("zone")
        if zone != self.zone:
            if query.get("disableCallerLookup") == "true":
                return Reply({"status": "error", "message": f"No data for zone {zone}"}, status=404)
            zone = self.here
        if kind not in self.plan or int(query.get("horizonHours", "0")) > self.longest_horizon:
            return Reply({"error": "Request unauthorized for this plan"}, status=403)
        if query.get("temporalGranularity") != "hourly":
            return Reply({"error": "this server knows hours alone"}, status=400)
        if is_share and "emissionFactorType" in query and kind == "forecast":
            return Reply({"error": "emissionFactorType is not allowed"}, status=400)
        return self._shares(kind, zone, query) if is_share else self._answer(kind, zone, query)

    def _shares(self, kind: str, zone: str, query: dict[str, str]) -> Reply:
        now = self.now.replace(minute=0, second=0)
        if kind == "latest":
            return Reply(self._share(zone, now))
        if kind == "history":
            rows = [self._share(zone, now - back * _HOUR) for back in range(24, 0, -1)]
            return Reply({"zone": zone, "history": rows, "temporalGranularity": "hourly"})
        start, count = now, int(query.get("horizonHours", "24")) + 1
        if kind == "past-range":
            start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
            count = int((end - start) / _HOUR) + 1
        return Reply({"zone": zone, "data": [self._share(zone, start + n * _HOUR) for n in range(count)]})

    def _share(self, zone: str, start: datetime) -> dict[str, object]:
        is_measured = self.now - start > 3 * _HOUR
        return {
            "zone": zone,
            "datetime": _text(start),
            "updatedAt": _text(start + 2 * _HOUR if is_measured else start - _HOUR),
            "createdAt": _text(start - _HOUR),
            "unit": "%",
            "value": carbon_free(int(start.timestamp()) // 3600),
            "isEstimated": not is_measured,
            "estimationMethod": None if is_measured else "FORECASTS_HIERARCHY",
            "temporalGranularity": "hourly",
        }

    def _answer(self, kind: str, zone: str, query: dict[str, str]) -> Reply:
        now = self.now.replace(minute=0, second=0)
        if kind == "latest":
            return Reply(self._row(zone, now, query))
        if kind == "history":
            rows = [self._row(zone, now - back * _HOUR, query) for back in range(24, 0, -1)]
            return Reply({"zone": zone, "history": rows})
        if kind == "forecast":
            if "emissionFactorType" in query:
                return Reply({"error": "emissionFactorType is not allowed"}, status=400)
            hours = range(int(query.get("horizonHours", "24")) + 1)
            forecast = [
                {"datetime": _text(now + h * _HOUR), "carbonIntensity": _grams(now + h * _HOUR)} for h in hours
            ]
            return Reply({"zone": zone, "updatedAt": _text(now - _HOUR), "forecast": forecast})
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        if end - start > 240 * _HOUR:
            return Reply({"error": "the range is longer than 10 days"}, status=400)
        count = int((end - start) / _HOUR) + 1
        return Reply({"zone": zone, "data": [self._row(zone, start + n * _HOUR, query) for n in range(count)]})

    def _row(self, zone: str, start: datetime, query: dict[str, str]) -> dict[str, object]:
        is_measured = self.now - start > 3 * _HOUR
        return {
            "zone": zone,
            "carbonIntensity": _grams(start),
            "datetime": _text(start),
            "updatedAt": _text(start + 2 * _HOUR if is_measured else start - _HOUR),
            "emissionFactorType": query.get("emissionFactorType", "lifecycle"),
            "isEstimated": not is_measured,
            "estimationMethod": None if is_measured else "TIME_SLICER_AVERAGE",
        }


def _grams(start: datetime) -> int:
    return intensity(int(start.timestamp()) // 3600)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
