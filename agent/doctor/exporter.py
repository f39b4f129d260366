"""Checks of a dcgm-exporter: the one that is configured, or whether there is one that could be read."""

from collections.abc import Iterator

from wattledger.agent.config import SourceMode
from wattledger.agent.sources.base import SourceError
from wattledger.agent.sources.dcgm_address import read_exporter
from wattledger.agent.sources.dcgm_page import NoGpusError, PagedBoard
from wattledger.agent.tokens.page import PageError
from wattledger.exporter.landing_text import ranges
from wattledger.rules.quantity import Quantity

from .finding import Finding, limited, missing, present
from .surroundings import Surroundings

_NAME = "dcgm-exporter"
_WANTED = (
    (Quantity.ENERGY_MJ, "no energy counter: power is summed up", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"),
    (Quantity.CLOCK_MAX_SM_HZ, "no highest clock: held is not told from parked", "DCGM_FI_DEV_MAX_SM_CLOCK"),
)


def check_exporter(at: Surroundings) -> Iterator[Finding]:
    """Say what the exporter gives that is to be read, or that one answers where it usually does."""
    configured = at.config.source.kind is SourceMode.DCGM
    url = at.config.source.url if configured else at.exporter_url
    try:
        boards = _boards(url)
    except (SourceError, NoGpusError, PageError) as failed:
        if configured:
            why, _, cure = str(failed).partition("; ")
            yield missing(_NAME, why, cure, essential=True)
        else:
            yield missing(_NAME, f"none is read on {url}; where NVML works none is needed")
        return
    told = f"{url} has {len(boards)} GPU{'s' if len(boards) > 1 else ''}"
    if not configured:
        yield present(_NAME, f"{told}: `--source dcgm` reads them without NVML, with less (docs/dcgm-source.md)")
        return
    lacks = [_lack(boards, quantity, why) for quantity, why, _ in _WANTED]
    if not any(lacks):
        yield present(_NAME, told, essential=True)
        return
    names = [name for lack, (_, _, name) in zip(lacks, _WANTED, strict=True) if lack]
    yield limited(
        _NAME, "; ".join((told, *filter(None, lacks))), f"add {' and '.join(names)} to its list of values (-f)"
    )


def _boards(url: str) -> tuple[PagedBoard, ...]:
    from wattledger.agent.sources.dcgm_fetch import PageFetch  # noqa: PLC0415  (an HTTP client)
    from wattledger.agent.sources.dcgm_page import read_page  # noqa: PLC0415

    body = PageFetch(read_exporter(url)).get()
    return read_page(body.content, is_framed=body.is_framed).boards


def _lack(boards: tuple[PagedBoard, ...], quantity: Quantity, why: str) -> str:
    without = [board.identity.index for board in boards if quantity not in board.values]
    return f"GPU {ranges(without)}: {why}" if without else ""
