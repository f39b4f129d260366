"""Translates the configuration into the policies that the rules take; it decides nothing itself."""

from wattledger.rules.account import Baseline
from wattledger.rules.book import BookPolicy
from wattledger.rules.correction import Correction
from wattledger.rules.energy import EnergyPolicy
from wattledger.rules.host_book import HostPolicy
from wattledger.rules.reading import DeviceIdentity
from wattledger.rules.state import BaselineKind, BaselineOrigin
from wattledger.rules.states import Circumstances, StatePolicy
from wattledger.rules.tokens.policy import TICKS_OF_PATIENCE, TokenPolicy
from wattledger.rules.usage.book import UsagePolicy

from .config import Config
from .pipeline import fresh_limit_ns
from .usage_desk import UsageSettings
from .workloads.attribution import WorkloadSettings


def host_policy(config: Config) -> HostPolicy:
    """Give what *config* says of each device: how to book it, and what the operator knows of it."""
    energy = EnergyPolicy(
        choice=config.gpus.energy, gap_ns=max(EnergyPolicy().gap_ns, fresh_limit_ns(config.interval_ns))
    )
    states = StatePolicy(dwell_ns=config.states.dwell_ns, activity_ratio=config.states.activity_ratio)

    def book(identity: DeviceIdentity) -> BookPolicy:
        known = config.gpus.corrections.get(identity.uuid)
        if known is None:
            return BookPolicy(energy=energy, states=states)
        configured = ((BaselineKind.BARE, known.bare_mw), (BaselineKind.CONTEXT, known.context_mw))
        return BookPolicy(
            energy=energy,
            states=states,
            correction=Correction(gain_ppm=known.gain_ppm, offset_mw=known.offset_mw),
            configured_baselines={
                kind: Baseline(kind=kind, origin=BaselineOrigin.CONFIGURED, power_mw=power_mw)
                for kind, power_mw in configured
                if power_mw is not None
            },
        )

    def circumstances(identity: DeviceIdentity, wall_ns: int) -> Circumstances:
        return Circumstances(maintenance=_maintenance(config, identity, wall_ns))

    def excludes(identity: DeviceIdentity) -> bool:
        return any(gpu.names(identity.index, identity.uuid) for gpu in config.gpus.exclude)

    return HostPolicy(book=book, circumstances=circumstances, excludes=excludes)


def usage_settings(config: Config) -> UsageSettings:
    """Give what *config* says of workloads and services: how they are called, found and shown."""
    section = config.workloads
    return UsageSettings(
        workloads=WorkloadSettings(
            labels=section.labels,
            job_map_dir=section.slurm.job_map_dir,
            owners=lambda identity: _owner(config, identity),
        ),
        policy=UsagePolicy(limit=section.limit, retention_ns=section.retention_ns),
        tokens=token_policy(config),
        services=config.services,
    )


def token_policy(config: Config) -> TokenPolicy:
    """Give what *config* says of joining tokens and joules. Energy that is a few ticks late is waited for."""
    patience_ns = max(TokenPolicy().patience_ns, TICKS_OF_PATIENCE * config.interval_ns)
    return TokenPolicy(patience_ns=patience_ns, ratio_window_ns=config.services.window_ns)


def _owner(config: Config, identity: DeviceIdentity) -> str:
    for ownership in config.owners:
        if any(gpu.names(identity.index, identity.uuid) for gpu in ownership.gpus):
            return ownership.owner
    return ""


def _maintenance(config: Config, identity: DeviceIdentity, wall_ns: int) -> str:
    for window in config.states.maintenance:
        named = window.gpus is None or any(gpu.names(identity.index, identity.uuid) for gpu in window.gpus)
        if named and window.from_wall_ns <= wall_ns < window.to_wall_ns:
            return window.reason or "planned"
    return ""
