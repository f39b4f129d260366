"""What proves to a receiver who is asking, read at each use; it sends nothing and keeps no secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .address import Address
from .model import Receiver


class CredentialsError(Exception):
    """A file that the credentials come from cannot be used; the message names it, never what is in it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers to send, and the *secrets* that must not be shown should the receiver repeat them."""

    headers: tuple[tuple[str, str], ...] = field(repr=False, default=())
    secrets: tuple[str, ...] = field(repr=False, default=())


def read_credentials(receiver: Receiver, address: Address) -> Credentials:
    """Give what *receiver* is to be shown. Raises CredentialsError."""
    if receiver.bearer_token_file is not None:
        token = _read("bearer_token_file", receiver.bearer_token_file)
        return Credentials((("Authorization", f"Bearer {token}"),), (token,))
    if receiver.password_file is not None:
        return _basic(receiver.username, _read("password_file", receiver.password_file))
    if address.login is not None:
        return _basic(*address.login)
    return Credentials()


def _basic(user: str, password: str) -> Credentials:
    from base64 import b64encode  # noqa: PLC0415  (only where there is a password)

    token = b64encode(f"{user}:{password}".encode()).decode("ascii")  # RFC 7617 with UTF-8
    return Credentials((("Authorization", f"Basic {token}"),), (token, password))


def _read(key: str, path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CredentialsError(f"{key} {path} cannot be read ({error.strerror}); let this user read it") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"{key} {path} is no UTF-8 text; write the secret as text") from None
    if not secret:
        raise CredentialsError(f"{key} {path} is empty; write the secret into it")
    if not secret.isprintable() or (key == "bearer_token_file" and not secret.isascii()):
        raise CredentialsError(f"{key} {path} has a character that cannot be sent; write the secret on one line")
    return secret
