"""One configuration out of file, environment and flags: who overrides whom, and what a reload cannot change."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .contradictions import contradictions, doubts, exposed_secrets
from .decode import Decoder
from .document import Document, read_document
from .document import Mapping as MappingNode
from .environment import (
    CONFIG_VARIABLE,
    Overrides,
    default_state_dir,
    from_environment,
    from_flags,
    overlaid,
    unknown_variables,
)
from .problem import ConfigError, Origin, Place, Places, Problem, in_order
from .schema import PRICE_KEYS, RESTART_KEYS, Config, field_value

_NO_HOME = "no folder for the state: HOME is not set; name one with state_dir, --state-dir or WATTLEDGER_STATE_DIR"


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that can be used, the file it came from if any, and what was noticed on the way."""

    config: Config
    path: Path | None
    warnings: tuple[Problem, ...]


def load_config(
    path: Path | None,
    *,
    environment: Mapping[str, str],
    overrides: Overrides = Overrides(),  # noqa: B008  (frozen)
    is_root: bool | None = None,
) -> LoadedConfig:
    """Give the configuration in force: flag before environment before file before default.

    Without *path* the variable WATTLEDGER_CONFIG may name the file; without either there is none. *is_root* decides
    the default state folder and is asked of the system when None. Raises ConfigError with every mistake found.
    """
    named_by = "the path"
    if path is None and (named := environment.get(CONFIG_VARIABLE)):
        path, named_by = Path(named), CONFIG_VARIABLE
    if path is None:
        origin = Origin("defaults", Path())
        document = Document(origin, MappingNode((), Place(origin)))
    else:
        document = read_document(path, named_by=named_by)
    config, warnings = settle(document, environment=environment, overrides=overrides, is_root=is_root)
    return LoadedConfig(config, path, warnings)


def settle(
    document: Document, *, environment: Mapping[str, str], overrides: Overrides, is_root: bool | None
) -> tuple[Config, tuple[Problem, ...]]:
    """Give the configuration of a file that has been read, and its warnings. Raises ConfigError."""
    root = document.root
    for path, value in (*from_environment(environment), *from_flags(overrides)):
        root = overlaid(root, path, value)
    problems = list(document.problems)
    if not root.has("state_dir"):
        state_dir = default_state_dir(environment, is_root=os.geteuid() == 0 if is_root is None else is_root)
        if state_dir is None:
            problems.append(Problem(Place(document.origin), "state_dir", _NO_HOME))
        else:
            root = overlaid(root, ("state_dir",), state_dir)
    decoder = Decoder(Places(document.origin))
    config = decoder.config(root)
    problems += [*decoder.problems, *contradictions(config, decoder.places)]
    warnings = [*exposed_secrets(document.root), *unknown_variables(environment)]
    if problems:
        raise ConfigError(in_order(problems), in_order(warnings))
    warnings += doubts(config, decoder.places)
    return config, in_order(warnings)


def changed_needing_restart(old: Config, new: Config) -> tuple[str, ...]:
    """Give the keys whose value differs and which a running agent cannot take over."""
    return _changed(RESTART_KEYS, old, new)


def prices_changed(old: Config, new: Config) -> bool:
    """Tell whether energy is priced otherwise than before."""
    return bool(_changed(PRICE_KEYS, old, new))


def _changed(keys: Sequence[str], old: Config, new: Config) -> tuple[str, ...]:
    return tuple(key for key in keys if field_value(old, key) != field_value(new, key))
