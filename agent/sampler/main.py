"""The sampler process: reads one source on its schedule and writes what it gives to a pipe; decides nothing."""

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence

from wattledger.agent.clock import Clock, SystemClock
from wattledger.agent.logs import set_up_logs
from wattledger.agent.sources.base import EndOfSource, Source, SourceError
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Sample, SourceFailure, SourceKind

from .build import build_source
from .exits import SamplerExit
from .frames import FOREVER_MS, EndOfFrames, FrameError, FrameWriter, Message
from .orders import Orders, OrderWatch
from .schedule import Schedule
from .settings import SamplerSettings, SettingsError, decode_settings

RELEASED = "released for maintenance"

_LAST_WORDS_MS = 1000  # how long an ending sampler waits for a reader of its last frame


class Sampler:
    """Ticks until it is told to stop, the source fails as a whole, or the source ends.

    The first sample comes at once. The grid of the following ones is shifted by *phase_ns*, so that the hosts of a
    fleet do not sample in step.
    """

    def __init__(
        self,
        settings: SamplerSettings,
        build: Callable[[], Source],
        *,
        clock: Clock,
        writer: FrameWriter,
        orders: Orders,
        phase_ns: int,
    ) -> None:
        self._settings = settings
        self._build = build
        self._clock = clock
        self._writer = writer
        self._orders = orders
        self._schedule = Schedule(clock.now().mono_ns + phase_ns, settings.interval_ns)
        self._source: Source | None = None
        self._missed_at_open = 0

    def run(self) -> SamplerExit:
        """Sample; give the exit code. The source is closed when this returns, whatever happened."""
        try:
            self._sample_until_told()
        except SourceError as error:
            self._say_last(self._failure(error.gap, error.detail, code=error.code))
            return SamplerExit.SOURCE_FAILED
        except EndOfSource:
            self._say_last(EndOfFrames())
            return SamplerExit.END_OF_SOURCE
        except FrameError as error:
            self._say_last(self._failure(Gap.FAILED, str(error)))
            return SamplerExit.SOURCE_FAILED
        except BrokenPipeError:
            return SamplerExit.DONE
        finally:
            self._close()
        return SamplerExit.DONE

    def _sample_until_told(self) -> None:
        while not self._orders.stopping:
            self._schedule.begin(self._clock.now().mono_ns)
            self._writer.send(self._tick())
            self._orders.wait_until(self._clock, self._schedule.end(self._clock.now().mono_ns))

    def _tick(self) -> Sample | SourceFailure:
        if self._orders.released:
            self._close()
            return self._failure(Gap.RELEASED, RELEASED)
        source = self._source or self._open()
        try:
            sample = source.read(self._clock.now())
        except SourceError as error:
            if source.kind is not SourceKind.REPLAY:
                raise
            return self._failure(error.gap, error.detail, code=error.code)  # recorded like the samples around it
        if sample.ticks_missed or source.kind is SourceKind.REPLAY:  # a capture tells of its own misses
            return sample
        return dataclasses.replace(sample, ticks_missed=self._missed() - self._missed_at_open)

    def _open(self) -> Source:
        self._source = source = self._build()
        source.open()
        self._schedule.end(self._clock.now().mono_ns)  # what passed while the driver came up is not missed
        self._missed_at_open = self._missed()
        return source

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _missed(self) -> int:
        return self._schedule.missed + self._writer.dropped

    def _failure(self, reason: Gap, detail: str, *, code: int | None = None) -> SourceFailure:
        return SourceFailure(
            at=self._clock.now(), source=self._settings.source, reason=reason, detail=detail, code=code
        )

    def _say_last(self, message: Message) -> None:
        try:
            self._writer.send(message)
            self._writer.flush(_LAST_WORDS_MS)
        except BrokenPipeError:
            return  # nobody is left to hear it; the exit code says the same


def random_phase_ns(interval_ns: int) -> int:
    """Give a phase that is uniform on the grid, and leaves half an interval to one and a half after the first."""
    return interval_ns // 2 + int.from_bytes(os.urandom(8), "big") % interval_ns


def main(arguments: Sequence[str]) -> int:
    """Run the sampler: *arguments* are the pipe's file descriptor and the settings as JSON."""
    try:
        frames_text, settings_text = arguments
        frames_fd = int(frames_text)
        os.set_inheritable(frames_fd, False)
        settings = decode_settings(settings_text)
    except (ValueError, OSError, SettingsError) as error:
        sys.stderr.write(f"sampler: {error}; it is started by wattledger, with a pipe and its settings\n")
        return SamplerExit.USAGE
    set_up_logs(settings.log_level, settings.log_format)  # to the daemon's stderr, and like its lines
    orders = Orders(released=settings.released)
    OrderWatch(orders, frames_fd).start()
    clock = SystemClock()
    sampler = Sampler(
        settings,
        lambda: build_source(settings, clock),
        clock=clock,
        writer=FrameWriter(frames_fd, patience_ms=FOREVER_MS) if settings.is_read_whole else FrameWriter(frames_fd),
        orders=orders,
        phase_ns=random_phase_ns(settings.interval_ns),
    )
    return sampler.run()
