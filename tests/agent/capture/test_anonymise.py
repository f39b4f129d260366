"""No identifier of the host is left in an anonymised capture, and what belongs together stays together."""

import gzip
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.agent.capture.strategies import frames
from tests.agent.capture.writing import read, write
from tests.data.captures import make
from wattledger.agent.capture.anonymise import Anonymiser
from wattledger.agent.capture.format import Frame
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Sample, SourceFailure, SourceKind

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_names = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


@given(frames)
@settings(max_examples=60)
def test_no_original_identifier_is_in_the_bytes(folder: Path, frames: list[Frame]) -> None:
    path = folder / f"{next(_names)}.jsonl.gz"
    anonymiser = Anonymiser()
    names = " ".join(_identifiers(frames))
    late = SourceFailure(frames[0].at, SourceKind.NVML, Gap.FAILED, names)
    # A serial has no form to know it by before it has been seen.
    early = replace(late, detail=re.sub(r"S\d{13}", "", names))
    write(path, map(anonymiser.frame, [early, *frames, late]))
    content = gzip.decompress(path.read_bytes()).lower()
    for name in _identifiers(frames):
        assert name.lower().encode() not in content, name
    found = {p.pid for f in read(path) if isinstance(f, Sample) for d in f.devices for p in d.processes or ()}
    assert all(pid >= 1 << 22 for pid in found)


@given(frames)
@settings(max_examples=40)
def test_nothing_but_identifiers_changes(frames: list[Frame]) -> None:
    anonymiser = Anonymiser(b"key")
    for frame in frames:
        found = anonymiser.frame(frame)
        if isinstance(frame, SourceFailure):
            assert isinstance(found, SourceFailure)
            assert replace(found, detail=frame.detail) == frame
        else:
            assert isinstance(found, Sample)
            assert _with_identifiers_of(found, frame) == frame


def test_the_forms_stay_valid_and_the_board_of_a_slice_stays_known() -> None:
    anonymiser = Anonymiser()
    board = anonymiser.uuid(make.A)
    assert re.fullmatch(f"GPU-{_UUID}", board)
    assert board == anonymiser.uuid(make.A) != anonymiser.uuid(make.B)
    assert re.fullmatch(f"MIG-{_UUID}", anonymiser.uuid("MIG-bbbbbbbb-0000-4000-8000-000000000001"))
    assert anonymiser.uuid(f"MIG-{make.A}/3/0") == f"MIG-{board}/3/0"
    assert re.fullmatch(_UUID, anonymiser.uuid("0b007b00-7000-4000-8000-0000000000fa"))
    assert anonymiser.uuid("") == ""


def test_the_mapping_holds_through_a_capture_and_differs_between_two() -> None:
    first, again = (_uuids(Anonymiser()) for _ in range(2))
    assert first[0] == first[1] != first[4]  # the order of the boards changes at t=4
    assert sorted(first[0]) == sorted(first[4])
    assert not set(first[0]) & set(again[0])


def test_boards_keep_their_order_on_the_bus_and_lose_their_slots() -> None:
    found = Anonymiser().frame(next(make.faults_frames()))
    assert isinstance(found, Sample)
    assert [device.identity.pci_bus_id for device in found.devices] == [f"00000000:0{n}:00.0" for n in (1, 2, 3)]
    late = Anonymiser().frame(list(make.faults_frames())[4])
    assert isinstance(late, Sample)
    assert [device.identity.pci_bus_id[9:11] for device in late.devices] == ["02", "03", "01"]


def test_texts_lose_identifiers_that_no_frame_has_shown() -> None:
    anonymiser = Anonymiser(host_name="gpu-7")
    found = anonymiser.text(f"{make.C} at 0001:c0:00.0 on gpu-7.example: pid 31337 timed out after 10 s")
    assert found.startswith(anonymiser.uuid(make.C))
    assert found.endswith(" at 00000000:01:00.0 on host.example: pid 4194305 timed out after 10 s")


def test_a_short_serial_does_not_eat_into_texts() -> None:
    anonymiser = Anonymiser()
    sample = next(make.faults_frames())
    assert isinstance(sample, Sample)
    identity = replace(sample.devices[0].identity, serial="0")
    found = anonymiser.frame(replace(sample, devices=(replace(sample.devices[0], identity=identity),)))
    assert isinstance(found, Sample)
    assert found.devices[0].identity.serial != "0"
    assert anonymiser.text("timeout after 10 s") == "timeout after 10 s"


def _identifiers(frames: list[Frame]) -> Iterator[str]:
    for frame in frames:
        if isinstance(frame, SourceFailure):
            continue
        yield frame.host.boot_id
        for event in frame.events:
            yield event.uuid.removeprefix("GPU-")
        for device in frame.devices:
            yield device.identity.uuid.removeprefix("GPU-")
            yield device.identity.serial
            yield device.identity.pci_bus_id
            for instance in device.instances:
                yield instance.uuid.removeprefix("MIG-").removeprefix("GPU-").partition("/")[0]
            for process in device.processes or ():
                yield f"pid {process.pid}"
                yield f'"pid":{process.pid}'


def _with_identifiers_of(found: Sample, frame: Sample) -> Sample:
    pairs = zip(found.devices, frame.devices, strict=True)
    return replace(
        found,
        host=replace(found.host, boot_id=frame.host.boot_id),
        events=tuple(
            replace(event, uuid=other.uuid) for event, other in zip(found.events, frame.events, strict=True)
        ),
        devices=tuple(
            replace(
                device,
                identity=replace(
                    device.identity,
                    uuid=other.identity.uuid,
                    serial=other.identity.serial,
                    pci_bus_id=other.identity.pci_bus_id,
                ),
                processes=None
                if device.processes is None
                else tuple(
                    replace(process, pid=before.pid)
                    for process, before in zip(device.processes, other.processes or (), strict=True)
                ),
                instances=tuple(
                    replace(instance, uuid=before.uuid)
                    for instance, before in zip(device.instances, other.instances, strict=True)
                ),
            )
            for device, other in pairs
        ),
    )


def _uuids(anonymiser: Anonymiser) -> list[list[str]]:
    return [
        [device.identity.uuid for device in frame.devices] if isinstance(frame, Sample) else []
        for frame in map(anonymiser.frame, make.faults_frames())
    ]
