"""One question to the kubelet: which pods there are and what they were given. When to ask is not known here.

The package grpc takes some 25 MB of memory, so it is imported only where there is a socket to speak to.
"""

from __future__ import annotations

import socket
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from wattledger.rules.instant import NS_PER_SECOND

from .messages import ListedPod, MalformedAnswerError, read_answer

if TYPE_CHECKING:
    import grpc

SOCKET = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
METHOD = "/v1.PodResourcesLister/List"
MOST_BYTES = 16 << 20
TIMEOUT_NS = 5 * NS_PER_SECOND

_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.enable_http_proxy", 0),
    # How long the last connection had to wait is nothing to this one.
    ("grpc.use_local_subchannel_pool", 1),
)
_LONGEST_REASON = 200
_PROBE_SECONDS = 1.0


class Trouble(StrEnum):
    """Why the kubelet cannot be asked."""

    NO_SOCKET = "no_socket"
    NO_PERMISSION = "no_permission"
    NO_GRPC = "no_grpc"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    FAILED = "failed"


class KubeletError(Exception):
    """The kubelet gave no list; the message says why, and what can be done about it."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble


class Kubelet:
    """The kubelet behind one socket. Each question has a connection of its own.

    The kubelet makes its socket anew when it starts. And no thread of grpc lives on between two questions.
    """

    def __init__(self, path: Path = SOCKET, *, timeout_ns: int = TIMEOUT_NS) -> None:
        self._path = path
        self._timeout_ns = timeout_ns
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._closed = False

    def list_pods(self) -> tuple[ListedPod, ...]:
        """Ask for the pods of this node. Raises KubeletError, after some seconds at most."""
        try:
            self._path.stat()
        except PermissionError:
            raise self._refused() from None
        except OSError as error:
            text = f"no socket of a kubelet at {self._path} ({error.strerror}); in a pod, mount its folder"
            raise KubeletError(Trouble.NO_SOCKET, text) from None
        answer = self._ask()
        try:
            return read_answer(answer)
        except MalformedAnswerError as error:
            text = f"the answer of the kubelet at {self._path} cannot be read: {error}"
            raise KubeletError(Trouble.MALFORMED, text) from None

    def close(self) -> None:
        """Cut short what is being asked, and ask no more."""
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()

    def _ask(self) -> bytes:
        try:
            import grpc  # noqa: PLC0415  (25 MB that a host without Kubernetes does not spend)

            channel = grpc.insecure_channel(f"unix://{quote(str(self._path.absolute()))}", _OPTIONS)
        except ImportError as error:  # parts of it are imported by the call
            missing = isinstance(error, ModuleNotFoundError) and error.name == "grpc"
            what = "is not installed" if missing else f"cannot be loaded ({error})"
            text = f"the package grpc {what}: pip install 'wattledger[kubernetes]'"
            raise KubeletError(Trouble.NO_GRPC, text) from None
        with self._lock:
            self._channel = channel
            if self._closed:
                channel.close()
        try:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
            return call(b"", timeout=self._timeout_ns / NS_PER_SECOND)
        except grpc.RpcError as error:
            outcome = cast("grpc.Call", error)  # what a call raises is also the call
            raise self._error(outcome.code().name, outcome.details() or "") from None
        except ValueError:  # what grpc raises of a channel that is closed before the call
            raise KubeletError(Trouble.FAILED, "closed") from None
        finally:
            with self._lock:
                self._channel = None
            channel.close()

    def _error(self, code: str, details: str) -> KubeletError:
        if code == "DEADLINE_EXCEEDED":
            seconds = self._timeout_ns / NS_PER_SECOND
            return KubeletError(Trouble.TIMEOUT, f"no answer of the kubelet at {self._path} within {seconds:g} s")
        if code == "UNAVAILABLE" and (found := self._unreachable()) is not None:
            return found
        reason = " ".join(details.split())[:_LONGEST_REASON]
        return KubeletError(Trouble.FAILED, f"the kubelet at {self._path} answered {code}: {reason}")

    def _unreachable(self) -> KubeletError | None:
        """Give what the system says of the socket, which grpc wraps in words of its own; None where it connects."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PROBE_SECONDS)
            try:
                probe.connect(str(self._path))
            except PermissionError:
                return self._refused()
            except OSError as error:
                text = f"nothing listens at {self._path} ({error.strerror or error}); is the kubelet running?"
                return KubeletError(Trouble.NO_SOCKET, text)
        return None

    def _refused(self) -> KubeletError:
        text = f"no permission to speak to the kubelet at {self._path}: run as root, or give the group access"
        return KubeletError(Trouble.NO_PERMISSION, text)
