"""Chooses page format and compression from a request's Accept headers (RFC 9110 section 12.5); it renders nothing."""

from __future__ import annotations

from .render import Format

# What each format matches, most specific first, with the versions a range may name; none named fits too.
_RANGES: dict[Format, tuple[tuple[str, ...], str]] = {
    Format.TEXT: (("text/plain", "text/*", "*/*"), "0.0.4"),
    Format.OPENMETRICS: (("application/openmetrics-text", "application/*", "*/*"), "1.0.0"),
}


def page_format(accept: str | None) -> Format:
    """Give the format of the highest quality; at equal quality, or when none is acceptable, plain text.

    Plain text for everybody else, rather than 406: what asks for neither format is a person or a simple tool.
    """
    ranges = _parsed(accept or "")
    text, open_metrics = _quality(ranges, Format.TEXT), _quality(ranges, Format.OPENMETRICS)
    return Format.OPENMETRICS if open_metrics > text else Format.TEXT


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Tell whether gzip is acceptable and not less welcome than no compression."""
    qualities = {name: quality for name, _, quality in _parsed(accept_encoding or "")}
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _quality(ranges: list[tuple[str, str, float]], wanted: Format) -> float:
    names, version = _RANGES[wanted]
    for name in names:
        found = [quality for given, asked, quality in ranges if given == name and asked in ("", version)]
        if found:
            return max(found)
    return 0.0


def _parsed(header: str) -> list[tuple[str, str, float]]:
    """Give name, version parameter and quality of each element; one with a malformed quality is left out."""
    parsed = []
    for element in header.split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        version, quality = "", 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            match key.strip().lower():
                case "version":
                    version = value.strip().strip('"')
                case "q":
                    quality = _weight(value.strip())
        if name and quality >= 0:
            parsed.append((name.lower(), version, quality))
    return parsed


def _weight(text: str) -> float:
    """Give the quality, -1 for what is none; digits and a dot only, since float() takes nan, inf and underscores."""
    whole, _, fraction = text.partition(".")
    if whole not in ("0", "1") or not (fraction == "" or (fraction.isascii() and fraction.isdigit())):
        return -1.0
    weight = float(text)
    return weight if weight <= 1 else -1.0
