"""Pods and containers by the kubelet's folders of logs, on real trees."""

from pathlib import Path

import pytest

from tests.agent.workloads.kubernetes.kubernetes_node import LogTree, container_id
from wattledger.agent.workloads.kubernetes.pod_logs import LoggedPod
from wattledger.agent.workloads.pods import PodContainer

UID = "0d5e1f6a-11c7-4f6c-8a45-0123456789ab"
STATIC_UID = "33d556edd3ae8ef21980288cef77ae8b"


@pytest.fixture
def tree(tmp_path: Path) -> LogTree:
    return LogTree(tmp_path).make()


def test_a_uid_gives_its_pod_and_an_id_its_container(tree: LogTree) -> None:
    tree.add("train-0", "main", "side-car", uid=UID, ids=[container_id(1), container_id(2)])
    tree.add("etcd-node-1", "etcd", uid=STATIC_UID, ids=[container_id(3)], namespace="kube-system")
    found = tree.folders.read()
    assert found.pods == {
        UID: LoggedPod("ml", "train-0", ("main", "side-car")),
        STATIC_UID: LoggedPod("kube-system", "etcd-node-1", ("etcd",)),
    }
    assert found.containers == {
        container_id(1): PodContainer("ml", "train-0", "main", UID, container_id(1)),
        container_id(2): PodContainer("ml", "train-0", "side-car", UID, container_id(2)),
        container_id(3): PodContainer("kube-system", "etcd-node-1", "etcd", STATIC_UID, container_id(3)),
    }
    assert found.problem == ""
    assert found.knows_all


def test_names_with_dashes_and_dots_stay_whole(tree: LogTree) -> None:
    tree.add("a-b.c-0", "x-y-z", uid=UID, ids=[container_id(1)], namespace="n-s")
    found = tree.folders.read()
    assert found.containers[container_id(1)] == PodContainer("n-s", "a-b.c-0", "x-y-z", UID, container_id(1))


def test_other_things_in_the_folders_are_passed_over(tree: LogTree) -> None:
    for name in ("lost+found", UID, "a_b", "a_b_c_d", "_b_c", "ml_h\u00e9_u", "ml_a\n_u"):
        (tree.folders.pods / name).mkdir()
    (tree.folders.pods / f"ml_train-0_{UID}").mkdir()
    (tree.folders.pods / f"ml_train-0_{UID}" / "notes.txt").touch()
    for name in (
        "x.log",
        f"pod_ml_main-{container_id(1)[:40]}.log",  # cut to what a file system takes
        f"pod_ml_main-{container_id(1)}.log.1",
        f"pod_ml_main-{container_id(1).replace('0', 'G')}.log",
        f"pod_ml_{container_id(1)}.log",
    ):
        (tree.folders.containers / name).touch()
    found = tree.folders.read()
    assert found.pods == {UID: LoggedPod("ml", "train-0", ())}
    assert found.containers == {}
    assert found.problem == ""
    assert not found.knows_all


@pytest.mark.parametrize(
    "target",
    [
        None,
        "/var/lib/docker/x-json.log",
        f"/logs/ml_other-0_{UID}/main/0.log",
        "0.log",
        "/",
        "ml_train-0_\udcff/main/0.log",
    ],
)
def test_a_link_that_leads_elsewhere_still_names_its_container(tree: LogTree, target: str | None) -> None:
    link = tree.folders.containers / f"train-0_ml_main-{container_id(1)}.log"
    if target is None:
        link.touch()
    else:
        link.symlink_to(target)
    assert tree.folders.read().containers == {
        container_id(1): PodContainer("ml", "train-0", "main", "", container_id(1))
    }


def test_one_folder_that_is_missing_costs_nothing_of_the_other(tree: LogTree) -> None:
    tree.add("train-0", "main", uid=UID, ids=[container_id(1)])
    tree.folders.pods.rename(tree.root / "elsewhere")
    found = tree.folders.read()
    assert found.pods == {}
    assert found.containers.keys() == {container_id(1)}
    assert found.problem == f"{tree.folders.pods}: No such file or directory"
    assert not found.knows_all


def test_both_folders_that_are_missing_are_told_of(tmp_path: Path) -> None:
    found = LogTree(tmp_path).folders.read()
    assert found.problem.count("No such file or directory") == 2


def test_a_file_in_the_place_of_a_folder_is_told_of(tmp_path: Path) -> None:
    tree = LogTree(tmp_path)
    tree.folders.pods.touch()
    tree.folders.containers.mkdir()
    assert tree.folders.read().problem == f"{tree.folders.pods}: Not a directory"
