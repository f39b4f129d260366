"""A real browser for tests of pages: Chromium without a window, told what to do through a pipe, off the network."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ANSWERS_WITHIN_SECONDS = 60.0
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # small in containers
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)
_TROUBLE = ("warning", "error", "assert")


@contextmanager
def chromium(program: str, folder: Path) -> Iterator["Browser"]:
    """Run *program* with a fresh profile in *folder*."""
    profile = folder / "profile"
    profile.mkdir(parents=True)
    to_child, commands = (_high(end) for end in os.pipe())
    answers, from_child = (_high(end) for end in os.pipe())
    with (folder / "chromium.log").open("wb") as log:
        pid = os.posix_spawn(
            program,
            [
                program,
                *_FLAGS,
                *(["--no-sandbox"] if os.getuid() == 0 else []),  # it refuses to run as root with one
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, to_child, 3),
                (os.POSIX_SPAWN_DUP2, from_child, 4),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
            setsid=True,
        )
    os.close(to_child)
    os.close(from_child)
    try:
        yield Browser(commands, answers, folder / "chromium.log")
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(commands)
        os.close(answers)
        shutil.rmtree(profile, ignore_errors=True)


def _high(end: int) -> int:
    """Move the end of a pipe out of the way of those that the child has by fixed numbers."""
    moved = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(end)
    return moved


class Browser:
    """The browser's protocol: messages in JSON, each with a NUL behind it."""

    def __init__(self, commands: int, answers: int, log: Path) -> None:
        self._commands = commands
        self._answers = answers
        self._log = log
        self._rest = b""
        self._sent = 0
        self._pages: dict[str, Page] = {}

    def page(self) -> "Page":
        """Open a page, which notes what is wrong with it from then on."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session)
        self._pages[session] = page
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            page.call(f"{domain}.enable")
        return page

    def call(self, method: str, parameters: Mapping[str, Any] | None = None, session: str = "") -> dict[str, Any]:
        """Send a command and give its result; events that come before it go to their pages."""
        self._sent += 1
        message: dict[str, Any] = {"id": self._sent, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message()
            if answer.get("id") == self._sent:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def next_message(self) -> dict[str, Any]:
        """Wait for the next message; an event goes to its page too."""
        deadline = time.monotonic() + _ANSWERS_WITHIN_SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self._answers, 1 << 20) if ready else b""
            assert data, f"Chromium does not answer: {self._log.read_text(errors='replace')[-2000:]}"
            self._rest += data
        raw, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        if "method" in message and message.get("sessionId") in self._pages:
            self._pages[message["sessionId"]].note(message["method"], message["params"])
        return message


@dataclass(slots=True)
class Page:
    """A page, what it asked for, and what its console and its inspector complained of."""

    _browser: Browser
    _session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _loads: int = 0

    def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a command of this page."""
        return self._browser.call(method, parameters, self._session)

    def open(self, url: str) -> None:
        """Load *url* and wait until all of it is there."""
        before = self._loads
        self.call("Page.navigate", {"url": url})
        while self._loads == before:
            self._browser.next_message()

    def look(self, width: int, *, height: int = 900, scheme: str = "light", media: str = "") -> None:
        """Show the page as wide as that, light or dark, on a screen or on paper."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def evaluate(self, expression: str) -> Any:
        """Give the value of a JavaScript expression in the page, from outside of its policy."""
        found = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, *, height: int | None = None) -> bytes:
        """Give the page as it looks, as PNG: all of it, or as far down as that."""
        self.call("Page.bringToFront")  # one in the background is not drawn, and there is no answer
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        parameters = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        return base64.b64decode(self.call("Page.captureScreenshot", parameters)["data"])

    def note(self, event: str, told: dict[str, Any]) -> None:
        """Note an event."""
        if event == "Page.loadEventFired":
            self._loads += 1
        elif event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and told["type"] in _TROUBLE:
            self.complaints.append(str(told["args"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] in _TROUBLE:
            self.complaints.append(told["entry"]["text"])
        elif event == "Audits.issueAdded":
            self.complaints.append(str(told["issue"]))
