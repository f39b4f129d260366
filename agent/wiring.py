"""The only place where concrete parts meet: from a configuration to a daemon that can run."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wattledger.exporter.http import ListenError, PageServer, WebConfigError
from wattledger.exporter.page import PageCache
from wattledger.exporter.render import Renderer
from wattledger.exporter.site import Site
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth
from wattledger.rules.reading import REAL_SOURCES, SourceKind

from .clock import Clock
from .config import Config, ConfigError, KubernetesMode, LoadedConfig
from .daemon import Daemon, Surroundings
from .detect import Detection
from .device_names import DeviceNames
from .driver_watch import DriverWatch
from .host_rules import HostRules
from .ledger import Ledger
from .notify import Notifier
from .pipeline import Pipeline, fresh_limit_ns
from .policy import host_policy, token_policy, usage_settings
from .price_build import price_desk
from .price_desk import PriceDesk
from .reload import Reloader
from .sampler.supervisor import SamplerSupervisor
from .self_cost import SelfCost
from .source_choice import choose_ledger, choose_source, sampler_settings, state_folder
from .usage_desk import Closable, TokenSource, UsageDesk
from .version import __version__
from .workloads.attribution import Attribution
from .workloads.pods import Pods
from .workloads.processes import ForeignProcesses, Processes, ProcProcesses
from .workloads.procfs import ProcFs

if TYPE_CHECKING:
    from wattledger.exporter.dcgm.page import DcgmPage

    from .workloads.kubernetes.directory import PodDirectory


def host_name(environment: Mapping[str, str]) -> str:
    """Give the name of this host: in a container that of its node, where NODE_NAME tells it."""
    return environment.get("NODE_NAME") or socket.gethostname()


def usage_desk(config: Config, kind: SourceKind, *, clock: Clock, ledger: Ledger, lasts: bool = True) -> UsageDesk:
    """Give the books of workloads and services, as far as the ledger has them.

    Services are looked for only where the program *lasts*. Raises ListenError for where jobs push to.
    """
    settings = usage_settings(config)
    devices = DeviceNames()
    processes: Processes
    pods: Pods | None = None
    tokens: TokenSource | None = None
    helpers: list[Closable] = []
    if kind is SourceKind.REPLAY:
        processes = ForeignProcesses()
    elif kind is SourceKind.SIM:
        from .workloads.simulated import SimulatedPods, SimulatedProcesses  # noqa: PLC0415  (for made-up boards)

        processes, pods = SimulatedProcesses(), SimulatedPods()
        if lasts:
            from .sources.sim_fleet import Fleet  # noqa: PLC0415
            from .tokens.simulated import SimulatedTokens  # noqa: PLC0415

            # What the sampler simulates, so that tokens and joules are of one host.
            tokens = SimulatedTokens(clock, Fleet(**asdict(sampler_settings(config, kind).sim)))
    else:
        processes = ProcProcesses(ProcFs(Path("/proc")))
        if (kubelet := _pods(config, clock)) is not None:
            pods = kubelet
            helpers.append(kubelet)
        if lasts:
            from .tokens.build import token_desk  # noqa: PLC0415  (only where there are real processes)

            # Each needs the other: which process is called what, and which serves what.
            tokens = token_desk(config, clock=clock, devices=devices, title_of=lambda pid: attribution.title_of(pid))  # noqa: PLW0108
    attribution = Attribution(
        clock,
        processes,
        settings=settings.workloads,
        pods=pods,
        service_of=(lambda _: "") if tokens is None else tokens.service_of,
        device_service=(lambda _: "") if tokens is None else tokens.device_service,
    )
    if tokens is not None:
        tokens.start()
    return UsageDesk(
        attribution,
        ledger.load_usage(),
        settings=settings,
        tokens=tokens,
        token_policy=token_policy(config),
        devices=devices,
        helpers=helpers,
    )


def _pods(config: Config, clock: Clock) -> "PodDirectory | None":
    """Give what knows the pods of this node, at work; None where there is no kubelet, or it is not to be asked."""
    if config.workloads.kubernetes is KubernetesMode.OFF:
        return None
    from .workloads.kubernetes.directory import Mode, pods_of_node  # noqa: PLC0415  (not where it is turned off)

    directory = pods_of_node(Mode(config.workloads.kubernetes.value), clock=clock)
    if directory is not None:
        directory.start()
    return directory


def dcgm_page(config: Config, environment: Mapping[str, str]) -> "DcgmPage | None":
    """Give the page of dcgm-exporter's names, None where the configuration does not ask for it."""
    if not config.dcgm.page:
        return None
    from wattledger.exporter.dcgm.names import Generation  # noqa: PLC0415  (not where it is turned off)
    from wattledger.exporter.dcgm.page import DcgmPage  # noqa: PLC0415

    return DcgmPage(Generation(config.dcgm.names.value), host_name(environment))


@dataclass(slots=True)
class Running:
    """A daemon with everything that must be closed after it."""

    daemon: Daemon
    pipeline: Pipeline
    server: PageServer
    supervisor: SamplerSupervisor
    rules: HostRules
    ledger: Ledger
    notifier: Notifier
    source: Detection
    config: Config

    def close(self) -> None:
        """Stop the sampler first, so that the driver is let go; then the rules, the books and the page."""
        self.supervisor.stop()
        self.pipeline.close()
        self.rules.close()
        self.ledger.close()
        self.server.close()
        self.notifier.close()


def build(
    loaded: LoadedConfig, *, environment: Mapping[str, str], clock: Clock, reload: Callable[[], LoadedConfig]
) -> Running:
    """Make a daemon whose page already answers. *reload* reads the configuration again.

    Raises ConfigError for its rule files, LedgerError, ListenError and WebConfigError.
    """
    config = loaded.config
    source = choose_source(config, environment)
    ledger = choose_ledger(config, source.kind, clock)
    pages = PageCache(Renderer())
    dcgm = dcgm_page(config, environment)
    site = Site(pages, now=clock.now, version=__version__, dcgm=dcgm, scheme=lambda: server.scheme)
    server = PageServer(config.listen, site, web_config=config.web_config)
    rules = HostRules(
        clock=clock,
        ledger=ledger,
        snapshot=lambda: pages.snapshot,
        host_name=host_name(environment),
        page_url=lambda: server.url,
    )
    try:
        server.start()
        plan = rules.prepare(config)
        usage = usage_desk(config, source.kind, clock=clock, ledger=ledger)
    except (ConfigError, ListenError, WebConfigError):
        server.close()
        ledger.close()
        raise
    prices = partial(_prices, kind=source.kind, environment=environment, clock=clock, ledger=ledger)
    pipeline = Pipeline(
        kind=source.kind,
        ledger=ledger,
        clock=clock,
        policy=host_policy(config),
        usage=usage,
        prices=prices(config),
        fresh_ns=fresh_limit_ns(config.interval_ns),
    )
    supervisor = SamplerSupervisor(sampler_settings(config, source.kind), clock=clock)
    started = clock.now()
    health = ConfigHealth(loaded_wall_ns=started.wall_ns)
    notifier = Notifier(environment)
    daemon = Daemon(
        supervisor=supervisor,
        pipeline=pipeline,
        surroundings=Surroundings(
            publish=pages.publish if dcgm is None else dcgm.beside(pages.publish),
            server_stats=server.stats,
            reload=Reloader(
                loaded,
                reload,
                health=health,
                supervisor=supervisor,
                rules=rules,
                prices=prices,
                clock=clock,
                kind=source.kind,
            ),
            rules=rules.health,
            store_alerts=rules.store,
            driver_came=DriverWatch(config, source.kind, environment),
        ),
        clock=clock,
        notifier=notifier,
        config=health,
        agent=AgentHealth(version=__version__, started_wall_ns=started.wall_ns),
        self_cost=SelfCost(),
    )
    rules.apply(plan)
    return Running(daemon, pipeline, server, supervisor, rules, ledger, notifier, source, config)


def _prices(
    config: Config, *, kind: SourceKind, environment: Mapping[str, str], clock: Clock, ledger: Ledger
) -> PriceDesk:
    """Give what prices the energy from what *ledger* knows, at work."""
    prices = price_desk(
        config,
        clock=clock,
        ledger=ledger,
        state_dir=state_folder(config, kind),
        environment=environment,
        has_meters=kind in REAL_SOURCES,
    )
    prices.start()
    return prices
