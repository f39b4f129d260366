"""SIGHUP: the configuration is read again, and what follows from it takes the place of what was."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from wattledger.exporter.snapshot import ConfigHealth
from wattledger.rules.reading import SourceKind

from .clock import Clock
from .config import Config, ConfigError, LoadedConfig, changed_needing_restart, prices_changed
from .daemon import Policies, Reloaded
from .host_rules import HostRules
from .pipeline import fresh_limit_ns
from .policy import host_policy, usage_settings
from .price_desk import PriceDesk
from .sampler.supervisor import SamplerSupervisor
from .source_choice import sampler_settings

logger = logging.getLogger(__name__)


class Reloader:
    """Reads the configuration again on SIGHUP; a bad file leaves everything as it is."""

    def __init__(
        self,
        loaded: LoadedConfig,
        load: Callable[[], LoadedConfig],
        *,
        health: ConfigHealth,
        supervisor: SamplerSupervisor,
        rules: HostRules,
        prices: Callable[[Config], PriceDesk],
        clock: Clock,
        kind: SourceKind,
    ) -> None:
        self._loaded = loaded
        self._health = health
        self._load = load
        self._supervisor = supervisor
        self._rules = rules
        self._prices = prices
        self._clock = clock
        self._kind = kind
        self._settings = sampler_settings(loaded.config, kind)

    def __call__(self) -> Reloaded:
        """Give the new policy, or why there is none."""
        try:
            fresh = self._load()
            plan = self._rules.prepare(fresh.config)
        except ConfigError as error:
            logger.error("configuration not taken, the old one stays in force:\n%s", error)  # noqa: TRY400
            return Reloaded(
                ConfigHealth(success=False, loaded_wall_ns=self._health.loaded_wall_ns, detail=str(error))
            )
        for problem in fresh.warnings:
            logger.warning("%s", problem)
        for key in changed_needing_restart(self._loaded.config, fresh.config):
            logger.warning("configuration key %s takes effect at the next start", key)
        settings = replace(
            sampler_settings(fresh.config, self._kind),
            interval_ns=self._settings.interval_ns,
            log_format=self._settings.log_format,
        )
        if settings != self._settings:
            self._supervisor.reconfigure(settings)
        self._settings = settings
        self._rules.apply(plan)
        logging.getLogger().setLevel(fresh.config.log.level.value.upper())
        is_repriced = prices_changed(self._loaded.config, fresh.config)
        self._loaded = fresh
        self._health = ConfigHealth(loaded_wall_ns=self._clock.now().wall_ns)
        logger.info("configuration read again: file=%s", fresh.path)
        policies = Policies(
            host_policy(fresh.config),
            usage_settings(fresh.config),
            fresh_limit_ns(settings.interval_ns),
            partial(self._prices, fresh.config) if is_repriced else None,
        )
        return Reloaded(self._health, policies)
