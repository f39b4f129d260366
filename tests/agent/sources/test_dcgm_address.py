"""Where an exporter is, read from its URL."""

import pytest

from wattledger.agent.sources.dcgm_address import USUAL, Exporter, read_exporter


@pytest.mark.parametrize(
    ("url", "exporter"),
    [
        (USUAL, Exporter("127.0.0.1", 9400, "/metrics", False, "127.0.0.1:9400", USUAL)),
        ("http://gpu7", Exporter("gpu7", 80, "/metrics", False, "gpu7", "http://gpu7/metrics")),
        ("http://gpu7:9400/", Exporter("gpu7", 9400, "/metrics", False, "gpu7:9400", "http://gpu7:9400/metrics")),
        ("https://[::1]:9400/m?a=b", Exporter("::1", 9400, "/m?a=b", True, "[::1]:9400", "https://[::1]:9400/m")),
    ],
)
def test_an_address_is_read(url: str, exporter: Exporter) -> None:
    assert read_exporter(url) == exporter


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is not a URL of HTTP"),
        ("127.0.0.1:9400", "is not a URL"),
        ("ftp://127.0.0.1/", "is not a URL of HTTP"),
        ("http://", "is not a URL of HTTP"),
        ("http://127.0.0.1:0/", "is not a URL of HTTP"),
        ("http://127.0.0.1:99999/", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("http://a b/", "is not a URL of HTTP"),
        ("http://user:secret@127.0.0.1:9400/metrics", "holds a user name, which is not sent"),
        ("http://127.0.0.1:9400/a b", "has a path that no request may have"),
        ("http://127.0.0.1:9400/\u00e9", "has a path that no request may have"),
        ("http://127.0.0.1:9400/#a", "has a path that no request may have"),
    ],
)
def test_a_mistake_is_said_with_what_to_write_and_no_secret(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        read_exporter(url)
    assert "; write dcgm:http://127.0.0.1:9400/metrics" in str(refused.value)
    assert "secret" not in str(refused.value)
