"""From command-line options to a configuration, the same way for every command; says aloud what it refuses."""

import argparse
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from wattledger.agent.config import ConfigError, LoadedConfig, Overrides, load_config
from wattledger.agent.logs import set_up_logs

DEFAULT_CONFIG = Path("/etc/wattledger/wattledger.yaml")
logger = logging.getLogger(__name__)


def load(options: argparse.Namespace, environment: Mapping[str, str]) -> LoadedConfig:
    """Give the configuration in force. Raises ConfigError."""
    path: Path | None = options.config
    if path is None and not environment.get("WATTLEDGER_CONFIG") and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    flags = ("listen", "interval", "state_dir", "source", "web_config", "log_level")
    overrides = Overrides(**{name: getattr(options, name, None) for name in flags})
    return load_config(path, environment=environment, overrides=overrides)


def load_or_explain(options: argparse.Namespace, environment: Mapping[str, str]) -> LoadedConfig | None:
    """Give the configuration and set up logging by it; None when it was refused, with the reasons on stderr."""
    try:
        loaded = load(options, environment)
    except ConfigError as error:
        for problem in (*error.problems, *error.warnings):
            print(problem, file=sys.stderr)
        return None
    set_up_logs(loaded.config.log.level, loaded.config.log.format)
    for problem in loaded.warnings:
        logger.warning("%s", problem)
    return loaded
