"""What `wattledger check` has to say of a rule file: all that loading tells, then what the catalogue tells."""

from pathlib import Path

from wattledger.rules.alerting import RecordingRule

from ..config.problem import in_order
from .catalogue_check import Findings, catalogue_findings
from .load import load_rule_file
from .packs import load_pack, pack_names


def check_rule_file(path: Path) -> Findings:
    """Give what is wrong with the rule file at *path*, and what should be looked at though it can be used."""
    loaded = load_rule_file(path)
    if loaded.problems:
        return Findings(loaded.problems, loaded.warnings)
    findings = catalogue_findings((loaded,), recorded=_recorded_by_packs())
    return Findings(findings.problems, in_order((*loaded.warnings, *findings.warnings)))


def _recorded_by_packs() -> frozenset[str]:
    """Give the names of the series that the shipped packs record."""
    groups = (group for name in pack_names() for group in load_pack(name, {}).groups)
    return frozenset(rule.record for group in groups for rule in group.rules if isinstance(rule, RecordingRule))
