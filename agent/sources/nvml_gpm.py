"""Activity of the SMs by GPM, from pairs of samples; it does not know when it is worth asking."""

import ctypes
from typing import Any, Final

from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Gaps, Values

from .nvml import Handle, Nvml
from .nvml_codes import SUCCESS, check_device, gap_of

METRICS: Final = {
    Quantity.ACTIVITY_GRAPHICS_RATIO: 1,  # nvmlGpmMetricId_t
    Quantity.ACTIVITY_SM_RATIO: 2,
    Quantity.ACTIVITY_SM_OCCUPANCY_RATIO: 3,
    Quantity.ACTIVITY_TENSOR_RATIO: 5,
    Quantity.ACTIVITY_DRAM_RATIO: 10,
}
ACTIVITIES: Final = tuple(METRICS)
_LEAST_NS: Final = 120_000_000  # nvml.h: more than 100 ms between two samples
_PERIOD_NS: Final = 5_000_000_000
_STALE_NS: Final = 15_000_000_000  # a mean over more than that says little about now
_EARLY_NS: Final = 50_000_000  # ticks are not exact
_HIGHEST: Final = 101.0  # percent; the counters of a pair are not read at one instant


def supports_gpm(nvml: Nvml, handle: Handle) -> Gap | None:
    """Give None when the device has GPM, else why not. Raises DeviceLostError, DriverGoneError."""
    support = nvml.binding().c_nvmlGpmSupport_t()
    support.version = 1
    code = nvml.call(nvml.function("nvmlGpmQueryDeviceSupport"), handle, ctypes.byref(support))
    if code != SUCCESS:
        check_device(code)
        return gap_of(code)
    return None if support.isSupportedDevice else Gap.UNSUPPORTED


class Gpm:
    """What all pairs share: the functions and the structure of 19 kB that computes metrics."""

    def __init__(self, nvml: Nvml) -> None:
        binding = nvml.binding()
        self.nvml = nvml
        self.request = binding.c_nvmlGpmMetricsGet_t()
        self.request.version = 1
        self.request.numMetrics = len(METRICS)
        for place, metric in enumerate(METRICS.values()):
            self.request.metrics[place].metricId = metric

    def new_sample(self) -> Any | Gap:
        """Allocate a sample, or tell why there is none."""
        sample = self.nvml.binding().c_nvmlGpmSample_t()
        code = self.nvml.call(self.nvml.function("nvmlGpmSampleAlloc"), ctypes.byref(sample))
        return sample if code == SUCCESS else gap_of(code)

    def free(self, sample: Any) -> None:
        """Give a sample back."""
        self.nvml.call(self.nvml.function("nvmlGpmSampleFree"), sample)


class ActivityWindow:
    """Activity of one device, or of one GPU instance of it, between the last two samples."""

    def __init__(self, gpm: Gpm, device: Handle, samples: tuple[Any, Any], gpu_instance: int | None) -> None:
        self._gpm = gpm
        self._device = device
        self._instance = gpu_instance
        self._samples = list(samples)
        self._taken_ns: int | None = None
        self._paired = False
        self.values: Values = {}
        self.gaps: Gaps = dict.fromkeys(ACTIVITIES, Gap.TIMEOUT)  # no pair yet

    def read(self, at: Instant) -> None:
        """Take a sample when one is due and renew `values` and `gaps`. Raises DeviceLostError, DriverGoneError."""
        age_ns = None if self._taken_ns is None else at.mono_ns - self._taken_ns
        if age_ns is not None and age_ns < (_PERIOD_NS - _EARLY_NS if self._paired else _LEAST_NS):
            return
        code = self._sample(self._samples[1])
        if code != SUCCESS:
            check_device(code)
            self.stop()
            self.values, self.gaps = {}, dict.fromkeys(ACTIVITIES, gap_of(code))
            return
        self._taken_ns = at.mono_ns
        self._paired = age_ns is not None and age_ns <= _STALE_NS
        if self._paired:
            self._compute()
        else:
            self.values, self.gaps = {}, dict.fromkeys(ACTIVITIES, Gap.TIMEOUT)
        self._samples.reverse()

    def stop(self) -> None:
        """Forget the last sample: the next one begins a new pair."""
        self._taken_ns = None
        self._paired = False

    def rest(self) -> None:
        """Leave the counters alone: nothing runs, and reading them could cost the rest some of its quiet."""
        self.stop()
        self.values, self.gaps = {}, dict.fromkeys(ACTIVITIES, Gap.ASLEEP)

    def close(self) -> None:
        """Give both samples back."""
        for sample in self._samples:
            self._gpm.free(sample)
        self._samples = []

    def _sample(self, sample: Any) -> int:
        nvml = self._gpm.nvml
        if self._instance is None:
            return nvml.call(nvml.function("nvmlGpmSampleGet"), self._device, sample)
        function = nvml.function("nvmlGpmMigSampleGet")
        return nvml.call(function, self._device, ctypes.c_uint(self._instance), sample)

    def _compute(self) -> None:
        nvml, request = self._gpm.nvml, self._gpm.request
        self.values, self.gaps = {}, {}
        with nvml.lock:
            request.sample1, request.sample2 = self._samples
            code = nvml.call(nvml.function("nvmlGpmMetricsGet"), ctypes.byref(request))
            if code != SUCCESS:
                self.gaps = dict.fromkeys(ACTIVITIES, gap_of(code))
                return
            for place, quantity in enumerate(ACTIVITIES):
                metric = request.metrics[place]
                if metric.nvmlReturn != SUCCESS:
                    self.gaps[quantity] = gap_of(metric.nvmlReturn)
                elif 0.0 <= metric.value <= _HIGHEST:  # false for NaN
                    self.values[quantity] = min(metric.value / 100, 1.0)
                else:
                    self.gaps[quantity] = Gap.FAILED


def open_window(gpm: Gpm, device: Handle, gpu_instance: int | None = None) -> ActivityWindow | Gap:
    """Give a window of its own two samples, or tell why it cannot be had."""
    first = gpm.new_sample()
    if isinstance(first, Gap):
        return first
    second = gpm.new_sample()
    if isinstance(second, Gap):
        gpm.free(first)
        return second
    return ActivityWindow(gpm, device, (first, second), gpu_instance)
