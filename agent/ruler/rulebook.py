"""The rules that a configuration names, read as one: packs with their thresholds, and files of the operator."""

from dataclasses import dataclass

from wattledger.rules.alerting import RuleGroup

from ..config import ConfigError
from ..config.problem import Problem, in_order
from ..config.schema import Rules
from ..rulefiles import LoadedRules, catalogue_findings, load_pack, load_rule_file


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules that can be evaluated, and what should be looked at though they can."""

    groups: tuple[RuleGroup, ...]
    warnings: tuple[Problem, ...] = ()


def load_rulebook(rules: Rules) -> Rulebook:
    """Read every pack and file of *rules*, whose packs and thresholds were found right.

    Raises ConfigError with every mistake in the files.
    """
    packs = [load_pack(name, rules.variables) for name in rules.packs]
    files = [load_rule_file(path) for path in rules.files]
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
