"""Makes the captures of this folder, the same bytes each time: `python -m tests.data.captures.make` from the root."""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

from wattledger.agent.capture.format import Frame, Header, encode_frame, encode_header
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import (
    DeviceIdentity,
    GpuProcess,
    HostFacts,
    MigInstance,
    ProcessKind,
    Reading,
    Sample,
    SourceFailure,
    SourceKind,
    Values,
    XidEvent,
)

FOLDER = Path(__file__).parent
START = Instant(mono_ns=5000 * NS_PER_SECOND, wall_ns=1_767_571_200 * NS_PER_SECOND)  # 2026-01-05 00:00:00 UTC

SIM_FLEET = Fleet(count=8, profiles=("h100", "a100", "l40s", "rtx4090"), mig=(4,))
SIM_BOOT_ID = "51300000-b007-4000-8000-000000000001"
SIM_FRAMES = 24

# faults.jsonl, for checking by hand: three boards of constant power for eight seconds.
A, B, C = (f"GPU-{letter * 8}-0000-4000-8000-00000000000{letter}" for letter in "abc")
POWER_MW = {A: 300_000, B: 200_000, C: 100_000}
# What the counters tell, in mJ: A was lost from second 2 and came back at second 4 with its counter at zero.
COUNTED_MJ = {A: 300_000 + 4 * 300_000, B: 8 * 200_000, C: 8 * 100_000}
FAULTS_COMMENT = (
    "made by hand: t=2 A is lost (Xid 79), t=3 the source fails, t=4 A is back with its counters reset and the "
    "indices changed, t=5 energy and processes of C are missing, t=6 B has another MIG layout, t=7 is skipped"
)


def at(second: int, late_ns: int = 0) -> Instant:
    """Give START plus *second*, and *late_ns*."""
    past_ns = second * NS_PER_SECOND + late_ns
    return Instant(START.mono_ns + past_ns, START.wall_ns + past_ns)


def sim_frames() -> Iterator[Frame]:
    """Give the frames of sim.jsonl.gz: four profiles, one board of them cut, read once a second."""
    host, since = SimHost(SIM_FLEET, boot_id=SIM_BOOT_ID), None
    for second in range(SIM_FRAMES):
        now = at(second, second * 37_000)  # no tick is quite punctual
        yield host.sample(now, since)
        since = now


def faults_frames() -> Iterator[Frame]:
    """Give the frames of faults.jsonl."""
    before, after = (A, B, C), (B, C, A)
    yield _sample(0, before)
    yield _sample(1, before)
    lost = Reading(_identity(A, 0), at(2), up=False, gaps=dict.fromkeys(Quantity, Gap.LOST))
    yield _sample(2, before, instead={A: lost}, events=(XidEvent(A, 79, at(1, 700_000_000).wall_ns),))
    yield SourceFailure(at(3), SourceKind.NVML, Gap.TIMEOUT, f"nvmlInit_v2: Timeout, pid 4242, {A}", code=10)
    yield _sample(4, after)
    gone = {Quantity.ENERGY_MJ: Gap.FAILED, Quantity.PROCESSES: Gap.NO_PERMISSION}
    yield _sample(5, after, missing={C: gone})
    yield _sample(6, after)
    yield _sample(8, after, ticks_missed=1)


def _sample(
    second: int,
    order: tuple[str, ...],
    *,
    instead: dict[str, Reading] | None = None,
    missing: dict[str, dict[Quantity, Gap]] | None = None,
    events: tuple[XidEvent, ...] = (),
    ticks_missed: int = 0,
) -> Sample:
    devices = tuple(
        (instead or {}).get(uuid) or _reading(uuid, index, second, (missing or {}).get(uuid, {}))
        for index, uuid in enumerate(order)
    )
    return Sample(
        at=at(second),
        source=SourceKind.NVML,
        host=HostFacts("580.65.06", "13.580.65.06", "13.0", "0b007b00-7000-4000-8000-0000000000fa"),
        devices=devices,
        events=events,
        duration_ns=1_500_000,
        ticks_missed=ticks_missed,
        driver_calls=20 * second,
        driver_busy_ns=1_400_000 * second,
    )


def _identity(uuid: str, index: int) -> DeviceIdentity:
    letter = uuid[4]
    return DeviceIdentity(
        uuid=uuid,
        index=index,
        name="NVIDIA H100 80GB HBM3",
        pci_bus_id=f"00000000:{letter}0:00.0",
        architecture="Hopper",
        serial=f"165000000000{letter}",
        vbios_version="96.00.74.00.01",
        compute_capability="9.0",
    )


def _reading(uuid: str, index: int, second: int, missing: dict[Quantity, Gap]) -> Reading:
    reset = uuid == A and second >= 4
    seconds = second - 4 if reset else second
    process = GpuProcess(4242 + ord(uuid[4]), ProcessKind.COMPUTE, 40 << 30, *((1, 0) if uuid == B else (None, None)))
    values: Values = {
        Quantity.POWER_AVERAGE_MW: POWER_MW[uuid],
        Quantity.POWER_INSTANT_MW: POWER_MW[uuid],
        Quantity.POWER_LIMIT_MAX_MW: 700_000,
        Quantity.ENERGY_MJ: POWER_MW[uuid] * seconds + (0 if reset else 1_000_000),
        Quantity.UPTIME_SECONDS: seconds + (1 if reset else 5000),
        Quantity.CLOCK_SM_HZ: 1_980_000_000,
        Quantity.TEMPERATURE_GPU_CELSIUS: 41.5,
        Quantity.PCIE_REPLAYS: seconds if uuid == A else 0,
        Quantity.PROCESSES: 1,
        Quantity.MIG_MODE: int(uuid == B),
    }
    if uuid != B:
        values[Quantity.UTILIZATION_GPU_RATIO] = 0.5
    gaps = {quantity: Gap.UNSUPPORTED for quantity in Quantity if quantity not in values}
    for quantity, gap in missing.items():
        del values[quantity]
        gaps[quantity] = gap
    return Reading(
        identity=_identity(uuid, index),
        at=at(second, 200_000 * index),
        values=values,
        gaps=gaps,
        processes=None if Quantity.PROCESSES in missing else (process,),
        instances=(_instance(1 if second < 6 else 2),) if uuid == B else (),
    )


def _instance(layout: int) -> MigInstance:
    return MigInstance(
        uuid=f"MIG-bbbbbbbb-0000-4000-8000-00000000000{layout}",
        gpu_instance=1,
        compute_instance=0,
        profile="3g.40gb" if layout == 1 else "4g.40gb",
        values={Quantity.ACTIVITY_SM_RATIO: 0.25},
        gaps={Quantity.MEMORY_USED_BYTES: Gap.NO_PERMISSION},
    )


def text(frames: Iterator[Frame], *, host: HostFacts, source: SourceKind, comment: str) -> bytes:
    """Give a whole capture of *frames*, uncompressed."""
    header = Header(
        source=source, started=START, interval_ns=NS_PER_SECOND, anonymised=False, host=host, comment=comment
    )
    return encode_header(header) + b"".join(map(encode_frame, frames))


def captures() -> dict[str, bytes]:
    """Give every capture of this folder by file name, uncompressed."""
    sim = HostFacts("simulated", "simulated", boot_id=SIM_BOOT_ID)
    return {
        "sim.jsonl.gz": text(sim_frames(), host=sim, source=SourceKind.SIM, comment="eight boards of four profiles"),
        "faults.jsonl": text(faults_frames(), host=HostFacts(), source=SourceKind.NVML, comment=FAULTS_COMMENT),
    }


def main() -> None:
    """Write the folder's captures."""
    for name, content in captures().items():
        packed = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
        (FOLDER / name).write_bytes(packed)
        sys.stderr.write(f"{name}: {len(packed)} bytes\n")


if __name__ == "__main__":
    main()
