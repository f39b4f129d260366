"""Rule files and their unit tests. What stands here is all that others may use."""

from .load import LoadedRules, check_rule_file, load_rule_file
from .test_runner import run_rule_tests

__all__ = ["LoadedRules", "check_rule_file", "load_rule_file", "run_rule_tests"]
