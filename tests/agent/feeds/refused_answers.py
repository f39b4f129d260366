"""What can come instead of an answer from any provider on the web, and which trouble each is."""

from tests.agent.feeds.feed_server import Reply
from wattledger.agent.feeds.base import Trouble

REFUSED = {
    "401": (Reply("no such token", 401), Trouble.UNAUTHORIZED),
    "403": (Reply({"error": {"code": "API_KEY_INVALID"}}, 403), Trouble.UNAUTHORIZED),
    "404": (Reply({"detail": "no content available"}, 404), Trouble.NOT_FOUND),
    "429": (Reply("slow down", 429, {"Retry-After": "90"}), Trouble.THROTTLED),
    "500": (Reply("oops", 500), Trouble.SERVER),
    "a page of HTML": (Reply("<!DOCTYPE html><html><body>Log in</body></html>"), Trouble.INVALID),
    "nothing at all": (Reply(b""), Trouble.INVALID),
    "a list": (Reply([1, 2]), Trouble.INVALID),
    "another object": (Reply({"error": "maintenance"}), Trouble.INVALID),
    "no text": (Reply(b"\xff\xfe\x00"), Trouble.INVALID),
}
