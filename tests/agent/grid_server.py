"""A grid that says what its kWh emit, over HTTP and to those who know the token alone; tests tell it what to say."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from tests.agent.feeds.feed_server import Asked, FeedServer, Reply

TOKEN = "t0p-s3cret-of-the-grid"  # noqa: S105  (of a server that lives as long as a test)
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
        url = f"{self.server.url}/v1/{{zone}}?from={{from}}&to={{to}}"
        return (
            f'{{kind: http_json, zone: DE, url: "{url}", values: "points[].g", times: "points[].from",'
            ' ends: "points[].to", token_file: grid.token, poll: 10s, max_age: 3s}'
        )

    def _answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply({"error": f"no such token: {asked.headers.get('authorization')}"}, 401)
        now = datetime.now(UTC)
        begin, end = ((now + by).isoformat() for by in (-BEFORE, self.ahead))
        return Reply({"zone": "DE", "points": [{"from": begin, "to": end, "g": self.grams}]})
