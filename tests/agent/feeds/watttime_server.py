"""A WattTime of one region: logins whose tokens end, a plan, both ends of a range included.

A point's value in lb/MWh is the number of its stretch since the epoch modulo 1000, plus 500.
"""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from tests.agent.feeds.feed_server import Asked, Reply

_TOKEN_LIFE = timedelta(minutes=30)
_LONGEST = timedelta(days=32)
ALL = frozenset({("historical", "co2_moer"), ("forecast", "co2_moer"), ("historical", "co2_aoer")})


def pounds(start: datetime, period: timedelta) -> int:
    """Give the lb/MWh of the stretch that begins at *start*."""
    return 500 + int(start.timestamp() // period.total_seconds()) % 1000


class WattTimeServer:
    """Answers as of *now*, which a test moves. `logins` counts those that succeeded."""

    def __init__(self, now: str, *, plan: frozenset[tuple[str, str]] = ALL, longest_horizon: int = 72) -> None:
        self.now = datetime.fromisoformat(now)
        self.plan = plan
        self.longest_horizon = longest_horizon
        self.region = "CAISO_NORTH"
        self.password = "frog"  # noqa: S105  (of this server alone)
        self.logins = 0
        self._ends: dict[str, datetime] = {}

    def end_tokens(self) -> None:
        """Make every token void, as a restart of the provider does."""
        self._ends.clear()

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.path == "/login":
            return self._login(asked.headers.get("authorization", ""))
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if self.now >= self._ends.get(token, self.now):
            return Reply({"error": "INVALID_TOKEN", "message": "The token has expired", "docs": "-"}, status=401)
        kind = asked.path.removeprefix("/v3/")
        query = asked.query
        signal = query["signal_type"]
        hours = int(query.get("horizon_hours", "0"))
        if (kind, signal) not in self.plan or query["region"] != self.region or hours > self.longest_horizon:
            return Reply({"error": "INVALID_SCOPE", "message": "insufficient access", "docs": "-"}, status=403)
        period = timedelta(minutes=5) if signal == "co2_moer" else timedelta(hours=1)
        meta: dict[str, object] = {
            "data_point_period_seconds": int(period.total_seconds()),
            "region": self.region,
            "signal_type": signal,
            "units": "lbs_co2_per_mwh",
            "warnings": [],
        }
        if kind == "forecast":
            begins = _floor(self.now, period)
            points = [begins + n * period for n in range(int(timedelta(hours=hours) / period))]
            meta |= {"generated_at": begins.isoformat(), "generated_at_period_seconds": 300}
            return Reply({"data": [_row(point, period) for point in points], "meta": meta})
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        if start.tzinfo is None or end.tzinfo is None or end - start > _LONGEST:
            return Reply({"error": "INVALID_QUERY_PARAMS", "message": "bad range", "docs": "-"}, status=400)
        first = -(-start.timestamp() // period.total_seconds())
        last = min(end, self.now).timestamp() // period.total_seconds()
        starts = [
            datetime.fromtimestamp(number * period.total_seconds(), UTC)
            for number in range(int(first), int(last) + 1)
        ]
        rows = [{**_row(point, period), "imputed_data_used": False} for point in starts]
        return Reply({"data": rows, "meta": meta})

    def _login(self, authorization: str) -> Reply:
        if authorization != "Basic " + b64encode(f"freddo:{self.password}".encode()).decode():
            return Reply({"error": "UNAUTHORIZED", "message": "wrong name or password", "docs": "-"}, status=401)
        self.logins += 1
        token = f"token{self.logins}"
        self._ends[token] = self.now + _TOKEN_LIFE
        return Reply({"token": token})


def _row(start: datetime, period: timedelta) -> dict[str, object]:
    return {"point_time": start.astimezone(UTC).isoformat(), "value": pounds(start, period)}


def _floor(moment: datetime, period: timedelta) -> datetime:
    seconds = period.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)
