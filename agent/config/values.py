"""The typed values a configuration is made of and their text forms; it knows neither files nor keys."""

import re
import socket
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wattledger.exporter.http import ListenAddress

_GPU_UUID = re.compile(r"(GPU|MIG)-[0-9A-Za-z][0-9A-Za-z/-]{0,99}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f/-]*")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?\.?")
_LOOKS_LIKE_IPV4 = re.compile(r"[0-9.]+")
_INTERFACE = re.compile(r"(%[A-Za-z0-9_.-]+)?")
_HIGHEST_PORT = 65_535


class LogLevel(StrEnum):
    """From which weight on a line is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SourceMode(StrEnum):
    """The kind of source asked for; `auto` becomes one of the others when the agent starts."""

    AUTO = "auto"
    NVML = "nvml"
    SIM = "sim"
    REPLAY = "replay"
    DCGM = "dcgm"


class KubernetesMode(StrEnum):
    """Whether the kubelet is asked for pods; `auto` asks where its socket is."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """Where samples shall come from. `path` is the capture to replay, `url` the page of a dcgm-exporter."""

    kind: SourceMode
    path: Path | None = None
    url: str = ""

    def __str__(self) -> str:
        """Give the form it is written in."""
        if self.url:
            return f"{self.kind}:{self.url}"
        return self.kind.value if self.path is None else f"{self.kind}:{self.path}"


@dataclass(frozen=True, slots=True)
class GpuReference:
    """One GPU or MIG instance, by index or by UUID; exactly one of them is set."""

    index: int | None = None
    uuid: str | None = None

    def names(self, index: int, uuid: str) -> bool:
        """Tell whether the device with *index* and *uuid* is meant."""
        return self.index == index if self.uuid is None else self.uuid == uuid

    def __str__(self) -> str:
        """Give the form it is written in."""
        return str(self.index) if self.uuid is None else self.uuid


def is_pattern(path: Path) -> bool:
    """Tell whether the last part of *path* stands for the files that match it."""
    return any(sign in path.name for sign in "*?[")


def parse_listen(text: str) -> ListenAddress:
    """Give the address in `host:port`, `[::1]:port` or `:port`. Raises ValueError with the cure."""
    host, colon, port_text = text.rpartition(":")
    if not colon:
        cure = f"127.0.0.1:{text} or :{text}" if _is_port(text) else "host:port, such as 127.0.0.1:9889"
        raise ValueError(f"is not an address; write {cure}")
    if not _is_port(port_text):
        raise ValueError(f"has no port from 0 to {_HIGHEST_PORT} after its last colon; write 127.0.0.1:9889")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_ipv6(host):
            raise ValueError("has no IPv6 address in its brackets; write [::1]:9889")
    elif ":" in host:
        cure = f"[{host}]:{port_text}" if _is_ipv6(host) else "host:port, such as 127.0.0.1:9889"
        raise ValueError(f"has too many colons; write {cure}")
    elif host == "*":
        raise ValueError(f"has no host before the colon; for every address write :{port_text}")
    elif host and not _is_host(host):
        raise ValueError("has no host name or address before the colon; write host:port, such as 127.0.0.1:9889")
    return ListenAddress(host, int(port_text))


def _is_port(text: str) -> bool:
    return len(text) <= 5 and text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT


def _is_ipv6(host: str) -> bool:
    address, percent, interface = host.partition("%")  # fe80::1%eth0
    return _is_address(socket.AF_INET6, address) and _INTERFACE.fullmatch(percent + interface) is not None


def _is_host(host: str) -> bool:
    if _LOOKS_LIKE_IPV4.fullmatch(host):
        return _is_address(socket.AF_INET, host)
    return _HOST_NAME.fullmatch(host) is not None


def _is_address(family: socket.AddressFamily, text: str) -> bool:
    if not text.isascii() or "\0" in text:
        return False
    try:
        socket.inet_pton(family, text)
    except OSError:
        return False
    return True


def parse_gpu_uuid(text: str) -> str:
    """Give a UUID as NVML writes it, its hexadecimal part in small letters. Raises ValueError with the cure."""
    if not _GPU_UUID.fullmatch(text):
        raise ValueError("is not a GPU UUID; write it as `nvidia-smi -L` prints it: GPU-... or MIG-...")
    prefix, rest = text[:4], text[4:]
    return prefix + (rest.lower() if _HEXADECIMAL.fullmatch(rest) else rest)
