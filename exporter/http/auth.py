"""Whether a Basic credential is right: bcrypt in a worker thread, a small memory of what was; no HTTP, no files.

Imported only when a web config names users: bcrypt and hashlib cost memory.
"""

from __future__ import annotations

import base64
import binascii
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b

import bcrypt

from .model import Verdict

LOG = logging.getLogger(__name__)

_BCRYPT_BYTES = 72  # bcrypt reads no more of a password; htpasswd and Go cut here as well
_DUMMY_TAIL = "CjwzKKbSrL3PPe5v8S1Ic.0aIHVhbt2"  # 31 characters of bcrypt's alphabet, the hash of nothing known


Done = Callable[[bool], None]


class Passwords:
    """The users of one web config. A new config is a new object, so nothing remembered outlives its config.

    All methods belong to one thread, the server's; *deliver* carries the worker's results back to it.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        *,
        deliver: Callable[[Callable[[], None]], None],
        waiting: int,
        remembered: int,
    ) -> None:
        self._hashes = {user.encode(): stored.encode() for user, stored in users.items()}
        # The dummy costs what the costliest user costs, so that time tells little about who exists.
        cost = max(int(stored.split("$")[2]) for stored in users.values())
        self._dummy = f"$2b${cost:02d}$abcdefghijklmnopqrstuu{_DUMMY_TAIL}".encode()
        self._deliver = deliver
        self._waiting = waiting
        self._remembered = remembered
        self._right: dict[bytes, None] = {}
        self._secret = secrets.token_bytes(32)
        self._asked: dict[bytes, list[Done]] = {}
        self._work: queue.SimpleQueue[tuple[bytes, bytes, bytes, bool] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def check(self, authorization: str | None, done: Done) -> Verdict:
        """Judge an Authorization header; on PENDING, *done* is called later through *deliver*."""
        credential = _read_basic(authorization)
        if credential is None:
            return Verdict.DENIED
        user, password = credential
        stored = self._hashes.get(user)
        key = self._key(user, stored or self._dummy, password)
        if stored is not None and key in self._right:
            self._right[key] = self._right.pop(key)  # most recently used last
            return Verdict.GRANTED
        if key in self._asked:
            self._asked[key].append(done)
            return Verdict.PENDING
        if len(self._asked) >= self._waiting:
            return Verdict.BUSY
        self._asked[key] = [done]
        self._work.put((key, stored or self._dummy, password, stored is not None))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="http-passwords", daemon=True)
            self._thread.start()
        return Verdict.PENDING

    def close(self) -> None:
        """Let the worker end after the check it is at; who waits is told at once, as if denied."""
        self._closed = True
        self._work.put(None)
        asked, self._asked = self._asked, {}
        for done in [one for waiting in asked.values() for one in waiting]:
            self._deliver(partial(done, False))

    def _key(self, user: bytes, stored: bytes, password: bytes) -> bytes:
        # Each part goes in with its length, and the stored hash is one of them: without both, a crafted
        # user or password could stand for another's entry (CVE-2022-46146). The secret keeps digests unguessable.
        digest = blake2b(key=self._secret, digest_size=32)
        for part in (user, stored, password):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def _run(self) -> None:
        while (work := self._work.get()) is not None and not self._closed:
            key, stored, password, known = work
            try:
                right = bcrypt.checkpw(password[:_BCRYPT_BYTES], stored) and known
            except ValueError as error:
                LOG.error("http password_check=failed error=%s", error)  # noqa: TRY400  (one line per event)
                right = False
            self._deliver(partial(self._settle, key, right=right))

    def _settle(self, key: bytes, *, right: bool) -> None:
        if right:
            self._right[key] = None
            while len(self._right) > self._remembered:
                del self._right[next(iter(self._right))]
        for done in self._asked.pop(key, ()):
            done(right)


def _read_basic(authorization: str | None) -> tuple[bytes, bytes] | None:
    """Read user and password from a header value (RFC 7617); None when it is no Basic credential."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(token.strip(" "), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None
