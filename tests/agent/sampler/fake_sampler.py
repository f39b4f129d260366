"""A sampler of few virtues, started by the tests: `fake_sampler.py MODE [ARGUMENT]`, frames on fd 3.

Each mode is one way in which a real one behaves or fails. Its pid stands in the sample's boot id.
"""

import os
import signal
import sys
import threading
import time

from tests.agent.sampler.samples import failure, sample
from wattledger.agent.sampler.frames import EndOfFrames, Message, encode_frame

FRAMES_FD = 3
DEAF_MODES = ("late", "last words", "stubborn")  # SIGTERM stays blocked, as it is when a sampler starts


def send(message: Message) -> None:
    os.write(FRAMES_FD, encode_frame(message))


def send_sample(mono_ns: int | None = None) -> None:
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if mono_ns is None else mono_ns
    send(sample(now_ns, boot_id=str(os.getpid())))


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def speak_for_ever() -> None:
    while True:
        send_sample()
        wait(0.05)


def be_late() -> None:
    """Fall silent, and when told to go, talk on."""
    signal.sigwait({signal.SIGTERM})
    while True:
        try:
            send_sample()
        except BrokenPipeError:
            wait(0.02)


def last_words() -> None:
    """When told to go, give one sample with an event, and go."""
    signal.sigwait({signal.SIGTERM})
    send(sample(time.clock_gettime_ns(time.CLOCK_BOOTTIME), boot_id=str(os.getpid()), xids=[79]))


def write_to(path: str) -> None:
    """Write to a file; on a frozen file system this is state D."""
    with open(path, "wb", buffering=0) as file:  # noqa: PTH123
        file.write(b"x")


def main(mode: str, argument: str = "") -> None:
    if mode not in DEAF_MODES:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if mode == "mute":
        wait(3600)
    elif mode == "slow":
        wait(float(argument))
        speak_for_ever()
    elif mode == "failing":
        send(failure(time.clock_gettime_ns(time.CLOCK_BOOTTIME), "no driver"))
        sys.exit(10)
    elif mode == "backwards":
        for mono_ns in (10, 30, 20, 40):
            send_sample(mono_ns)
    send_sample()
    if mode == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif mode == "exit":
        os._exit(int(argument))
    elif mode == "end":
        send(EndOfFrames())
        os._exit(11)
    elif mode == "garbage":
        os.write(FRAMES_FD, b"\xff" * 1000)
    elif mode == "late":
        be_late()
    elif mode == "last words":
        last_words()
        return
    elif mode == "kernel":
        write_to(argument)
    elif mode not in ("hang", "stubborn"):
        speak_for_ever()
    wait(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
