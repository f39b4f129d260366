"""How the single values of the sections `workloads` and `services` are read; what they are used for is not known."""

from wattledger.exporter.catalog import WORKLOAD_NAMES

from .document import Scalar
from .problem import guess
from .scalars import Key, text_of

_LONGEST_PATTERN = 1_000


def _workload_name(scalar: Scalar) -> str:
    text = text_of(scalar)
    if text not in WORKLOAD_NAMES:
        raise ValueError(f"is no name of workloads; {guess(text, WORKLOAD_NAMES) or _ONE_OF}")
    return text


def _server(scalar: Scalar) -> str:
    """Give the key of a server in the catalogue, which is read only where services are configured."""
    from ..tokens.catalogue import load_catalogue  # noqa: PLC0415  (its file is read only here)

    text = text_of(scalar)
    known = [spec.key for spec in load_catalogue()]
    if text not in known:
        raise ValueError(f"is no server that is known; {guess(text, known) or 'write one of ' + ', '.join(known)}")
    return text


def _pattern(scalar: Scalar) -> str:
    """Give the pattern as written, once it is sure that it can be used and that it ends soon on every line."""
    from ..tokens.inputs.pattern import compile_log_pattern  # noqa: PLC0415  (only where a job's log is read)

    text = text_of(scalar)
    if not text or len(text) > _LONGEST_PATTERN:
        raise ValueError(f"has {len(text)} characters; write a regular expression of 1 to {_LONGEST_PATTERN}")
    compile_log_pattern(text)
    return text


def _tag(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not text.strip() or len(text) > _LONGEST_PATTERN:
        raise ValueError("is no tag; write it as TensorBoard shows it, such as train/tokens")
    return text


_ONE_OF = "write one of " + ", ".join(WORKLOAD_NAMES)
WORKLOAD_NAME = Key("name of workloads", _workload_name)
SERVER = Key("server of the catalogue", _server)
PATTERN = Key("regular expression with a group", _pattern)
TAG = Key("tag of a scalar", _tag)
