"""How a sampler's end reads: its exit codes, and in words for people."""

import os
import signal
from enum import IntEnum


class SamplerExit(IntEnum):
    """Exit codes of the sampler. 1 is Python's for an uncaught exception."""

    DONE = 0  # asked to stop, or nobody reads
    USAGE = 2  # the settings cannot be used
    SOURCE_FAILED = 10  # the source as a whole cannot be read; the last frame says why
    END_OF_SOURCE = 11  # a finite source was read to its end
    STUCK = 12  # asked to stop while a driver call did not return


_MEANING = {
    SamplerExit.DONE: "it stopped without being asked",
    SamplerExit.USAGE: "it could not use its settings",
    SamplerExit.SOURCE_FAILED: "the source cannot be read",
    SamplerExit.END_OF_SOURCE: "the source is at its end",
    SamplerExit.STUCK: "a driver call did not return when it was asked to stop",
}


def exit_code(status: int) -> int | None:
    """Give the exit code in a wait *status*, None when a signal ended the process."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None


def describe_status(status: int) -> str:
    """Give a wait *status* in words: the signal's name, or the exit code and what it means."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        known = {known.value for known in signal.Signals}
        return f"killed by {signal.Signals(number).name if number in known else f'signal {number}'}"
    code = os.WEXITSTATUS(status)
    meaning = _MEANING[SamplerExit(code)] if code in set(SamplerExit) else "its log has the reason"
    return f"exit code {code}: {meaning}"
