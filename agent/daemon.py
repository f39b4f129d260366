"""The tick thread: takes frames from the sampler, has them booked, publishes snapshots and obeys signals."""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType

from wattledger.exporter.http import ServerStats
from wattledger.exporter.rules_health import RulesHealth
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth, Snapshot
from wattledger.rules.host_book import HostPolicy
from wattledger.rules.instant import NS_PER_SECOND, Instant

from .clock import Clock, monotonic_us
from .notify import Notifier
from .pipeline import Pipeline, SamplerHealth
from .price_desk import PriceDesk
from .sampler.supervisor import SamplerSupervisor
from .self_cost import SelfCost
from .usage_desk import UsageSettings

logger = logging.getLogger(__name__)

# The longest that a signal may wait for the tick thread.
LOOK_NS = NS_PER_SECOND // 4
COST_EVERY_NS = 5 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Policies:
    """What the pipeline goes by."""

    host: HostPolicy
    usage: UsageSettings
    fresh_ns: int
    prices: Callable[[], PriceDesk] | None = None  # where what prices the energy is another than before


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A configuration that was read again. `policies` is None when the file is bad and the old one stays."""

    health: ConfigHealth
    policies: Policies | None = None


@dataclass(slots=True)
class Orders:
    """What signals have asked for since the last look."""

    stop: bool = False
    reload: bool = False
    forward: list[int] | None = None


class RestartWanted(Exception):  # noqa: N818  (a wish, not an error)
    """The process should start itself anew: a driver has come to a host that was simulated."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the tick thread tells and asks beyond the sampler."""

    publish: Callable[[Snapshot], None]
    server_stats: Callable[[], ServerStats]
    reload: Callable[[], Reloaded]
    rules: Callable[[], RulesHealth]
    store_alerts: Callable[[Instant], None]
    driver_came: Callable[[Instant], bool]


class Daemon:
    """Runs ticks until told to stop. The pipeline and the supervisor belong to its thread alone."""

    def __init__(
        self,
        *,
        supervisor: SamplerSupervisor,
        pipeline: Pipeline,
        surroundings: Surroundings,
        clock: Clock,
        notifier: Notifier,
        config: ConfigHealth,
        agent: AgentHealth,
        self_cost: SelfCost,
    ) -> None:
        self._supervisor = supervisor
        self._pipeline = pipeline
        self._around = surroundings
        self._clock = clock
        self._notifier = notifier
        self._config = config
        self._agent = agent
        self._self_cost = self_cost
        self._cost_due_ns = 0
        self.orders = Orders()

    def install_signals(self) -> None:
        """Take SIGTERM and SIGINT as stop, SIGHUP as reload, SIGUSR1 and SIGUSR2 for the sampler."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.orders.stop = True

        def reload(_number: int, _frame: FrameType | None) -> None:
            self.orders.reload = True

        def forward(number: int, _frame: FrameType | None) -> None:
            self.orders.forward = [*(self.orders.forward or []), number]

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGHUP, reload)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, forward)

    def run(self) -> None:
        """Tick until a stop is ordered. Raises RestartWanted."""
        self._publish()
        self._notifier.ready()
        while not self.orders.stop:
            self.tick()
        self._notifier.stopping()

    def tick(self) -> None:
        """Wait for one frame, or for a moment, and do what it asks for."""
        frame = self._supervisor.poll(self._clock.now().mono_ns + LOOK_NS)
        if frame is not None:
            self._pipeline.take(frame)
            self._publish()
        self._around.store_alerts(self._clock.now())
        self._notifier.watchdog()
        if self.orders.reload:
            self.orders.reload = False
            self._reload()
        if self.orders.forward:
            for number in self.orders.forward:
                self._supervisor.on_signal(number)
            self.orders.forward = None
        if self._around.driver_came(self._clock.now()):
            raise RestartWanted

    def _publish(self) -> None:
        now = self._clock.now()
        sampler = self._supervisor.state
        if now.mono_ns >= self._cost_due_ns:
            self._cost_due_ns = now.mono_ns + COST_EVERY_NS
            cost = self._self_cost.measure(sampler.pid)
            self._agent = replace(self._agent, cpu_ns=cost.cpu_ns, resident_bytes=cost.resident_bytes)
        stats = self._around.server_stats()
        agent = replace(
            self._agent,
            http_connections=stats.connections_open,
            http_requests=dict(stats.requests_total),
            http_refused=stats.refused_total,
            web_config_ok=stats.web_config_ok,
        )
        snapshot = self._pipeline.snapshot(
            SamplerHealth(restarts=sampler.restarts, abandoned=sampler.abandoned),
            self._config,
            agent,
            self._around.rules(),
        )
        self._around.publish(snapshot)
        self._notifier.status(_status(snapshot, now))

    def _reload(self) -> None:
        self._notifier.reloading(monotonic_us())
        reloaded = self._around.reload()
        self._config = reloaded.health
        policies = reloaded.policies
        if policies is not None:
            self._pipeline.apply(policies.host, policies.usage, fresh_ns=policies.fresh_ns, prices=policies.prices)
        self._publish()
        self._notifier.ready()


def _status(snapshot: Snapshot, now: Instant) -> str:
    """Give the line that `systemctl status` shows; it changes only when the state does."""
    reason = snapshot.stale_reason(now)
    if reason:
        return f"not ready: {reason}"
    up = sum(1 for view in snapshot.devices if view.present and view.reading.up)
    books = "" if snapshot.ledger.writable else f"; ledger not writable: {snapshot.ledger.detail}"
    return f"{snapshot.source.kind}: {up} of {len(snapshot.devices)} GPUs read{books}"
