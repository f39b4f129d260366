"""Configuration of the demo for programs on this machine: that of the containers, with other addresses."""

from pathlib import Path

import yaml

from .ports import Ports

COMPOSE = Path(__file__).resolve().parents[1]
WATTLEDGER = COMPOSE / "wattledger.yml"
ALERTMANAGER = COMPOSE / "alertmanager.yml"
PROMETHEUS = COMPOSE / "prometheus.yml"
# As compose.yml names them.
_PAGE, _ALERTMANAGER = "wattledger:9889", "alertmanager:9093"


def prometheus(ports: Ports) -> str:
    """Give the configuration of Prometheus. Raises KeyError when prometheus.yml names other addresses."""
    names = {_PAGE: ports.page.address, _ALERTMANAGER: ports.alertmanager.address}
    text = PROMETHEUS.read_text(encoding="utf-8")
    tree = yaml.safe_load(text)
    tree["rule_files"] = [str((COMPOSE / name).resolve()) for name in tree["rule_files"]]
    for entry in (*tree["scrape_configs"], *tree["alerting"]["alertmanagers"]):
        for targets in entry["static_configs"]:
            targets["targets"] = [names[target] for target in targets["targets"]]
    written: str = yaml.safe_dump(tree, sort_keys=False)
    return written
