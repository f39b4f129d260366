"""What the configuration says of each input of job tokens; it is checked and read from YAML elsewhere."""

from dataclasses import dataclass
from pathlib import Path

from wattledger.exporter.http import ListenAddress
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tokens.model import TokenKind


@dataclass(frozen=True, slots=True)
class TextfileSettings:
    """A folder of `*.prom` files; one that is older than `stale_ns` is believed no more."""

    folder: Path
    stale_ns: int = 300 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class PushSettings:
    """Where jobs push to: a socket file, an address of loopback, or both.

    `group` may use the socket file beside its owner: a name or a number; empty for the agent's own group.
    """

    unix_socket: Path | None = None
    listen: ListenAddress | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """A log file and what is looked for in it.

    `pattern` is a regular expression in RE2's syntax with a group named `tokens`, or with one named `samples` that
    is multiplied by `tokens_per_sample`; both are cumulative. The job's devices are `gpus` (indices or uuids), or
    those that the process in `pid_file` and its descendants hold.
    """

    service: str
    path: Path
    pattern: str
    tokens_per_sample: int = 0
    gpus: tuple[str, ...] = ()
    pid_file: Path | None = None
    model: str = ""
    kind: TokenKind = TokenKind.OUTPUT
    stale_ns: int = 1800 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class TensorBoardSettings:
    """A folder of event files and the scalar that is looked for in the newest of them.

    The scalar is the cumulative number of tokens; or, with `tokens_per_step` above 0, only its step counts.
    """

    service: str
    folder: Path
    tag: str
    tokens_per_step: int = 0
    gpus: tuple[str, ...] = ()
    pid_file: Path | None = None
    model: str = ""
    kind: TokenKind = TokenKind.OUTPUT
    stale_ns: int = 1800 * NS_PER_SECOND
