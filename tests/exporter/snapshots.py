"""Snapshots for tests: a host whose numbers are easy to check by hand."""

from __future__ import annotations

from dataclasses import replace

from wattledger.exporter.delivery import ReceiverKind, ReceiverStats
from wattledger.exporter.rules_health import AlertView, GroupHealth, RulesHealth
from wattledger.exporter.snapshot import (
    AgentHealth,
    ConfigHealth,
    DeviceView,
    LedgerHealth,
    Snapshot,
    SourceHealth,
)
from wattledger.rules.account import Baseline, Carried, DeviceAccount, StateTotal, XidCount
from wattledger.rules.alerting import AlertState
from wattledger.rules.history import HistoryStats
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import DeviceIdentity, HostFacts, MigInstance, Reading, SourceKind, Values
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State

WALL_NS = 1_790_000_000 * NS_PER_SECOND
NOW = Instant(mono_ns=5_000 * NS_PER_SECOND, wall_ns=WALL_NS)
HOST = HostFacts(driver_version="580.95.05", nvml_version="13.580.95.05", cuda_version="13.0", boot_id="b00t")


def every_value() -> Values:
    """Give a value for each quantity, all different; ratios are below 1."""
    values: Values = {}
    for number, quantity in enumerate(Quantity):
        values[quantity] = number / 128 if quantity.endswith("_ratio") else 1_000 + number
    values[Quantity.POWER_AVERAGE_MW] = 312_345
    values[Quantity.POWER_INSTANT_MW] = 298_001
    values[Quantity.POWER_LIMIT_ENFORCED_MW] = 700_000
    values[Quantity.CLOCK_EVENT_REASONS] = 0b100_0000_0101
    return values


def account(uuid: str, name: str = "NVIDIA H100 80GB HBM3") -> DeviceAccount:
    """Give the books of a device: 7.2 MJ in all (2 kWh), a quarter of it held, half of that avoidable."""
    return DeviceAccount(
        uuid=uuid,
        name=name,
        states={
            State.ACTIVE: StateTotal(5_400_000_001, 20_000 * NS_PER_SECOND + 1),
            State.HELD: StateTotal(1_799_999_999, 15_000 * NS_PER_SECOND),
        },
        methods={Method.COUNTER: 7_000_000_000, Method.AVERAGE_POWER: 200_000_000},
        avoidable_mj=900_000_000,
        unknown_ns=2_500_000_000,
        counter_resets=2,
        rejected_segments=1,
        counters={quantity: Carried(total=10**12 + number, last_raw=7) for number, quantity in enumerate(COUNTERS)},
        xids={79: XidCount(1, WALL_NS), 13: XidCount(4, WALL_NS - NS_PER_SECOND)},
    )


def view(index: int = 0, **changes: object) -> DeviceView:
    """Give a device with every value; *changes* are fields of `DeviceView`."""
    uuid = f"GPU-{index:08d}-aaaa-bbbb-cccc-0123456789ab"
    identity = DeviceIdentity(
        uuid=uuid,
        index=index,
        name="NVIDIA H100 80GB HBM3",
        pci_bus_id=f"00000000:{index:02X}:00.0",
        architecture="hopper",
        serial="1650000000001",
        vbios_version="96.00.61.00.01",
        compute_capability="9.0",
    )
    made = DeviceView(
        reading=Reading(identity=identity, at=NOW, values=every_value(), processes=()),
        account=account(uuid),
        state=State.ACTIVE,
        state_since_wall_ns=WALL_NS - 90 * NS_PER_SECOND,
        state_energy_mj=10_890_000,
        owner="alice",
        method=Method.COUNTER,
        divergence_ratio=1.0025,
        baselines=(
            Baseline(BaselineKind.BARE, BaselineOrigin.LEARNT, 71_800),
            Baseline(BaselineKind.CONTEXT, BaselineOrigin.PRIOR, 121_700),
        ),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields are the caller's to get right


def reading(made: DeviceView, **changes: object) -> DeviceView:
    """Give *made* with fields of its reading changed."""
    return replace(made, reading=replace(made.reading, **changes))  # type: ignore[arg-type]  # as above


def lost(made: DeviceView, gap: Gap = Gap.LOST) -> DeviceView:
    """Give *made* as a device that does not answer."""
    return reading(made, up=False, values={}, gaps=dict.fromkeys(Quantity, gap), processes=None)


def instances(made: DeviceView, count: int) -> DeviceView:
    """Give *made* with *count* MIG instances; every second one may not read its memory bandwidth."""
    parts = tuple(
        MigInstance(
            uuid=f"MIG-{made.reading.identity.index}-{number}",
            gpu_instance=number,
            compute_instance=0,
            profile="1g.10gb",
            values={
                Quantity.MEMORY_TOTAL_BYTES: 10 * 2**30,
                Quantity.MEMORY_USED_BYTES: number * 2**20,
                Quantity.MEMORY_FREE_BYTES: 9 * 2**30,
                Quantity.MEMORY_RESERVED_BYTES: 2**20,
                Quantity.ACTIVITY_GRAPHICS_RATIO: 0.25,
                Quantity.ACTIVITY_SM_RATIO: 0.125 * number,
                Quantity.ACTIVITY_SM_OCCUPANCY_RATIO: 0.5,
                Quantity.ACTIVITY_TENSOR_RATIO: 0.75,
                **({} if number % 2 else {Quantity.ACTIVITY_DRAM_RATIO: 0.0625}),
            },
            gaps={Quantity.ACTIVITY_DRAM_RATIO: Gap.NO_PERMISSION} if number % 2 else {},
        )
        for number in range(count)
    )
    return reading(made, instances=parts)


def rules_health() -> RulesHealth:
    """Give two groups, of which one has a rule that fails, two alerts, and two receivers, of which one is down."""
    held = (("alertname", "WattledgerGpuHeld"), ("alertstate", "firing"), ("gpu", "8"), ("severity", "warning"))
    lost = (("alertname", "WattledgerGpuLost"), ("alertstate", "pending"), ("gpu", "9"), ("severity", "critical"))
    summary = (("summary", "GPU 8 has held a model and done nothing for 15m 0s"),)
    at_ms = WALL_NS // 10**6
    return RulesHealth(
        groups=(
            GroupHealth("idle.yml", "held", 3, 15_000, 240, 0, 1, at_ms, 1_500_000),
            GroupHealth(
                "/etc/site.rules.yml", "site", 1, 60_000, 60, 2, 0, at_ms, 90_000, (("Odd", 'many-to-many "x"'),)
            ),
        ),
        alerts=(
            AlertView("WattledgerGpuHeld", AlertState.FIRING, held, summary, at_ms - 900_000, 900.0),
            AlertView("WattledgerGpuLost", AlertState.PENDING, lost, (), at_ms - 5_000, 1.0),
        ),
        history=HistoryStats(series=120, samples=2_400, memory_bytes=98_304, refused=0),
        receivers=(
            ReceiverStats(ReceiverKind.ALERTMANAGER, "http://10.0.0.1:9093", 17, 0, 0, 0, 10_000, WALL_NS, ""),
            ReceiverStats(ReceiverKind.WEBHOOK, "https://hooks.example.org/gpu", 0, 3, 1, 2, 10_000, None, "refused"),
        ),
    )


def snapshot(*devices: DeviceView, **changes: object) -> Snapshot:
    """Give a healthy host with *devices*; *changes* are fields of `Snapshot`."""
    made = Snapshot(
        at=NOW,
        sample_at=NOW,
        fresh_ns=10 * NS_PER_SECOND,
        host=HOST,
        devices=devices,
        source=SourceHealth(
            kind=SourceKind.NVML,
            success=True,
            last_success_wall_ns=WALL_NS,
            duration_ns=3_200_000,
            restarts=1,
            ticks_missed=3,
            driver_calls=12_345,
            driver_busy_ns=6_789_000_000,
        ),
        ledger=LedgerHealth(
            writable=True, path="/var/lib/wattledger/ledger.db", last_commit_wall_ns=WALL_NS, size_bytes=65_536
        ),
        config=ConfigHealth(loaded_wall_ns=WALL_NS),
        agent=AgentHealth(
            version="0.1.0",
            started_wall_ns=WALL_NS - 3_600 * NS_PER_SECOND,
            tick_duration_ns=850_000,
            cpu_ns=12_000_000_000,
            resident_bytes=40_000_000,
            http_connections=2,
            http_requests={200: 17, 404: 1},
            http_refused=0,
        ),
        rules=rules_health(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # as above
