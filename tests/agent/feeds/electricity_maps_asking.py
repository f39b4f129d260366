"""The provider of Electricity Maps on a server of the test, and answers in the form of its API.

The answers in tests/data/feeds are put together after the official SDK's models and a published answer to `latest`.
"""

from collections.abc import Mapping

import msgspec

from tests.agent.feeds.feed_server import Asked, FeedServer, Reply
from tests.agent.feeds.wall import ANSWERS
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.electricity_maps import ElectricityMaps, build
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Measure

NOW = "2025-03-29T18:20+00:00"
ZONE = "US-CAR-DUK"
GRAM = 1_000_000
Row = Mapping[str, object]


def provider_at(
    server: FeedServer,
    zone: str = "DE",
    *,
    key: str = "em-token",
    measure: Measure = Measure.INTENSITY,
    **changes: object,
) -> ElectricityMaps:
    """Make the provider; *changes* are of its configuration."""
    feed = Feed(kind=FeedKind.ELECTRICITY_MAPS, zone=zone, url=f"{server.url}/v3")
    wants = Wants(measure, secret=lambda: key, credential="host#1")
    return build(msgspec.structs.replace(feed, **changes), wants)


def recorded(name: str) -> bytes:
    """Give the bytes of a file of tests/data/feeds."""
    return (ANSWERS / "electricity_maps" / f"{name}.json").read_bytes()


def recorded_answers(asked: Asked) -> Reply:
    """Answer with the file that has the name of the path."""
    return Reply(recorded(asked.path.rpartition("/")[2]))


def row_of(**changed: object) -> dict[str, object]:
    """Give a row with *changed* in it; what is set to an ellipsis is left out."""
    row: dict[str, object] = {
        "zone": ZONE,
        "carbonIntensity": 144,
        "datetime": "2025-03-29T18:00:00.000Z",
        "updatedAt": "2025-03-29T18:10:00.000Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
    }
    return {name: value for name, value in {**row, **changed}.items() if value is not ...}


def history(*rows: Row) -> Reply:
    """Give an answer to `history`."""
    return Reply({"zone": ZONE, "history": list(rows)})
