"""Where a feed's token or password stands; it is read at each use and kept nowhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from ..config.feed_schema import Feed
from .base import FeedError, Secret, Trouble

_MOST_BYTES = 16 << 10
_FINGERPRINT_CHARACTERS = 12


def secret_of(feed: Feed, environment: Mapping[str, str]) -> Secret | None:
    """Give what reads the secret that *feed* names; None where it names none.

    Calling it raises FeedError(UNAUTHORIZED) with the place and the cure, never with what stands there.
    """
    token_file, password_file, variable = feed.token_file, feed.password_file, feed.token_variable
    if token_file is not None:
        return lambda: secret_from_file("token_file", token_file, must_be_ascii=True)
    if variable:
        return lambda: _from_variable(variable, environment)
    if password_file is not None:
        return lambda: secret_from_file("password_file", password_file, must_be_ascii=False)
    return None


def credential_of(feed: Feed) -> str:
    """Give what is one for feeds that share a quota: the host, and a hash of where the secret stands.

    Empty without a secret. Without a `url` the kind stands for its host.
    """
    for place in (feed.token_file, feed.token_variable and f"${feed.token_variable}", feed.password_file):
        if place:
            host = (urlsplit(feed.url).hostname if feed.url else "") or feed.kind.value
            told = f"{place}\n{feed.username}".encode("utf-8", "surrogateescape")
            return f"{host}#{sha256(told).hexdigest()[:_FINGERPRINT_CHARACTERS]}"
    return ""


def secret_from_file(key: str, path: Path, *, must_be_ascii: bool) -> str:
    """Give the secret in the file that the configuration key *key* names.

    Raises FeedError(UNAUTHORIZED) with the place and the cure, never with what stands there.
    """
    place = f"{key} {path}"
    try:
        # Not blocking: a pipe without a writer would hold up every feed.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(_MOST_BYTES + 1) if is_file else b""
    except OSError as error:
        raise _refused(f"{place} cannot be read ({error.strerror}); let this user read it") from None
    if not is_file:
        raise _refused(f"{place} is no file; write the secret into one")
    try:
        return _checked(place, content.decode("utf-8"), must_be_ascii=must_be_ascii)
    except UnicodeDecodeError:
        raise _refused(f"{place} is no UTF-8 text; write the secret as text") from None


def _from_variable(name: str, environment: Mapping[str, str]) -> str:
    place = f"token_variable {name}"
    if name not in environment:
        raise _refused(f"{place} is not set in the environment of the agent; set it, or give `token_file`")
    return _checked(place, environment[name], must_be_ascii=True)


def _checked(place: str, text: str, *, must_be_ascii: bool) -> str:
    # Editors and `echo` end a file so; more than one line is no secret.
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise _refused(f"{place} is empty; write the secret into it")
    if len(secret) > _MOST_BYTES:
        raise _refused(f"{place} is longer than {_MOST_BYTES} bytes; is it the right one?")
    if not secret.isprintable() or (must_be_ascii and not secret.isascii()):
        raise _refused(f"{place} has a character that cannot be sent; write the secret alone, on one line")
    return secret


def _refused(detail: str) -> FeedError:
    return FeedError(Trouble.UNAUTHORIZED, detail)
