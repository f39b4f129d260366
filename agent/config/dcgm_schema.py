"""The keys below `dcgm`: the second page, which has the names and units of dcgm-exporter."""

from enum import StrEnum
from typing import Annotated

from .scalars import choice_key, flag_key
from .section import Section


class DcgmNames(StrEnum):
    """Which names of dcgm-exporter the page has; the words of its own `Generation`."""

    LEGACY = "legacy"
    CURRENT = "current"


class Dcgm(Section, frozen=True, kw_only=True):
    """The page /dcgm/metrics, for dashboards that ask for metrics of dcgm-exporter. Without `page` there is none."""

    page: Annotated[bool, flag_key()] = False
    names: Annotated[DcgmNames, choice_key(DcgmNames)] = DcgmNames.LEGACY
