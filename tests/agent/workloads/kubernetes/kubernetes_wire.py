"""Writes what the kubelet answers, in protobuf; the counterpart of the reader under test."""

from collections.abc import Iterable

from wattledger.agent.workloads.kubernetes.messages import ClaimedDevice, GrantedDevices, ListedContainer, ListedPod

# Nobody reads these: cpu_ids packed and not, memory, topology, and fields of a time to come.
CPU_IDS = bytes([3 << 3 | 2, 3, 1, 2, 3, 3 << 3, 0x96, 0x01])
LATER = bytes([6 << 3, 7, 15 << 3 | 1, *range(8), 14 << 3 | 5, *range(4)])


def varint(value: int) -> bytes:
    """Give *value* in groups of seven bits."""
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def field(number: int, payload: bytes | str) -> bytes:
    """Give a text or a message as a field."""
    raw = payload.encode() if isinstance(payload, str) else payload
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def answer(pods: Iterable[ListedPod], *, extra: bytes = b"") -> bytes:
    """Give a ListPodResourcesResponse; *extra* stands in each message."""
    return b"".join(field(1, _pod(pod, extra)) for pod in pods)


def _pod(pod: ListedPod, extra: bytes) -> bytes:
    containers = b"".join(field(3, _container(container, extra)) for container in pod.containers)
    return extra + field(1, pod.name) + field(2, pod.namespace) + containers


def _container(container: ListedContainer, extra: bytes) -> bytes:
    granted = b"".join(field(2, _granted(one, extra)) for one in container.granted)
    # Each device of a claim of its own, as for several claims of one container.
    claimed = b"".join(
        field(5, field(2, "claim") + field(3, "ml") + field(4, _claimed(one, extra))) for one in container.claimed
    )
    return field(1, container.name) + granted + (CPU_IDS if extra else b"") + claimed + extra


def _granted(granted: GrantedDevices, extra: bytes) -> bytes:
    ids = b"".join(field(2, one) for one in granted.device_ids)
    topology = field(3, field(1, b"\x08\x01")) if extra else b""
    return field(1, granted.resource) + ids + topology + extra


def _claimed(claimed: ClaimedDevice, extra: bytes) -> bytes:
    names = b"".join(field(1, field(1, name) + extra) for name in claimed.cdi_names)
    return names + field(2, claimed.driver) + extra + field(3, claimed.pool) + field(4, claimed.device)
