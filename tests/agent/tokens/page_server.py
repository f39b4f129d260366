"""A server of token counters as inference servers are built: one process listens, its child is the one on the device.

Run as a program. It says one line of JSON: the port, its own number and that of its child. Each page it serves has
counted ten more output tokens than the one before. It ends with its input.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = {
    # As vLLM writes it (prometheus_client in its multiprocess mode), cut down.
    "vllm": """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="tiny"}} 1.0
# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{{engine="0",model_name="tiny"}} 130.0
# HELP vllm:generation_tokens_total Number of generation tokens processed.
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{{engine="0",model_name="tiny"}} {tokens}.0
# HELP vllm:iteration_tokens_total Histogram of number of tokens per engine_step.
# TYPE vllm:iteration_tokens_total histogram
vllm:iteration_tokens_total_bucket{{engine="0",le="1.0",model_name="tiny"}} 3.0
""",
    "llamacpp": """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 130
# HELP llamacpp:tokens_predicted_total Number of generated tokens processed.
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total {tokens}
""",
    "other": "http_requests_total {tokens}\n",
}
_CHILD = "import sys; print(flush=True); sys.stdin.read()"
_MODELS = {"object": "list", "data": [{"id": "/models/tiny.gguf", "object": "model"}]}


class Server(ThreadingHTTPServer):
    """Serves one page."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], page: str, path: str) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.page = page
        self.path = path
        self.tokens = 0
        self.lock = threading.Lock()
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server

    def do_GET(self) -> None:
        """Answer with the page, the models, or that there is nothing."""
        if self.path == self.server.path:
            with self.server.lock:
                self.server.tokens += 10
                body = PAGES[self.server.page].format(tokens=self.server.tokens).encode()
            self._answer(200, body)
        elif self.path == "/v1/models":
            self._answer(200, json.dumps(_MODELS).encode())
        else:
            self._answer(404, b"nothing\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--page", default="vllm", choices=sorted(PAGES))
    parser.add_argument("--path", default="/metrics")
    options = parser.parse_args()
    server = Server((options.host, options.port), options.page, options.path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with subprocess.Popen([sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        print(json.dumps({"port": server.server_port, "pid": os.getpid(), "child": child.pid}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
