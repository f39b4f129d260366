"""A report as CSV (RFC 4180): the rows of the table; an empty cell is what is not known."""

import csv
import io

from wattledger.rules.report.model import Report

from .values import Value, table_columns, table_values

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_report(report: Report) -> str:
    """Give the table of *report* with a header, energies in joules; the header alone where it has no row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=table_columns(report), lineterminator="\r\n")
    writer.writeheader()
    for row in table_values(report):
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return out.getvalue()


def _cell(value: Value) -> Value:
    """Give a cell; a text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value
