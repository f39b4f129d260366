"""Pages that are another server's, passed on: held against those of the servers beside them."""

from contextlib import ExitStack

import pytest

from tests.agent.tokens.raw_server import Answer, RawServer, ok, passing_on, serving
from wattledger.agent.tokens.access import Access
from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.mirrors import Likeness, likeness
from wattledger.agent.tokens.reader import PageReader

_READER = PageReader(load_catalogue())


def page(output: int, seconds: float = 1.5, engine: int = 0) -> bytes:
    """Give a page of vLLM."""
    labels = f'{{engine="{engine}",model_name="m"}}'
    return (
        f"vllm:generation_tokens_total{labels} {output}\n"
        f"vllm:e2e_request_latency_seconds_sum{labels} {seconds}\n"
        f"vllm:num_requests_running{labels} 3\n"
    ).encode()


def at(server: RawServer) -> tuple[Access, str]:
    """Give where its page is."""
    return Access(server.target, "here"), "/metrics"


def told(own: Answer | bytes, *siblings: Answer | bytes) -> Likeness:
    """Hold a page against others."""
    with ExitStack() as stack:
        first, *others = [stack.enter_context(serving(one)) for one in (own, *siblings)]
        return likeness(_READER, at(first), [at(other) for other in others])


def test_a_page_that_is_passed_on_is_known_while_its_server_counts_on() -> None:
    counts = iter(range(100, 200, 7))
    counting: Answer = lambda sock, _: sock.sendall(ok(page(next(counts))))  # noqa: E731  (it is one line)
    with serving(counting) as server, serving(passing_on(server.port)) as front:
        assert likeness(_READER, at(front), [at(server)]) is Likeness.PASSED_ON


def test_one_that_passes_on_any_of_several_is_known() -> None:
    assert told(ok(page(500)), ok(page(70)), ok(page(500))) is Likeness.PASSED_ON


@pytest.mark.parametrize("other", [page(501), page(500, seconds=1.25), page(500, engine=1), page(0)])
def test_a_page_that_counts_something_else_is_its_own(other: bytes) -> None:
    assert told(ok(page(500)), ok(other)) is Likeness.OWN


def test_of_a_page_without_any_counts_it_cannot_be_told() -> None:
    assert told(ok(page(0, 0)), ok(page(0, 0))) is Likeness.UNTOLD


@pytest.mark.parametrize("silent", [b"", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"])
def test_where_somebody_does_not_answer_it_cannot_be_told(silent: bytes) -> None:
    assert told(silent, ok(page(5))) is Likeness.UNTOLD
    assert told(ok(page(5)), silent) is Likeness.UNTOLD
    assert told(ok(page(5)), ok(page(6)), silent) is Likeness.UNTOLD
    assert told(ok(page(5)), silent, ok(page(5))) is Likeness.PASSED_ON
