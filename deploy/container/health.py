"""Exit code 0 if the page of this container answers, else 1 with the reason: `python3 -I -S health.py [PATH]`.

Asks `/-/healthy` where `WATTLEDGER_LISTEN` says, in plain HTTP and without a password: a page that turns that away is
alive too.
"""
# ruff: noqa: INP001  (a script of the image, not a part of a package)

import http.client
import os
import sys

SECONDS = 4.0  # below the 5 s that the image gives a check
ALIVE = (200, 400, 401)  # 400: the page has TLS, and says so in plain text; 401: it wants a password
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def address(listen: str) -> tuple[str, int]:
    """Give where to ask a page that listens at *listen*: `host:port`, `[IPv6]:port` or `:port`. Raises ValueError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"WATTLEDGER_LISTEN is {listen!r}: give host:port, [IPv6]:port or :port")
    host = host.removeprefix("[").removesuffix("]")
    return _ANYWHERE.get(host, host), int(port)


def ask(host: str, port: int, path: str) -> str:
    """Give what is wrong with the page; empty if nothing is."""
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (http.client.HTTPException, OSError) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return "" if status in ALIVE else f"answers with {status}"


def main(arguments: list[str], listen: str) -> int:
    """Ask once, say what is wrong on stderr, and give the exit code."""
    path = arguments[0] if arguments else "/-/healthy"
    try:
        host, port = address(listen)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    wrong = ask(host, port, path)
    if wrong:
        sys.stderr.write(f"http://{host}:{port}{path}: {wrong}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("WATTLEDGER_LISTEN") or ":9889"))
