"""Results as rows: what was measured, the budget, and whether it holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One budget. `holds` is None for a figure that is only told."""

    what: str
    measured: str
    budget: str = ""
    holds: bool | None = None


def render(title: str, rows: list[Row]) -> str:
    """Give a table in Markdown."""
    verdict = {True: "holds", False: "**MISSED**", None: ""}
    lines = [f"\n### {title}\n", "| what | measured | budget | |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.measured} | {row.budget} | {verdict[row.holds]} |" for row in rows]
    return "\n".join(lines)
