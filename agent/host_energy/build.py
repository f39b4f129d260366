"""From the configuration to meters and to the way to the meter of the house."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wattledger.rules.chain.chain import Chain, PowerPath, Pue
from wattledger.rules.chain.cooling import Cooling
from wattledger.rules.chain.curve import Curve
from wattledger.rules.chain.node_model import NodeSource
from wattledger.rules.chain.pdu import Pdu
from wattledger.rules.chain.psu import Psu
from wattledger.rules.chain.ups import Ups

from ..clock import Clock
from ..config.facility_schema import ChainEntry, Facility, IpmiMode, NodeEntry, RedfishEntry, UpsEntry
from ..feeds.base import Secret, Web
from ..sources.host import HostSource
from .hwmon import HwmonMeter
from .meters import HostMeters
from .rapl import RaplMeter

if TYPE_CHECKING:
    from .catalogue import Catalogue

# ruff: noqa: PLC0415  (what no host has and no configuration names is not loaded)

SYS, DEV = Path("/sys"), Path("/dev")
_IPMI_DEVICES = ("ipmi0", "ipmi/0", "ipmidev/0")  # as OpenIPMI's ipmi_devintf makes them

WebOf = Callable[[RedfishEntry], Web]
"""Makes what asks a controller: with its ca_file and timeout. Called only where Redfish is configured."""


def power_path(facility: Facility) -> PowerPath | None:
    """Give the way that is configured; None without one, and where a feed gives the PUE: `Pue(value)` then.

    Raises CatalogueError.
    """
    if facility.pue_millionths is not None:
        return Pue(facility.pue_millionths)
    return None if facility.chain is None else chain_of(facility.chain)


def chain_of(entry: ChainEntry) -> Chain:
    """Give the chain of a configuration that has no mistakes. Raises CatalogueError."""
    from .catalogue import Catalogue, load_catalogue

    named = bool(entry.psu or (entry.ups and entry.ups.mode))
    catalogue = load_catalogue() if named else Catalogue({}, {})
    psu, pdu, cooling = entry.psu, entry.pdu, entry.cooling
    return Chain(
        psu=None if psu is None else Psu(catalogue.curve(psu.curve), psu.rated_mw, psu.count),
        pdu=None if pdu is None else Pdu(pdu.efficiency_ppm),
        ups=None if entry.ups is None else _ups(entry.ups, catalogue),
        cooling=None if cooling is None else Cooling(cooling.cop_permille, cooling.pue_part_ppm),
    )


def _ups(entry: UpsEntry, catalogue: Catalogue) -> Ups:
    if entry.efficiency_ppm is not None:
        return Ups(Curve.constant("configured", entry.efficiency_ppm))
    return Ups(catalogue.curve(entry.mode), entry.rated_mw)


def host_meters(
    node: NodeEntry, *, clock: Clock, web_of: WebOf, sys_root: Path = SYS, dev_root: Path = DEV
) -> HostMeters:
    """Give the meters that are wanted: those that are named, or all that the host has and that are configured."""
    quick: list[HostSource] = []
    slow: list[HostSource] = []
    rapl, hwmon = RaplMeter(sys_root), HwmonMeter(sys_root)
    if _is_wanted(node, NodeSource.RAPL, rapl.is_there):
        quick.append(rapl)
    if _is_wanted(node, NodeSource.HWMON, hwmon.is_there):
        slow.append(hwmon)
    ipmi = _ipmi(node, dev_root)
    if ipmi is not None:
        slow.append(ipmi)
    if node.redfish is not None and _is_wanted(node, NodeSource.REDFISH, lambda: True):
        slow.append(_redfish(node.redfish, web_of))
    return HostMeters(clock=clock, quick=quick, slow=slow)


def _is_wanted(node: NodeEntry, source: NodeSource, is_there: Callable[[], bool]) -> bool:
    return is_there() if node.sources is None else source in node.sources


def _ipmi(node: NodeEntry, dev_root: Path) -> HostSource | None:
    if node.ipmi is IpmiMode.OFF:
        return None
    device = next((path for name in _IPMI_DEVICES if (path := dev_root / name).exists()), None)
    if not _is_wanted(node, NodeSource.IPMI, lambda: device is not None):
        return None
    from .ipmi import IpmiDevice, IpmiMeter

    return IpmiMeter(IpmiDevice(device or dev_root / _IPMI_DEVICES[0]))


def _redfish(entry: RedfishEntry, web_of: WebOf) -> HostSource:
    from .redfish import RedfishAccess, RedfishMeter

    access = RedfishAccess(
        url=entry.url,
        username=entry.username,
        password=_secret("password_file", entry.password_file, must_be_ascii=False),
        token=_secret("token_file", entry.token_file, must_be_ascii=True),
        chassis=entry.chassis,
    )
    return RedfishMeter(web_of(entry), access, period_ns=entry.poll_ns)


def _secret(key: str, path: Path | None, *, must_be_ascii: bool) -> Secret | None:
    from ..feeds.secrets import secret_from_file

    return None if path is None else lambda: secret_from_file(key, path, must_be_ascii=must_be_ascii)
