"""Reading pages back with prometheus_client's own parsers."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from wattledger.exporter.render import Format, Renderer
from wattledger.exporter.snapshot import Snapshot

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(families: Iterable[Metric]) -> Samples:
    """Give every sample by name and labels; a repeated one fails."""
    found: Samples = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"repeated: {key}"
            found[key] = float(sample.value)  # float64 is what Prometheus keeps
    return found


def parsed(page: bytes, page_format: Format = Format.TEXT) -> list[Metric]:
    """Give the families of a page."""
    parse = parse_text if page_format is Format.TEXT else parse_openmetrics
    return list(parse(page.decode()))


def read(snapshot: Snapshot) -> Samples:
    """Render *snapshot* as text and give its samples."""
    return samples_of(parsed(Renderer().render(snapshot, Format.TEXT)))


def series(samples: Samples, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
    """Give the samples of *name* that have at least *labels*."""
    wanted = set(labels.items())
    return {found: value for (sample, found), value in samples.items() if sample == name and wanted <= found}


def value(samples: Samples, name: str, **labels: str) -> float:
    """Give the one sample of *name* with at least *labels*."""
    (found,) = series(samples, name, **labels).values()
    return found
