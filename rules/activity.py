"""Whether a device did work, and whether a process holds it, from the signals of one reading and the one before."""

from dataclasses import dataclass

from .account import Baseline
from .instant import NS_PER_SECOND
from .quantity import Quantity
from .reading import ProcessKind, Reading
from .state import BaselineKind

# arXiv 2604.04745 calls a device idle whose PCIe and NVLink traffic each stay below 1 GB/s.
TRAFFIC_BYTES_PER_SECOND = 1_000_000_000
# A board holds this close to its baseline while nothing runs (noise and drift, nvml.md section 9).
POWER_MARGIN_RATIO = 0.05
POWER_MARGIN_MW = 5_000
# A context keeps the SM clock boosted, without one it falls to a fifth (345 against 1980 MHz, nvml.md section 9).
CONTEXT_CLOCK_RATIO = 0.5

ENGINE_UTILIZATION = (Quantity.UTILIZATION_ENCODER_RATIO, Quantity.UTILIZATION_DECODER_RATIO)
GPM_ACTIVITY = (Quantity.ACTIVITY_SM_RATIO, Quantity.ACTIVITY_TENSOR_RATIO, Quantity.ACTIVITY_DRAM_RATIO)
TRAFFIC = (
    (Quantity.PCIE_TRANSMIT_BYTES, Quantity.PCIE_RECEIVE_BYTES),
    (Quantity.NVLINK_TRANSMIT_BYTES, Quantity.NVLINK_RECEIVE_BYTES),
)


@dataclass(frozen=True, slots=True)
class Activity:
    """What the signals say. None: they are missing. `spinning`: kernels run and the SMs do next to nothing."""

    works: bool | None
    held: bool | None
    spinning: bool = False


def activity(
    reading: Reading, before: Reading | None, baselines: dict[BaselineKind, Baseline], *, threshold: float
) -> Activity:
    """Judge one reading. *threshold* is the ratio from which an engine counts as working."""
    gpm = _most(reading, GPM_ACTIVITY)
    # That tensor cores and memory rest proves nothing where the SMs are not told, as by default through DCGM.
    tells_of_sms = _most(reading, (Quantity.ACTIVITY_SM_RATIO,)) is not None
    rests = tells_of_sms and gpm is not None and gpm < threshold
    utilization = reading.get(Quantity.UTILIZATION_GPU_RATIO)
    if utilization is None and not tells_of_sms:
        utilization = _most(reading, (Quantity.ACTIVITY_GRAPHICS_RATIO,))
    busy = utilization is not None and utilization >= threshold
    spinning = busy and rests
    side_work = _engines(reading) >= threshold or _traffic(reading, before) >= TRAFFIC_BYTES_PER_SECOND
    works: bool | None
    if busy or side_work or (gpm is not None and gpm >= threshold):
        works = True
    elif utilization is not None or rests or reading.processes == ():
        works = False  # without a process nobody is there to work, as on a MIG board at rest
    else:
        works = _above_baseline(reading, baselines)
    return Activity(works=works, held=_held(reading), spinning=spinning and not side_work)


def _most(reading: Reading, quantities: tuple[Quantity, ...]) -> float | None:
    """Give the highest of *quantities* that the device or an instance of it tells."""
    sources = (reading.values, *(instance.values for instance in reading.instances))
    found = [values[quantity] for values in sources for quantity in quantities if quantity in values]
    return max(found) if found else None


def _engines(reading: Reading) -> float:
    return max(
        (reading.values[quantity] for quantity in ENGINE_UTILIZATION if quantity in reading.values), default=0.0
    )


def _traffic(reading: Reading, before: Reading | None) -> float:
    """Give the larger of PCIe and NVLink traffic in bytes a second; 0 where it is not known: work shows elsewhere."""
    if before is None or reading.at.mono_ns <= before.at.mono_ns:
        return 0.0
    seconds = reading.at.ns_since(before.at) / NS_PER_SECOND
    rates = [
        sum(reading.values[q] - before.values[q] for q in pair) / seconds
        for pair in TRAFFIC
        if all(q in reading.values and q in before.values for q in pair)
    ]
    return max(rates, default=0.0)


def _above_baseline(reading: Reading, baselines: dict[BaselineKind, Baseline]) -> bool | None:
    """Judge by power alone, as on MIG without GPM: more than the idle draw with a context is work."""
    power_mw = _power_mw(reading)
    baseline = baselines.get(BaselineKind.CONTEXT)
    if power_mw is None or baseline is None:
        return None
    return power_mw > baseline.power_mw + max(POWER_MARGIN_MW, int(baseline.power_mw * POWER_MARGIN_RATIO))


def _power_mw(reading: Reading) -> int | None:
    average_mw = reading.integer(Quantity.POWER_AVERAGE_MW)
    return reading.integer(Quantity.POWER_INSTANT_MW) if average_mw is None else average_mw


def _held(reading: Reading) -> bool | None:
    """Tell whether a compute context lives; a display server alone holds no model and is not counted."""
    if reading.processes is not None:
        return any(process.kind is not ProcessKind.GRAPHICS for process in reading.processes)
    clock_hz = reading.get(Quantity.CLOCK_SM_HZ)
    max_hz = reading.get(Quantity.CLOCK_MAX_SM_HZ)
    return None if clock_hz is None or not max_hz else clock_hz >= CONTEXT_CLOCK_RATIO * max_hz
