"""How TLS is spoken to a receiver: a context from its files, made anew when they change.

Imported only for a receiver at an https address.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from .credentials import CredentialsError
from .model import Receiver


class TlsClient:
    """The TLS side of one receiver. Belongs to its courier's thread."""

    def __init__(self, receiver: Receiver, host: str) -> None:
        self._receiver = receiver
        self._host = host
        self._seen: tuple[tuple[int, int, int], ...] | None = None
        self._context: ssl.SSLContext | None = None

    def prepare(self) -> None:
        """Read the files if they changed. Raises CredentialsError."""
        receiver = self._receiver
        files = (("ca_file", receiver.ca_file), ("cert_file", receiver.cert_file), ("key_file", receiver.key_file))
        seen = tuple(_state(key, path) for key, path in files if path is not None)
        if self._context is None or seen != self._seen:
            self._context, self._seen = _context(receiver), seen

    def wrap(self, sock: socket.socket) -> socket.socket:
        """Shake hands on a connected socket. Raises OSError; ssl.SSLError is one."""
        if self._context is None:
            raise RuntimeError("prepare comes first")
        return self._context.wrap_socket(sock, server_hostname=self._host)


def _state(key: str, path: Path) -> tuple[int, int, int]:
    try:
        with path.open("rb"):
            found = path.stat()
    except OSError as error:
        raise CredentialsError(f"{key} {path} cannot be read ({error.strerror}); let this user read it") from None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _context(receiver: Receiver) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=receiver.ca_file)
    except ssl.SSLError:
        problem = f"ca_file {receiver.ca_file} holds no CA certificate; give the certificates in PEM"
        raise CredentialsError(problem) from None
    if receiver.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if receiver.cert_file is not None:
        try:
            # Without a password given, OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(receiver.cert_file, receiver.key_file, password="")
        except (ssl.SSLError, ValueError):
            problem = f"cert_file {receiver.cert_file} and its key cannot be used"
            cure = "give a PEM certificate and its own unencrypted PEM key"
            raise CredentialsError(f"{problem}; {cure}") from None
    return context
