"""How one service is asked: at which address, with what proof, over TLS or not. What it answers is not known here."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wattledger.exporter.outgoing import Wrap

from .addresses import Place
from .fetch import BODY_BYTES, TIMEOUT_NS, Body, Failure, FetchError, Target, fetch
from .settings import ConfiguredService

_PORTS = {"http": 80, "https": 443}
_SENDABLE = re.compile(r"[!-~]*")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint read from its URL. `path` is empty where the URL has none. `login` is not in the repr."""

    target: Target
    tls: bool
    path: str = field(repr=False)
    shown: str
    login: tuple[str, str] | None = field(repr=False, default=None)


def read_endpoint(url: str) -> Endpoint:
    """Read *url*. Raises ValueError with problem and cure, without what may be secret in the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("this is no URL; write one such as http://127.0.0.1:8000/metrics") from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS:
        problem = f"scheme {parts.scheme!r} is not spoken" if "://" in url else "the URL has no scheme"
        raise ValueError(f"{problem}; begin it with http:// or https://")
    if not _HOST.fullmatch(host):
        raise ValueError("the URL names no valid host; write one such as http://127.0.0.1:8000/metrics")
    path = (parts.path if parts.path != "/" else "") + (f"?{parts.query}" if parts.query else "")
    if path.startswith("?"):
        path = f"/{path}"
    if not _SENDABLE.fullmatch(path):
        raise ValueError("path or query of the URL has a character that no request may have; percent-encode it")
    default = _PORTS[parts.scheme]
    named = f"[{host}]" if ":" in host else host
    if port is not None and port != default:
        named += f":{port}"
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    shown_path = parts.path if parts.path != "/" else ""
    target = Target(host, port or default, host_header=named)
    return Endpoint(target, parts.scheme == "https", path, f"{parts.scheme}://{named}{shown_path}", login)


class Access:
    """Asks one service. Its calls may wait as long as their timeout; they belong to one thread at a time."""

    def __init__(self, target: Target, shown: str) -> None:
        self._target = target
        self.shown = shown  # where it is, without a path, as people read it

    def get(
        self, path: str, *, accept: str = "text/plain", timeout_ns: int = TIMEOUT_NS, most_bytes: int = BODY_BYTES
    ) -> Body:
        """Give the body at *path*. Raises FetchError."""
        return fetch(
            self._target,
            path,
            accept=accept,
            headers=self._headers(),
            timeout_ns=timeout_ns,
            most_bytes=most_bytes,
            wrap=self._wrap(),
        )

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return ()

    def _wrap(self) -> Wrap | None:
        return None


def access_to(place: Place) -> Access:
    """Give the access to a place that was found: without TLS and without any proof."""
    return Access(Target(place.host, place.port, place.device), f"http://{place.shown}")


class ConfiguredAccess(Access):
    """The access to a configured service."""

    def __init__(self, service: ConfiguredService, endpoint: Endpoint) -> None:
        # The path goes with each request, not with the address.
        super().__init__(endpoint.target, endpoint.shown)
        self._service = service
        self._endpoint = endpoint
        self._tls: tuple[object, Wrap] | None = None

    def _headers(self) -> tuple[tuple[str, str], ...]:
        service = self._service
        if service.bearer_token_file is not None:
            return (("Authorization", f"Bearer {_secret('bearer_token_file', service.bearer_token_file)}"),)
        if service.password_file is not None:
            return _basic(service.username, _secret("password_file", service.password_file))
        return () if self._endpoint.login is None else _basic(*self._endpoint.login)

    def _wrap(self) -> Wrap | None:
        if not self._endpoint.tls:
            return None
        state = _state(self._service.ca_file)
        if self._tls is None or self._tls[0] != state:
            self._tls = (state, self._new_wrap())
        return self._tls[1]

    def _new_wrap(self) -> Wrap:
        import ssl  # noqa: PLC0415  (only for an https endpoint)

        ca_file, host = self._service.ca_file, self._endpoint.target.host
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError:
            problem = f"ca_file {ca_file} holds no CA certificate; give the certificates in PEM"
            raise FetchError(Failure.REFUSED, problem) from None
        if self._service.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE

        def wrap(sock: socket.socket) -> socket.socket:
            return context.wrap_socket(sock, server_hostname=host)

        return wrap


def _state(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError as error:
        problem = f"ca_file {path} cannot be read ({error.strerror}); let this user read it"
        raise FetchError(Failure.REFUSED, problem) from None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _basic(user: str, password: str) -> tuple[tuple[str, str], ...]:
    from base64 import b64encode  # noqa: PLC0415  (only where there is a password)

    token = b64encode(f"{user}:{password}".encode()).decode("ascii")  # RFC 7617 with UTF-8
    return (("Authorization", f"Basic {token}"),)


def _secret(key: str, path: Path) -> str:
    """Give what a file holds. Raises FetchError, which names the file and never what is in it."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        problem = f"{key} {path} cannot be read ({error.strerror}); let this user read it"
        raise FetchError(Failure.REFUSED, problem) from None
    except UnicodeDecodeError:
        raise FetchError(Failure.REFUSED, f"{key} {path} is no UTF-8 text; write the secret as text") from None
    if not secret or not secret.isprintable() or (key == "bearer_token_file" and not secret.isascii()):
        raise FetchError(Failure.REFUSED, f"{key} {path} holds no secret on one line; write it there")
    return secret
