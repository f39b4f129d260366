"""How a group of alerts is worded for a webhook: Alertmanager's format, version 4; it keeps and sends nothing.

Source: prometheus/alertmanager docs/configuration.md (webhook_config), template/template.go (Data).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wattledger.rules.promql.model import Labels

from .alertmanager import texts
from .fingerprint import fingerprint
from .model import Notice
from .plain import NO_MOMENT, encodable, rfc3339


@dataclass(frozen=True, slots=True)
class Telling:
    """What a webhook is told at once: all alerts of one name, those that fire and those that have ended."""

    receiver: str
    alert_name: str
    notices: tuple[Notice, ...]
    external_url: str = ""


def encode_telling(telling: Telling) -> bytes:
    """Write *telling* as JSON."""
    from msgspec import json  # noqa: PLC0415  (only where alerts are sent)

    notices = telling.notices
    name = encodable(telling.alert_name)
    return json.encode(
        {
            "receiver": encodable(telling.receiver),
            "status": _status(resolved=all(notice.resolved for notice in notices)),
            "alerts": [_alert(notice) for notice in notices],
            "groupLabels": {"alertname": name},
            "commonLabels": texts(_common(notice.labels for notice in notices)),
            "commonAnnotations": texts(_common(notice.annotations for notice in notices)),
            "externalURL": telling.external_url,
            "version": "4",
            "groupKey": f"{{}}:{{alertname={_quoted(name)}}}",
            "truncatedAlerts": 0,
        }
    )


def _alert(notice: Notice) -> dict[str, object]:
    return {
        "status": _status(resolved=notice.resolved),
        "labels": texts(notice.labels),
        "annotations": texts(notice.annotations),
        "startsAt": rfc3339(notice.starts_at_ms),
        "endsAt": rfc3339(notice.ends_at_ms) if notice.resolved else NO_MOMENT,
        "generatorURL": notice.generator_url,
        "fingerprint": fingerprint(notice.labels),
    }


def _status(*, resolved: bool) -> str:
    return "resolved" if resolved else "firing"


def _common(sets: Iterable[Labels]) -> Labels:
    first, *others = map(frozenset, sets)
    return tuple(sorted(first.intersection(*others)))


def _quoted(text: str) -> str:
    # As Go's %q does for what a Prometheus alert name can be; others keep their characters.
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
