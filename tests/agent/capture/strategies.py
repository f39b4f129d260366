"""Any frame that a source may give, for hypothesis."""

import string

from hypothesis import strategies as st

from wattledger.agent.capture.format import Frame
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import (
    DeviceIdentity,
    EnergyScope,
    GpuProcess,
    HostFacts,
    MigInstance,
    Pace,
    ProcessKind,
    Reading,
    Sample,
    SourceFailure,
    SourceKind,
    Values,
    XidEvent,
)

counts = st.integers(0, 2**63 - 1)
instants = st.builds(Instant, mono_ns=counts, wall_ns=counts)
texts = st.text(max_size=8)
gpu_uuids = st.uuids().map(lambda uuid: f"GPU-{uuid}")
mig_uuids = st.one_of(st.uuids().map(lambda uuid: f"MIG-{uuid}"), st.uuids().map(lambda uuid: f"MIG-GPU-{uuid}/1/0"))
serials = st.text(string.digits, min_size=13, max_size=13).map(lambda digits: f"S{digits}")
numbers = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False))
values: st.SearchStrategy[Values] = st.dictionaries(st.sampled_from(Quantity), numbers, max_size=6)
gaps = st.dictionaries(st.sampled_from(Quantity), st.sampled_from(Gap), max_size=6)
small = st.none() | st.integers(0, 14)
processes = st.builds(
    GpuProcess,
    pid=st.integers(3_000_000, 2**22 - 1),
    kind=st.sampled_from(ProcessKind),
    memory_bytes=st.none() | counts,
    gpu_instance=small,
    compute_instance=small,
)
identities = st.builds(
    DeviceIdentity,
    uuid=gpu_uuids,
    index=st.integers(0, 255),
    name=texts,
    pci_bus_id=st.builds("{:08X}:{:02X}:00.0".format, st.integers(1, 0xFFFF), st.integers(0, 255)),
    architecture=texts,
    serial=serials,
    vbios_version=texts,
    compute_capability=texts,
    energy_scope=st.sampled_from(EnergyScope),
)
mig_instances = st.builds(
    MigInstance,
    uuid=mig_uuids,
    gpu_instance=st.integers(0, 14),
    compute_instance=st.integers(0, 7),
    profile=texts,
    values=values,
    gaps=gaps,
)
readings = st.builds(
    Reading,
    identity=identities,
    at=instants,
    up=st.booleans(),
    values=values,
    gaps=gaps,
    processes=st.none() | st.lists(processes, max_size=2).map(tuple),
    instances=st.lists(mig_instances, max_size=2).map(tuple),
)
events = st.builds(XidEvent, uuid=gpu_uuids, xid=st.integers(0, 999), wall_ns=counts)
boot_ids = st.uuids().map(str)
samples = st.builds(
    Sample,
    at=instants,
    source=st.sampled_from(SourceKind),
    host=st.builds(HostFacts, driver_version=texts, nvml_version=texts, cuda_version=texts, boot_id=boot_ids),
    devices=st.lists(readings, max_size=3).map(tuple),
    events=st.lists(events, max_size=2).map(tuple),
    duration_ns=counts,
    ticks_missed=counts,
    driver_calls=counts,
    driver_busy_ns=counts,
    pace=st.none() | st.builds(Pace, period_ns=counts, stale_ns=counts),
)
failures = st.builds(
    SourceFailure,
    at=instants,
    source=st.sampled_from(SourceKind),
    reason=st.sampled_from(Gap),
    detail=texts,
    code=st.none() | st.integers(0, 999),
)
frames: st.SearchStrategy[list[Frame]] = st.lists(st.one_of(samples, samples, failures), min_size=1, max_size=4)
