"""Rule files, the shipped packs and their unit tests. What stands here is all that others may use."""

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from .catalogue_check import Findings, catalogue_findings
from .check import check_rule_file
from .load import LoadedRules, load_rule_file
from .packs import DEFAULT_PACKS, FLEET_PACK, PackError, check_packs, check_variables, load_pack, pack_names
from .rule_fields import RuleSite
from .variables import MarkerError


def run_rule_tests(paths: Iterable[Path], out: TextIO, err: TextIO) -> int:
    """Run the unit tests of each file and tell the results; give the exit code: 0 when all hold, 1 when not."""
    from .test_runner import run_rule_tests as run  # noqa: PLC0415  (the daemon reads rules and runs no tests)

    return run(paths, out, err)


__all__ = [
    "DEFAULT_PACKS",
    "FLEET_PACK",
    "Findings",
    "LoadedRules",
    "MarkerError",
    "PackError",
    "RuleSite",
    "catalogue_findings",
    "check_packs",
    "check_rule_file",
    "check_variables",
    "load_pack",
    "load_rule_file",
    "pack_names",
    "run_rule_tests",
]
