"""A child that meters the driver double through real pynvml: one line in per tick, the booked energy out.

Reads `MONO_NS` lines on stdin, writes one JSON line each: the millijoules booked so far, a list by device.
"""

import json
import sys
import threading

from wattledger.agent.sources.nvml_source import NvmlSource
from wattledger.rules.book import BookPolicy
from wattledger.rules.energy import EnergyChoice, EnergyPolicy
from wattledger.rules.host_book import HostBook, HostPolicy
from wattledger.rules.instant import Instant
from wattledger.rules.states import Circumstances


class ToldClock:
    """Time as the parent tells it."""

    def __init__(self) -> None:
        self.mono_ns = 0

    def now(self) -> Instant:
        """Give the moment last told."""
        return Instant(self.mono_ns, self.mono_ns)

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        """Wait for nothing: the parent moves the time."""
        del mono_ns
        return stop.is_set()


def main() -> None:
    """Meter until stdin ends."""
    clock = ToldClock()
    source = NvmlSource(clock)
    policy = BookPolicy(energy=EnergyPolicy(choice=EnergyChoice(sys.argv[1])))
    book = HostBook({}, HostPolicy(book=lambda _: policy, circumstances=lambda _, __: Circumstances()))
    is_open = False
    for line in sys.stdin:
        clock.mono_ns = int(line)
        if not is_open:
            source.open()
            is_open = True
        sample = source.read(clock.now())
        book.read(sample)
        booked_mj = [book.accounts[reading.identity.uuid].energy_mj for reading in sample.devices]
        print(json.dumps(booked_mj), flush=True)
    source.close()


main()
