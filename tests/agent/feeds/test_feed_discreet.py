"""What a server repeats of a secret, in an answer that looks sound, is told to nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds.feed_server import Asked, Reply, serving
from tests.agent.feeds.wall import around
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import FeedError
from wattledger.agent.feeds.catalogue import build_provider
from wattledger.agent.feeds.discreet import without
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.web import WebSession
from wattledger.rules.feeds.model import Measure

SECRET = "s3cret-of-this-feed"  # noqa: S105  (of a server that lives as long as a test)
NOW = "2026-10-13T12:00+00:00"


def told(asked: Asked) -> str:
    """Give the secret as the request has it."""
    query = asked.query
    return query.get("api_key") or query.get("securityToken") or " ".join(asked.headers.values())


@pytest.mark.parametrize(
    ("kind", "zone", "measure"),
    [
        (FeedKind.EIA, "CISO", Measure.INTENSITY),
        (FeedKind.ENTSOE, "DE-LU", Measure.PRICE),
        (FeedKind.ELECTRICITY_MAPS, "DE", Measure.INTENSITY),
    ],
)
@pytest.mark.parametrize(
    "page",
    [
        '{{"error": "{0} is no key"}}',
        "<p>{0}</p>",
        "<Acknowledgement_MarketDocument><Reason><text>{0}</text></Reason></Acknowledgement_MarketDocument>",
        "<p>" + "." * 66 + "{0}</p>",  # words are cut within it
    ],
)
def test_no_error_shows_a_secret_that_the_answer_repeats(
    kind: FeedKind, zone: str, measure: Measure, page: str
) -> None:
    wants = Wants(measure, currency="EUR", secret=lambda: SECRET)
    with serving(lambda asked: Reply(page.format(told(asked)))) as server:
        provider = build_provider(Feed(kind=kind, zone=zone, url=server.url), wants)
        with pytest.raises(FeedError) as caught:
            provider.fetch(WebSession(FakeClock(), {}), around(NOW))
        assert any(SECRET in told(asked) for asked in server.asked)
    assert SECRET[:8] not in caught.value.detail


def test_no_warning_shows_a_secret_that_the_answer_repeats() -> None:
    def answer(asked: Asked) -> Reply:
        samples = [[float(asked.query["end"]), "412"]]
        result = {"resultType": "matrix", "result": [{"metric": {}, "values": samples}]}
        return Reply(
            {"status": "success", "data": result, "warnings": [f"slow for {asked.headers['authorization']}"]}
        )

    wants = Wants(Measure.INTENSITY, secret=lambda: SECRET)
    with serving(answer) as server:
        provider = build_provider(Feed(kind=FeedKind.PROMETHEUS, url=server.url, query="up"), wants)
        found = provider.fetch(WebSession(FakeClock(), {}), around(NOW))
    assert found.warnings == ("slow for Bearer ***",)
    assert [point.value for point in found.points] == [412_000_000]


@given(st.text("ab-", max_size=9), st.text("ab-", max_size=9), st.text("ab-", min_size=1, max_size=12))
def test_a_text_without_a_secret_has_it_nowhere(before: str, after: str, secret: str) -> None:
    found = without(f"{before}{secret}{after}", secret)
    assert secret not in found
