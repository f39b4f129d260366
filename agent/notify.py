"""Tells systemd how the daemon is doing (sd_notify(3)); without a NOTIFY_SOCKET it is silent."""

import logging
import socket
from collections.abc import Mapping

logger = logging.getLogger(__name__)


class Notifier:
    """Sends READY, STATUS, WATCHDOG, RELOADING and STOPPING as datagrams.

    A send that fails is logged once and dropped: the service manager then acts on its own watchdog.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self._status = ""
        self._failing = False

    def ready(self) -> None:
        """Start-up is over: the page answers."""
        self._send("READY=1")

    def watchdog(self) -> None:
        """The tick thread is alive."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Show *text* in `systemctl status`; sent only when it changes."""
        if text != self._status and self._send("STATUS=" + " ".join(text.split())):
            self._status = text

    def reloading(self, mono_us: int) -> None:
        """Configuration is being read again; `ready` ends it. *mono_us* is CLOCK_MONOTONIC."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={mono_us}")

    def stopping(self) -> None:
        """Shut-down has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> bool:
        """Send *message*; give whether it was taken."""
        if self._socket is None:
            return False
        try:
            # A path in the text may hold bytes that are no text.
            self._socket.sendto(message.encode(errors="replace"), self._address)
        except OSError as error:
            if not self._failing:
                logger.warning("service manager does not take notifications: error=%s", error)
            self._failing = True
        else:
            self._failing = False
        return not self._failing


def _address(name: str) -> str:
    return "\0" + name[1:] if name.startswith("@") else name
