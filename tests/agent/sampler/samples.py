"""Messages for the tests of the sampler."""

from collections.abc import Iterable

from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import (
    DeviceIdentity,
    GpuProcess,
    HostFacts,
    ProcessKind,
    Reading,
    Sample,
    SourceFailure,
    SourceKind,
    XidEvent,
)


def sample(mono_ns: int, *, boot_id: str = "", xids: Iterable[int] = (), devices: int = 0) -> Sample:
    """Give a sample at *mono_ns*; each of *xids* is an event of its own."""
    at = Instant(mono_ns=mono_ns, wall_ns=mono_ns)
    return Sample(
        at=at,
        source=SourceKind.SIM,
        host=HostFacts(boot_id=boot_id),
        devices=tuple(full_reading(index, at) for index in range(devices)),
        events=tuple(XidEvent(uuid="GPU-0", xid=xid, wall_ns=mono_ns) for xid in xids),
    )


def failure(mono_ns: int, detail: str = "broken") -> SourceFailure:
    """Give a failure of the source at *mono_ns*."""
    at = Instant(mono_ns=mono_ns, wall_ns=mono_ns)
    return SourceFailure(at=at, source=SourceKind.SIM, reason=Gap.FAILED, detail=detail, code=999)


def full_reading(index: int, at: Instant) -> Reading:
    """Give a device with 60 values, gaps for the other quantities, and four processes."""
    quantities = list(Quantity)
    return Reading(
        identity=DeviceIdentity(
            uuid=f"GPU-{index:08d}-1111-2222-3333-444444444444",
            index=index,
            name="NVIDIA H100 80GB HBM3",
            pci_bus_id=f"00000000:{index:02X}:00.0",
            architecture="hopper",
        ),
        at=at,
        values={
            quantity: (2**53 + index if number % 3 else 0.375) for number, quantity in enumerate(quantities[:60])
        },
        gaps=dict.fromkeys(quantities[60:], Gap.UNSUPPORTED),
        processes=tuple(GpuProcess(pid=4000 + number, kind=ProcessKind.COMPUTE) for number in range(4)),
    )
