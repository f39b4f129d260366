"""Who holds what and who is who, of lists and folders of logs put together."""

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.agent.workloads.kubernetes.kubernetes_node import (
    LogTree,
    claiming,
    container,
    container_id,
    pod,
    uuid,
)
from wattledger.agent.workloads.kubernetes.messages import ClaimedDevice
from wattledger.agent.workloads.kubernetes.pod_logs import PodLogs
from wattledger.agent.workloads.kubernetes.table import PodTable, assemble
from wattledger.agent.workloads.pods import PodContainer

A, B = uuid(1), uuid(2)
ONE, OTHER = "uid-one", "uid-other"
NO_LOGS = PodLogs(problem="no logs")


@pytest.fixture
def tree(tmp_path: Path) -> LogTree:
    return LogTree(tmp_path).make()


def find(
    table: PodTable, *, uid: str = "", identity: str = "", devices: Collection[str] = (), complete: bool = True
) -> PodContainer | None:
    return table.find(pod_uid=uid, container_id=identity, devices=devices, complete=complete)


def test_allocations_are_by_device_and_in_order() -> None:
    listed = (
        pod("b", container(f"{A}::1")),
        pod("a", container(f"{A}::0", f"{A}::2"), container(name="idle")),
        pod("c", container(B), container("nvidia3/gi1/vgpu0", name="gke")),
    )
    table = assemble(listed, NO_LOGS, fresh=True)
    assert table.allocations == {
        A: (PodContainer("ml", "a", "main"), PodContainer("ml", "b", "main")),
        B: (PodContainer("ml", "c", "main"),),
        "nvidia3/gi1": (PodContainer("ml", "c", "gke"),),
    }
    assert table.pods == 3


def test_allocations_have_ids_where_there_is_one_that_it_can_be(tree: LogTree) -> None:
    tree.add("once", "main", uid=ONE, ids=[container_id(1)])
    tree.add("twice", "main", uid="uid-old", ids=[container_id(2)])
    tree.add("twice", "main", uid="uid-new", ids=[container_id(3)])
    table = assemble((pod("once", container(A)), pod("twice", container(B))), tree.folders.read(), fresh=True)
    assert table.allocations[A] == (PodContainer("ml", "once", "main", ONE, container_id(1)),)
    assert table.allocations[B] == (PodContainer("ml", "twice", "main"),)


def test_time_slices_are_told_apart_by_container_and_by_pod(tree: LogTree) -> None:
    tree.add("one", "main", uid=ONE, ids=[container_id(1)])
    tree.add("other", "main", uid=OTHER, ids=[container_id(2)])
    table = assemble(
        (pod("one", container(f"{A}::0")), pod("other", container(f"{A}::1"))), tree.folders.read(), fresh=True
    )
    expected = PodContainer("ml", "other", "main", OTHER, container_id(2))
    assert find(table, identity=container_id(2), devices={A}, complete=False) == expected
    by_uid = find(table, uid=OTHER, devices={A}, complete=False)
    assert by_uid == PodContainer("ml", "other", "main", OTHER)
    assert find(table, devices={A}) is None


def test_a_container_that_is_in_no_list_has_its_name(tree: LogTree) -> None:
    tree.add("monitor", "exporter", uid=ONE, ids=[container_id(1)])
    table = assemble((), tree.folders.read(), fresh=True)
    found = find(table, uid=ONE, identity=container_id(1), complete=False)
    assert found == PodContainer("ml", "monitor", "exporter", ONE, container_id(1))


def test_of_several_containers_with_devices_the_one_that_holds_them_all_is_it(tree: LogTree) -> None:
    tree.add("pair", "first", "second", uid=ONE)
    listed = (pod("pair", container(A, name="first"), container(B, uuid(3), name="second")),)
    table = assemble(listed, tree.folders.read(), fresh=True)
    assert find(table, uid=ONE, devices={B, uuid(3), "nvidia1", "nvidia2"}) == PodContainer(
        "ml", "pair", "second", ONE
    )
    # A container that starts may be named by its id a moment later.
    assert find(table, uid=ONE, identity=container_id(9), devices={B}, complete=False) is None
    assert find(table, uid=ONE, devices={A, B}) == PodContainer("ml", "pair", "", ONE)


def test_the_only_container_with_a_log_is_not_taken_for_one_of_two_with_devices(tree: LogTree) -> None:
    tree.add("pair", "first", uid=ONE)
    listed = (pod("pair", container(A, name="first"), container(B, name="second")),)
    table = assemble(listed, tree.folders.read(), fresh=True)
    assert find(table, uid=ONE, devices={uuid(9)}) == PodContainer("ml", "pair", "", ONE)


def test_a_pod_without_devices_is_named_by_its_folder(tree: LogTree) -> None:
    tree.add("single", "main", uid=ONE)
    tree.add("pair", "first", "second", uid=OTHER)
    table = assemble(None, tree.folders.read(), fresh=False)
    assert find(table, uid=ONE, complete=False) is None
    assert find(table, uid=ONE) == PodContainer("ml", "single", "main", ONE)
    assert find(table, uid=OTHER) == PodContainer("ml", "pair", "", OTHER)


def test_without_logs_a_device_tells_where_one_container_holds_it() -> None:
    listed = (pod("one", container(A, B)), pod("gke", container("nvidia4")), pod("mig", container(uuid(5, "MIG"))))
    table = assemble(listed, NO_LOGS, fresh=True)
    for devices, name in [
        ({A}, "one"),
        ({A, B}, "one"),
        ({uuid(5, "MIG"), "nvidia9/gi1"}, "mig"),
        ({uuid(4), "nvidia4"}, "gke"),
    ]:
        found = find(table, uid=ONE, identity=container_id(1), devices=devices)
        assert found == PodContainer("ml", name, "main")
    for nobody in ({A, uuid(9)}, {uuid(9)}, {"nvidia9"}, set[str]()):
        assert find(table, identity=container_id(1), devices=nobody) is None


def test_a_device_tells_nothing_that_may_be_out_of_date() -> None:
    listed = (pod("one", container(A)),)
    assert find(assemble(listed, NO_LOGS, fresh=True), uid=ONE, devices={A}, complete=False) is None
    assert find(assemble(listed, NO_LOGS, fresh=False), uid=ONE, devices={A}) is None


def test_a_container_beside_kubernetes_is_not_the_pod_that_has_its_device(tree: LogTree) -> None:
    tree.add("one", "main", uid=ONE, ids=[container_id(1)])
    table = assemble((pod("one", container(A)),), tree.folders.read(), fresh=True)
    assert find(table, identity=container_id(77), devices={A}) is None


def test_a_claim_that_tells_of_no_device_still_makes_its_container_the_one(tree: LogTree) -> None:
    tree.add("claims", "main", "log-shipper", uid=ONE)
    claimed = ClaimedDevice("gpu.nvidia.com", "node-1", "gpu-0-mig-1g5gb-19-4", ())
    table = assemble(
        (pod("claims", claiming(claimed), container(name="log-shipper")),), tree.folders.read(), fresh=True
    )
    assert table.allocations == {}
    assert table.unresolved == ("gpu.nvidia.com/node-1/gpu-0-mig-1g5gb-19-4",)
    assert find(table, uid=ONE, devices={A}, complete=False) == PodContainer("ml", "claims", "main", ONE)
