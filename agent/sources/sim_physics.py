"""The physics of one simulated board: what it draws, and what its own meter publishes of it and when.

True power is piecewise constant (sim_story), so energy is exact in whole mW*ns at any moment. The meter adds the
error of its board (gain and offset), publishes means over a window at its own period, somewhat late, and steps its
energy counter at its tick. Between two updates every reader gets the held value.
"""

from operator import mul

from wattledger.rules.instant import NS_PER_SECOND

from .sim_chance import bell_milli, chance, text_number
from .sim_profiles import Profile
from .sim_story import LOADS, MS, Doing, Story

MW_NS_PER_MJ = 1_000_000_000
AVERAGE_WINDOW_NS = NS_PER_SECOND
UTILIZATION_PERIOD_NS = 200 * MS  # NVML: between one and one sixth of a second, by product
ACTIVITY_WINDOW_NS = NS_PER_SECOND
THERMAL_WINDOW_NS = 40 * NS_PER_SECOND

# What is drawn by chance for a board, and the numbers of the streams.
_GAIN, _OFFSET, _POWER_PHASE, _COUNTER_PHASE, _AMBIENT, _AVERAGE, _INSTANT = range(7)
# Mean and standard deviation over boards; gains of 0.87 to 1.05 were measured (arXiv 2312.02741).
_GAIN_PPM = (980_000, 25_000)
_OFFSET_MW = (-3_000, 9_000)


class Physics:
    """One board in time. All times are `mono_ns`; counters start at the boot of the host, `mono_ns` 0."""

    __slots__ = (
        "_ambient_celsius",
        "_counter_phase_ns",
        "_drawn_mw",
        "_metered_mw",
        "_power_phase_ns",
        "_seed",
        "_start_ns",
        "_start_pj",
        "gain_ppm",
        "offset_mw",
        "profile",
        "story",
    )

    def __init__(self, profile: Profile, story: Story, *, uuid: str, seed: int, boot_id: str) -> None:
        board = chance(seed, text_number(uuid))
        boot = text_number(boot_id)
        self.profile = profile
        self.story = story
        self._seed = board
        self.gain_ppm = _GAIN_PPM[0] + bell_milli(chance(board, _GAIN)) * _GAIN_PPM[1] // 1000
        # A meter far off at idle would read nothing on a small board.
        most_mw = profile.bare_mw // 5
        offset_mw = _OFFSET_MW[0] + bell_milli(chance(board, _OFFSET)) * _OFFSET_MW[1] // 1000
        self.offset_mw = max(-most_mw, min(most_mw, offset_mw))
        # The firmware's timers start somewhere else at every boot.
        self._power_phase_ns = chance(board, boot, _POWER_PHASE) % (profile.update_ms * MS)
        self._counter_phase_ns = chance(board, boot, _COUNTER_PHASE) % (profile.counter_tick_ms * MS)
        self._ambient_celsius = 24 + chance(board, _AMBIENT) % 6
        self._drawn_mw = [self._draw_mw(doing) for doing in Doing]
        self._metered_mw = [mw * self.gain_ppm // 1_000_000 + self.offset_mw for mw in self._drawn_mw]
        self._start_ns = story.spent_ns(0)
        self._start_pj = _weigh(self._metered_mw, self._start_ns)

    def _draw_mw(self, doing: Doing) -> int:
        load = LOADS[doing]
        if not load.context:
            return self.profile.bare_mw
        return self.profile.context_mw + (self.profile.limit_mw - self.profile.context_mw) * load.power // 1000

    def drawn_mj(self, from_ns: int, to_ns: int) -> int:
        """Give the energy that the board drew, as no reading of the board can tell it; mJ, floored."""
        drawn = _weigh(self._drawn_mw, self.story.spent_ns(to_ns)) - _weigh(
            self._drawn_mw, self.story.spent_ns(from_ns)
        )
        return drawn // MW_NS_PER_MJ

    def metered_mj(self, from_ns: int, to_ns: int) -> int:
        """Give the energy that the board's meter sees, gain and offset included, before any rounding; mJ, floored."""
        return (self._metered_pj(to_ns) - self._metered_pj(from_ns)) // MW_NS_PER_MJ

    def counter_mj(self, mono_ns: int) -> int:
        """Give the energy counter: the metered energy since boot, as of its latest tick."""
        tick_ns = self.profile.counter_tick_ms * MS
        at_ns = _last_update(mono_ns, tick_ns, self._counter_phase_ns)
        return max(0, self._metered_pj(at_ns) - self._start_pj) // MW_NS_PER_MJ

    def average_mw(self, mono_ns: int) -> int:
        """Give the mean power over one second, as published at the latest update."""
        return self._published_mw(mono_ns, AVERAGE_WINDOW_NS, _AVERAGE)

    def instant_mw(self, mono_ns: int) -> int:
        """Give the mean power over the profile's window, as published at the latest update."""
        return self._published_mw(mono_ns, self.profile.instant_window_ms * MS, _INSTANT)

    def _published_mw(self, mono_ns: int, window_ns: int, stream: int) -> int:
        period_ns = self.profile.update_ms * MS
        update_ns = _last_update(mono_ns, period_ns, self._power_phase_ns)
        end_ns = update_ns - period_ns  # what is published is one period old
        mean_mw = (self._metered_pj(end_ns) - self._metered_pj(end_ns - window_ns)) // window_ns
        deviation_mw = self.profile.noise_mw if stream == _INSTANT else self.profile.noise_mw // 3
        noise_mw = bell_milli(chance(self._seed, stream, update_ns)) * deviation_mw // 1000
        quantum_mw = self.profile.quantum_mw
        return max(quantum_mw, (mean_mw + noise_mw) // quantum_mw * quantum_mw)

    def _metered_pj(self, mono_ns: int) -> int:
        return _weigh(self._metered_mw, self.story.spent_ns(mono_ns))

    def since_boot(self, weights: list[int], mono_ns: int) -> int:
        """Give the sum of *weights* (a rate by doing) times the time spent in each since boot."""
        return _weigh(weights, self.story.spent_ns(mono_ns)) - _weigh(weights, self._start_ns)

    def spread(self, mono_ns: int, window_ns: int) -> list[int]:
        """Give, by doing, the time spent in it in the *window_ns* before *mono_ns*."""
        earlier = self.story.spent_ns(mono_ns - window_ns)
        return [now - before for now, before in zip(self.story.spent_ns(mono_ns), earlier, strict=True)]

    def utilization_spread(self, mono_ns: int) -> list[int]:
        """Give `spread` over the latest whole period of plain utilisation."""
        return self.spread(_last_update(mono_ns, UTILIZATION_PERIOD_NS, 0), UTILIZATION_PERIOD_NS)

    def temperature_celsius(self, mono_ns: int) -> float:
        """Give the temperature of the GPU: ambient plus a rise with the power of the last 40 s, 45 K at the limit."""
        at_ns = mono_ns // NS_PER_SECOND * NS_PER_SECOND
        mean_mw = _weigh(self._drawn_mw, self.spread(at_ns, THERMAL_WINDOW_NS)) // THERMAL_WINDOW_NS
        return round(self._ambient_celsius + 45 * mean_mw / self.profile.limit_mw, 1)


def _last_update(mono_ns: int, period_ns: int, phase_ns: int) -> int:
    return mono_ns - (mono_ns - phase_ns) % period_ns


def _weigh(rates: list[int], times_ns: list[int]) -> int:
    return sum(map(mul, rates, times_ns))
