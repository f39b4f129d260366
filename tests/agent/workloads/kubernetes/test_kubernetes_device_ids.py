"""Which device an id means: every shape that plugins and drivers for claims are known to write."""

import pytest

from tests.agent.workloads.kubernetes.kubernetes_node import claiming, container, uuid
from wattledger.agent.workloads.kubernetes.device_ids import claimed_device, device_of, devices_of
from wattledger.agent.workloads.kubernetes.messages import ClaimedDevice, GrantedDevices, ListedContainer

GPU, MIG = uuid(7), uuid(7, "MIG")
CLAIM = "0d5e1f6a-11c7-4f6c-8a45-0123456789ab"


@pytest.mark.parametrize(
    ("device_id", "device"),
    [
        (GPU, GPU),
        (MIG, MIG),
        (f"{GPU}::7", GPU),
        (f"{MIG}::12", MIG),
        (f"MIG-{GPU}/3/0", f"MIG-{GPU}/3/0"),
        (f"MIG-{GPU}/3/0::1", f"MIG-{GPU}/3/0"),
        ("nvidia0", "nvidia0"),
        ("nvidia15/gi3", "nvidia15/gi3"),
        ("nvidia0/gi3/vgpu1", "nvidia0/gi3"),
        ("nvidia0/vgpu1", "nvidia0"),
        # Not of us, or of no device that could be named rightly.
        ("", None),
        ("0", None),
        ("0000:3b:00.0", None),
        ("all", None),
        (f"{GPU}-3", None),
        (f"{GPU}::", None),
        (f"{GPU}::x", None),
        (f"{GPU}::1::2", None),
        (f"{GPU}\n", None),
        (f" {GPU}", None),
        ("GPU-", None),
        ("nvidia", None),
        ("nvidia0/gi", None),
        ("nvidia0::1", None),
        ("nvidiactl", None),
        ("nvidia\N{ARABIC-INDIC DIGIT ONE}", None),
    ],
)
def test_an_id_of_a_plugin_means_a_device_or_none(device_id: str, device: str | None) -> None:
    assert device_of(device_id) == device


@pytest.mark.parametrize(
    ("name", "cdi_names", "device"),
    [
        ("gpu-0", (), "nvidia0"),
        ("gpu-11", (f"k8s.gpu.nvidia.com/claim={CLAIM}-gpu-11",), "nvidia11"),
        ("", (f"k8s.gpu.nvidia.com/claim={CLAIM}-gpu-4",), "nvidia4"),
        ("", ("k8s.gpu.nvidia.com/device=gpu-4",), "nvidia4"),
        ("gpu-0", (f"nvidia.com/gpu={GPU}",), GPU),
        ("", (f"nvidia.com/gpu={MIG}",), MIG),
        (MIG, (), MIG),
        ("", ("nvidia.com/gpu=2",), "nvidia2"),
        ("", ("management.nvidia.com/gpu=all", "nvidia.com/gpu=2"), "nvidia2"),
        # The place of an instance in its board is not its number, and the whole board would be too much.
        ("gpu-0-mig-1g5gb-19-4", (f"k8s.gpu.nvidia.com/claim={CLAIM}-gpu-0-mig-1g5gb-19-4",), None),
        ("gpu-0-mig-9-4-4", (), None),
        ("gpu-vfio-0", (), None),
        ("", ("nvidia.com/gpu=all",), None),
        ("", ("nvidia.com/gpu=0:1",), None),
        ("", ("amd.com/gpu=0",), None),
        ("", (), None),
    ],
)
def test_a_claim_means_a_device_where_a_name_of_it_tells(
    name: str, cdi_names: tuple[str, ...], device: str | None
) -> None:
    assert claimed_device(ClaimedDevice("gpu.nvidia.com", "node-1", name, cdi_names)) == device


@pytest.mark.parametrize(
    "resource", ["nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "nvidia.com/gpu.shared", "nvidia.com/a100-team-x"]
)
def test_resources_of_nvidia_count_however_they_are_called(resource: str) -> None:
    assert devices_of(container(GPU, f"{MIG}::1", resource=resource)).ids == {GPU, MIG}


def test_devices_of_other_vendors_are_nothing_to_us() -> None:
    granted = tuple(GrantedDevices(name, (GPU,)) for name in ("amd.com/gpu", "cpu", "example.com/nvidia.com/gpu", ""))
    claimed = (ClaimedDevice("gpu.intel.com", "node-1", "gpu-0", ()), ClaimedDevice("", "", "gpu-0", ()))
    found = devices_of(ListedContainer("main", granted, claimed))
    assert found.ids == frozenset()
    assert found.unresolved == ()


def test_two_shares_of_one_device_are_one_device() -> None:
    assert devices_of(container(f"{GPU}::0", f"{GPU}::1")).ids == {GPU}


def test_what_tells_of_no_device_is_named() -> None:
    assert devices_of(container("0000:3b:00.0", GPU, resource="nvidia.com/a")).unresolved == (
        "nvidia.com/a=0000:3b:00.0",
    )
    found = devices_of(claiming(ClaimedDevice("gpu.nvidia.com", "node-1", "gpu-0-mig-1g5gb-19-4", ())))
    assert found.unresolved == ("gpu.nvidia.com/node-1/gpu-0-mig-1g5gb-19-4",)
    assert found.ids == frozenset()


def test_channels_between_nodes_are_no_gpus() -> None:
    found = devices_of(claiming(ClaimedDevice("compute-domain.nvidia.com", "node-1", "channel-0", ())))
    assert found.ids == frozenset()
    assert found.unresolved == ()
