"""The HTTP server for ready-made pages: what others import; the parts stay private to the package."""

from .listen import ListenAddress, parse_listen
from .model import (
    Limits,
    ListenError,
    Request,
    Responder,
    Response,
    ServerStats,
    WebConfigError,
)
from .policy import check_web_config
from .server import PageServer

__all__ = [
    "Limits",
    "ListenAddress",
    "ListenError",
    "PageServer",
    "Request",
    "Responder",
    "Response",
    "ServerStats",
    "WebConfigError",
    "check_web_config",
    "parse_listen",
]
