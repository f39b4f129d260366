"""Writes a snapshot as Prometheus text or OpenMetrics; what the families mean is the catalogue's matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from .catalog import (
    FAMILIES,
    Family,
    Kind,
    Subjects,
    subjects_of,
)

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import Snapshot


class Format(StrEnum):
    """The two page formats; the value is the exact Content-Type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


_LABEL_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})

# Texts kept beyond twice those of the last page, so that small families do not drop theirs over and over.
_SPARE_TEXTS = 64


def storable(text: str) -> str:
    """Give *text* as UTF-8 can hold it: surrogates that are no pair become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def label_text(names: Iterable[str], values: Iterable[str]) -> str:
    """Give `name="value"` pairs, escaped and joined by commas."""
    return ",".join(
        f'{name}="{storable(value).translate(_LABEL_ESCAPES)}"' for name, value in zip(names, values, strict=True)
    )


def _metadata(family: Family) -> dict[Format, str]:
    # The exposition formats differ in nothing but this: Prometheus knows counters by their full name and no info.
    described = family.help.translate(_HELP_ESCAPES)
    prometheus_type = "gauge" if family.kind is Kind.INFO else family.kind
    stem, unit = family.stem, family.unit
    open_metrics = f"# HELP {stem} {family.help.translate(_LABEL_ESCAPES)}\n# TYPE {stem} {family.kind}\n"
    return {
        Format.TEXT: f"# HELP {family.name} {described}\n# TYPE {family.name} {prometheus_type}\n",
        Format.OPENMETRICS: open_metrics + (f"# UNIT {stem} {unit}\n" if unit else ""),
    }


@dataclass(slots=True)
class _Plan:
    """What of a family's lines stays the same from page to page."""

    family: Family
    head: str
    metadata: dict[Format, str]
    tails: dict[tuple[str, ...], str] = field(default_factory=dict)  # own labels, up to the value

    def tail(self, extra: tuple[str, ...]) -> str:
        """Give the text between the common labels and the value, and keep it."""
        base_labels = self.family.base_labels
        own = label_text(self.family.labels, extra)
        comma = "," if base_labels and own else ""
        brace = "}" if base_labels or own else ""
        self.tails[extra] = text = f"{comma}{own}{brace} "
        return text


class Renderer:
    """Renders snapshots; keeps the label text of devices, and of them only those on the last page.

    Not thread-safe: its owner holds a lock.
    """

    def __init__(self, families: Iterable[Family] = FAMILIES) -> None:
        self._plans = [
            _Plan(
                family=family,
                head=family.name + ("{" if family.all_labels else ""),
                metadata=_metadata(family),
            )
            for family in families
        ]
        self._bases: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}

    @property
    def texts_kept(self) -> int:
        """Give how many label texts are kept for the next page."""
        return len(self._bases) + sum(len(plan.tails) for plan in self._plans)

    def render(self, snapshot: Snapshot, page_format: Format) -> bytes:
        """Give the page of *snapshot*. A family without a row is left out."""
        subjects = self._subjects(snapshot)
        lines: list[str] = []
        for plan in self._plans:
            self._render_family(plan, subjects, page_format, lines)
        if page_format is Format.OPENMETRICS:
            lines.append("# EOF\n")
        return "".join(lines).encode()

    @staticmethod
    def _render_family(plan: _Plan, subjects: Subjects[str], page_format: Format, lines: list[str]) -> None:
        head, tails, add = plan.head, plan.tails, lines.append
        add(plan.metadata[page_format])
        before = len(lines)
        for base, rows in plan.family.blocks(subjects):
            for extra, value in rows:
                # repr gives the shortest text that reads back as the same float64, and integers in full.
                add(f"{head}{base}{tails.get(extra) or plan.tail(extra)}{value!r}\n")
        written = len(lines) - before
        if not written:
            lines.pop()
        if len(tails) > 2 * written + _SPARE_TEXTS:
            tails.clear()

    def _subjects(self, snapshot: Snapshot) -> Subjects[str]:
        kept, bases = self._bases, {}

        def text(names: tuple[str, ...], values: tuple[str, ...]) -> str:
            key = (names, values)
            known = kept.get(key)
            bases[key] = known = label_text(names, values) if known is None else known
            return known

        subjects = subjects_of(snapshot, labelled=text, nothing="")
        self._bases = bases
        return subjects
