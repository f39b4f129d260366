"""The web config file of the Prometheus exporter-toolkit, read into settings; it opens no certificate and no socket.

Format: prometheus/exporter-toolkit, docs/web-configuration.md. Where this server differs:

- HTTP/1.1 is what is spoken: ``http2: true`` is accepted and logged, its absence means false.
- ``min_version`` and ``max_version`` below TLS12 are refused.
- ``RequestClientCert`` and ``RequireAnyClientCert`` are refused: Python's ssl cannot take a certificate it
  does not verify.
- ``curve_preferences`` takes one curve. TLS 1.3 suites in ``cipher_suites`` are accepted and logged: as in Go, they
  cannot be chosen.
- ``rate_limit`` applies to all clients together, as in the toolkit, and is re-read with the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .model import WebConfigError
from .settings_tree import Section, read_tree

_TOP = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
_PEM = ("cert", "cert_file", "key", "key_file", "client_ca", "client_ca_file")
_TLS = (
    *_PEM,
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
)
# The toolkit's closed list; an empty tuple leaves the value to the user.
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True)
class Pem:
    """PEM data, in a file or (with no path) in *text*; *key* is the setting that named it."""

    key: str
    path: Path | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The section ``tls_server_config``, with Go's names as they are written."""

    file: Path
    lines: Mapping[str, int]
    cert: Pem
    key: Pem
    client_ca: Pem | None
    client_auth_type: str
    client_allowed_sans: tuple[str, ...]
    min_version: str
    max_version: str
    cipher_suites: tuple[str, ...]
    prefer_server_cipher_suites: bool
    curve_preferences: tuple[str, ...]

    def error(self, key: str, problem: str, *, cure: str) -> WebConfigError:
        return WebConfigError(self.file, problem, cure=cure, line=self.lines.get(key))

    @property
    def paths(self) -> tuple[Path, ...]:
        pems = (self.cert, self.key, self.client_ca)
        return tuple(pem.path for pem in pems if pem is not None and pem.path is not None)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request every *interval_ns* in the long run, *burst* at once."""

    interval_ns: int
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What one file says; *notices* are what it asks for and does not get."""

    path: Path
    tls: TlsSettings | None
    headers: tuple[tuple[str, str], ...]
    users: Mapping[str, str]
    rate_limit: RateLimit | None
    notices: tuple[str, ...]

    @property
    def watched(self) -> tuple[Path, ...]:
        """Every file whose change changes this config."""
        return (self.path, *(self.tls.paths if self.tls is not None else ()))


def read_web_config(path: Path) -> WebConfig:
    """Read and check *path*. Raises WebConfigError with line and cure."""
    root = read_tree(path)
    root.only(_TOP)
    http = root.section("http_server_config")
    http.only(("http2", "headers"))
    tls = _read_tls(root.section("tls_server_config"))
    users = _read_users(root.section("basic_auth_users"))
    notices = []
    if http.flag("http2", default=False):
        notices.append("http2: true has no effect, HTTP/1.1 is spoken")
    if "tls_server_config" in root.keys() and tls is None:  # noqa: SIM118  (keys without a value count)
        notices.append("tls_server_config is empty, TLS is off")
    if "basic_auth_users" in root.keys() and not users:  # noqa: SIM118
        notices.append("basic_auth_users is empty, no password is asked for")
    if tls is not None and any(name.startswith("TLS_") and "_WITH_" not in name for name in tls.cipher_suites):
        notices.append("cipher_suites: the suites of TLS 1.3 cannot be chosen, all three are offered")
    headers = _read_headers(http.section("headers"))
    return WebConfig(path, tls, headers, users, _read_rate_limit(root.section("rate_limit")), tuple(notices))


def _read_tls(section: Section) -> TlsSettings | None:
    section.only(_TLS)
    if not any(key in section for key in _TLS):
        return None
    pems = {name: _read_pem(section, name) for name in ("cert", "key", "client_ca")}
    cert, key = pems["cert"], pems["key"]
    if cert is None or key is None:
        problem = f"tls_server_config has no {'key' if cert else 'certificate'}"
        raise section.error("", problem, cure="name cert_file and key_file")
    if "client_allowed_sans" in section and not section.texts("client_allowed_sans"):
        problem = "client_allowed_sans is empty, which would let nobody in"
        raise section.error("client_allowed_sans", problem, cure="name who may come, or leave the key out")
    return TlsSettings(
        file=section.path,
        lines=section.lines,
        cert=cert,
        key=key,
        client_ca=pems["client_ca"],
        client_auth_type=section.text("client_auth_type") or "NoClientCert",
        client_allowed_sans=section.texts("client_allowed_sans"),
        min_version=section.text("min_version") or "TLS12",
        max_version=section.text("max_version") or "TLS13",
        cipher_suites=section.texts("cipher_suites"),
        prefer_server_cipher_suites=section.flag("prefer_server_cipher_suites", default=True),
        curve_preferences=section.texts("curve_preferences"),
    )


def _read_pem(section: Section, name: str) -> Pem | None:
    text, file = section.text(name), section.text(f"{name}_file")
    if text and file:
        raise section.error(name, f"both {name} and {name}_file are given", cure="keep one")
    if file:
        return Pem(f"{name}_file", section.path.parent / file)
    return Pem(name, None, text) if text else None


def _read_headers(section: Section) -> tuple[tuple[str, str], ...]:
    section.only(_HEADERS)
    headers = []
    for name in section.keys():  # noqa: SIM118  (Section is no mapping)
        value = section.text(name)
        if not value:
            continue
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            cure = "write printable ASCII on one line"
            raise section.error(name, f"{name} has a character that no header may have", cure=cure)
        if _HEADERS[name] and value not in _HEADERS[name]:
            raise section.error(name, f"{name}: {value} is not allowed", cure=f"write {' or '.join(_HEADERS[name])}")
        headers.append((name, value))
    return tuple(headers)


def _read_users(section: Section) -> Mapping[str, str]:
    users = {}
    for user in section.keys():  # noqa: SIM118
        stored = section.text(user) or ""
        if not user or ":" in user:
            problem = f"user name {user!r} cannot be sent in Basic authentication"
            raise section.error(user, problem, cure="choose a name without a colon")
        # The value may be a password written by mistake, so it is not repeated in the message.
        if not _BCRYPT.fullmatch(stored):
            problem = f"the value for user {user} is no bcrypt hash of cost 4 to 31"
            raise section.error(user, problem, cure="""make one with: htpasswd -nBC 10 "" | tr -d ':\\n'""")
        users[user] = stored
    return users


def _read_rate_limit(section: Section) -> RateLimit | None:
    section.only(("interval", "burst"))
    interval_ns = section.duration_ns("interval") or 0
    burst = section.count("burst") or 0
    if interval_ns == 0:
        if burst:
            raise section.error("burst", "burst has no effect without an interval", cure="add interval: 1s")
        return None
    if burst == 0:
        raise section.error("interval", "rate_limit without a burst refuses every request", cure="add burst: 20")
    return RateLimit(interval_ns, burst)
