"""The pods of this node, looked up on a thread of its own; what is asked of it never waits for the kubelet."""

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from wattledger.rules.instant import NS_PER_SECOND, Instant

from ...clock import Clock
from ..pods import PodContainer
from .client import SOCKET, Kubelet, KubeletError, Trouble
from .messages import ListedPod
from .pod_logs import LogFolders
from .table import PodTable, assemble

_log = logging.getLogger(__name__)

INTERVAL_NS = 10 * NS_PER_SECOND
# Many new processes at once are one question.
LEAST_INTERVAL_NS = NS_PER_SECOND
# A kubelet that restarts is back long before. Beyond that a device may have changed hands.
KEEP_NS = 60 * NS_PER_SECOND
_MOST_MISSED = 1024


class Lister(Protocol):
    """The kubelet as it is used here."""

    def list_pods(self) -> tuple[ListedPod, ...]:
        """Give the pods of this node. Raises KubeletError; may take seconds."""
        ...

    def close(self) -> None:
        """Cut short what is being asked, and ask no more."""
        ...


class Mode(StrEnum):
    """Whether pods are looked up."""

    AUTO = "auto"  # where there is a socket of a kubelet, or the folder for it
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class PodHealth:
    """How well pods can be looked up.

    `problem` is empty while the kubelet answers, `logs_problem` while the folders are there that tell the ids of
    pods and containers. `pods` is how many are listed, None where none ever were or the list is too old to be kept;
    `unresolved` how many device ids of the list tell of no device.
    """

    problem: str
    logs_problem: str
    last_success: Instant | None
    pods: int | None
    unresolved: int


@dataclass(frozen=True, slots=True)
class _Round:
    """What one look gave, swapped whole."""

    number: int
    ended_ns: int
    table: PodTable
    listed: tuple[ListedPod, ...] | None = None
    listed_at: Instant | None = None
    trouble: Trouble | None = None
    problem: str = ""


class PodDirectory:
    """Asks *lister* and reads the folders *logs*: every ten seconds, and soon when an unknown pod is asked for."""

    def __init__(self, lister: Lister, *, clock: Clock, logs: LogFolders, interval_ns: int = INTERVAL_NS) -> None:
        self._lister = lister
        self._clock = clock
        self._logs = logs
        self._interval_ns = interval_ns
        self._last = _Round(0, clock.now().mono_ns, PodTable())
        self._told: tuple[Trouble | None, bool] | None = None
        self._lock = threading.Lock()
        self._missed: dict[tuple[str, ...], int] = {}  # the round before each was first asked for in vain
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted = False

    def find(self, *, pod_uid: str, container_id: str, devices: Collection[str]) -> PodContainer | None:
        """Give the container with these ids, or that all of *devices* were given to; None while it is not known."""
        last = self._last
        key = (pod_uid, container_id) if pod_uid or container_id else tuple(sorted(devices))
        with self._lock:
            first = self._missed.setdefault(key, last.number)
        # The round after may have begun before the question; the second after has not.
        complete = last.number >= first + 2
        table = self._kept(last)
        found = table.find(pod_uid=pod_uid, container_id=container_id, devices=devices, complete=complete)
        with self._lock:
            if found is not None:
                self._missed.pop(key, None)
            elif len(self._missed) > _MOST_MISSED:
                del self._missed[next(iter(self._missed))]
        if found is None and not complete:
            self._wake.set()
            self._revive()
        return found

    def allocations(self) -> Mapping[str, tuple[PodContainer, ...]]:
        """Give who was given what, by device id; nothing once the kubelet has not answered for a minute."""
        self._revive()
        return self._kept(self._last).allocations

    def health(self) -> PodHealth:
        """Give how well pods can be looked up."""
        last = self._last
        table = self._kept(last)
        problem = last.problem
        if self._clock.now().mono_ns - last.ended_ns > KEEP_NS:
            problem = problem or "pods have not been looked up for a minute"
        return PodHealth(problem, table.logs.problem, last.listed_at, table.pods, len(table.unresolved))

    def start(self) -> None:
        """Begin to look, on a thread that ends with the program."""
        self._wanted = True
        self._revive()

    def close(self) -> None:
        """Look no more; does not wait for a look that hangs."""
        self._wanted = False
        self._stop.set()
        self._wake.set()
        self._lister.close()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def refresh(self) -> None:
        """Look once and publish what was found; its thread does this, or a test that has none."""
        last = self._last
        logs = self._logs.read()
        trouble, problem, listed, listed_at = None, "", last.listed, last.listed_at
        try:
            listed = self._list()
            listed_at = self._clock.now()
        except KubeletError as error:
            trouble, problem = error.trouble, str(error)
        table = assemble(listed, logs, fresh=trouble is None)
        ended_ns = self._clock.now().mono_ns
        self._last = _Round(last.number + 1, ended_ns, table, listed, listed_at, trouble, problem)
        self._tell(last.table)

    def _list(self) -> tuple[ListedPod, ...]:
        try:
            return self._lister.list_pods()
        except KubeletError:
            raise
        except Exception as error:  # the loop's one guard: whatever grpc may do, the next round is to come
            _log.debug("Kubernetes: the kubelet cannot be asked", exc_info=True)
            raise KubeletError(Trouble.FAILED, f"the kubelet cannot be asked: {error!r}") from error

    def _kept(self, last: _Round) -> PodTable:
        """Give the table, without its list where that is too old: the thread may hang, and time goes on."""
        at = last.listed_at
        if at is None or self._clock.now().mono_ns - at.mono_ns <= KEEP_NS:
            return last.table
        return PodTable(logs=last.table.logs)

    def _revive(self) -> None:
        """Start the thread where it is wanted and could not be had before."""
        if self._wanted and self._thread is None:
            thread = threading.Thread(target=self._run, name="kubernetes-pods", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the limit of threads; whoever asks next tries again
                return
            self._thread = thread

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._stop.is_set():  # after the wake of `close` may have been cleared
                return
            began_ns = self._clock.now().mono_ns
            self.refresh()
            self._clock.wait_until(began_ns + self._interval_ns, self._wake)
            self._clock.wait_until(began_ns + LEAST_INTERVAL_NS, self._stop)

    def _tell(self, before: PodTable) -> None:
        """Log what is new of the state."""
        last = self._last
        logs_problem = last.table.logs.problem
        told, self._told = self._told, (last.trouble, bool(logs_problem))
        if self._stop.is_set():
            return
        if told is None or told[0] is not last.trouble:
            if last.trouble is None:
                _log.info("Kubernetes: the kubelet lists %d pods", last.table.pods or 0)
            else:
                _log.warning("Kubernetes: %s", last.problem)
        logs_failed = told is not None and told[1]
        if logs_problem and not logs_failed:
            cure = "in a pod, mount both read-only, or containers that share a GPU cannot be told apart"
            _log.warning("Kubernetes: ids of pods cannot be looked up: %s; %s", logs_problem, cure)
        elif logs_failed and not logs_problem:
            _log.info("Kubernetes: ids of pods can be looked up again")
        for named in sorted({*last.table.unresolved} - {*before.unresolved}):
            _log.debug("Kubernetes: %s tells of no device of this node", named)


def pods_of_node(
    mode: Mode, *, clock: Clock, socket_path: Path = SOCKET, logs: LogFolders | None = None
) -> PodDirectory | None:
    """Give the pods of this node, not yet started; None where they are not wanted, or there is no kubelet."""
    if mode is Mode.OFF or (mode is Mode.AUTO and not _is_there(socket_path)):
        return None
    return PodDirectory(Kubelet(socket_path), clock=clock, logs=LogFolders() if logs is None else logs)


def _is_there(socket_path: Path) -> bool:
    """Tell whether there is the socket, or its folder: a kubelet may start later than this."""
    try:
        socket_path.parent.stat()
    except PermissionError:
        return True  # something is, and what is missing will be told
    except OSError:
        return False
    return True
