"""How configured services are asked: where their URL says, with proof from their files, over TLS that is checked."""

import base64
import ssl
from pathlib import Path

import pytest

from tests.agent.tokens.raw_server import RawServer, ok, serving
from tests.exporter.http import certificates
from tests.exporter.http.certificates import Identity
from wattledger.agent.tokens.access import ConfiguredAccess, read_endpoint
from wattledger.agent.tokens.fetch import FetchError
from wattledger.agent.tokens.settings import ConfiguredService

_PAGE = ok(b"a 1\n")


def _service(url: str, **more: object) -> ConfiguredService:
    return ConfiguredService("chat", url, **more)  # type: ignore[arg-type]  # the fields that a test names


def _access(service: ConfiguredService) -> ConfiguredAccess:
    return ConfiguredAccess(service, read_endpoint(service.endpoint))


def _header(server: RawServer, name: str) -> str | None:
    for line in server.requests[-1].decode("latin-1").split("\r\n"):
        if line.lower().startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    return None


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "header"),
    [
        ("http://127.0.0.1:8000/metrics", "127.0.0.1", 8000, "/metrics", "127.0.0.1:8000"),
        ("http://gpu7/metrics/?a=b", "gpu7", 80, "/metrics/?a=b", "gpu7"),
        ("https://gpu7", "gpu7", 443, "", "gpu7"),
        ("http://gpu7:8000/", "gpu7", 8000, "", "gpu7:8000"),
        ("http://[fd00::2]:8000", "fd00::2", 8000, "", "[fd00::2]:8000"),
        ("http://gpu7?model=x", "gpu7", 80, "/?model=x", "gpu7"),
    ],
)
def test_an_endpoint_is_read_from_its_url(url: str, host: str, port: int, path: str, header: str) -> None:
    endpoint = read_endpoint(url)
    assert (endpoint.target.host, endpoint.target.port, endpoint.path) == (host, port, path)
    assert endpoint.target.host_header == header


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("127.0.0.1:8000", "scheme"),
        ("ftp://x/", "scheme 'ftp' is not spoken"),
        ("http://", "no valid host"),
        ("http://x:99999/", "no URL"),
        ("http://a b/", "no valid host"),
        ("http://x/a b", "percent-encode"),
        ("http://x/\u00e9", "percent-encode"),
    ],
)
def test_a_url_that_is_none_is_refused_with_the_cure(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_endpoint(url)


def test_nothing_secret_in_a_url_is_shown() -> None:
    endpoint = read_endpoint("http://alice:hunter2@gpu7:8000/metrics?key=hunter3")
    assert endpoint.shown == "http://gpu7:8000/metrics"
    assert "hunter" not in repr(endpoint)


def test_a_token_is_read_from_its_file_at_each_use(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with serving(_PAGE) as server:
        access = _access(_service(f"http://127.0.0.1:{server.port}", bearer_token_file=file))
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            access.get("/metrics")
            assert _header(server, "authorization") == f"Bearer {token}"


def test_a_password_comes_from_its_file_or_the_url(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p\u00e4ss")
    with serving(_PAGE) as server:
        url = f"http://127.0.0.1:{server.port}"
        _access(_service(url, username="alice", password_file=tmp_path / "password")).get("/")
        assert _header(server, "authorization") == "Basic " + base64.b64encode("alice:p\u00e4ss".encode()).decode()
        _access(_service(url.replace("//", "//bob:x%40y@"))).get("/")
        assert _header(server, "authorization") == "Basic " + base64.b64encode(b"bob:x@y").decode()
        _access(_service(url)).get("/")
        assert _header(server, "authorization") is None


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff", "t\u00f6ken".encode()])
def test_a_secret_that_cannot_be_sent_is_said_by_its_file_alone(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with serving(_PAGE) as server:
        with pytest.raises(FetchError) as caught:
            _access(_service(f"http://127.0.0.1:{server.port}", bearer_token_file=file)).get("/")
        assert server.requests == []
    assert str(file) in str(caught.value)
    assert "lines" not in str(caught.value).replace("one line", "")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, ssl.SSLContext]:
    """Give an authority and the TLS of a server that it vouches for."""
    folder = tmp_path_factory.mktemp("pki")
    ca = certificates.authority(folder, "ca")
    server = certificates.server(folder, "server", ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert_file, server.key_file)
    return ca, context


def test_over_tls_the_server_must_prove_who_it_is(pki: tuple[Identity, ssl.SSLContext]) -> None:
    ca, context = pki
    with serving(_PAGE, context) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert _access(_service(url, ca_file=ca.cert_file)).get("/").content == b"a 1\n"
        assert _access(_service(url, insecure_skip_verify=True)).get("/").content == b"a 1\n"
        with pytest.raises(FetchError, match="unable to get local issuer certificate"):
            _access(_service(url)).get("/")
        with pytest.raises(FetchError):
            _access(_service(url.replace("127.0.0.1", "localhost"), ca_file=ca.cert_file)).get("/")


def test_a_certificate_that_is_replaced_is_used_from_then_on(
    pki: tuple[Identity, ssl.SSLContext], tmp_path: Path
) -> None:
    ca, context = pki
    file = tmp_path / "ca.pem"
    with serving(_PAGE, context) as server:
        access = _access(_service(f"https://127.0.0.1:{server.port}", ca_file=file))
        with pytest.raises(FetchError, match="cannot be read"):
            access.get("/")
        file.write_text("nonsense")
        with pytest.raises(FetchError, match="holds no CA certificate"):
            access.get("/")
        file.write_bytes(ca.cert_file.read_bytes())
        assert access.get("/").content == b"a 1\n"


def test_a_server_without_tls_is_told_so(pki: tuple[Identity, ssl.SSLContext]) -> None:
    with serving(_PAGE) as server, pytest.raises(FetchError):
        _access(_service(f"https://127.0.0.1:{server.port}", ca_file=pki[0].cert_file)).get("/")
