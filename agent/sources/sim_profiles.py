"""What each simulated board model draws, offers and refuses: a table of data, nothing that happens in time.

Update period, averaging window, quantum and idle draw are published measurements (arXiv 2312.02741, 2605.23918);
a figure without a public measurement is marked `assumed`. Clocks and limits are those of the data sheets.
"""

from dataclasses import dataclass
from types import MappingProxyType

from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import EnergyScope

MIB = 1 << 20

_MEMORY_TEMPERATURE = frozenset({Quantity.TEMPERATURE_MEMORY_CELSIUS, Quantity.TEMPERATURE_LIMIT_MEMORY_CELSIUS})
_GPM = frozenset(
    {
        Quantity.ACTIVITY_GRAPHICS_RATIO,
        Quantity.ACTIVITY_SM_RATIO,
        Quantity.ACTIVITY_SM_OCCUPANCY_RATIO,
        Quantity.ACTIVITY_TENSOR_RATIO,
        Quantity.ACTIVITY_DRAM_RATIO,
    }
)
_NVLINK = frozenset(
    {
        Quantity.NVLINK_TRANSMIT_BYTES,
        Quantity.NVLINK_RECEIVE_BYTES,
        Quantity.NVLINK_LINKS,
        Quantity.NVLINK_LINKS_ACTIVE,
    }
)
_PCIE_BYTES = frozenset({Quantity.PCIE_TRANSMIT_BYTES, Quantity.PCIE_RECEIVE_BYTES})
_ECC = frozenset(
    {
        Quantity.ECC_CORRECTED_VOLATILE,
        Quantity.ECC_UNCORRECTED_VOLATILE,
        Quantity.ECC_CORRECTED_AGGREGATE,
        Quantity.ECC_UNCORRECTED_AGGREGATE,
    }
)
_REMAPPED_ROWS = frozenset(
    {
        Quantity.REMAPPED_ROWS_CORRECTABLE,
        Quantity.REMAPPED_ROWS_UNCORRECTABLE,
        Quantity.REMAPPED_ROWS_PENDING,
        Quantity.REMAPPED_ROWS_FAILURE,
    }
)
_RETIRED_PAGES = frozenset(
    {
        Quantity.RETIRED_PAGES_SINGLE_BIT,
        Quantity.RETIRED_PAGES_DOUBLE_BIT,
        Quantity.RETIRED_PAGES_PENDING,
    }
)
_AVERAGE = frozenset({Quantity.POWER_AVERAGE_MW})
_FAN = frozenset({Quantity.FAN_SPEED_RATIO})
_FLOOR = frozenset({Quantity.POWER_FLOOR_MW})
_MIG = frozenset({Quantity.MIG_MODE})
_UPTIME = frozenset({Quantity.UPTIME_SECONDS})

# By generation: the moving target of what the driver answers with NOT_SUPPORTED. GPM, PCIe byte counters: Hopper on.
_HOPPER = _FAN | _FLOOR | _RETIRED_PAGES
_BLACKWELL = _FAN | _RETIRED_PAGES
_ADA = _FLOOR | _RETIRED_PAGES | _GPM | _PCIE_BYTES | _NVLINK | _MEMORY_TEMPERATURE | _MIG
_GA100 = _FAN | _FLOOR | _RETIRED_PAGES | _GPM | _PCIE_BYTES | _AVERAGE
_VOLTA = _FAN | _FLOOR | _REMAPPED_ROWS | _GPM | _PCIE_BYTES | _AVERAGE | _MIG | _UPTIME
_PASCAL = _VOLTA | _NVLINK | _MEMORY_TEMPERATURE | {Quantity.ENERGY_MJ}


@dataclass(frozen=True, slots=True)
class Profile:
    """One board model. `pcie` is (generation, lanes); clocks are (idle, with a context, highest)."""

    name: str
    architecture: str
    compute_capability: str
    unsupported: frozenset[Quantity]
    bare_mw: int
    context_mw: int
    limit_mw: int
    limit_min_mw: int
    memory_mib: int
    nominal_gb: int  # as sold; MIG profiles are named after it
    sm_mhz: tuple[int, int, int]
    memory_mhz: tuple[int, int, int]
    video_mhz: tuple[int, int, int]
    instant_window_ms: int
    update_ms: int = 100
    counter_tick_ms: int = 100
    quantum_mw: int = 10
    noise_mw: int = 60  # standard deviation of the published idle power
    pcie: tuple[int, int] = (5, 16)
    pcie_bytes_per_second: int = 55_000_000_000
    nvlink_bytes_per_second: int = 0
    nvlinks: int = 0
    slowdown_celsius: int = 89
    idle_performance_state: int = 0
    energy_scope: EnergyScope = EnergyScope.GPU
    reserved_mib: int = 600

    @property
    def mig_capable(self) -> bool:
        """Tell whether the board can be cut into MIG instances."""
        return Quantity.MIG_MODE not in self.unsupported


_TABLE = {
    "h100": Profile(
        name="H100 80GB HBM3", architecture="Hopper", compute_capability="9.0", unsupported=_HOPPER,
        bare_mw=71_800, context_mw=121_700, limit_mw=700_000, limit_min_mw=200_000, memory_mib=81_559, nominal_gb=80,
        sm_mhz=(345, 1980, 1980), memory_mhz=(2619, 2619, 2619), video_mhz=(765, 1545, 1545),
        instant_window_ms=25, nvlink_bytes_per_second=450_000_000_000, nvlinks=18, noise_mw=60,
    ),
    "h200": Profile(  # context draw assumed: the step of the H100
        name="H200", architecture="Hopper", compute_capability="9.0", unsupported=_HOPPER,
        bare_mw=77_000, context_mw=127_000, limit_mw=700_000, limit_min_mw=200_000, memory_mib=143_771,
        nominal_gb=141,
        sm_mhz=(345, 1980, 1980), memory_mhz=(3201, 3201, 3201), video_mhz=(765, 1545, 1545),
        instant_window_ms=25, nvlink_bytes_per_second=450_000_000_000, nvlinks=18, noise_mw=60,
    ),
    "gh200": Profile(  # idle draw of the module assumed
        name="GH200 480GB", architecture="Hopper", compute_capability="9.0", unsupported=_HOPPER | _NVLINK,
        bare_mw=142_000, context_mw=192_000, limit_mw=900_000, limit_min_mw=300_000, memory_mib=97_871, nominal_gb=96,
        sm_mhz=(345, 1980, 1980), memory_mhz=(2619, 2619, 2619), video_mhz=(765, 1545, 1545),
        instant_window_ms=20, noise_mw=120, energy_scope=EnergyScope.MODULE,
    ),
    "b200": Profile(  # bare draw, window and period assumed: no public measurement
        name="B200", architecture="Blackwell", compute_capability="10.0", unsupported=_BLACKWELL,
        bare_mw=140_000, context_mw=218_000, limit_mw=1_000_000, limit_min_mw=200_000, memory_mib=183_359,
        nominal_gb=180,
        sm_mhz=(120, 1965, 1965), memory_mhz=(3996, 3996, 3996), video_mhz=(600, 1590, 1590),
        instant_window_ms=25, nvlink_bytes_per_second=900_000_000_000, nvlinks=18, noise_mw=100,
    ),
    "a100": Profile(
        name="A100 80GB PCIe", architecture="Ampere", compute_capability="8.0", unsupported=_GA100 | _NVLINK,
        bare_mw=53_700, context_mw=80_000, limit_mw=300_000, limit_min_mw=150_000, memory_mib=81_920, nominal_gb=80,
        sm_mhz=(210, 1410, 1410), memory_mhz=(1512, 1512, 1512), video_mhz=(585, 1290, 1290),
        instant_window_ms=25, quantum_mw=90, noise_mw=35, pcie=(4, 16), pcie_bytes_per_second=27_000_000_000,
    ),
    "l40s": Profile(
        name="L40S", architecture="Ada Lovelace", compute_capability="8.9", unsupported=_ADA | _FAN,
        bare_mw=35_600, context_mw=102_100, limit_mw=350_000, limit_min_mw=100_000, memory_mib=46_068, nominal_gb=48,
        sm_mhz=(210, 2520, 2520), memory_mhz=(405, 9000, 9001), video_mhz=(1185, 1965, 1965),
        instant_window_ms=100, noise_mw=800, pcie=(4, 16), pcie_bytes_per_second=27_000_000_000,
    ),
    "rtx4090": Profile(
        name="GeForce RTX 4090", architecture="Ada Lovelace", compute_capability="8.9",
        unsupported=_ADA | _ECC | _REMAPPED_ROWS,
        bare_mw=22_000, context_mw=51_000, limit_mw=450_000, limit_min_mw=150_000, memory_mib=24_564, nominal_gb=24,
        sm_mhz=(210, 2520, 3105), memory_mhz=(405, 10_251, 10_501), video_mhz=(1185, 1950, 2415),
        instant_window_ms=100, noise_mw=400, pcie=(4, 16), pcie_bytes_per_second=27_000_000_000,
        idle_performance_state=8,
    ),
    "v100": Profile(
        name="Tesla V100-SXM2-32GB", architecture="Volta", compute_capability="7.0", unsupported=_VOLTA,
        bare_mw=26_000, context_mw=45_000, limit_mw=300_000, limit_min_mw=150_000, memory_mib=32_768, nominal_gb=32,
        sm_mhz=(135, 1530, 1530), memory_mhz=(877, 877, 877), video_mhz=(555, 1372, 1372),
        instant_window_ms=10, update_ms=20, counter_tick_ms=20, quantum_mw=370, noise_mw=200, pcie=(3, 16),
        pcie_bytes_per_second=13_000_000_000, nvlink_bytes_per_second=150_000_000_000, nvlinks=6,
    ),
    "p40": Profile(
        name="Tesla P40", architecture="Pascal", compute_capability="6.1", unsupported=_PASCAL,
        bare_mw=9_000, context_mw=50_000, limit_mw=250_000, limit_min_mw=125_000, memory_mib=23_040, nominal_gb=24,
        sm_mhz=(544, 1531, 1531), memory_mhz=(405, 3615, 3615), video_mhz=(544, 1379, 1379),
        instant_window_ms=10, update_ms=20, counter_tick_ms=20, quantum_mw=130, noise_mw=150, pcie=(3, 16),
        pcie_bytes_per_second=13_000_000_000, idle_performance_state=8,
    ),
}  # fmt: skip

PROFILES = MappingProxyType(_TABLE)
