"""How the single values of the sections `rules` and `alerts` are read; what they name is judged with the rules."""

import re
from urllib.parse import urlsplit

from .document import Kind, Scalar
from .scalars import Key, text_of

_WORD = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LONGEST_VALUE = 1_000


def _word(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not _WORD.fullmatch(text):
        raise ValueError("is not a name; write small letters, digits and underscores")
    return text


def _threshold(scalar: Scalar) -> str:
    """Give the text as written: whether a number or a duration is due, the rule knows."""
    if scalar.kind not in (Kind.TEXT, Kind.INTEGER, Kind.FLOAT):
        raise ValueError(f"is read by YAML as {scalar.kind}; write a number or a duration such as 15m")
    return scalar.text


def _label_name(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not _LABEL.fullmatch(text) or text.startswith("__"):
        raise ValueError("is not a label name; write letters, digits and underscores, no digit and no __ in front")
    if text in ("alertname", "alertstate"):
        raise ValueError("belongs to the alert itself; take another name")
    return text


def _label_value(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not text or len(text) > _LONGEST_VALUE:
        raise ValueError(f"has {len(text)} characters; write 1 to {_LONGEST_VALUE}, or leave the label out")
    return text


def _url(scalar: Scalar) -> str:
    text = text_of(scalar)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL ({error}); write http://host:port or https://host:port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("is not a URL of HTTP; write http://host:port or https://host:port")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name; write it as username and password_file, where nobody logs it")
    if parts.fragment:
        raise ValueError("has a fragment (#...), which servers never see; leave it out")
    return text


PACK = Key("name of a pack", _word)
VARIABLE = Key("name of a setting of the packs", _word)
THRESHOLD = Key("number or duration", _threshold)
LABEL_NAME = Key("name of a label", _label_name)
LABEL_VALUE = Key("text", _label_value)
URL = Key("URL: http:// or https://", _url)
