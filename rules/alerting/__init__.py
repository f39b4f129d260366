"""Prometheus's rules evaluated over time: recorded series and alerts. What stands here is all that others may use."""

from .alert import DEFAULT_RESEND_DELAY_MS, RESOLVED_RETENTION_MS, Alert, AlertState, Hold
from .engine import EngineSettings, GroupEngine, RuleOutcome
from .expansion import ExternalNames
from .model import AlertingRule, RecordingRule, Rule, RuleGroup
from .restore import RestoreSettings
from .resume import GroupMemory, KeptAlert
from .schedule import Due, Schedule
from .storage import AppendableStorage, Refusal, SampleRefusedError

__all__ = [
    "DEFAULT_RESEND_DELAY_MS",
    "RESOLVED_RETENTION_MS",
    "Alert",
    "AlertState",
    "AlertingRule",
    "AppendableStorage",
    "Due",
    "EngineSettings",
    "ExternalNames",
    "GroupEngine",
    "GroupMemory",
    "Hold",
    "KeptAlert",
    "RecordingRule",
    "Refusal",
    "RestoreSettings",
    "Rule",
    "RuleGroup",
    "RuleOutcome",
    "SampleRefusedError",
    "Schedule",
]
