"""Which pages are another server's, passed on by something in front of it; whose they are then is not its matter.

A web server that passes every path on to the inference server beside it (a login, TLS, one port for several servers)
shows that server's page as its own. Counted as a service, its tokens would be there twice.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from wattledger.rules.tokens.spec import Labels

from .access import Access
from .fetch import FetchError
from .page import PageError
from .reader import PageReader

SIBLINGS_LIMIT = 16  # servers that one page is held against
_COUNTER_ENDS = ("_total", "_sum", "_count")

Counters = Mapping[tuple[str, Labels], float]


class Likeness(StrEnum):
    """What a page is, held against those of the servers beside it."""

    OWN = "own"  # it counts something else
    PASSED_ON = "passed_on"  # all of its counters are those of one of them, at the same moment
    UNTOLD = "untold"  # nothing was counted yet, or somebody did not answer


Page = tuple[Access, str]
"""Where a page is: at which server, at which path."""


def likeness(reader: PageReader, page: Page, siblings: Collection[Page]) -> Likeness:
    """Tell whose *page* is, by reading it between two reads of each of *siblings*. May wait for all of them."""
    before = [_counters(reader, sibling) for sibling in siblings]
    own = _counters(reader, page)
    after = [_counters(reader, sibling) for sibling in siblings]
    if own is None or not any(own.values()):
        return Likeness.UNTOLD
    pairs = list(zip(before, after, strict=True))
    if any(first is not None and last is not None and _is_between(first, own, last) for first, last in pairs):
        return Likeness.PASSED_ON
    is_told = all(first is not None and last is not None for first, last in pairs)
    return Likeness.OWN if is_told else Likeness.UNTOLD


def _is_between(first: Counters, own: Counters, last: Counters) -> bool:
    """Tell whether *own* may be a page of a server between two others of the same one: no counter falls."""
    return (
        first.keys() <= own.keys() <= last.keys()
        and all(own[key] >= value for key, value in first.items())
        and all(last[key] >= value for key, value in own.items())
    )


def _counters(reader: PageReader, page: Page) -> Counters | None:
    """Give what counts up on a page, of all that the catalogue knows; None where it cannot be read."""
    access, path = page
    try:
        samples = reader.samples(access.get(path)).samples
    except (FetchError, PageError):
        return None
    return {(name, labels): value for name, labels, value in samples if name.endswith(_COUNTER_ENDS)}
