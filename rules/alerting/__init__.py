"""Prometheus's rules evaluated over time: recorded series and alerts. What stands here is all that others may use."""

from .alert import DEFAULT_RESEND_DELAY_MS, RESOLVED_RETENTION_MS, Alert, AlertState
from .engine import EngineSettings, GroupEngine, RuleOutcome
from .expansion import ExternalNames
from .model import AlertingRule, RecordingRule, Rule, RuleGroup
from .restore import RestoreSettings, SavedAlert
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
    "RecordingRule",
    "Refusal",
    "RestoreSettings",
    "Rule",
    "RuleGroup",
    "RuleOutcome",
    "SampleRefusedError",
    "SavedAlert",
    "Schedule",
]
