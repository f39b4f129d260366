"""HTTP to the parts of the demo: loopback only, past any proxy of the environment."""

import json
import urllib.request
from collections.abc import Mapping

_SECONDS = 2.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Tell whether a GET gives 200."""
    try:
        with _OPENER.open(url, timeout=_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def alerts(alertmanager: str) -> list[Mapping[str, Mapping[str, str]]]:
    """Give what fires in the Alertmanager at this URL; nothing while it does not answer."""
    try:
        with _OPENER.open(f"{alertmanager}api/v2/alerts?active=true", timeout=_SECONDS) as answer:
            found: list[Mapping[str, Mapping[str, str]]] = json.load(answer)
    except (OSError, ValueError):
        return []
    return found
