"""The keys below `facility`: what lies between the GPUs and the meter of the house."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from wattledger.rules.chain.node_model import NodeSource
from wattledger.rules.instant import NS_PER_SECOND

from .document import Scalar
from .feed_schema import Feed
from .problem import guess
from .rule_scalars import URL
from .scalars import NAME, PATH, Key, WordForNone, choice_key, decimal_key, duration_key, text_of, whole_key
from .section import Section

_RATED = decimal_key("0", "10000000", decimals=3, above=True)
_EFFICIENCY = decimal_key("0.1", "1", decimals=6)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _curve_key(kind: str, what: str) -> Key:
    """Make a key of a curve's name, which is looked up only where one is given."""

    def parse(scalar: Scalar) -> str:
        from ..host_energy.catalogue import load_catalogue  # noqa: PLC0415  (its file is read only here)

        name = text_of(scalar)
        known = load_catalogue().curve_names(kind)
        if name not in known:
            raise ValueError(
                f"is no {what} that is known; {guess(name, known) or 'write one of ' + ', '.join(known)}"
            )
        return name

    return Key(f"name of {what} (wattledger chain --list)", parse)


class IpmiMode(StrEnum):
    """Whether the management controller is asked from inside the host; `auto` asks where its device is."""

    AUTO = "auto"
    OFF = "off"


class PsuEntry(Section, frozen=True, kw_only=True):
    """The power supplies of the node: equal ones that share the load. The rating is of one of them."""

    curve: Annotated[str, _curve_key("psu", "curve of power supplies")]
    rated_mw: Annotated[int, _RATED] = msgspec.field(name="rated_watts")
    count: Annotated[int, whole_key(1, 64)] = 1


class PduEntry(Section, frozen=True, kw_only=True):
    """Distribution between UPS and outlets."""

    efficiency_ppm: Annotated[int, _EFFICIENCY] = msgspec.field(name="efficiency")


class UpsEntry(Section, frozen=True, kw_only=True):
    """The UPS or the rectifiers: a curve and this node's part of the rating, or one efficiency for any load."""

    mode: Annotated[str, _curve_key("ups", "curve of a UPS")] = ""
    rated_mw: Annotated[int | None, _RATED] = msgspec.field(default=None, name="rated_watts")
    efficiency_ppm: Annotated[int | None, _EFFICIENCY] = msgspec.field(default=None, name="efficiency")


class CoolingEntry(Section, frozen=True, kw_only=True):
    """The cooling: heat over power, or its part of the PUE."""

    cop_permille: Annotated[int | None, decimal_key("0.1", "100", decimals=3)] = msgspec.field(
        default=None, name="cop"
    )
    pue_part_ppm: Annotated[int | None, decimal_key("1", "5", decimals=6)] = msgspec.field(
        default=None, name="pue_part"
    )


class ChainEntry(Section, frozen=True, kw_only=True):
    """The stages between the boards and the meter of the house. One that is left out loses nothing."""

    psu: PsuEntry | None = None
    pdu: PduEntry | None = None
    ups: UpsEntry | None = None
    cooling: CoolingEntry | None = None


class RedfishEntry(Section, frozen=True, kw_only=True):
    """The management controller of this node, over the network. Files with secrets are read at each use."""

    url: Annotated[str, URL]
    username: Annotated[str, NAME] = ""
    password_file: Annotated[Path | None, PATH] = None
    token_file: Annotated[Path | None, PATH] = None
    ca_file: Annotated[Path | None, PATH] = None
    chassis: Annotated[str, NAME] = ""
    poll_ns: Annotated[int, duration_key("10s", "10m")] = msgspec.field(default=30 * NS_PER_SECOND, name="poll")
    timeout_ns: Annotated[int, duration_key("1s", "1m")] = msgspec.field(default=10 * NS_PER_SECOND, name="timeout")


class NodeEntry(Section, frozen=True, kw_only=True):
    """Meters of the whole node. `sources` None is every one that is there, empty is none."""

    sources: Annotated[tuple[Annotated[NodeSource, choice_key(NodeSource)], ...] | None, WordForNone("auto")] = None
    ipmi: Annotated[IpmiMode, choice_key(IpmiMode)] = IpmiMode.AUTO
    redfish: RedfishEntry | None = None


class Facility(Section, frozen=True, kw_only=True):
    """A PUE, constant or from a feed, or the chain itself; never both."""

    pue_millionths: Annotated[int | None, decimal_key("1", "10", decimals=6)] = msgspec.field(
        default=None, name="pue"
    )
    feed: Feed | None = None
    chain: ChainEntry | None = None
    host_overhead_mw: Annotated[int | None, decimal_key("0", "100000", decimals=3)] = msgspec.field(
        default=None, name="host_overhead_watts"
    )
    node: NodeEntry = NodeEntry()


def facility_mistakes(facility: Facility) -> Iterator[tuple[str, str]]:
    """Give what cannot be meant: the key below `facility`, and the message."""
    if facility.pue_millionths is not None and facility.feed is not None:
        yield "feed", "there is a constant pue too; keep one of them"
    if facility.chain is not None:
        if facility.pue_millionths is not None or facility.feed is not None:
            yield "chain", "PUE times its own components is refused: it holds them already; keep the pue or the chain"
        yield from (("chain" + suffix, message) for suffix, message in _chain_mistakes(facility.chain))
    yield from (("node" + suffix, message) for suffix, message in _node_mistakes(facility.node))


def _chain_mistakes(chain: ChainEntry) -> Iterator[tuple[str, str]]:
    if (chain.psu, chain.pdu, chain.ups, chain.cooling) == (None, None, None, None):
        yield "", "names no stage; give psu, pdu, ups or cooling, or remove it"
    ups, cooling = chain.ups, chain.cooling
    if ups is not None:
        if bool(ups.mode) is (ups.efficiency_ppm is not None):
            yield ".ups", "has either a mode, with rated_watts, or an efficiency; give one of them"
        elif ups.mode and ups.rated_mw is None:
            yield ".ups", "lacks rated_watts: this node's part of the rating, without which its load is not known"
        elif not ups.mode and ups.rated_mw is not None:
            yield ".ups.rated_watts", "has no effect beside an efficiency that holds at any load; remove it"
    if cooling is not None and (cooling.cop_permille is None) is (cooling.pue_part_ppm is None):
        yield ".cooling", "has either cop or pue_part; give one of them"


def _node_mistakes(node: NodeEntry) -> Iterator[tuple[str, str]]:
    sources, redfish = node.sources, node.redfish
    for place, source in enumerate(sources or ()):
        if source in (sources or ())[:place]:
            yield f".sources[{place}]", f"{source} is named twice; keep one of them"
    if sources is not None and NodeSource.REDFISH in sources and redfish is None:
        yield ".sources", "names redfish, which is not told where it is; add node.redfish with its url"
    if sources is not None and NodeSource.REDFISH not in sources and redfish is not None:
        yield ".sources", "leaves out redfish, which is configured; add it, or remove node.redfish"
    if sources is not None and NodeSource.IPMI in sources and node.ipmi is IpmiMode.OFF:
        yield ".ipmi", "is off, and named among the sources; keep one of the two"
    if redfish is not None:
        yield from ((".redfish" + suffix, message) for suffix, message in _redfish_mistakes(redfish))


def _redfish_mistakes(redfish: RedfishEntry) -> Iterator[tuple[str, str]]:
    if bool(redfish.username) is not (redfish.password_file is not None):
        yield "", "username and password_file go together; add the other or remove this one"
    if redfish.token_file is not None and redfish.password_file is not None:
        yield "", "has both a token and a password; keep one of them"
    parts = urlsplit(redfish.url)
    if parts.path.strip("/") or parts.query:
        yield ".url", "has a path; write the controller alone, such as https://10.0.0.7"
    if parts.scheme == "http":
        secret = redfish.password_file is not None or redfish.token_file is not None
        if secret and parts.hostname not in _LOOPBACK:
            yield ".url", "would send the secret over the network in the clear; write https://"
        if redfish.ca_file is not None:
            yield ".ca_file", "is there for a url without TLS; write https:// or remove it"
