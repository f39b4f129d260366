"""What is configured about services; where it stands in a file is not known here."""

from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.instant import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class ConfiguredService:
    """A service that the configuration names. `endpoint` is its URL; without a path the known ones are tried.

    `kind` is a key of the catalogue of servers, or empty: then it is told by its page. A file of a secret is read at
    each use.
    """

    name: str
    endpoint: str
    kind: str = ""
    bearer_token_file: Path | None = None
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How services are found and read. `limit` is how many there may be, configured ones first."""

    discovery: bool = True
    interval_ns: int = 5 * NS_PER_SECOND
    configured: tuple[ConfiguredService, ...] = ()
    limit: int = 64
