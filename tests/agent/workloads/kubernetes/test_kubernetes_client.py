"""The question to the kubelet, to a real gRPC server on a unix socket."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tests.agent.workloads.kubernetes.kubernetes_node import (
    PATIENCE_S,
    FakeKubelet,
    claiming,
    container,
    pod,
    uuid,
)
from tests.agent.workloads.kubernetes.kubernetes_wire import LATER, answer
from wattledger.agent.workloads.kubernetes.client import MOST_BYTES, Kubelet, KubeletError, Trouble
from wattledger.agent.workloads.kubernetes.messages import ClaimedDevice
from wattledger.rules.instant import NS_PER_SECOND

ROOT = Path(__file__).parents[4]
CLAIM = ClaimedDevice("gpu.nvidia.com", "node-1", "gpu-3", ("k8s.gpu.nvidia.com/claim=x-gpu-3",))
MIG_SLICE, SHARED = "nvidia.com/mig-1g.10gb", "nvidia.com/gpu.shared"
PODS = (
    *(pod(f"plain-{number}", container(uuid(number)), container(name="sidecar")) for number in range(50)),
    *(pod(f"mig-{number}", container(uuid(number, "MIG"), resource=MIG_SLICE)) for number in range(20)),
    *(pod(f"slice-{number}", container(f"{uuid(99)}::{number}", resource=SHARED)) for number in range(20)),
    *(pod(f"gke-{number}", container(f"nvidia{number}/gi3/vgpu1")) for number in range(10)),
    *(pod(f"claim-{number}", claiming(CLAIM)) for number in range(10)),
)

CHILD = """
import os, sys
from pathlib import Path
from wattledger.agent.workloads.kubernetes.client import Kubelet, KubeletError
if sys.argv[2] == "no-grpc":
    sys.modules["grpc"] = None
if sys.argv[2] == "broken-grpc":
    sys.modules["grpc._cython"] = None
if sys.argv[2] == "nobody":
    import encodings.idna, grpc, socket
    grpc.insecure_channel("unix:///nowhere").close()  # imports the rest, which that user may not read
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    print("pods", len(Kubelet(Path(sys.argv[1])).list_pods()))
except KubeletError as error:
    print(error.trouble, error)
print("imported" if sys.modules.get("grpc") else "not imported")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kubelet.sock"


def in_a_child(path: Path, how: str = "") -> tuple[str, str]:
    """Ask in a process of its own; give what came of it, and whether grpc was imported."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / '.importroot'}"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), how],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome, imported = done.stdout.splitlines()
    assert done.stderr == ""
    return outcome, imported


def refusal(kubelet: Kubelet) -> KubeletError:
    with pytest.raises(KubeletError) as caught:
        kubelet.list_pods()
    return caught.value


def test_all_pods_of_a_full_node_come_as_they_are(path: Path) -> None:
    assert len(PODS) == 110
    with FakeKubelet(PODS).serving(path):
        kubelet = Kubelet(path)
        assert kubelet.list_pods() == PODS
        assert kubelet.list_pods() == PODS


def test_fields_of_a_time_to_come_are_no_matter(path: Path) -> None:
    with FakeKubelet(raw=answer(PODS, extra=LATER)).serving(path):
        assert Kubelet(path).list_pods() == PODS


def test_a_node_without_pods_has_none(path: Path) -> None:
    with FakeKubelet().serving(path):
        assert Kubelet(path).list_pods() == ()


@pytest.mark.parametrize("name", ["a b.sock", "100%25.sock", "a#b?.sock"])
def test_a_socket_may_have_any_name(tmp_path: Path, name: str) -> None:
    plain = tmp_path / "plain.sock"
    with FakeKubelet(PODS).serving(plain):
        plain.rename(tmp_path / name)
        assert Kubelet(tmp_path / name).list_pods() == PODS
        (tmp_path / name).rename(plain)


def test_garbage_is_told_of(path: Path) -> None:
    with FakeKubelet(raw=b"\x0a\x7f" + b"garbage").serving(path):
        error = refusal(Kubelet(path))
    assert error.trouble is Trouble.MALFORMED
    assert "bytes announced" in str(error)


def test_an_answer_that_is_too_large_is_refused(path: Path) -> None:
    with FakeKubelet(raw=b"\x12" + bytes(MOST_BYTES)).serving(path):
        error = refusal(Kubelet(path))
    assert error.trouble is Trouble.FAILED
    assert "RESOURCE_EXHAUSTED" in str(error)


def test_an_answer_that_does_not_come_is_not_waited_for(path: Path) -> None:
    slow = FakeKubelet(PODS)
    slow.answering.clear()
    with slow.serving(path):
        error = refusal(Kubelet(path, timeout_ns=NS_PER_SECOND // 5))
    assert error.trouble is Trouble.TIMEOUT
    assert "within 0.2 s" in str(error)


def test_a_socket_that_never_speaks_is_not_waited_for(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        error = refusal(Kubelet(path, timeout_ns=NS_PER_SECOND // 5))
    assert error.trouble in (Trouble.TIMEOUT, Trouble.FAILED)


def test_a_server_of_something_else_is_told_of(path: Path) -> None:
    kubelet = FakeKubelet()
    with kubelet.serving(path), pytest.MonkeyPatch.context() as patch:
        patch.setattr("wattledger.agent.workloads.kubernetes.client.METHOD", "/v1.PodResourcesLister/Nothing")
        error = refusal(Kubelet(path))
    assert error.trouble is Trouble.FAILED
    assert "UNIMPLEMENTED" in str(error)


def test_a_kubelet_that_restarts_is_found_again(path: Path) -> None:
    kubelet = Kubelet(path)
    with FakeKubelet(PODS[:1]).serving(path):
        assert kubelet.list_pods() == PODS[:1]
    gone = refusal(kubelet)
    assert gone.trouble is Trouble.NO_SOCKET
    assert "No such file" in str(gone)
    with FakeKubelet(PODS[1:3]).serving(path):
        assert kubelet.list_pods() == PODS[1:3]


def test_a_socket_that_was_left_behind_is_told_of(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    error = refusal(Kubelet(path))
    assert error.trouble is Trouble.NO_SOCKET
    assert "is the kubelet running?" in str(error)


def test_closing_cuts_a_question_short(path: Path) -> None:
    slow = FakeKubelet(PODS)
    slow.answering.clear()
    kubelet = Kubelet(path, timeout_ns=10 * PATIENCE_S * NS_PER_SECOND)
    errors: list[KubeletError] = []
    with slow.serving(path):
        thread = threading.Thread(target=lambda: errors.append(refusal(kubelet)))
        thread.start()
        assert slow.asked.wait(PATIENCE_S)
        kubelet.close()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        assert not slow.answering.is_set()
        assert errors[0].trouble is Trouble.FAILED
        assert str(refusal(kubelet)) == "closed"


def test_grpc_is_not_imported_without_a_socket(path: Path) -> None:
    outcome, imported = in_a_child(path)
    assert outcome.startswith("no_socket no socket of a kubelet at ")
    assert imported == "not imported"


def test_a_host_without_grpc_is_told_what_to_install(path: Path) -> None:
    with FakeKubelet(PODS).serving(path):
        outcome, imported = in_a_child(path, "no-grpc")
    assert outcome == "no_grpc the package grpc is not installed: pip install 'wattledger[kubernetes]'"
    assert imported == "not imported"


def test_a_grpc_that_cannot_be_loaded_is_told_of(path: Path) -> None:
    with FakeKubelet(PODS).serving(path):
        outcome, _ = in_a_child(path, "broken-grpc")
    assert outcome.startswith("no_grpc the package grpc cannot be loaded (")
    assert outcome.endswith("): pip install 'wattledger[kubernetes]'")


@pytest.mark.parametrize("closed", ["socket", "folder"])
def test_a_user_without_permission_is_told_so(closed: str) -> None:
    # Folders of pytest are closed to others anyway.
    with tempfile.TemporaryDirectory(prefix="wattledger-kubelet-") as name:
        folder = Path(name)
        path = folder / "kubelet.sock"
        with FakeKubelet(PODS).serving(path):
            path.chmod(0o777)
            folder.chmod(0o755)
            assert in_a_child(path, "nobody") == ("pods 110", "imported")
            path.chmod(0 if closed == "socket" else 0o777)
            folder.chmod(0 if closed == "folder" else 0o755)
            outcome, _ = in_a_child(path, "nobody")
            folder.chmod(0o700)
    assert outcome.startswith("no_permission no permission to speak to the kubelet at ")
    assert outcome.endswith("run as root, or give the group access")
