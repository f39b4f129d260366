"""Colours that mean the same on every dashboard, by the value of a label; Grafana's own names of colours."""

from collections.abc import Mapping
from types import MappingProxyType

GOOD, WARNING, BAD, NEUTRAL = "green", "orange", "red", "blue"

# The order is that of a stack from the bottom, and of the numbers that stand for states in timelines.
STATES: Mapping[str, str] = MappingProxyType(
    {
        "active": "green",
        "held": "red",
        "allocated": "orange",
        "parked": "yellow",
        "unobserved": "#8e8e8e",
        "unknown": "purple",
    }
)
ACCOUNTINGS: Mapping[str, str] = MappingProxyType({"location": "dark-orange", "market": "dark-blue"})
LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "onsite": "dark-green",
        "storage": "semi-dark-green",
        "direct_line": "green",
        "contract_intra": "light-green",
        "contract_inter": "light-blue",
        "certificates": "light-purple",
        "grid": "#8e8e8e",
    }
)
PHASES: Mapping[str, str] = MappingProxyType(
    {
        "serving": "green",
        "idle": "red",
        "starting": "yellow",
        "restart": "#8e8e8e",
        "unread": "purple",
    }
)
FEED_STATES: Mapping[str, str] = MappingProxyType({"fresh": "green", "late": "orange", "stale": "red"})
