"""The real sampler's process around a source whose driver call never returns, started by the tests."""

import os
import sys
import threading

from wattledger.agent.clock import SystemClock
from wattledger.agent.sampler.frames import FrameWriter
from wattledger.agent.sampler.main import Sampler
from wattledger.agent.sampler.orders import Orders, OrderWatch
from wattledger.agent.sampler.settings import SamplerSettings
from wattledger.rules.instant import Instant
from wattledger.rules.reading import Sample, SourceKind


class HungSource:
    """A source that says on stdout that it is being read, and never returns."""

    kind = SourceKind.NVML

    def open(self) -> None: ...

    def close(self) -> None: ...

    def read(self, at: Instant) -> Sample:
        os.write(1, b"reading\n")
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()  # like a C function that waits for ever with the GIL released
        raise AssertionError(at)


def main(frames_fd: int) -> int:
    orders, clock = Orders(), SystemClock()
    OrderWatch(orders, frames_fd, stuck_seconds=0.3).start()
    sampler = Sampler(
        SamplerSettings(SourceKind.NVML),
        HungSource,
        clock=clock,
        writer=FrameWriter(frames_fd),
        orders=orders,
        phase_ns=0,
    )
    return sampler.run()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
