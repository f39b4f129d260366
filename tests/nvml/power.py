"""Knows the true power of one board and puts it into the control file; knows nothing of processes or faults."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .layout import SEGMENTS, Control, Gpu, Linear, Step
from .profiles import GpuSpec, Profile
from .published import Shown, counter_mj, published_mw, update_at, update_time_ns
from .trace import PJ_PER_MJ, Piece, PowerTrace

NS = 1_000_000_000
LOOK_BACK_NS = 10 * NS  # the library never asks for power older than lag + window + one update
REAL_DELAY_NS = 20_000_000
WARM_UP_STEPS = 16


def milli(value: float) -> int:
    """Thousandths of a unit (W to mW), rounded."""
    return round(value * 1000)


class Timeline:
    """The clock all boards share: virtual, or CLOCK_BOOTTIME."""

    def __init__(self, control: Control, *, real: bool, noise: bool) -> None:
        self.control = control
        self.real = real
        self.noise = noise

    @property
    def now_ns(self) -> int:
        """Nanoseconds since boot."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if self.real else int(self.control.now_ns)

    def effective_ns(self) -> int:
        """Time from which a change made now holds: never in the past of a reader."""
        return self.now_ns + (REAL_DELAY_NS if self.real else 0)


@contextmanager
def rewriting(gpu: Gpu, sequence: str) -> Iterator[None]:
    """Keep *sequence* odd while the block rewrites what it guards; readers wait and retry."""
    setattr(gpu, sequence, getattr(gpu, sequence) + 1)
    try:
        yield
    finally:
        setattr(gpu, sequence, getattr(gpu, sequence) + 1)


def set_step(step: Step, value: int, *, at_ns: int, held_ns: int) -> None:
    """Change a held value at *at_ns*; *held_ns* is the time of the update that readers still see."""
    step.before = step.after if held_ns >= step.since_ns else step.before
    step.since_ns = at_ns
    step.after = value


def set_rate(counter: Linear, per_second: int, *, at_ns: int) -> None:
    """Change the rate of a cumulative counter without losing what it has counted."""
    counter.base = counter.base + counter.per_second * max(0, at_ns - counter.since_ns) // NS
    counter.since_ns = at_ns
    counter.per_second = per_second


class PowerControl:
    """True power, the energy counter and what is published of them."""

    def __init__(self, timeline: Timeline, slot: int, *, spec: GpuSpec, profile: Profile) -> None:
        self.timeline = timeline
        self.slot = slot
        self.spec = spec
        self.profile = profile
        self.shared: Gpu = timeline.control.gpus[slot]
        self._trace = PowerTrace()
        self._first = 0
        self._automatic = True
        self._automatic_mw = milli(profile.idle.bare_w)
        self._start(timeline.now_ns)

    def _start(self, now_ns: int) -> None:
        # One hour of idling lies behind every board, so that its counter is not zero at the start.
        origin = now_ns - 3600 * NS
        self.shared.epoch_ns = origin
        self.shared.samples_from_ns = -1
        self._put(Piece(origin, self._automatic_mw))

    # -- true power ------------------------------------------------------------------------------

    def draw(self, watts: float) -> int:
        """Draw a constant *watts* from now on; gives the time in ns from which it holds."""
        self._automatic = False
        return self._put(Piece(self.timeline.effective_ns(), milli(watts)))

    def burst(self, *, high_w: float, low_w: float, period_s: float, duty: float) -> int:
        """Draw a square wave from now on that begins high; *duty* is the share of time at *high_w*."""
        if not (0 <= duty <= 1 and period_s > 0):
            raise ValueError(f"burst: period_s {period_s} must be positive and duty {duty} within 0..1")
        self._automatic = False
        period_ns = round(period_s * NS)
        at_ns = self.timeline.effective_ns()
        return self._put(Piece(at_ns, milli(high_w), milli(low_w), period_ns, round(period_ns * duty)))

    def trace(self, steps: Iterable[tuple[float, float]], repeat: int = 1) -> int:
        """Draw (seconds, watts) steps from now on, *repeat* times; the last value stays."""
        self._automatic = False
        plan = list(steps)
        start_ns = at_ns = self.timeline.effective_ns()
        for seconds, watts in plan * repeat:
            self._trace.append(self._checked(Piece(at_ns, milli(watts))))
            at_ns += round(seconds * NS)
        self._share()
        return start_ns

    def warm_up(self, from_w: float, to_w: float, seconds: float) -> int:
        """Drift from one power to another in equal steps."""
        step_w = (to_w - from_w) / WARM_UP_STEPS
        return self.trace((seconds / WARM_UP_STEPS, from_w + step_w * (n + 1)) for n in range(WARM_UP_STEPS))

    def automatic(self) -> int:
        """Draw the profile's idle power again: bare without process, context power with one."""
        self._automatic = True
        return self._put(Piece(self.timeline.effective_ns(), self._automatic_mw))

    def _set_idle_mw(self, milliwatts: int, at_ns: int) -> None:
        self._automatic_mw = milliwatts
        if self._automatic:
            self._put(Piece(at_ns, milliwatts))

    def _checked(self, piece: Piece) -> Piece:
        lowest = piece.high_mw if piece.period_ns == 0 else min(piece.high_mw, piece.low_mw)
        shown = lowest * self.shared.gain_ppm // 1_000_000 + self.shared.offset_mw
        if lowest < 0 or shown < 0:
            raise ValueError(
                f"power {lowest} mW of {self.spec.profile} shows as {shown} mW: the counter would run back"
            )
        return piece

    def _put(self, piece: Piece) -> int:
        self._trace.append(self._checked(piece))
        self._share()
        return piece.start_ns

    def _share(self) -> None:
        """Copy the pieces that readers can ask for into the control file."""
        now_ns = self.timeline.now_ns
        oldest = now_ns - LOOK_BACK_NS
        if self.shared.samples_from_ns >= 0:
            oldest = min(oldest, self.shared.samples_from_ns - LOOK_BACK_NS)
        self._first = self._trace.index_at(oldest)
        window = self._trace.pieces[self._first : self._first + SEGMENTS]
        last_shared = self._first + len(window)
        if last_shared < len(self._trace.pieces) and window[-1].start_ns <= now_ns:
            raise ValueError(f"more than {SEGMENTS} changes of power within {LOOK_BACK_NS // NS} s")
        with rewriting(self.shared, "trace_seq"):
            for index, piece in enumerate(window):
                segment = self.shared.segments[index]
                segment.start_ns, segment.high_mw, segment.low_mw = piece[:3]
                segment.period_ns, segment.on_ns = piece.period_ns, piece.on_ns
                segment.sum_mj, segment.sum_pj = divmod(self._trace.sum_pj(self._first + index), PJ_PER_MJ)
            self.shared.segment_count = len(window)

    def shared_until_ns(self) -> int | None:
        """Time up to which the control file knows the plan; None when it holds all of it."""
        if self._first + int(self.shared.segment_count) < len(self._trace.pieces):
            self._share()
        last = self._first + int(self.shared.segment_count)
        return None if last == len(self._trace.pieces) else self._trace.pieces[last].start_ns

    # -- the energy counter ----------------------------------------------------------------------

    def reset_counter(self) -> int:
        """Energy counter, uptime and cumulative counters start again at 0, as after a driver reload."""
        at_ns = self.timeline.effective_ns()
        shared = self.shared
        with rewriting(shared, "trace_seq"):
            shared.epoch_ns = at_ns
            shared.epoch_mj, shared.epoch_pj = divmod(self._trace.energy_pj(at_ns), PJ_PER_MJ)
            if shared.samples_from_ns >= 0:
                shared.samples_from_ns = at_ns
        cumulative = (shared.pcie_tx, shared.pcie_rx, shared.nvlink_tx, shared.nvlink_rx, shared.smoothing_ns)
        for counter in (*shared.reason_ns, *cumulative):
            counter.base, counter.since_ns = 0, at_ns
        return at_ns

    def counter_gain(self, gain: float) -> None:
        """Let the counter alone disagree with power (0.57 was seen); resets it, so that it never runs back."""
        self.shared.counter_gain_ppm = round(gain * 1_000_000)
        self.reset_counter()

    def counter_samples(self, on: bool) -> None:
        """Let the counter add up the duty-cycled samples; switching resets it."""
        self.shared.samples_from_ns = self.timeline.effective_ns() if on else -1
        self.reset_counter()

    # -- what it should be -----------------------------------------------------------------------

    def truth_pj(self, t0_ns: int, t1_ns: int) -> int:
        """True energy between two times, exact, in pJ."""
        return self._trace.energy_pj(t1_ns) - self._trace.energy_pj(t0_ns)

    def truth_mj(self, t0_ns: int, t1_ns: int) -> int:
        """True energy between two times, floored to mJ."""
        return self.truth_pj(t0_ns, t1_ns) // PJ_PER_MJ

    def counter_mj(self, t_ns: int) -> int:
        """Give the counter that NVML shows at *t_ns*."""
        return counter_mj(self.shared, self._trace, t_ns, noise=self.timeline.noise)

    def published_mw(self, shown: Shown | str, t_ns: int) -> int:
        """Give the power that NVML shows at *t_ns*: "average", "instant" or "usage"."""
        return published_mw(self.shared, self._trace, Shown(shown), t_ns, noise=self.timeline.noise)

    def _held_ns(self, t_ns: int) -> int:
        """Time of the power and clock update that readers see at *t_ns*."""
        noise = self.timeline.noise
        return update_time_ns(self.shared, update_at(self.shared, t_ns, noise=noise), noise=noise)

    def _set(self, name: str, value: int, at_ns: int | None = None) -> None:
        """Change a held value by its name in the control file."""
        step: Any = getattr(self.shared, name)
        now_ns = self.timeline.effective_ns()
        set_step(step, value, at_ns=now_ns if at_ns is None else at_ns, held_ns=self._held_ns(now_ns))
