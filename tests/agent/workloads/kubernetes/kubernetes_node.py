"""A node of a cluster as far as it is seen from inside: a kubelet on a real socket, its folders of logs, time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from tests.agent.workloads.kubernetes.kubernetes_wire import answer
from wattledger.agent.workloads.kubernetes.client import METHOD, KubeletError
from wattledger.agent.workloads.kubernetes.messages import ClaimedDevice, GrantedDevices, ListedContainer, ListedPod
from wattledger.agent.workloads.kubernetes.pod_logs import LogFolders
from wattledger.rules.instant import NS_PER_SECOND, Instant

PATIENCE_S = 20


def uuid(number: int, kind: str = "GPU") -> str:
    """Give the UUID of a device."""
    return f"{kind}-{number:08x}-1234-5678-9abc-{number:012x}"


def container_id(number: int) -> str:
    """Give the id of a container."""
    return f"{number:064x}"


def container(*device_ids: str, name: str = "main", resource: str = "nvidia.com/gpu") -> ListedContainer:
    """Give a container that was given devices by a plugin."""
    return ListedContainer(name, (GrantedDevices(resource, device_ids),) if device_ids else (), ())


def claiming(*claimed: ClaimedDevice, name: str = "main") -> ListedContainer:
    """Give a container that has devices through claims."""
    return ListedContainer(name, (), claimed)


def pod(name: str, *containers: ListedContainer, namespace: str = "ml") -> ListedPod:
    """Give a pod."""
    return ListedPod(namespace, name, containers)


@dataclass
class FakeKubelet:
    """What a kubelet answers: pods, or bytes; until `answering` is cleared. `asked` is set by each question."""

    pods: Sequence[ListedPod] = ()
    raw: bytes | None = None
    answering: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    def answer(self) -> bytes:
        """Give the bytes of the answer, when it is time."""
        self.asked.set()
        self.answering.wait(PATIENCE_S)
        return answer(self.pods) if self.raw is None else self.raw

    @contextmanager
    def serving(self, path: Path) -> Iterator[None]:
        """Listen at *path*; the socket is gone afterwards."""
        server = grpc.server(futures.ThreadPoolExecutor(4), options=(("grpc.max_send_message_length", -1),))
        server.add_generic_rpc_handlers((_Lister(self),))
        server.add_insecure_port(f"unix://{path}")
        server.start()
        try:
            yield
        finally:
            self.answering.set()
            server.stop(None).wait(PATIENCE_S)
            path.unlink(missing_ok=True)


class _Lister(grpc.GenericRpcHandler):
    def __init__(self, kubelet: FakeKubelet) -> None:
        self._kubelet = kubelet

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        if handler_call_details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(self._list)

    def _list(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        return self._kubelet.answer()


@dataclass
class ListerWithoutSocket:
    """A kubelet that is asked by a call; one that has an `error` raises it."""

    pods: tuple[ListedPod, ...] = ()
    error: Exception | None = None
    questions: int = 0
    closed: bool = False
    asked: threading.Condition = field(default_factory=threading.Condition)

    def list_pods(self) -> tuple[ListedPod, ...]:
        """Give the pods, or fail."""
        with self.asked:
            self.questions += 1
            self.asked.notify_all()
        if self.error is not None:
            raise self.error
        return self.pods

    def fail(self, error: KubeletError | Exception) -> None:
        """Fail from now on."""
        self.error = error

    def close(self) -> None:
        """Be told that nobody asks any more."""
        self.closed = True

    def wait_questions(self, number: int) -> None:
        """Wait until it was asked so many times."""
        with self.asked:
            assert self.asked.wait_for(lambda: self.questions >= number, PATIENCE_S)


@dataclass
class LogTree:
    """The folders of logs below *root*, as a kubelet writes them."""

    root: Path

    @property
    def folders(self) -> LogFolders:
        """Give where they are."""
        return LogFolders(self.root / "pods", self.root / "containers")

    def make(self) -> LogTree:
        """Make both folders, empty."""
        self.folders.pods.mkdir()
        self.folders.containers.mkdir()
        return self

    def add(self, name: str, *containers: str, uid: str, ids: Sequence[str] = (), namespace: str = "ml") -> None:
        """Add a pod with its containers, and a link for each of those that *ids* has an id for."""
        for one in containers:
            (self.folders.pods / f"{namespace}_{name}_{uid}" / one).mkdir(parents=True)
        for one, identity in zip(containers, ids, strict=False):
            link = self.folders.containers / f"{name}_{namespace}_{one}-{identity}.log"
            link.symlink_to(self.folders.pods / f"{namespace}_{name}_{uid}" / one / "0.log")


@dataclass
class GateClock:
    """Time that moves only when told; who waits on it really waits."""

    mono_ns: int = 1_000 * NS_PER_SECOND
    waiting_for: list[int] = field(default_factory=list)
    _moved: threading.Condition = field(default_factory=threading.Condition)

    def now(self) -> Instant:
        """Give the present moment."""
        return Instant(mono_ns=self.mono_ns, wall_ns=self.mono_ns)

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        """Wait until *mono_ns* or until *stop* is set; give whether it was set."""
        with self._moved:
            self.waiting_for.append(mono_ns)
            self._moved.notify_all()
            while self.mono_ns < mono_ns and not stop.is_set():
                self._moved.wait(0.005)
            self.waiting_for.remove(mono_ns)
        return stop.is_set()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._moved:
            self.mono_ns += round(seconds * NS_PER_SECOND)
            self._moved.notify_all()

    def wait_for_sleeper(self, mono_ns: int) -> None:
        """Wait until somebody waits for the moment *mono_ns*."""
        with self._moved:
            assert self._moved.wait_for(lambda: mono_ns in self.waiting_for, PATIENCE_S)
