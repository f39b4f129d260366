"""What a web config file asks of the server, followed as the file changes; it answers no request.

TLS, bcrypt and YAML are imported here, inside functions, and only when a file asks for them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .model import Limits, WebConfigError

if TYPE_CHECKING:
    from .auth import Passwords
    from .tls import TlsTerms
    from .web_config import WebConfig

LOG = logging.getLogger(__name__)

_LOOK_EVERY_NS = 1_000_000_000
_SETTLE_NS = 400_000_000

Deliver = Callable[[Callable[[], None]], None]
_Print = tuple[tuple[int, int, int] | None, ...]


class TokenBucket:
    """Lets one request through every *interval_ns*, and *burst* at once after a quiet time.

    Kept as the time at which the bucket is full again (the generic cell rate algorithm), so it needs no timer.
    """

    __slots__ = ("_full_ns", "_interval_ns", "_slack_ns")

    def __init__(self, interval_ns: int, burst: int) -> None:
        self._interval_ns = interval_ns
        self._slack_ns = (burst - 1) * interval_ns
        self._full_ns = 0

    def take(self, now_ns: int) -> int:
        """Take one and give 0, or give the nanoseconds until there is one."""
        full_ns = max(self._full_ns, now_ns)
        wait_ns = full_ns - now_ns - self._slack_ns
        if wait_ns > 0:
            return wait_ns
        self._full_ns = full_ns + self._interval_ns
        return 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What stands between a client and the pages; empty without a web config."""

    tls: TlsTerms | None = None
    passwords: Passwords | None = None
    rate: TokenBucket | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def close(self) -> None:
        if self.passwords is not None:
            self.passwords.close()


def check_web_config(path: Path) -> None:
    """Read *path* and the certificates it names; log what has no effect. Raises WebConfigError."""
    config = _read(path)
    _build(config, deliver=lambda call: call(), limits=Limits())
    _log_notices(config)


def _read(path: Path) -> WebConfig:
    from .web_config import read_web_config  # noqa: PLC0415  (memory: YAML only where it is used)

    return read_web_config(path)


def _build(config: WebConfig, *, deliver: Deliver, limits: Limits) -> Policy:
    terms = passwords = rate = None
    if config.tls is not None:
        from .tls import build_terms  # noqa: PLC0415  (memory: OpenSSL only where it is used)

        terms = build_terms(config.tls)
    if config.users:
        from .auth import Passwords  # noqa: PLC0415  (memory: bcrypt only where it is used)

        passwords = Passwords(
            config.users,
            deliver=deliver,
            waiting=limits.password_checks,
            remembered=limits.remembered_passwords,
        )
    if config.rate_limit is not None:
        rate = TokenBucket(config.rate_limit.interval_ns, config.rate_limit.burst)
    return Policy(terms, passwords, rate, config.headers)


def _log_notices(config: WebConfig) -> None:
    for notice in config.notices:
        LOG.warning('web_config=%s notice="%s"', config.path, notice)


class PolicyFile:
    """The policy of one web config file. A file that cannot be used leaves the last good policy in force."""

    def __init__(self, path: Path, *, deliver: Deliver, limits: Limits, wall_ns: Callable[[], int]) -> None:
        self._path = path
        self._deliver = deliver
        self._limits = limits
        self._wall_ns = wall_ns
        self._watched: tuple[Path, ...] = (path,)
        self._seen: _Print = ()
        self._look_ns = 0
        self.ok = True
        self.policy = self._load()

    def changed(self, now_ns: int) -> bool:
        """Look at the files, at most once a second; True when ``policy`` is a new one."""
        if now_ns < self._look_ns:
            return False
        self._look_ns = now_ns + _LOOK_EVERY_NS
        seen = _fingerprint(self._watched)
        if seen == self._seen:
            return False
        if self._fresh(seen):
            # Half a file can be valid and have no users in it: wait until nobody writes.
            self._look_ns = now_ns + _SETTLE_NS // 4
            return False
        try:
            policy = self._load()
        except WebConfigError as error:
            LOG.error('web_config=rejected in_force="the last good one" error="%s"', error)  # noqa: TRY400
            self.ok = False
            return False
        LOG.info("web_config=reloaded path=%s", self._path)
        self.ok = True
        self.policy.close()
        self.policy = policy
        return True

    def _fresh(self, seen: _Print) -> bool:
        now_ns = self._wall_ns()
        return any(entry is not None and 0 <= now_ns - entry[0] < _SETTLE_NS for entry in seen)

    def _load(self) -> Policy:
        # Each file's mark is taken before the file is read: what changes in between is seen as a change.
        self._seen = _fingerprint(self._watched)
        config = _read(self._path)
        # From here on the files it names count, even if they cannot be used yet: their repair is a change.
        self._watched = config.watched
        self._seen = (self._seen[0], *_fingerprint(self._watched[1:]))
        policy = _build(config, deliver=self._deliver, limits=self._limits)
        _log_notices(config)
        return policy


def _fingerprint(paths: Sequence[Path]) -> _Print:
    prints: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116  (called once a second: no object more than needed)
        except OSError:
            prints.append(None)
        else:
            prints.append((status.st_mtime_ns, status.st_ino, status.st_size))
    return tuple(prints)
