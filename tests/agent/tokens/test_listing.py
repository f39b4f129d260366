"""Services as they are listed, from what their pages and command lines told."""

from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.listing import configured_service
from wattledger.agent.tokens.reader import PageReader
from wattledger.agent.tokens.scraper import Status
from wattledger.rules.tokens.model import Service
from wattledger.rules.tokens.server import inspect

_SPEC = PageReader(load_catalogue()).spec("vllm")


def listed(*flags: str) -> Service:
    """Give a vLLM that was started with *flags*."""
    assert _SPEC is not None
    status = Status(_SPEC, inspect(_SPEC, (), ("vllm", "serve", "m", *flags)), was_tried=True)
    return configured_service("chat", status, kind="", endpoint="", devices=(), pids=frozenset())


def test_what_the_flags_tell_of_ranks_is_listed() -> None:
    spread = listed("--tensor-parallel-size", "8", "--pipeline-parallel-size", "2")
    assert (spread.engine_devices, spread.remote) == (16, False)
    assert listed("--nnodes", "2").remote
    assert listed().engine_devices == 1
