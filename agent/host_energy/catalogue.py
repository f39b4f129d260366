"""The catalogue of curves and set-ups from its YAML file to typed values; what they mean is told in rules/chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from wattledger.rules import chain
from wattledger.rules.chain.curve import Curve, CurvePoint
from wattledger.rules.chain.setup import Converter, Setup

_FILE = "catalogue.yml"
_PPM_PER_PERMILLE = 1_000

CurveKind = Literal["psu", "ups"]


class CatalogueError(Exception):
    """The catalogue cannot be used; the text says which entry and why."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every entry has."""

    name: str
    source: str
    assumed: bool = False


class _CurveEntry(_Entry, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kind: CurveKind
    points: tuple[tuple[int, int], ...]


class _Use(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    curve: str
    load: int


class _SetupEntry(_Entry, frozen=True, forbid_unknown_fields=True, kw_only=True):
    title: str
    psu: _Use | None = None
    ups: _Use | None = None
    pdu_efficiency: int | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    curves: tuple[_CurveEntry, ...]
    setups: tuple[_SetupEntry, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Curves and set-ups by name."""

    curves: Mapping[str, tuple[CurveKind, Curve]]
    setups: Mapping[str, Setup]

    def curve_names(self, kind: str) -> list[str]:
        """Give the names of the curves of *kind* (psu or ups), in their order."""
        return [name for name, (of, _) in self.curves.items() if of == kind]

    def curve(self, name: str) -> Curve:
        """Give a curve by its name. Raises CatalogueError."""
        if name not in self.curves:
            raise CatalogueError(f"there is no curve {name}; the names are {', '.join(self.curves)}")
        return self.curves[name][1]


def load_catalogue() -> Catalogue:
    """Give the shipped catalogue. Raises CatalogueError."""
    # Not importlib.resources, which takes a megabyte of memory: a package with native parts is never zipped.
    return read_catalogue((Path(str(chain.__file__)).parent / _FILE).read_bytes())


def read_catalogue(content: bytes) -> Catalogue:
    """Give the catalogue in *content*. Raises CatalogueError."""
    try:
        file = msgspec.yaml.decode(content, type=_File)
        curves = {entry.name: (entry.kind, _curve(entry)) for entry in file.curves}
    except (msgspec.MsgspecError, ValueError) as error:
        raise CatalogueError(f"{_FILE}: {error}") from None
    if len(curves) != len(file.curves):
        raise CatalogueError(f"{_FILE}: two curves have one name")
    catalogue = Catalogue(curves, {})
    setups = {entry.name: _setup(entry, catalogue) for entry in file.setups}
    if len(setups) != len(file.setups):
        raise CatalogueError(f"{_FILE}: two set-ups have one name")
    return Catalogue(curves, setups)


def _curve(entry: _CurveEntry) -> Curve:
    points = tuple(
        CurvePoint(load * _PPM_PER_PERMILLE, efficiency * _PPM_PER_PERMILLE) for load, efficiency in entry.points
    )
    return Curve(entry.name, points, entry.source, entry.assumed)


def _setup(entry: _SetupEntry, catalogue: Catalogue) -> Setup:
    return Setup(
        name=entry.name,
        title=entry.title,
        psu=_converter(entry.psu, catalogue),
        ups=_converter(entry.ups, catalogue),
        pdu_efficiency_ppm=None if entry.pdu_efficiency is None else entry.pdu_efficiency * _PPM_PER_PERMILLE,
        source=entry.source,
        assumed=entry.assumed,
    )


def _converter(use: _Use | None, catalogue: Catalogue) -> Converter | None:
    return None if use is None else Converter(catalogue.curve(use.curve), use.load * _PPM_PER_PERMILLE)
