"""The reader of the kubelet's answer: against an encoder, against bytes of protobuf itself, and against anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.workloads.kubernetes.kubernetes_wire import LATER, answer, field, varint
from wattledger.agent.workloads.kubernetes.messages import (
    MOST_FIELDS,
    ClaimedDevice,
    GrantedDevices,
    ListedContainer,
    ListedPod,
    MalformedAnswerError,
    read_answer,
)

# No lone surrogates: UTF-8 has none.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FEW_TEXTS = st.lists(TEXTS, max_size=3).map(tuple)
GRANTED = st.lists(st.builds(GrantedDevices, TEXTS, FEW_TEXTS), max_size=3).map(tuple)
CLAIMED = st.lists(st.builds(ClaimedDevice, TEXTS, TEXTS, TEXTS, FEW_TEXTS), max_size=3).map(tuple)
CONTAINERS = st.lists(st.builds(ListedContainer, TEXTS, GRANTED, CLAIMED), max_size=3).map(tuple)
PODS = st.lists(st.builds(ListedPod, TEXTS, TEXTS, CONTAINERS), max_size=4).map(tuple)

ONE = (
    ListedPod(
        "ml",
        "train-0",
        (
            ListedContainer(
                "main",
                (GrantedDevices("nvidia.com/gpu", ("GPU-a", "GPU-b")),),
                (ClaimedDevice("gpu.nvidia.com", "node-1", "gpu-0", ("k8s.gpu.nvidia.com/claim=c-gpu-0",)),),
            ),
            ListedContainer("sidecar", (), ()),
        ),
    ),
)
# Of Google's protobuf from api.proto: ONE with cpu_ids 0, 1 and 300, memory, topology and a claim's name.
PROTOBUF = (
    "0ab6010a07747261696e2d3012026d6c1a9b010a046d61696e12260a0e6e76696469612e636f6d2f67707512054750552d61"
    "12054750552d621a060a000a0208011a040001ac0222150a066d656d6f7279108080808080201a040a0208012a4e12036770"
    "751a026d6c22430a220a206b38732e6770752e6e76696469612e636f6d2f636c61696d3d632d6770752d30120e6770752e6e"
    "76696469612e636f6d1a066e6f64652d3122056770752d301a090a0773696465636172"
)


@given(PODS, st.sampled_from([b"", LATER]))
def test_what_was_written_is_read(pods: tuple[ListedPod, ...], extra: bytes) -> None:
    assert read_answer(answer(pods, extra=extra)) == pods


def test_bytes_of_protobuf_itself_are_read() -> None:
    assert read_answer(bytes.fromhex(PROTOBUF)) == ONE


@given(st.binary(max_size=200))
def test_any_bytes_are_pods_or_one_named_error(data: bytes) -> None:
    read_or_refused(data)


@given(PODS, st.data())
def test_a_damaged_answer_is_pods_or_one_named_error(pods: tuple[ListedPod, ...], data: st.DataObject) -> None:
    damaged = bytearray(answer(pods, extra=LATER))
    for _ in range(data.draw(st.integers(1, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    read_or_refused(bytes(damaged))


def test_an_answer_that_was_cut_is_refused_wherever_it_was_cut() -> None:
    whole = answer(ONE)
    for end in range(1, len(whole)):
        with pytest.raises(MalformedAnswerError):
            read_answer(whole[:end])


def test_no_pods_are_an_answer() -> None:
    assert read_answer(b"") == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0a\xff\xff\xff\xff\x0f", "bytes announced"),
        (b"\x0a" + b"\xff" * 11, "without end"),
        (b"\x80" * 3, "without end"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "without end"),
        (b"\x00\x01", "number 0"),
        (varint(1 << 32 | 2) + b"\x00", "no field has the number"),
        (b"\x0b\x0c", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x08\x01", "field 1 has wire type 0"),
        (field(1, b"\x08\x01"), "field 1 has wire type 0"),
        (field(1, field(1, b"\xff\xfe")), "not UTF-8"),
        (b"\x39" + b"\x00" * 7, "8 bytes announced, 7 left"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedAnswerError, match=reason):
        read_answer(data)


def test_a_message_may_not_reach_beyond_the_one_that_holds_it() -> None:
    inner = b"\x0a\x05" + b"abc"  # a name of five bytes in a pod of five bytes
    with pytest.raises(MalformedAnswerError, match="5 bytes announced, 3 left"):
        read_answer(field(1, inner) + field(1, b""))


def test_millions_of_empty_fields_are_refused() -> None:
    with pytest.raises(MalformedAnswerError, match="fields"):
        read_answer(b"\x0a\x00" * (MOST_FIELDS + 1))


def read_or_refused(data: bytes) -> None:
    """Read *data*; any error but the named one is the test's."""
    try:
        pods = read_answer(data)
    except MalformedAnswerError as error:
        assert str(error)  # noqa: PT017  (either outcome is right)
    else:
        assert all(isinstance(pod, ListedPod) for pod in pods)
