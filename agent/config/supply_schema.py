"""The keys of an entry of `supply`: what covers the load before the grid's mix does."""

from enum import StrEnum
from typing import Annotated

import msgspec

from .feed_scalars import TIME_ZONE
from .feed_schema import Feed
from .scalars import MOMENT, NAME, choice_key, decimal_key, flag_key, whole_key
from .section import Section

_GRAMS = decimal_key("0", "2000", decimals=6)  # in millionths of a gram
_PART = decimal_key("0", "1", decimals=6, above=True)
_HIGHEST = "100000000"  # kWh or MWh


class SupplyKind(StrEnum):
    """What an entry is, by the word that configurations use."""

    ONSITE = "onsite"
    STORAGE = "storage"
    DIRECT_LINE = "direct_line"
    CONTRACT = "contract"
    CERTIFICATES = "certificates"


class Scope(StrEnum):
    """How far the power of a contract comes."""

    INTRA = "intra"  # within the province or market
    INTER = "inter"  # from another one


class ChargedFrom(StrEnum):
    """What a battery is charged from."""

    ONSITE = "onsite"  # the surplus of what is generated on site
    GRID = "grid"


class CertificateLot(Section, frozen=True, kw_only=True):
    """Certificates of one transfer. Their time is a year, or from and to.

    `contract` is the entry whose power they came with; those count with that power alone. By `name` the ledger knows
    how much of them is used.
    """

    name: Annotated[str, NAME]
    watthours: Annotated[int, decimal_key("0", _HIGHEST, decimals=6, above=True)] = msgspec.field(name="mwh")
    vintage: Annotated[int | None, whole_key(1990, 2100)] = None
    from_wall_ns: Annotated[int | None, MOMENT] = msgspec.field(default=None, name="from")
    to_wall_ns: Annotated[int | None, MOMENT] = msgspec.field(default=None, name="to")
    valid_until_wall_ns: Annotated[int | None, MOMENT] = msgspec.field(default=None, name="valid_until")
    contract: Annotated[str, NAME] = ""
    unbundled: Annotated[bool, flag_key()] = False


class SupplyEntry(Section, frozen=True, kw_only=True):
    """One source of power. Layers are used in their own order, entries of one layer in that of the file.

    How much it has is told by exactly one of `meter`, `kwh_per_hour`, `profile` and `share`, or by `certificates`.
    Which kind takes which keys is judged by `supply_mistakes`. Intensities are in micrograms per kWh.
    """

    kind: Annotated[SupplyKind, choice_key(SupplyKind)]
    name: Annotated[str, NAME]
    scope: Annotated[Scope | None, choice_key(Scope)] = None
    intensity: Annotated[int | None, _GRAMS] = msgspec.field(default=None, name="grams_per_kwh")
    renewable: Annotated[bool | None, flag_key()] = None  # None: it is, unless it is a battery
    carbon_free: Annotated[bool | None, flag_key()] = None  # None: as renewable
    certificates_sold: Annotated[bool, flag_key()] = False
    meter: Feed | None = None
    kwh_per_hour_ppm: Annotated[int | None, decimal_key("0", _HIGHEST, decimals=6, above=True)] = msgspec.field(
        default=None, name="kwh_per_hour"
    )
    profile_ppm: tuple[Annotated[int, decimal_key("0", _HIGHEST, decimals=6)], ...] = msgspec.field(
        default=(), name="profile"
    )
    timezone: Annotated[str, TIME_ZONE] = ""
    share_ppm: Annotated[int | None, _PART] = msgspec.field(default=None, name="share")
    part_ppm: Annotated[int, _PART] = msgspec.field(default=1_000_000, name="part")
    from_wall_ns: Annotated[int | None, MOMENT] = msgspec.field(default=None, name="from")
    to_wall_ns: Annotated[int | None, MOMENT] = msgspec.field(default=None, name="to")
    charged_from: Annotated[ChargedFrom | None, choice_key(ChargedFrom)] = None
    capacity_kwh_ppm: Annotated[int | None, decimal_key("0", _HIGHEST, decimals=6, above=True)] = msgspec.field(
        default=None, name="capacity_kwh"
    )
    efficiency_ppm: Annotated[int, _PART] = msgspec.field(default=1_000_000, name="efficiency")
    certificates: tuple[CertificateLot, ...] = ()

    @property
    def is_renewable(self) -> bool:
        """Tell whether its energy is renewable: so it is unless told otherwise; a battery as what charges it."""
        if self.kind is SupplyKind.STORAGE:
            return self.charged_from is ChargedFrom.ONSITE
        return self.renewable is not False

    @property
    def is_carbon_free(self) -> bool:
        """Tell whether its energy is carbon-free: as renewable, unless told otherwise."""
        return self.is_renewable if self.carbon_free is None else self.carbon_free

    @property
    def counts(self) -> bool:
        """Tell whether its energy counts as green or as carbon-free by itself."""
        return (self.is_renewable or self.is_carbon_free) and not self.certificates_sold

    @property
    def charges(self) -> bool:
        """Tell whether its surplus makes a battery green: generation on site that is renewable and carbon-free."""
        green = self.is_renewable and self.is_carbon_free and not self.certificates_sold
        return green and self.kind is SupplyKind.ONSITE
