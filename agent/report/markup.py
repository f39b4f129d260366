"""Texts of others in the page: names of workloads and models are whatever somebody chose to call them."""

from wattledger.exporter.landing_text import escaped

_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def safe(text: str) -> str:
    """Give *text* for content and quoted attributes; what is not printable could turn the line and goes."""
    return escaped("".join(one if one.isprintable() or one == "\n" else _INSTEAD for one in text))
