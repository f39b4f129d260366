"""A daemon that only polls, started by the tests: `fake_daemon.py SILENCE_MS`; one line a message on stdout."""

import sys

from wattledger.agent.clock import SystemClock
from wattledger.agent.sampler.limits import SupervisorLimits
from wattledger.agent.sampler.settings import SamplerSettings
from wattledger.agent.sampler.supervisor import SamplerSupervisor
from wattledger.rules.reading import SourceKind

MS = 1_000_000


def main(silence_ms: str) -> None:
    clock = SystemClock()
    supervisor = SamplerSupervisor(
        SamplerSettings(SourceKind.SIM, interval_ns=50 * MS),
        clock=clock,
        limits=SupervisorLimits(silence_ns=int(silence_ms) * MS),
    )
    while True:
        message = supervisor.poll(clock.now().mono_ns + 200 * MS)
        if message is not None:
            sys.stdout.write(f"{type(message).__name__} {supervisor.state.pid} {message.at.mono_ns}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
