"""The shipped packs: rule files that are data of the package, and the thresholds that may be set in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattledger import rules

from ..config.document import parse_document
from ..config.problem import Origin, Place, Problem, guess, quoted
from .load import LoadedRules, load_rules
from .variables import Marker, MarkerError, Variable, read_markers, replaced, variables_of, wrong_value

DEFAULT_PACKS = ("idle", "utilisation", "power", "workloads", "tokens", "carbon", "agent")
# What only a Prometheus of many hosts sees; a host that sees only itself has no use for it.
FLEET_PACK = "fleet"


class PackError(ValueError):
    """A pack that does not exist, or a value that one of its thresholds cannot take."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A rule file with marked thresholds; `origin` is what messages and groups name it."""

    name: str
    origin: Origin
    text: str
    markers: tuple[Marker, ...]

    @property
    def title(self) -> str:
        """Give what the pack is for: its first comment, up to the end of the sentence."""
        text = self.text.partition("groups:")[0]
        words = " ".join(line.lstrip("# ") for line in text.splitlines())
        return words.strip().removeprefix(f"Pack {self.name}: ").partition(". ")[0].rstrip(".")

    def text_with(self, values: Mapping[str, str]) -> str:
        """Give the text with its thresholds set to *values*; those of other packs are passed over.

        Raises PackError.
        """
        variables = variables_of({self.name: self.markers})
        for name in values.keys() & variables.keys():
            if reason := wrong_value(variables[name], values[name]):
                raise PackError(f"{name}: {reason}")
        return replaced(self.text, self.markers, values)


def make_pack(name: str, text: str, folder: Path) -> Pack:
    """Make a pack of *text*. Raises MarkerError."""
    origin = Origin(f"{name}.yml", folder)
    markers = read_markers(text, Place(origin))
    try:
        variables_of({name: markers})
    except ValueError as error:
        raise MarkerError((Problem(Place(origin), "", str(error)),)) from None
    return Pack(name, origin, text, markers)


def pack_names() -> tuple[str, ...]:
    """Give the names of the shipped packs, sorted."""
    files = (file.name for file in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".yml") for name in files if name.endswith(".yml")))


def read_pack(name: str) -> Pack:
    """Give a shipped pack. Raises PackError where there is none of that name, MarkerError where it is defective."""
    names = pack_names()
    if name not in names:
        cure = guess(name, names) or "there are " + ", ".join(names)
        raise PackError(f"{quoted(name)} is no pack of rules; {cure}")
    return make_pack(name, (_folder() / f"{name}.yml").read_text("utf-8"), _folder())


def load_pack(name: str, variables: Mapping[str, str]) -> LoadedRules:
    """Give the rules of a shipped pack with its thresholds set; the file of its groups is `NAME.yml`.

    Raises PackError, MarkerError.
    """
    pack = read_pack(name)
    return load_rules(parse_document(pack.text_with(variables), pack.origin))


def pack_variables(packs: Sequence[str]) -> dict[str, Variable]:
    """Give what may be set in *packs*, by name. Raises PackError, MarkerError."""
    markers = {name: read_pack(name).markers for name in packs}
    try:
        return variables_of(markers)
    except ValueError as error:
        raise MarkerError((Problem(Place(Origin("packs", _folder())), "", str(error)),)) from None


def check_packs(packs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give each of *packs* that cannot be taken, with the reason."""
    names = pack_names()
    for index, name in enumerate(packs):
        if name not in names:
            yield name, f"is no pack of rules; {guess(name, names) or 'there are ' + ', '.join(names)}"
        elif name in packs[:index]:
            yield name, "is named twice; name each pack once"


def check_variables(variables: Mapping[str, str], packs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give each name of *variables* that cannot be set in *packs*, or not to that value, with the reason.

    Packs that do not exist are passed over: `check_packs` tells of them.
    """
    shipped = pack_names()
    known = pack_variables([name for name in packs if name in shipped])
    everywhere = pack_variables(shipped)
    for name, value in variables.items():
        if name in known:
            if reason := wrong_value(known[name], value):
                yield name, reason
        elif name in everywhere:
            where = " and ".join(everywhere[name].packs)
            yield name, f"belongs to the pack {where}, which is not loaded; load it or remove the setting"
        else:
            cure = guess(name, known) or "`wattledger rules render --list-vars` lists them"
            yield name, f"is no setting of these packs; {cure}"


def _folder() -> Path:
    # Not importlib.resources, which takes a megabyte of memory: a package with native parts is never zipped.
    return Path(str(rules.__file__)).with_name("packs")
