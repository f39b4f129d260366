"""How TLS is spoken: a context from the settings, handshakes that never wait; imported only when it is used."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .transport import Wait
from .web_config import Pem, TlsSettings

_RECORD_BYTES = 16_384  # one TLS record (RFC 8446 section 5.1)
_USE_HTTPS = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis port speaks HTTPS: use https://\n"

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# The names of Go's crypto/tls (IANA's registry) and OpenSSL's for the same suites.
_SUITES_12 = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
_SUITES_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


class TlsTransport:
    """A TLS connection on a non-blocking socket."""

    __slots__ = ("_allowed", "_sock", "_tls")

    def __init__(self, sock: ssl.SSLSocket, allowed: frozenset[str]) -> None:
        self._sock: socket.socket = sock
        self._tls = sock
        self._allowed = allowed

    def fileno(self) -> int:
        return self._sock.fileno()

    def handshake(self) -> Wait | None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return Wait.READ
        except ssl.SSLWantWriteError:
            return Wait.WRITE
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                self._tell_plain_client()
            raise
        if self._allowed and not self._allowed & _names(self._tls.getpeercert() or {}):
            raise ssl.SSLError(errno.EACCES, "no name of the client certificate is in client_allowed_sans")
        return None

    def recv(self, size: int) -> bytes | Wait:
        try:
            return self._sock.recv(size)
        except (ssl.SSLWantReadError, BlockingIOError):
            return Wait.READ
        except ssl.SSLWantWriteError:
            return Wait.WRITE

    def send(self, data: memoryview) -> int | Wait:
        try:
            # One record at a time: OpenSSL wants an unfinished write repeated with the same bytes.
            return self._sock.send(data[:_RECORD_BYTES])
        except ssl.SSLWantWriteError:
            return Wait.WRITE
        except ssl.SSLWantReadError:
            return Wait.READ

    def finish(self) -> None:
        with suppress(OSError, ValueError):  # sends close_notify; the client's own is not waited for
            self._tls.unwrap()
        with suppress(OSError):  # from here on the socket is read raw, to throw away what still comes
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._sock.close()

    def _tell_plain_client(self) -> None:
        # The descriptor moves to a plain socket of the same number; OpenSSL has given up on it already.
        self._sock = socket.socket(fileno=self._tls.detach())
        self._sock.settimeout(0)
        with suppress(OSError):
            self._sock.send(_USE_HTTPS)


@dataclass(frozen=True, slots=True)
class TlsTerms:
    """What every TLS connection of one web config agrees to."""

    context: ssl.SSLContext
    allowed_sans: frozenset[str]

    def wrap(self, sock: socket.socket) -> TlsTransport:
        """Take over an accepted non-blocking socket. Raises OSError when the client has gone already."""
        tls = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return TlsTransport(tls, self.allowed_sans)


def build_terms(settings: TlsSettings) -> TlsTerms:
    """Make the context. Raises WebConfigError for what Python's ssl cannot do exactly as written."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    _set_versions(context, settings)
    _set_suites(context, settings)
    _set_curve(context, settings)
    _load_certificate(context, settings)
    _set_client_auth(context, settings)
    return TlsTerms(context, frozenset(map(_canonical, settings.client_allowed_sans)))


def _set_versions(context: ssl.SSLContext, settings: TlsSettings) -> None:
    for key, name in (("min_version", settings.min_version), ("max_version", settings.max_version)):
        if name not in _VERSIONS:
            old = name in ("TLS10", "TLS11")
            problem = f"{key}: {name} is not offered" + (" (RFC 8996 forbids it)" if old else "")
            raise settings.error(key, problem, cure="write TLS12 or TLS13")
    if settings.min_version > settings.max_version:
        raise settings.error("max_version", "max_version is below min_version", cure="raise max_version")
    context.minimum_version = _VERSIONS[settings.min_version]
    context.maximum_version = _VERSIONS[settings.max_version]


def _set_suites(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    unknown = [name for name in settings.cipher_suites if name not in _SUITES_12 and name not in _SUITES_13]
    if unknown:
        cure = "use names of Go's tls.CipherSuites(): " + ", ".join(_SUITES_12)
        raise settings.error("cipher_suites", f"cipher suite {unknown[0]} is not offered", cure=cure)
    chosen = [_SUITES_12[name] for name in settings.cipher_suites if name in _SUITES_12]
    if settings.cipher_suites and not chosen and settings.min_version == "TLS12":
        raise settings.error(
            "cipher_suites", "no suite is left for TLS 1.2", cure="write min_version: TLS13 or name one"
        )
    if chosen:
        try:
            context.set_ciphers(":".join(chosen))
        except ssl.SSLError as error:
            problem = f"OpenSSL offers none of the suites ({error.reason})"
            raise settings.error("cipher_suites", problem, cure="leave the key out") from error


def _set_curve(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if not settings.curve_preferences:
        return
    if len(settings.curve_preferences) > 1:
        problem = "Python's ssl sets one curve, not a list in order of preference"
        raise settings.error("curve_preferences", problem, cure="name one curve, or leave the key out")
    name = settings.curve_preferences[0]
    if name not in _CURVES:
        cure = "write one of " + ", ".join(_CURVES)
        raise settings.error("curve_preferences", f"curve {name} is not offered", cure=cure)
    try:
        context.set_ecdh_curve(_CURVES[name])
    except (ssl.SSLError, ValueError) as error:
        problem = f"OpenSSL does not take curve {name} ({error})"
        raise settings.error("curve_preferences", problem, cure="leave the key out") from error


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    with _as_file(settings.cert) as cert, _as_file(settings.key) as key:
        for pem, path in ((settings.cert, cert), (settings.key, key)):
            _check_readable(settings, pem, path)
        try:
            # An encrypted key must fail here; without a password given, OpenSSL would ask on the terminal.
            context.load_cert_chain(cert, key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or str(error)
            problem = f"certificate and key cannot be used ({reason})"
            cure = "give a PEM certificate chain and its own unencrypted PEM key"
            raise settings.error(settings.cert.key, problem, cure=cure) from error


def _set_client_auth(context: ssl.SSLContext, settings: TlsSettings) -> None:
    kind, ca = settings.client_auth_type, settings.client_ca
    if kind not in _CLIENT_AUTH:
        # These accept a certificate that nobody vouched for; Python's ssl can only verify or not ask.
        problem = f"client_auth_type {kind} cannot be done exactly: an unverified client certificate proves nothing"
        cure = "write RequireAndVerifyClientCert with client_ca_file, VerifyClientCertIfGiven or NoClientCert"
        raise settings.error("client_auth_type", problem, cure=cure)
    if settings.client_allowed_sans and kind != "RequireAndVerifyClientCert":
        problem = f"client_allowed_sans has no effect with client_auth_type {kind}"
        raise settings.error("client_allowed_sans", problem, cure="write RequireAndVerifyClientCert")
    if kind == "NoClientCert":
        if ca is not None:
            problem = "a client CA is given, but no client certificate is asked for"
            raise settings.error(ca.key, problem, cure="set client_auth_type: RequireAndVerifyClientCert")
        return
    if ca is None:
        cure = "add client_ca_file"
        raise settings.error("client_auth_type", f"{kind} needs the CA that signs clients", cure=cure)
    with _as_file(ca) as path:
        _check_readable(settings, ca, path)
        try:
            context.load_verify_locations(path)
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or str(error)
            cure = "give a file with the CA certificates in PEM"
            raise settings.error(ca.key, f"no CA certificate can be read ({reason})", cure=cure) from error
    context.verify_mode = _CLIENT_AUTH[kind]
    # As in Go, every certificate in the file is trusted as it stands, an intermediate one too.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


@contextmanager
def _as_file(pem: Pem) -> Iterator[str]:
    """Give a path for OpenSSL; an inline secret lives in memory only, for as long as the block runs."""
    if pem.path is not None:
        yield str(pem.path)
        return
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem.text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _check_readable(settings: TlsSettings, pem: Pem, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        problem = f"{pem.key} {path} cannot be read ({error.strerror})"
        raise settings.error(pem.key, problem, cure="give a file that this user can read") from error


def _names(certificate: Mapping[str, object]) -> set[str]:
    """Give the alternative names of a verified certificate, as ``getpeercert`` describes it."""
    pairs = certificate.get("subjectAltName", ())
    return {_canonical(str(value)) for _, value in pairs} if isinstance(pairs, tuple) else set()


def _canonical(name: str) -> str:
    """Write an IP address the one way, so that equal addresses are equal texts; leave other names alone."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            return socket.inet_ntop(family, socket.inet_pton(family, name))
    return name
