"""The answer to PodResourcesLister/List of the kubelet, read from protobuf; what its names mean is not known here.

Field numbers are those of k8s.io/kubelet `pkg/apis/podresources/v1/api.proto`. Written by hand, as a library for
protobuf would cost more memory than the rest of the agent. Fields that are not known or not needed are skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# A node has at most some hundred pods; an answer with more fields than this is not of a kubelet.
MOST_FIELDS = 200_000

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10  # bytes, of 64 bits
_LARGEST_KEY = (1 << 32) - 1


class MalformedAnswerError(Exception):
    """The bytes are no ListPodResourcesResponse; the message says why."""


@dataclass(frozen=True, slots=True)
class GrantedDevices:
    """Devices that a device plugin gave to a container (ContainerDevices)."""

    resource: str
    device_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimedDevice:
    """A device that a container has through a resource claim (ClaimResource)."""

    driver: str
    pool: str
    device: str
    cdi_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedContainer:
    """A container and what it was given (ContainerResources)."""

    name: str
    granted: tuple[GrantedDevices, ...]
    claimed: tuple[ClaimedDevice, ...]


@dataclass(frozen=True, slots=True)
class ListedPod:
    """A pod of this node (PodResources)."""

    namespace: str
    name: str
    containers: tuple[ListedContainer, ...]


def read_answer(answer: bytes) -> tuple[ListedPod, ...]:
    """Give the pods of a ListPodResourcesResponse. Raises MalformedAnswerError, and nothing else."""
    wire = _Wire(answer)
    return tuple(_pod(wire, *place) for place in wire.messages(0, len(answer), 1))


class _Wire:
    """Reads fields of one answer, and only so many of them: 16 MiB could hold millions of empty ones."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._fields_left = MOST_FIELDS

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Give number, wire type and place of the value of each field of the message between *start* and *end*."""
        at, data = start, self._data
        while at < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise MalformedAnswerError(f"more than {MOST_FIELDS} fields")
            if (key := data[at]) < 0x80:  # as it is nearly always
                at += 1
            else:
                key, at = self._varint(at, end)
            number, wire_type = key >> 3, key & 7
            if not number or key > _LARGEST_KEY:
                raise MalformedAnswerError(f"byte {at}: no field has the number {number}")
            if wire_type == _BYTES:
                if at < end and (size := data[at]) < 0x80:
                    at += 1
                else:
                    size, at = self._varint(at, end)
            elif wire_type == _VARINT:
                _, after = self._varint(at, end)
                size = after - at
            elif wire_type in _FIXED_SIZES:
                size = _FIXED_SIZES[wire_type]
            else:
                raise MalformedAnswerError(f"byte {at}: wire type {wire_type}")
            if size > end - at:
                raise MalformedAnswerError(f"byte {at}: {size} bytes announced, {end - at} left")
            yield number, wire_type, at, at + size
            at += size

    def parts(self, start: int, end: int, *known: int) -> Iterator[tuple[int, int, int]]:
        """Give number and place of the fields that are *known*; all that are read here are texts or messages."""
        for number, wire_type, first, last in self.fields(start, end):
            if number in known:
                if wire_type != _BYTES:
                    raise MalformedAnswerError(f"byte {first}: field {number} has wire type {wire_type}")
                yield number, first, last

    def messages(self, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
        """Give the places of a repeated message."""
        return ((first, last) for _, first, last in self.parts(start, end, number))

    def text(self, start: int, end: int) -> str:
        """Give a text."""
        try:
            return self._data[start:end].decode()
        except UnicodeDecodeError:
            raise MalformedAnswerError(f"byte {start}: a text that is not UTF-8") from None

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        for place in range(at, min(end, at + _LONGEST_VARINT)):
            byte = self._data[place]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, place + 1
            shift += 7
        raise MalformedAnswerError(f"byte {at}: a number without end")


def _pod(wire: _Wire, start: int, end: int) -> ListedPod:
    name = namespace = ""
    containers: list[ListedContainer] = []
    for number, first, last in wire.parts(start, end, 1, 2, 3):
        if number == 1:
            name = wire.text(first, last)
        elif number == 2:
            namespace = wire.text(first, last)
        else:
            containers.append(_container(wire, first, last))
    return ListedPod(namespace, name, tuple(containers))


def _container(wire: _Wire, start: int, end: int) -> ListedContainer:
    name = ""
    granted: list[GrantedDevices] = []
    claimed: list[ClaimedDevice] = []
    for number, first, last in wire.parts(start, end, 1, 2, 5):
        if number == 1:
            name = wire.text(first, last)
        elif number == 2:
            granted.append(_granted(wire, first, last))
        else:
            claimed.extend(_claimed(wire, *place) for place in wire.messages(first, last, 4))
    return ListedContainer(name, tuple(granted), tuple(claimed))


def _granted(wire: _Wire, start: int, end: int) -> GrantedDevices:
    resource = ""
    device_ids: list[str] = []
    for number, first, last in wire.parts(start, end, 1, 2):
        if number == 1:
            resource = wire.text(first, last)
        else:
            device_ids.append(wire.text(first, last))
    return GrantedDevices(resource, tuple(device_ids))


def _claimed(wire: _Wire, start: int, end: int) -> ClaimedDevice:
    texts = {2: "", 3: "", 4: ""}
    cdi_names: list[str] = []
    for number, first, last in wire.parts(start, end, 1, *texts):
        if number == 1:
            cdi_names.extend(wire.text(*place) for place in wire.messages(first, last, 1))
        else:
            texts[number] = wire.text(first, last)
    return ClaimedDevice(texts[2], texts[3], texts[4], tuple(cdi_names))
