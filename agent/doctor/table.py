"""Findings as text of at most 100 columns and as JSON; it judges nothing."""

import textwrap
from collections.abc import Sequence

import msgspec

from .finding import Finding, Status

WIDTH = 100
_STATUS, _NAME = 9, 31
_INDENT = " " * (_STATUS + _NAME)


def as_text(findings: Sequence[Finding]) -> str:
    """Give the table and a last line that sums it up. What is essential and missing stands in capitals."""
    lines = [f"{'STATUS':<{_STATUS}}{'CAPABILITY':<{_NAME}}FOUND"]
    for finding in findings:
        lines += _rows(finding)
    lost = [_name(finding) for finding in essential_missing(findings)]
    lines.append("")
    lines += textwrap.wrap(
        f"Nothing essential is missing ({len(findings)} capabilities looked at)."
        if not lost
        else f"Essential and missing: {', '.join(lost)}.",
        WIDTH,
    )
    return "\n".join(lines) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """Give the same for programs: {"ok": ..., "findings": [...]}."""
    body = {"ok": not essential_missing(findings), "findings": list(findings)}
    return msgspec.json.format(msgspec.json.encode(body)).decode() + "\n"


def essential_missing(findings: Sequence[Finding]) -> list[Finding]:
    """Give what keeps the agent from its work."""
    return [finding for finding in findings if finding.essential and finding.status is Status.MISSING]


def _wrap(text: str, width: int, *, indent: str = "") -> list[str]:
    """Break lines between words only: a path or a command is there to be copied."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def _name(finding: Finding) -> str:
    return f"{finding.subject}: {finding.capability}" if finding.subject else finding.capability


def _rows(finding: Finding) -> list[str]:
    status = finding.status.upper() if finding in essential_missing([finding]) else finding.status.value
    room = WIDTH - len(_INDENT)
    found = _wrap(finding.why, room) or [""]
    rows = [f"{status:<{_STATUS}}{_name(finding):<{_NAME}}{found[0]}".rstrip()]
    rows += [_INDENT + line for line in found[1:]]
    if finding.cure and finding.status is not Status.PRESENT:
        rows += [_INDENT + line for line in _wrap(f"cure: {finding.cure}", room, indent="      ")]
    return rows
