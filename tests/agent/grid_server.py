"""A grid that says over HTTP, to those who know the token alone, what its kWh emit and how much is carbon-free."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from tests.agent.feeds.feed_server import Asked, FeedServer, Reply

TOKEN = "t0p-s3cret-of-the-grid"  # noqa: S105  (of a server that lives as long as a test)
PERCENT = 61.25  # of the grid is carbon-free
BEFORE = timedelta(hours=3)


@dataclass
class Grid:
    """One value from hours ago until so far *ahead* of each answer. It may be set while the server runs."""

    grams: float
    ahead: timedelta = timedelta(hours=2)

    def __post_init__(self) -> None:
        self.server = FeedServer(self._answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.go_down()

    def go_down(self) -> None:
        """End the server; its address refuses from then on."""
        self.server.close()

    @property
    def feed(self) -> str:
        """Give the feed of it, for a configuration; the token stands in `grid.token` beside it."""
        return self._feed("g")

    @property
    def share_feed(self) -> str:
        """Give the feed of its carbon-free share."""
        return self._feed("cfe", 'unit: "%", ')

    def _feed(self, value: str, unit: str = "") -> str:
        url = f"{self.server.url}/v1/{{zone}}?from={{from}}&to={{to}}"
        return (
            f'{{kind: http_json, zone: DE, url: "{url}", values: "points[].{value}", {unit}times: "points[].from",'
            ' ends: "points[].to", token_file: grid.token, poll: 10s, max_age: 3s}'
        )

    def _answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply({"error": f"no such token: {asked.headers.get('authorization')}"}, 401)
        now = datetime.now(UTC)
        begin, end = ((now + by).isoformat() for by in (-BEFORE, self.ahead))
        return Reply({"zone": "DE", "points": [{"from": begin, "to": end, "g": self.grams, "cfe": PERCENT}]})
