"""As much of the API of Kubernetes as discovery of pods needs: lists, and watches on which nothing happens."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


def pod(name: str, node: str, address: str, *, ports: dict[str, int], phase: str = "Running") -> dict[str, Any]:
    """Give a pod of the DaemonSet as the API would."""
    return {
        "metadata": {
            "name": name,
            "namespace": "monitoring",
            "uid": f"uid-{name}",
            "labels": {"app.kubernetes.io/name": "wattledger"},
        },
        "spec": {
            "nodeName": node,
            "containers": [
                {
                    "name": "wattledger",
                    "ports": [{"name": port, "containerPort": number} for port, number in ports.items()],
                }
            ],
        },
        "status": {"phase": phase, "podIP": address, "hostIP": "10.0.0.1"},
    }


def node(name: str, **labels: str) -> dict[str, Any]:
    """Give a node as the API would."""
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"addresses": []}}


class KubernetesApi:
    """Serves *pods* and *nodes*; `asked` has the path and the label selector of each list."""

    def __init__(self, pods: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> None:
        self.asked: set[tuple[str, str]] = set()
        asked, over = self.asked, threading.Event()
        self._over = over
        lists = {"/api/v1/pods": ("PodList", pods), "/api/v1/nodes": ("NodeList", nodes)}

        class Api(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                query = parse_qs(address.query)
                if address.path not in lists:
                    self.send_error(404)
                    return
                asked.add((address.path, query.get("labelSelector", [""])[0]))
                if "watch" in query:
                    self.send_response(200)
                    self.end_headers()
                    over.wait(30)
                    return
                kind, items = lists[address.path]
                body = json.dumps({"kind": kind, "metadata": {"resourceVersion": "1"}, "items": items}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="kubernetes-api")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
