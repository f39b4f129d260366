"""Serves the pages of many hosts, a path for each: `python -m tests.fleet.serve FOLDER HOSTS PORT`."""

import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path

from tests.fleet.herd import STEP_S, Herd, target_labels

_TEXT, _JSON = "text/plain; version=0.0.4; charset=utf-8", "application/json"


def targets(hosts: int, address: str) -> str:
    """Give the targets as an inventory does (`http_sd_configs`)."""
    return json.dumps(
        [
            {"targets": [address], "labels": {"__metrics_path__": f"/h/{host}/metrics", **target_labels(host)}}
            for host in range(hosts)
        ]
    )


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, herd: Herd, inventory: bytes, began_s: float
) -> None:
    """Answer the requests of one connection until its other end leaves."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0].decode()
            if path.startswith("/h/"):
                moment = int((time.monotonic() - began_s) // STEP_S)
                kind, body = _TEXT, herd.page(int(path.split("/")[2]), moment)
            else:
                kind, body = _JSON, inventory
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            writer.write(body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve(folder: Path, hosts: int, port: int) -> None:
    """Serve for ever."""
    answer = partial(
        _answer,
        herd=Herd.loaded(folder),
        inventory=targets(hosts, f"127.0.0.1:{port}").encode(),
        began_s=time.monotonic(),
    )
    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
