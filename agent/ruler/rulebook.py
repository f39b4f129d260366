"""The rules that a configuration names, read as one: packs with their thresholds, and files of the operator."""

from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.alerting import RuleGroup

from ..config import ConfigError
from ..config.problem import Problem, in_order
from ..config.schema import Rules
from ..config.values import is_pattern
from ..rulefiles import LoadedRules, catalogue_findings, load_pack, load_rule_file


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules that can be evaluated, and what should be looked at though they can."""

    groups: tuple[RuleGroup, ...]
    warnings: tuple[Problem, ...] = ()


def _matching(path: Path) -> list[Path]:
    """Give the files that *path* stands for, in order of their names; one that is no pattern stands for itself."""
    return sorted(path.parent.glob(path.name)) if is_pattern(path) else [path]


def load_rulebook(rules: Rules) -> Rulebook:
    """Read every pack and file of *rules*, whose packs and thresholds were found right.

    Raises ConfigError with every mistake in the files.
    """
    packs = [load_pack(name, rules.variables) for name in rules.packs]
    files = [load_rule_file(path) for named in rules.files for path in _matching(named)]
    everything: tuple[LoadedRules, ...] = (*packs, *files)
    problems = [problem for file in everything for problem in file.problems]
    warnings = [warning for file in files for warning in file.warnings]
    if not problems:
        findings = catalogue_findings(everything)
        problems += findings.problems
        warnings += findings.warnings
    if problems:
        raise ConfigError(in_order(problems), in_order(warnings))
    return Rulebook(tuple(group for file in everything for group in file.groups), in_order(warnings))
