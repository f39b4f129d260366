"""When certificates were generated, and what cannot be meant of them: above all, counting beside their power."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from .problem import quoted
from .supply_schema import CertificateLot, SupplyEntry, SupplyKind

_WATTHOURS_OF_ONE = 1_000_000
_NO_SUPPLY = (SupplyKind.CERTIFICATES, SupplyKind.STORAGE)  # no certificates come with these
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lot_span(lot: CertificateLot, timezone: str) -> tuple[int, int]:
    """Give when a lot was generated, `[start, end)` in wall nanoseconds; a vintage is a year of *timezone*, or UTC.

    It has a vintage, or from and to.
    """
    if lot.vintage is None:
        return lot.from_wall_ns or 0, lot.to_wall_ns or 0
    return _new_year(lot.vintage, timezone), _new_year(lot.vintage + 1, timezone)


def _new_year(year: int, timezone: str) -> int:
    from zoneinfo import ZoneInfo  # noqa: PLC0415  (only where there are certificates)

    since = datetime(year, 1, 1, tzinfo=ZoneInfo(timezone or "UTC")).astimezone(UTC) - _EPOCH
    return since // timedelta(seconds=1) * NS_PER_SECOND


def lot_mistakes(entries: Sequence[SupplyEntry]) -> Iterator[tuple[str, str]]:
    """Give the key and the mistake of every lot that cannot be used as it is."""
    sources = {entry.name: entry for entry in entries if entry.kind not in _NO_SUPPLY}
    first: dict[str, str] = {}
    for number, entry in enumerate(entries):
        if entry.kind is not SupplyKind.CERTIFICATES:
            continue
        yield from _entry(f"supply[{number}]", entry)
        for place, lot in enumerate(entry.certificates):
            key = f"supply[{number}].certificates[{place}]"
            if lot.name in first:
                other = f"{quoted(lot.name)} is the name of {first[lot.name]} already, and certificates count once"
                yield f"{key}.name", f"{other}; rename or remove one"
            first.setdefault(lot.name, key)
            mistakes = list(_time(key, lot, entry.timezone))
            yield from mistakes
            if not mistakes:
                yield from _bond(key, lot, lot_span(lot, entry.timezone), sources)


def _entry(key: str, entry: SupplyEntry) -> Iterator[tuple[str, str]]:
    if not entry.certificates:
        yield key, "has no lot; list at least one below `certificates`, or remove the entry"
    if entry.timezone and all(lot.vintage is None for lot in entry.certificates):
        yield f"{key}.timezone", "is used with a vintage alone; remove it"
    if not entry.counts:
        message = "certificates of what is neither renewable nor carbon-free cover nothing; remove the entry"
        yield f"{key}.renewable", message


def _time(key: str, lot: CertificateLot, timezone: str) -> Iterator[tuple[str, str]]:
    start, end = lot.from_wall_ns, lot.to_wall_ns
    if lot.vintage is not None and (start is not None or end is not None):
        yield f"{key}.vintage", "tells when it was generated, and so do from and to; keep one of them"
    elif lot.vintage is None and (start is None or end is None):
        yield key, "does not tell when it was generated; add a vintage (a year), or from and to"
    elif start is not None and end is not None and end <= start:
        yield f"{key}.to", "is not after `from`; exchange the two or correct one"
    else:
        start, end = lot_span(lot, timezone)
        if lot.valid_until_wall_ns is not None and lot.valid_until_wall_ns <= start:
            yield f"{key}.valid_until", "is before it was generated; correct one of them"
        of_one_hour = start // NS_PER_HOUR == (end - 1) // NS_PER_HOUR
        if lot.watthours % _WATTHOURS_OF_ONE and not of_one_hour:
            yield f"{key}.mwh", "is not a whole number, and a certificate is of 1 MWh; write how many there are"


def _bond(
    key: str, lot: CertificateLot, span: tuple[int, int], sources: Mapping[str, SupplyEntry]
) -> Iterator[tuple[str, str]]:
    """See that power and its certificates do not both count: those of a contract never do, others must say so."""
    if lot.contract:
        source = sources.get(lot.contract)
        if lot.unbundled:
            yield f"{key}.unbundled", "says that they came with no power, and `contract` that they did; keep one"
        if source is None:
            message = "is the name of no entry that certificates come with; correct it, or write unbundled: true"
            yield f"{key}.contract", f"{quoted(lot.contract)} {message}"
        elif not source.counts:
            message = "counts as neither renewable nor carbon-free, so these did not come with it"
            yield f"{key}.contract", f"{quoted(lot.contract)} {message}; correct it, or write unbundled: true here"
        return
    beside = [entry.name for entry in sources.values() if entry.counts and _meets(entry, span)]
    if beside and not lot.unbundled:
        message = (
            f"may count twice, beside {' and '.join(map(quoted, beside))}; write contract: NAME where they came with "
            "that power (then they count with it), or unbundled: true where they were bought apart"
        )
        yield key, message


def _meets(entry: SupplyEntry, span: tuple[int, int]) -> bool:
    """Tell whether an entry supplied power while certificates were generated."""
    start, end = span
    return (entry.from_wall_ns or 0) < end and (entry.to_wall_ns is None or start < entry.to_wall_ns)
