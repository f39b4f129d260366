"""From the configuration to what the rule thread works by; every file is read and everything refused here."""

import zlib
from dataclasses import replace
from pathlib import Path

from wattledger.exporter.delivery import Receiver, ReceiverError, ReceiverKind, check_receivers, told_apart
from wattledger.rules.alerting import EngineSettings, ExternalNames
from wattledger.rules.promql.model import Labels

from ..config import Config, ConfigError, Place, Problem
from ..config.problem import Origin
from ..config.schema import Alerts, Endpoint, Webhook
from .rulebook import load_rulebook
from .settings import RulePlan, RuleSettings, Telling

_NS_PER_MS = 1_000_000


def plan_of(config: Config, *, host_name: str, page_url: str) -> RulePlan:
    """Read the rules that *config* names; *page_url* is where this host's page is where the configuration has none.

    Raises ConfigError.
    """
    rulebook = load_rulebook(config.rules)
    labels = _external_labels(config, host_name)
    url = config.alerts.external_url or page_url
    settings = RuleSettings(
        groups=rulebook.groups,
        interval_ms=config.rules.interval_ns // _NS_PER_MS,
        resend_delay_ms=config.alerts.resend_ns // _NS_PER_MS,
        engine=EngineSettings(external=ExternalNames(labels, url)),
        # Spread over the interval, so that a fleet does not call on its Alertmanager all at once.
        offset_ms=zlib.crc32(host_name.encode("utf-8", "surrogateescape")),
    )
    telling = Telling(external_labels=labels, generator_url=url, log=config.alerts.log)
    return RulePlan(settings, telling, receivers_of(config.alerts), rulebook.warnings)


def receivers_of(alerts: Alerts) -> tuple[Receiver, ...]:
    """Give the receivers that *alerts* names. Raises ConfigError."""
    receivers: list[Receiver] = []
    for kind, endpoints in (
        (ReceiverKind.ALERTMANAGER, alerts.alertmanagers),
        (ReceiverKind.WEBHOOK, alerts.webhooks),
    ):
        for number, endpoint in enumerate(endpoints):
            try:
                receivers.append(_receiver(kind, endpoint))
                check_receivers(told_apart(receivers))
            except ReceiverError as error:
                origin = Origin("configuration", Path())
                raise ConfigError((Problem(Place(origin), f"alerts.{kind}s[{number}]", str(error)),)) from None
    return told_apart(receivers)


def _external_labels(config: Config, host_name: str) -> Labels:
    return tuple(sorted(({"instance": host_name} | dict(config.rules.external_labels)).items()))


def _receiver(kind: ReceiverKind, endpoint: Endpoint) -> Receiver:
    receiver = Receiver(
        kind,
        endpoint.url,
        timeout_ns=endpoint.timeout_ns,
        username=endpoint.username,
        password_file=endpoint.password_file,
        bearer_token_file=endpoint.bearer_token_file,
        ca_file=endpoint.ca_file,
        cert_file=endpoint.cert_file,
        key_file=endpoint.key_file,
    )
    if isinstance(endpoint, Webhook):
        return replace(receiver, send_resolved=endpoint.send_resolved, repeat_ns=endpoint.repeat_ns)
    return receiver
