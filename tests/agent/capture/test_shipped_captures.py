"""The captures of tests/data are those that their script makes, and tell what it says they tell."""

import gzip

import pytest

from tests.agent.capture.writing import read
from tests.data.captures import make
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Sample, SourceFailure


@pytest.mark.parametrize("name", sorted(make.captures()))
def test_a_shipped_capture_is_what_its_script_makes(name: str) -> None:
    content = (make.FOLDER / name).read_bytes()
    assert (gzip.decompress(content) if name.endswith(".gz") else content) == make.captures()[name]


def test_sim_capture_holds_four_profiles_one_of_them_cut() -> None:
    frames = read(make.FOLDER / "sim.jsonl.gz")
    assert frames == list(make.sim_frames())
    first = frames[0]
    assert isinstance(first, Sample)
    assert len({device.identity.name for device in first.devices}) == 4
    assert [len(device.instances) for device in first.devices] == [0, 0, 0, 0, 2, 0, 0, 0]


def test_faults_capture_tells_its_faults_and_its_joules() -> None:
    frames = read(make.FOLDER / "faults.jsonl")
    samples = [frame for frame in frames if isinstance(frame, Sample)]
    assert [isinstance(frame, SourceFailure) for frame in frames] == [False] * 3 + [True] + [False] * 4
    assert [(event.uuid, event.xid) for event in samples[2].events] == [(make.A, 79)]
    assert [device.up for device in samples[2].devices] == [False, True, True]
    assert samples[2].devices[0].gaps == dict.fromkeys(Quantity, Gap.LOST)
    assert [[d.identity.uuid for d in s.devices] for s in samples[2:4]] == [
        [make.A, make.B, make.C],
        [make.B, make.C, make.A],
    ]
    assert samples[4].devices[1].gaps[Quantity.ENERGY_MJ] is Gap.FAILED
    assert samples[4].devices[1].processes is None
    assert samples[4].devices[0].instances != samples[5].devices[0].instances
    assert samples[6].at.ns_since(samples[5].at) == 2_000_000_000
    assert _counted_mj(samples) == make.COUNTED_MJ


def test_every_quantity_stands_in_values_or_gaps() -> None:
    for name in make.captures():
        for frame in read(make.FOLDER / name):
            if isinstance(frame, Sample):
                for device in frame.devices:
                    assert set(device.values) ^ set(device.gaps) == set(Quantity)
                    assert set(device.values).isdisjoint(device.gaps)
                    assert (device.processes is None) == (Quantity.PROCESSES in device.gaps)


def _counted_mj(samples: list[Sample]) -> dict[str, int]:
    """Give what the counters rose by, where they rose."""
    last: dict[str, int] = {}
    found: dict[str, int] = {}
    for sample in samples:
        for device in sample.devices:
            counter, uuid = device.integer(Quantity.ENERGY_MJ), device.identity.uuid
            if counter is None:
                continue
            found[uuid] = found.get(uuid, 0) + max(0, counter - last.get(uuid, counter))
            last[uuid] = counter
    return found
