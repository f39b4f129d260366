"""What cannot be meant in `supply`: keys that do not go together, and energy that would count twice."""

from collections.abc import Iterator, Sequence

import msgspec

from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.supply.model import MILLION

from .problem import quoted
from .supply_lots import lot_mistakes
from .supply_schema import ChargedFrom, SupplyEntry, SupplyKind

Mistake = tuple[str, str]
"""The path of the key concerned, such as `supply[0].scope`, and what is wrong with it, cure included."""

_VOLUMES = ("meter", "kwh_per_hour", "profile", "share")
_ALL = ("kind", "name", "grams_per_kwh", "part")
_METERED = (*_ALL, "meter", "kwh_per_hour", "profile", "timezone", "from", "to")
_KEYS = {
    SupplyKind.ONSITE: (*_METERED, "renewable", "carbon_free", "certificates_sold"),
    SupplyKind.STORAGE: (*_METERED, "charged_from", "capacity_kwh", "efficiency"),
    SupplyKind.DIRECT_LINE: (*_METERED, "renewable", "carbon_free", "certificates_sold"),
    SupplyKind.CONTRACT: (*_METERED, "share", "scope", "renewable", "carbon_free"),
    SupplyKind.CERTIFICATES: (*_ALL, "renewable", "carbon_free", "timezone", "certificates"),
}
_HOURS_OF_DAY = 24


def supply_mistakes(entries: Sequence[SupplyEntry]) -> Iterator[Mistake]:
    """Give every mistake. A key that lacks is told at its entry, one that is too many at itself."""
    yield from _names(entries)
    for number, entry in enumerate(entries):
        key = f"supply[{number}]"
        yield from _keys(key, entry)
        if entry.kind is SupplyKind.STORAGE:
            yield from _storage(key, entry, entries)
        elif entry.kind is not SupplyKind.CERTIFICATES:
            yield from _source(key, entry)
        if entry.kind is not SupplyKind.CERTIFICATES:
            yield from _volume(key, entry)
            yield from _time(key, entry)
    yield from _shares(entries)
    yield from lot_mistakes(entries)


def _names(entries: Sequence[SupplyEntry]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if entry.name in first:
            other = f"supply[{first[entry.name]}]"
            yield f"supply[{number}].name", f"{quoted(entry.name)} is the name of {other} already; rename one"
        first.setdefault(entry.name, number)


def _given(section: msgspec.Struct) -> set[str]:
    """Give the keys of a section that have another value than their default."""
    return {
        info.encode_name
        for info in msgspec.structs.fields(section)
        if info.required or getattr(section, info.name) != info.default
    }


def _keys(key: str, entry: SupplyEntry) -> Iterator[Mistake]:
    for name in sorted(_given(entry) - set(_KEYS[entry.kind])):
        if name == "certificates_sold" and entry.kind is SupplyKind.CONTRACT:
            message = "a contract without its certificates is the grid's mix; remove the whole entry"
        elif name in ("renewable", "carbon_free"):
            message = "a battery is as green as what charges it; write charged_from: onsite, or remove this"
        else:
            message = f"is not for kind {entry.kind}; remove it, or correct the kind"
        yield f"{key}.{name}", message


def _source(key: str, entry: SupplyEntry) -> Iterator[Mistake]:
    if entry.kind is SupplyKind.CONTRACT and entry.scope is None:
        yield key, "lacks the key `scope`; write intra for power of the same province or market, else inter"
    if not entry.is_renewable and entry.intensity is None:
        yield key, "is not renewable, and lacks the key `grams_per_kwh`; add what a kWh of it emits"


def _storage(key: str, entry: SupplyEntry, entries: Sequence[SupplyEntry]) -> Iterator[Mistake]:
    if entry.charged_from is not ChargedFrom.ONSITE:
        if not entry.intensity:
            message = (
                "emits nothing only where nothing emitted what charged it; write charged_from: onsite with its "
                "capacity_kwh, or give grams_per_kwh"
            )
            yield key if entry.intensity is None else f"{key}.grams_per_kwh", message
        for name in ("capacity_kwh", "efficiency"):
            if name in _given(entry):
                yield f"{key}.{name}", "is used with charged_from: onsite alone; add that or remove this"
        return
    if entry.capacity_kwh_ppm is None:
        yield key, "lacks the key `capacity_kwh`; add how much it holds, which limits what of it can be green"
    if not any(other.charges for other in entries):
        message = "there is no renewable entry of kind onsite that keeps its certificates; add it, or write grid"
        yield f"{key}.charged_from", message


def _volume(key: str, entry: SupplyEntry) -> Iterator[Mistake]:
    if entry.meter is not None and (entry.meter.step_ns or 0) > NS_PER_HOUR:
        message = "is longer than an hour, and says nothing of the hours in it; write 1h or less"
        yield f"{key}.meter.step", message
    told = [name for name in _VOLUMES if name in _given(entry)]
    if not told:
        forms = ", ".join(name for name in _VOLUMES if name in _KEYS[entry.kind])
        yield key, f"does not tell how much there is; add one of {forms}"
    elif len(told) > 1:
        yield key, f"tells how much there is by {' and '.join(told)}; keep one of them"
    if entry.profile_ppm and len(entry.profile_ppm) != _HOURS_OF_DAY:
        count = len(entry.profile_ppm)
        yield f"{key}.profile", f"has {count} numbers; write 24, the kWh of each hour of the day from 0:00 on"
    if entry.profile_ppm and not entry.timezone:
        yield key, "has a profile by hours of the day and lacks the key `timezone`; add it, such as Asia/Shanghai"
    if entry.timezone and not entry.profile_ppm:
        yield f"{key}.timezone", "is used with a profile alone; remove it"
    if entry.share_ppm is not None and entry.part_ppm != MILLION:
        yield f"{key}.part", "is of an amount, and a share is of the load of this host already; remove it"


def _time(key: str, entry: SupplyEntry) -> Iterator[Mistake]:
    start, end = entry.from_wall_ns, entry.to_wall_ns
    if start is not None and end is not None and end <= start:
        yield f"{key}.to", "is not after `from`; exchange the two or correct one"


def _shares(entries: Sequence[SupplyEntry]) -> Iterator[Mistake]:
    """Find moments at which contracts cover more than the load. It can only begin where one begins."""
    contracts = [(number, entry) for number, entry in enumerate(entries) if entry.share_ppm is not None]
    for number, entry in contracts:
        start = entry.from_wall_ns or 0
        told = [
            other.share_ppm or 0
            for _, other in contracts
            if (other.from_wall_ns or 0) <= start and (other.to_wall_ns is None or start < other.to_wall_ns)
        ]
        if sum(told) > MILLION:
            yield f"supply[{number}].share", "adds up with the other shares of that time to more than 1; lower one"
            return
