"""A report as JSON, for programs."""

import json

from wattledger.rules.report.model import Report

from .values import report_values


def json_report(report: Report) -> str:
    """Give the whole report; what is not known is null."""
    return json.dumps(report_values(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
