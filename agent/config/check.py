"""What `wattledger check FILE` prints about one file; what is right and wrong is known by the parts it asks."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from .document import Document, read_document
from .duration import format_duration
from .environment import Overrides
from .facility_schema import Facility
from .load import settle
from .problem import ConfigError, Origin, Place, Problem, escaped
from .scalars import decimal_text
from .schema import Config
from .tariff_schema import Tariff

# The top-level key by which a Prometheus rule file is told from a configuration.
RULES_KEY = "groups"


def check_file(path: Path, out: TextIO, environment: Mapping[str, str], *, err: TextIO | None = None) -> int:
    """Check a configuration or rule file; give the exit code: 0 when it can be used, 1 when not.

    A good file is told on *out* with its effective settings, problems and warnings go to *err* (standard error).
    """
    err = sys.stderr if err is None else err
    document = read_document(path)
    try:
        if document.root.has(RULES_KEY):
            settings, warnings = "", _check_rules(path)
        else:
            settings, warnings = _check_config(document, environment)
    except ConfigError as error:
        err.writelines(f"{problem}\n" for problem in error.problems)
        err.writelines(f"warning: {warning}\n" for warning in error.warnings)
        return 1
    err.writelines(f"warning: {warning}\n" for warning in warnings)
    out.write(f"{Place(document.origin)}: ok\n{settings}")
    return 0


def _check_rules(path: Path) -> tuple[Problem, ...]:
    """Give the warnings of a rule file. Raises ConfigError."""
    from ..rulefiles import check_rule_file  # noqa: PLC0415  (rules read documents, so they import this package)

    findings = check_rule_file(path)
    if findings.problems:
        raise ConfigError(findings.problems, findings.warnings)
    return findings.warnings


def _check_config(document: Document, environment: Mapping[str, str]) -> tuple[str, tuple[Problem, ...]]:
    """Give the settings in force and the warnings, those of the rule files it names included. Raises ConfigError."""
    from ..ruler.rulebook import load_rulebook  # noqa: PLC0415  (as above)

    config, warnings = settle(document, environment=environment, overrides=Overrides(), is_root=None)
    rulebook = load_rulebook(config.rules)
    if config.web_config is not None:
        _check_web_config(config.web_config)
    settings = "".join(f"  {key:<11} {escaped(text)}\n" for key, text in summary(config).items())
    return settings, (*warnings, *rulebook.warnings)


def _check_web_config(path: Path) -> None:
    """Read TLS and users of the page as the daemon does at its start. Raises ConfigError."""
    from wattledger.exporter.http import WebConfigError, check_web_config  # noqa: PLC0415  (where there is one)

    try:
        check_web_config(path)
    except WebConfigError as error:
        place = Place(Origin(str(path), path.parent), error.line)
        raise ConfigError((Problem(place, "", f"{error.problem}; {error.cure}"),)) from error


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
        "carbon": f"feeds={len(config.carbon.feeds)} residual={len(config.carbon.residual)}"
        f" marginal={len(config.carbon.marginal)} carbon_free={len(config.carbon.carbon_free)}"
        f" open={format_duration(config.carbon.open_ns)}",
        "supply": f"entries={len(config.supply)}",
        "facility": _facility(config.facility),
        "tariff": "none" if config.tariff is None else _tariff(config.tariff),
        "rules": f"packs={','.join(config.rules.packs) or 'none'} files={len(config.rules.files)}"
        f" vars={len(config.rules.variables)} interval={format_duration(config.rules.interval_ns)}",
        "alerts": f"alertmanagers={len(config.alerts.alertmanagers)} webhooks={len(config.alerts.webhooks)}"
        f" log={'yes' if config.alerts.log else 'no'}",
    }


def _facility(facility: Facility) -> str:
    if facility.pue_millionths is not None:
        return f"pue={decimal_text(facility.pue_millionths, 6)}"
    return "none" if facility == Facility() else "by meter or chain"


def _tariff(tariff: Tariff) -> str:
    prices = "feed" if tariff.feed is not None else f"periods={len(tariff.periods)}"
    return f"currency={tariff.currency} {prices}"
