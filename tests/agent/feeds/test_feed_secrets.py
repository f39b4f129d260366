"""Where tokens and passwords are read from, and what is said when they cannot be: never what stands there."""

import os
import re
from pathlib import Path

import pytest

from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import FeedError, Trouble
from wattledger.agent.feeds.secrets import credential_of, secret_of

_MAPS = FeedKind.ELECTRICITY_MAPS


def _read(feed: Feed, environment: dict[str, str] | None = None) -> str:
    secret = secret_of(feed, environment or {})
    assert secret is not None
    return secret()


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(content)
    return path


def test_without_a_place_there_is_no_secret() -> None:
    assert secret_of(Feed(kind=_MAPS), {"TOKEN": "x"}) is None
    assert credential_of(Feed(kind=_MAPS)) == ""


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_secret_is_read_without_the_end_of_its_line(tmp_path: Path, end: bytes) -> None:
    path = _file(tmp_path, b"t0ken" + end)
    assert _read(Feed(kind=_MAPS, token_file=path)) == "t0ken"
    assert _read(Feed(kind=_MAPS, password_file=path)) == "t0ken"


def test_a_secret_is_read_anew_at_each_use(tmp_path: Path) -> None:
    path = _file(tmp_path, b"old")
    environment = {"TOKEN": "old"}
    secrets = [
        secret_of(Feed(kind=_MAPS, token_file=path), {}),
        secret_of(Feed(kind=_MAPS, token_variable="TOKEN"), environment),  # noqa: S106  (a name)
    ]
    assert [secret() for secret in secrets if secret] == ["old", "old"]
    path.write_text("new")
    environment |= {"TOKEN": "new"}
    assert [secret() for secret in secrets if secret] == ["new", "new"]


def test_a_password_may_have_letters_that_a_token_may_not(tmp_path: Path) -> None:
    path = _file(tmp_path, "pässword mit Lücke".encode())
    assert _read(Feed(kind=FeedKind.WATTTIME, password_file=path)) == "pässword mit Lücke"
    with pytest.raises(FeedError, match="has a character that cannot be sent"):
        _read(Feed(kind=_MAPS, token_file=path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; write the secret into it"),
        (b"\n", "is empty"),
        (b"abc\ndef", "has a character that cannot be sent"),
        (b"abc\n\n", "has a character that cannot be sent"),
        (b"abc\x00", "has a character that cannot be sent"),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"x" * 16_385, "is longer than 16384 bytes"),
        (b"x" * 5_000_000, "is longer than 16384 bytes"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_and_not_shown(tmp_path: Path, content: bytes, said: str) -> None:
    path = _file(tmp_path, content)
    with pytest.raises(FeedError, match=f"^token_file {re.escape(str(path))} {said}") as caught:
        _read(Feed(kind=_MAPS, token_file=path))
    assert caught.value.trouble is Trouble.UNAUTHORIZED
    assert "abc" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"cannot be read \(No such file or directory\); let this user read it"):
        _read(Feed(kind=_MAPS, token_file=tmp_path / "none"))


def test_a_pipe_that_nobody_writes_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FeedError, match="is no file; write the secret into one"):
        _read(Feed(kind=_MAPS, token_file=tmp_path / "pipe"))


@pytest.mark.parametrize(
    ("environment", "said"),
    [({}, "is not set"), ({"TOKEN": ""}, "is empty"), ({"TOKEN": "a\tb"}, "has a character")],
)
def test_a_variable_that_holds_no_secret_is_told(environment: dict[str, str], said: str) -> None:
    with pytest.raises(FeedError, match=f"^token_variable TOKEN {said}") as caught:
        _read(Feed(kind=_MAPS, token_variable="TOKEN"), environment)  # noqa: S106  (a name)
    assert caught.value.trouble is Trouble.UNAUTHORIZED


def test_feeds_share_a_credential_by_host_and_by_where_the_secret_stands() -> None:
    token, other = Path("/etc/wattledger/em.token"), Path("/etc/wattledger/other.token")
    first = credential_of(Feed(kind=_MAPS, zone="DE", token_file=token))
    assert first == credential_of(Feed(kind=_MAPS, zone="FR", token_file=token))
    assert first.startswith("electricity_maps#")
    assert "wattledger" not in first
    url = "https://api.example.org/v3"
    different = [
        Feed(kind=_MAPS, token_file=other),
        Feed(kind=_MAPS, token_variable="EM"),  # noqa: S106  (a name)
        Feed(kind=_MAPS, token_file=token, url=url),
        Feed(kind=FeedKind.WATTTIME, username="me", password_file=token),
        Feed(kind=FeedKind.WATTTIME, username="you", password_file=token),
    ]
    found = {first, *(credential_of(feed) for feed in different)}
    assert len(found) == 1 + len(different)
    assert credential_of(different[2]).startswith("api.example.org#")
