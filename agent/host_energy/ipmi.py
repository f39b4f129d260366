"""The node's power as its management controller measures it, asked from inside the host through /dev/ipmi0."""

import ctypes
import fcntl
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from wattledger.rules.chain.node_model import NODE, NodeReading, NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

from ..sources.base import SourceError
from ..sources.host import gap_of
from . import ipmi_wire as wire

TIMEOUT_NS = 5 * NS_PER_SECOND
PERIOD_NS = 10 * NS_PER_SECOND

Ioctl = Callable[[int, int, bytearray], object]
"""Does one ioctl on a descriptor; the buffer is read and written."""

Wait = Callable[[int, int], bool]
"""Waits until a descriptor can be read, at most so many milliseconds; gives whether it can."""


class IpmiTransport(Protocol):
    """One command to the management controller and its answer."""

    def ask(self, netfn: int, command: int, data: bytes) -> bytes:
        """Give the answer, completion code first. Raises OSError and TimeoutError."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class IpmiDevice:
    """The kernel's IPMI driver, by its ioctls."""

    def __init__(self, path: Path, *, ioctl: Ioctl | None = None, wait: Wait | None = None) -> None:
        self._path = path
        self._ioctl = ioctl or _system_ioctl
        self._wait = wait or _system_wait
        self._descriptor: int | None = None
        self._number = 0

    def ask(self, netfn: int, command: int, data: bytes) -> bytes:
        """Give the answer, completion code first. Raises OSError and TimeoutError."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return self._exchange(self._descriptor, netfn, command, data)
        except OSError:
            self.close()  # a late answer must not be taken for that to the next question
            raise

    def close(self) -> None:
        """Let go of the device."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _exchange(self, descriptor: int, netfn: int, command: int, data: bytes) -> bytes:
        self._number += 1
        address = ctypes.create_string_buffer(wire.SYSTEM_ADDRESS, len(wire.SYSTEM_ADDRESS))
        content = ctypes.create_string_buffer(data, max(1, len(data)))
        request = bytearray(
            wire.REQUEST.pack(
                ctypes.addressof(address),
                len(wire.SYSTEM_ADDRESS),
                self._number,
                netfn,
                command,
                len(data),
                ctypes.addressof(content),
            )
        )
        self._ioctl(descriptor, wire.SEND_COMMAND, request)
        deadline_ns = time.monotonic_ns() + TIMEOUT_NS
        while (left_ns := deadline_ns - time.monotonic_ns()) > 0 and self._wait(descriptor, left_ns // 1_000_000):
            answer = self._receive(descriptor)
            if answer is not None:
                return answer
        raise TimeoutError(f"{self._path}: no answer within {TIMEOUT_NS // NS_PER_SECOND} s")

    def _receive(self, descriptor: int) -> bytes | None:
        """Give the answer to the latest question; None where the message is another, such as an event."""
        address = ctypes.create_string_buffer(wire.ADDRESS_BYTES)
        content = ctypes.create_string_buffer(wire.MESSAGE_BYTES)
        received = bytearray(
            wire.RECEIVED.pack(
                0,
                ctypes.addressof(address),
                wire.ADDRESS_BYTES,
                0,
                0,
                0,
                wire.MESSAGE_BYTES,
                ctypes.addressof(content),
            )
        )
        self._ioctl(descriptor, wire.RECEIVE_MESSAGE, received)
        kind, _, _, number, _, _, length, _ = wire.RECEIVED.unpack(received)
        if kind != wire.RESPONSE_TYPE or number != self._number:
            return None
        return content.raw[: min(length, wire.MESSAGE_BYTES)]


class IpmiMeter:
    """Asks for DCMI's power reading of the system."""

    source = NodeSource.IPMI

    def __init__(self, transport: IpmiTransport, *, period_ns: int = PERIOD_NS) -> None:
        self._transport = transport
        self._period_ns = period_ns

    @property
    def period_ns(self) -> int:
        """Give how often it is to be read."""
        return self._period_ns

    def read(self, at: Instant) -> tuple[NodeReading, ...]:
        """Give the node's power. Raises SourceError."""
        try:
            answer = self._transport.ask(wire.GROUP_REQUEST, wire.GET_POWER_READING, wire.power_request())
            reading = wire.power_reading(answer)
        except TimeoutError as error:
            raise SourceError(Gap.TIMEOUT, str(error)) from None
        except OSError as error:
            raise SourceError(gap_of(error), f"{error.filename or 'IPMI'}: {error.strerror or error}") from None
        except wire.IpmiError as error:
            raise SourceError(Gap.UNSUPPORTED if error.unsupported else Gap.FAILED, str(error)) from None
        if not reading.measuring or reading.power_watts == 0:
            raise SourceError(
                Gap.UNSUPPORTED, "the management controller does not measure power (DCMI power reading is not active)"
            )
        if reading.power_watts == wire.NO_POWER_WATTS:
            raise SourceError(
                Gap.FAILED, f"the management controller has no power ({reading.power_watts} W, which stands for none)"
            )
        return (NodeReading(NODE, self.source, at, power_mw=reading.power_watts * 1000, period_ns=self._period_ns),)

    def close(self) -> None:
        """Let go of the device."""
        self._transport.close()


def _system_ioctl(descriptor: int, number: int, buffer: bytearray) -> object:
    return fcntl.ioctl(descriptor, number, buffer)


def _system_wait(descriptor: int, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(milliseconds))
