"""What found services are called. A name is an identity: it stays over restarts of the server."""

from collections.abc import Collection, Iterator

_MOST_CHARACTERS = 128


def service_name(title: str, server: str, *, place: str, port: int, taken: Collection[str]) -> str:
    """Give a name that is not among *taken*.

    A server that is started again, and before which none of its kind ran beside it, gets the name that it had.
    *place* is host and port as in a URL.
    """
    return next(name for name in _names(_shown(title), server, place, port) if name not in taken)


def _names(title: str, server: str, place: str, port: int) -> Iterator[str]:
    if title:
        yield title
        yield f"{title}:{port}"
    else:
        yield f"{server}:{port}"
    yield f"{title or server}@{place}"
    number = 2
    while True:
        yield f"{title or server}@{place}#{number}"
        number += 1


def _shown(title: str) -> str:
    return "".join(character for character in title if character.isprintable())[:_MOST_CHARACTERS]
