"""The pods of a node over time: what is found, when it is looked up, what becomes old, and what is said of it."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.workloads.kubernetes.kubernetes_node import (
    PATIENCE_S,
    FakeKubelet,
    GateClock,
    ListerWithoutSocket,
    LogTree,
    container,
    container_id,
    pod,
    uuid,
)
from wattledger.agent.clock import Clock, SystemClock
from wattledger.agent.workloads.kubernetes.client import Kubelet, KubeletError, Trouble
from wattledger.agent.workloads.kubernetes.directory import KEEP_NS, Mode, PodDirectory, pods_of_node
from wattledger.agent.workloads.pods import PodContainer, Pods
from wattledger.rules.instant import NS_PER_SECOND

A, B = uuid(1), uuid(2)
GONE = KubeletError(Trouble.NO_SOCKET, "gone")
MODULE = "wattledger.agent.workloads.kubernetes.directory"


@pytest.fixture
def tree(tmp_path: Path) -> LogTree:
    return LogTree(tmp_path).make()


def directory_of(lister: ListerWithoutSocket, clock: Clock, tree: LogTree) -> PodDirectory:
    return PodDirectory(lister, clock=clock, logs=tree.folders)


def find(pods: Pods, identity: int, devices: Collection[str] = (), uid: str = "") -> PodContainer | None:
    return pods.find(pod_uid=uid, container_id=container_id(identity), devices=devices)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds, which real threads bring about."""
    end = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.01)


@contextmanager
def started(directory: PodDirectory) -> Iterator[PodDirectory]:
    directory.start()
    try:
        yield directory
    finally:
        directory.close()


def test_before_the_first_look_nothing_is_known(tree: LogTree) -> None:
    directory = directory_of(ListerWithoutSocket((pod("a", container(A)),)), FakeClock(), tree)
    assert directory.allocations() == {}
    assert find(directory, 1, {A}) is None
    assert directory.health().last_success is None
    assert directory.health().pods is None


def test_a_look_gives_allocations_and_names(tree: LogTree) -> None:
    clock = FakeClock()
    tree.add("a", "main", uid="uid-a", ids=[container_id(1)])
    directory = directory_of(ListerWithoutSocket((pod("a", container(A)),)), clock, tree)
    directory.refresh()
    expected = PodContainer("ml", "a", "main", "uid-a", container_id(1))
    assert directory.allocations() == {A: (expected,)}
    assert find(directory, 1) == expected
    health = directory.health()
    assert (health.problem, health.logs_problem, health.pods, health.unresolved) == ("", "", 1, 0)
    assert health.last_success == clock.now()


def test_by_its_device_a_container_is_found_only_in_a_list_that_is_younger_than_the_question(tmp_path: Path) -> None:
    lister = ListerWithoutSocket((pod("old", container(A)),))
    directory = directory_of(lister, FakeClock(), LogTree(tmp_path))
    directory.refresh()
    assert find(directory, 1, {A}) is None
    directory.refresh()  # may have begun before the question
    assert find(directory, 1, {A}) is None
    lister.pods = (pod("new", container(A)),)
    directory.refresh()
    assert find(directory, 1, {A}) == PodContainer("ml", "new", "main")


def test_the_list_stays_a_minute_without_kubelet_and_goes_then(tree: LogTree) -> None:
    clock = FakeClock()
    lister = ListerWithoutSocket((pod("a", container(A)),))
    directory = directory_of(lister, clock, tree)
    directory.refresh()
    seen = clock.now()
    lister.fail(GONE)
    for _ in range(6):
        clock.advance(10)
        directory.refresh()
        assert directory.allocations().keys() == {A}
        assert directory.health().problem == "gone"
        assert directory.health().pods == 1
    clock.advance(0.1)
    assert directory.allocations() == {}  # the thread need not be there to see it
    directory.refresh()
    assert directory.allocations() == {}
    health = directory.health()
    assert (health.problem, health.pods, health.last_success) == ("gone", None, seen)
    lister.error = None
    directory.refresh()
    assert directory.allocations().keys() == {A}
    assert directory.health().problem == ""


def test_names_by_ids_need_no_kubelet(tree: LogTree) -> None:
    clock = FakeClock()
    tree.add("a", "main", uid="uid-a", ids=[container_id(1)])
    directory = directory_of(ListerWithoutSocket(error=GONE), clock, tree)
    directory.refresh()
    clock.advance_ns(2 * KEEP_NS)
    assert find(directory, 1) == PodContainer("ml", "a", "main", "uid-a", container_id(1))
    assert directory.health().pods is None


def test_a_look_that_hangs_shows(tree: LogTree) -> None:
    clock = FakeClock()
    directory = directory_of(ListerWithoutSocket(), clock, tree)
    directory.refresh()
    clock.advance_ns(KEEP_NS)
    assert directory.health().problem == ""
    clock.advance(1)
    assert directory.health().problem == "pods have not been looked up for a minute"


def test_each_change_of_state_is_said_once(tree: LogTree, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, MODULE)
    lister = ListerWithoutSocket((pod("a", container(A)),))
    directory = directory_of(lister, FakeClock(), tree)

    def said(times: int = 3) -> list[tuple[str, str]]:
        caplog.clear()
        for _ in range(times):
            directory.refresh()
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    assert said() == [("INFO", "Kubernetes: the kubelet lists 1 pods")]
    lister.fail(GONE)
    assert said() == [("WARNING", "Kubernetes: gone")]
    lister.fail(KubeletError(Trouble.TIMEOUT, "slow"))
    assert said() == [("WARNING", "Kubernetes: slow")]
    lister.error = None
    assert said() == [("INFO", "Kubernetes: the kubelet lists 1 pods")]
    tree.folders.pods.rmdir()
    ((level, text),) = said()
    assert level == "WARNING"
    assert f"{tree.folders.pods}: No such file or directory" in text
    assert "mount both read-only" in text
    tree.folders.pods.mkdir()
    assert said() == [("INFO", "Kubernetes: ids of pods can be looked up again")]


def test_a_failure_at_the_start_is_said_and_an_unknown_one_costs_no_more(
    tree: LogTree, caplog: pytest.LogCaptureFixture
) -> None:
    directory = directory_of(ListerWithoutSocket(error=RuntimeError("odd")), FakeClock(), tree)
    directory.refresh()
    directory.refresh()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO] == [
        "Kubernetes: the kubelet cannot be asked: RuntimeError('odd')"
    ]
    assert directory.health().problem == "the kubelet cannot be asked: RuntimeError('odd')"


def test_ids_that_tell_of_no_device_are_counted_and_said_once(
    tree: LogTree, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, MODULE)
    directory = directory_of(ListerWithoutSocket((pod("a", container("odd", A)),)), FakeClock(), tree)
    directory.refresh()
    directory.refresh()
    assert directory.health().unresolved == 1
    assert directory.allocations().keys() == {A}
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert said == ["Kubernetes: nvidia.com/gpu=odd tells of no device of this node"]


def test_questions_without_end_take_no_memory_without_end(tree: LogTree) -> None:
    directory = directory_of(ListerWithoutSocket(), FakeClock(), tree)
    for number in range(3000):
        assert find(directory, number) is None
    assert len(directory._missed) <= 1024


def test_the_thread_looks_every_ten_seconds(tree: LogTree) -> None:
    clock, lister = GateClock(), ListerWithoutSocket()
    with started(directory_of(lister, clock, tree)):
        for number in range(1, 4):
            lister.wait_questions(number)
            clock.wait_for_sleeper(clock.mono_ns + 10 * NS_PER_SECOND)
            clock.advance(9.9)
            assert lister.questions == number
            clock.advance(0.1)
    assert lister.closed


def test_an_unknown_container_makes_it_look_after_a_second(tree: LogTree) -> None:
    clock, lister = GateClock(), ListerWithoutSocket()
    with started(directory_of(lister, clock, tree)) as directory:
        clock.wait_for_sleeper(clock.mono_ns + 10 * NS_PER_SECOND)
        began_ns = clock.mono_ns
        for number in range(100):
            assert find(directory, number) is None
        clock.wait_for_sleeper(began_ns + NS_PER_SECOND)
        assert lister.questions == 1
        tree.add("new", "main", uid="uid-new", ids=[container_id(5)])
        clock.advance(1)
        lister.wait_questions(2)
        wait_for(lambda: find(directory, 5) is not None)


def test_a_container_that_is_nobodys_is_not_asked_for_for_ever(tree: LogTree) -> None:
    clock, lister = GateClock(), ListerWithoutSocket()
    with started(directory_of(lister, clock, tree)) as directory:
        for number in (1, 2):
            clock.wait_for_sleeper(clock.mono_ns + 10 * NS_PER_SECOND)
            assert lister.questions == number
            assert find(directory, 1) is None
            clock.wait_for_sleeper(clock.mono_ns + NS_PER_SECOND)
            clock.advance(1)
        clock.wait_for_sleeper(clock.mono_ns + 10 * NS_PER_SECOND)
        assert find(directory, 1) is None
        assert not directory._wake.is_set()


def test_closing_ends_the_thread(tree: LogTree) -> None:
    directory = directory_of(ListerWithoutSocket(), GateClock(), tree)
    directory.start()
    thread = directory._thread
    assert thread is not None
    assert thread.daemon
    directory.close()
    assert not thread.is_alive()


def test_a_thread_that_cannot_be_had_is_had_later(tree: LogTree, monkeypatch: pytest.MonkeyPatch) -> None:
    lister = ListerWithoutSocket((pod("a", container(A)),))
    directory = directory_of(lister, GateClock(), tree)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        directory.start()
        assert directory.allocations() == {}
    assert lister.questions == 0
    wait_for(lambda: directory.allocations().keys() == {A})
    directory.close()


def test_a_real_kubelet_that_restarts_is_followed(tmp_path: Path, tree: LogTree) -> None:
    path = tmp_path / "kubelet.sock"
    directory = PodDirectory(Kubelet(path), clock=SystemClock(), logs=tree.folders, interval_ns=NS_PER_SECOND // 20)
    with started(directory):
        wait_for(lambda: "no socket of a kubelet" in directory.health().problem)
        with FakeKubelet([pod("a", container(A))]).serving(path):
            wait_for(lambda: directory.allocations().keys() == {A})
        wait_for(lambda: "no socket of a kubelet" in directory.health().problem)
        assert directory.allocations().keys() == {A}
        with FakeKubelet([pod("b", container(B))]).serving(path):
            wait_for(lambda: directory.allocations().keys() == {B})


def test_closing_does_not_wait_for_a_kubelet_that_hangs(tmp_path: Path, tree: LogTree) -> None:
    path = tmp_path / "kubelet.sock"
    kubelet = FakeKubelet()
    kubelet.answering.clear()
    with kubelet.serving(path):
        lister = Kubelet(path, timeout_ns=10 * PATIENCE_S * NS_PER_SECOND)
        directory = PodDirectory(lister, clock=SystemClock(), logs=tree.folders)
        directory.start()
        assert kubelet.asked.wait(PATIENCE_S)
        thread = directory._thread
        directory.close()
        assert thread is not None
        wait_for(lambda: not thread.is_alive())
        assert not kubelet.answering.is_set()


@pytest.mark.parametrize(
    ("mode", "there", "wanted"),
    [
        (Mode.AUTO, "nothing", False),
        (Mode.AUTO, "folder", True),
        (Mode.AUTO, "socket", True),
        (Mode.ON, "nothing", True),
        (Mode.OFF, "socket", False),
    ],
)
def test_pods_are_looked_up_where_it_is_wanted(tmp_path: Path, mode: Mode, there: str, *, wanted: bool) -> None:
    path = tmp_path / "pod-resources" / "kubelet.sock"
    if there != "nothing":
        path.parent.mkdir()
    if there == "socket":
        path.touch()
    assert (pods_of_node(mode, clock=FakeClock(), socket_path=path) is not None) is wanted
