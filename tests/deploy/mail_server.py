"""A mail server on a real loopback socket that keeps what it accepts: as much of SMTP as Alertmanager speaks."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Self


@dataclass(frozen=True)
class Mail:
    """One message with the addresses of its envelope."""

    to: tuple[str, ...]
    message: EmailMessage

    def part(self, kind: str) -> str:
        """Give the text of the part of this kind, "plain" or "html", with plain line ends."""
        body = self.message.get_body((kind,))
        assert body is not None, f"no part {kind}"
        return str(body.get_content()).replace("\r\n", "\n")


class MailServer:
    """Accepts mail until closed; `mails` has what was accepted, in order."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        mails = self.mails

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 loopback")
                to: list[str] = []
                for line in self.rfile:
                    command = line.decode().strip()
                    verb = command[:4].upper()
                    if verb == "RCPT":
                        to.append(command.partition("<")[2].partition(">")[0])
                    if verb == "DATA":
                        self.say("354 go on")
                        mails.append(Mail(tuple(to), self.message()))
                        to = []
                    self.say("221 bye" if verb == "QUIT" else "250 well")
                    if verb == "QUIT":
                        return

            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def message(self) -> EmailMessage:
                lines = iter(self.rfile.readline, b".\r\n")
                content = b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)
                parsed = email.message_from_bytes(content, policy=email.policy.default)
                assert isinstance(parsed, EmailMessage)
                return parsed

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="mail-server")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
