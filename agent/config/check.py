"""What `wattledger check FILE` prints about one file; what is right and wrong is known by the parts it asks."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TextIO

from .document import Document, read_document
from .duration import format_duration
from .environment import Overrides
from .load import settle
from .problem import ConfigError, Place, Problem, escaped
from .scalars import decimal_text
from .schema import Config

# The top-level key by which a Prometheus rule file is told from a configuration.
RULES_KEY = "groups"


class RuleChecker(Protocol):
    """Checks a file of rules."""

    def __call__(self, path: Path) -> tuple[Problem, ...]:
        """Give what is wrong with the rules in *path*, nothing when they can be used."""
        ...


def rules_not_supported(path: Path) -> tuple[Problem, ...]:
    """Say that this version has no rules: the place where a checker of rules comes in."""
    document = read_document(path)
    return (Problem(Place(document.origin), "", "rule files: not part of this version"),)


def check_file(
    path: Path,
    out: TextIO,
    environment: Mapping[str, str],
    *,
    err: TextIO | None = None,
    rule_checker: RuleChecker = rules_not_supported,
) -> int:
    """Check a configuration or rule file; give the exit code: 0 when it can be used, 1 when not.

    A good file is told on *out* with its effective settings, problems and warnings go to *err* (standard error).
    """
    err = sys.stderr if err is None else err
    document = read_document(path)
    if document.root.has(RULES_KEY):
        problems = rule_checker(path)
        err.writelines(f"{problem}\n" for problem in problems)
        if not problems:
            out.write(f"{Place(document.origin)}: ok\n")
        return 1 if problems else 0
    return _check_config(document, out, err, environment)


def _check_config(document: Document, out: TextIO, err: TextIO, environment: Mapping[str, str]) -> int:
    try:
        config, warnings = settle(document, environment=environment, overrides=Overrides(), is_root=None)
    except ConfigError as error:
        err.writelines(f"{problem}\n" for problem in error.problems)
        err.writelines(f"warning: {warning}\n" for warning in error.warnings)
        return 1
    err.writelines(f"warning: {warning}\n" for warning in warnings)
    out.write(f"{Place(document.origin)}: ok\n")
    out.writelines(f"  {key:<11} {escaped(text)}\n" for key, text in summary(config).items())
    return 0


def summary(config: Config) -> dict[str, str]:
    """Give the effective settings, one line of text for each top-level key."""
    gpus, states = config.gpus, config.states
    return {
        "listen": str(config.listen),
        "interval": format_duration(config.interval_ns),
        "state_dir": str(config.state_dir),
        "source": str(config.source),
        "web_config": "none" if config.web_config is None else str(config.web_config),
        "history": format_duration(config.history_ns),
        "log": f"level={config.log.level} format={config.log.format}",
        "gpus": f"energy={gpus.energy} corrections={len(gpus.corrections)} exclude={len(gpus.exclude)}",
        "states": f"dwell={format_duration(states.dwell_ns)} activity={decimal_text(states.activity_ppm, 6)}"
        f" maintenance={len(states.maintenance)}",
        "owners": f"gpus={sum(len(ownership.gpus) for ownership in config.owners)}",
    }
