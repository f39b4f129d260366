"""The configuration of the agent: one YAML file, variables and flags to one typed, immutable value."""

from .environment import Overrides
from .load import LoadedConfig, changed_needing_restart, load_config, prices_changed
from .problem import ConfigError, Place, Problem
from .schema import Config, Correction, Gpus, Log, Maintenance, Ownership, States
from .values import GpuReference, KubernetesMode, LogLevel, SourceChoice, SourceMode

__all__ = [
    "Config",
    "ConfigError",
    "Correction",
    "GpuReference",
    "Gpus",
    "KubernetesMode",
    "LoadedConfig",
    "Log",
    "LogLevel",
    "Maintenance",
    "Overrides",
    "Ownership",
    "Place",
    "Problem",
    "SourceChoice",
    "SourceMode",
    "States",
    "changed_needing_restart",
    "load_config",
    "prices_changed",
]
