"""The one list of every metric family; a name, unit, label or help text stands nowhere else.

A new device metric is a row in `rules.quantity`, its reading in the source, and one row here.
"""

from . import agent, carbon, device, energy, health, identity, mig, node, rules, services, workloads
from .energy import has_energy
from .family import (
    DEVICE_LABELS,
    INSTANCE_LABELS,
    WORKLOAD_NAMES,
    Family,
    Kind,
    Row,
    Subjects,
    is_live,
    subjects_of,
)

SECTIONS: tuple[tuple[str, tuple[Family, ...]], ...] = (
    ("Devices and their state", identity.FAMILIES),
    ("Power and energy", energy.FAMILIES),
    ("Sensors", device.FAMILIES),
    ("Links and errors", health.FAMILIES),
    ("MIG", mig.FAMILIES),
    ("Who used it", workloads.FAMILIES),
    ("Services and tokens", services.FAMILIES),
    ("Node and facility", node.FAMILIES),
    ("Carbon, supply and cost", carbon.FAMILIES),
    ("Rules and alerts", rules.FAMILIES),
    ("Source of samples", agent.SOURCE_FAMILIES),
    ("The agent itself", agent.AGENT_FAMILIES),
)

FAMILIES: tuple[Family, ...] = tuple(family for _, families in SECTIONS for family in families)

__all__ = [
    "DEVICE_LABELS",
    "FAMILIES",
    "INSTANCE_LABELS",
    "SECTIONS",
    "WORKLOAD_NAMES",
    "Family",
    "Kind",
    "Row",
    "Subjects",
    "has_energy",
    "is_live",
    "subjects_of",
]
