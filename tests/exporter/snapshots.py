"""Snapshots for tests: a host whose numbers are easy to check by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wattledger.exporter.catalog.family import device_label_values
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
from wattledger.exporter.usage import UsageHealth, usage_views
from wattledger.rules.account import Baseline, Carried, DeviceAccount, StateTotal, XidCount
from wattledger.rules.alerting import AlertState
from wattledger.rules.history import HistoryStats
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import DeviceIdentity, HostFacts, MigInstance, Reading, SourceKind, Values
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State
from wattledger.rules.tokens.model import Attribution, CounterClass, Role, TokenKind, Withheld
from wattledger.rules.tokens.totals import Phase, Scope, ServiceTotal
from wattledger.rules.tokens.view import Per, Ratio, ServiceView
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import FOLDED, UNATTRIBUTED, ShareMethod, Workload, WorkloadKind

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
            web_config_ok=True,
        ),
        rules=rules_health(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # as above


CHAT = Workload(WorkloadKind.POD, "llm/chat-0/server", "llm/chat-0/server", (("namespace", "llm"), ("pod", "chat-0")))
JOB = Workload(WorkloadKind.SLURM, "211", "211", (("job", "211"), ("user", "alice")))


def usage_totals(made: DeviceView) -> tuple[UsageTotal, ...]:
    """Give who used a device whose books are those of `account`: two workloads, others folded, nobody."""
    uuid, second = made.reading.identity.uuid, NS_PER_SECOND

    def total(
        workload: Workload, state: State, method: ShareMethod, energy_mj: int, avoidable_mj: int = 0
    ) -> UsageTotal:
        duration_ns = {State.ACTIVE: 20_000 * second + 1, State.HELD: 15_000 * second}[state]
        return UsageTotal(uuid, workload, state, method, energy_mj, duration_ns, avoidable_mj, WALL_NS)

    return (
        total(CHAT, State.ACTIVE, ShareMethod.SM_SHARE, 3_000_000_001),
        total(CHAT, State.ACTIVE, ShareMethod.EXCLUSIVE, 1_000_000_000),
        total(CHAT, State.HELD, ShareMethod.SM_SHARE, 1_500_000_000, 800_000_000),
        total(JOB, State.ACTIVE, ShareMethod.SM_SHARE, 1_000_000_000),
        total(JOB, State.HELD, ShareMethod.SM_SHARE, 200_000_000, 100_000_000),
        total(FOLDED, State.ACTIVE, ShareMethod.SM_SHARE, 400_000_000),
        total(UNATTRIBUTED, State.HELD, ShareMethod.REMAINDER, 99_999_999),
    )


def usage_health(devices: Iterable[DeviceView]) -> UsageHealth:
    """Give who used *devices*, each in the same way; one of five processes cannot be looked at."""
    shown = tuple(devices)
    labels = {made.reading.identity.uuid: device_label_values(made) for made in shown}
    totals = [total for made in shown for total in usage_totals(made)]
    return UsageHealth(
        views=usage_views(totals, labels),
        shown=2,
        folded=3,
        limit=2,
        processes=5,
        unresolved=(("gone", 0), ("no_permission", 1)),
    )


def chat_service() -> ServiceView:
    """Give a service whose ratios are shown: one model, every kind of token."""
    joules = {Per.OUTPUT: 0.5, Per.TOTAL: 0.125, Per.COMPUTED: 0.25}
    return ServiceView(
        service="chat",
        server="vllm",
        role=Role.UNIFIED,
        counter_class=CounterClass.ITERATION,
        attribution=Attribution.EXCLUSIVE,
        energy_model="llama-3.1-8b",
        totals=(
            ServiceTotal(
                "chat",
                "llama-3.1-8b",
                active_mj=1_800_000_001,
                total_mj=2_400_000_000,
                phases={Phase.SERVING: 2_000_000_000, Phase.IDLE: 400_000_000, Phase.STARTING: 100_000_000},
                tokens={
                    TokenKind.PROMPT: 12_000_000,
                    TokenKind.PROMPT_CACHED: 4_000_000,
                    TokenKind.PROMPT_COMPUTED: 8_000_000,
                    TokenKind.OUTPUT: 4_000_000,
                },
                last_wall_ns=WALL_NS,
            ),
        ),
        up=True,
        devices=1,
        running=3.0,
        waiting=0.0,
        ratios=tuple(
            Ratio("llama-3.1-8b", per, scope, number * (1 if scope is Scope.ACTIVE else 1.25))
            for per, number in joules.items()
            for scope in Scope
        ),
        coverage=0.975,
        window_ns=300 * NS_PER_SECOND,
        tokens_per_second=812.5,
    )


def batch_service() -> ServiceView:
    """Give a service whose ratios are withheld and which does not tell cached tokens from computed ones."""
    return ServiceView(
        service="batch",
        server="tgi",
        role=Role.UNIFIED,
        counter_class=CounterClass.FINISH,
        attribution=Attribution.SHARED,
        energy_model="",
        totals=(
            ServiceTotal(
                "batch",
                active_mj=1_000,
                total_mj=2_000,
                phases={Phase.SERVING: 2_000},
                tokens={TokenKind.PROMPT: 70, TokenKind.OUTPUT: 0},
                last_wall_ns=WALL_NS,
            ),
        ),
        detail="http://127.0.0.1:3000/metrics: connection refused",
        devices=1,
        withheld=Withheld.SHORT_WINDOW,
    )


def router_service() -> ServiceView:
    """Give a service of two models, which share its energy; some requests and drafts were in vain."""
    return ServiceView(
        service="router",
        server="sglang",
        role=Role.UNIFIED,
        counter_class=CounterClass.ITERATION,
        attribution=Attribution.CONFIGURED,
        energy_model="",
        totals=(
            ServiceTotal("router", "", 500, 500, {Phase.SERVING: 500, Phase.UNREAD: 100}, last_wall_ns=WALL_NS),
            ServiceTotal("router", "base", tokens={TokenKind.OUTPUT: 10}, preemptions=2, last_wall_ns=WALL_NS),
            ServiceTotal("router", "tuned", tokens={TokenKind.OUTPUT: 30}, drafts_wasted=9, last_wall_ns=WALL_NS),
        ),
        up=True,
        devices=2,
        running=1.0,
        ratios=(Ratio("", Per.OUTPUT, Scope.TOTAL, 75.5),),
        coverage=0.9,
        window_ns=60 * NS_PER_SECOND,
        wasted_draft_ratio=0.25,
        implausible=True,
    )


def busy(*devices: DeviceView, **changes: object) -> Snapshot:
    """Give a host like `snapshot` whose *devices*, one by default, are used, and three services that run on them."""
    shown = devices or (view(),)
    services = (batch_service(), chat_service(), router_service())
    return replace(snapshot(*shown, usage=usage_health(shown), services=services), **changes)  # type: ignore[arg-type]  # as above
