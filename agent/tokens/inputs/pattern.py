"""A log pattern that is sure to end soon: what could take long on some line is refused; it reads no lines itself.

Python matches by trying, and holds up every thread while it does. RE2's syntax keeps look-around and back references
out. Here repeats within repeats, which take exponential time, are refused, and others by how often they can try.
"""

import re

from wattledger.rules.re2 import Re2Error, compile_re2

LINE_CHARACTERS = 512
# Ways to try from one character: two unbounded repeats and an option, or one repeat and some that are bounded. The
# worst line then takes some tenths of a second.
_TRIES_LIMIT = 2 * (LINE_CHARACTERS + 1) ** 2
_TOKEN = re.compile(r"\\Q.*?(?:\\E|$)|\\x\{[0-9A-Fa-f]+\}|\\.|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|.", re.DOTALL)
_REPEAT = re.compile(r"[*+?]|\{(\d+)(,?)(\d*)\}", re.ASCII)
_GROUPS = ("tokens", "samples")


class PatternError(ValueError):
    """A pattern that cannot be used; the message says why, and the cure."""


def compile_log_pattern(pattern: str) -> tuple[re.Pattern[str], str]:
    """Compile a pattern for `search` on lines of at most LINE_CHARACTERS; give the name of its group too.

    Raises PatternError.
    """
    try:
        compiled = compile_re2(pattern, matcher=False)
    except Re2Error as error:
        raise PatternError(f"the pattern {pattern!r} is not usable: {error}") from None
    groups = [name for name in _GROUPS if name in compiled.groupindex]
    if len(groups) != 1:
        raise PatternError(
            f"the pattern {pattern!r} needs one group named tokens or samples, such as (?P<tokens>[0-9]+)"
        )
    if _tries(pattern) > _TRIES_LIMIT:
        raise PatternError(
            f"the pattern {pattern!r} may take long: use at most two of * and +, limits such as {{1,8}} for others, "
            "and leave out what stands far from the number"
        )
    return compiled, groups[0]


def _tries(pattern: str) -> int:
    """Give in how many ways a line can be tried, beside where it begins. Raises PatternError."""
    tries = 1
    branching = [False]  # for each open group, whether there is a choice in it
    closed = False  # whether the group that was just closed had one
    at = 0
    while at < len(pattern):
        repeat = _REPEAT.match(pattern, at) if at else None
        if repeat is not None:
            most, fixed = _repeats(repeat)
            if closed and most > 1:
                raise PatternError(
                    f"the pattern {pattern!r} repeats a group that holds a choice or a repeat; write it out instead"
                )
            if not fixed:
                tries *= most + 1
                branching[-1] = True
            at = repeat.end() + (pattern.startswith("?", repeat.end()))
            closed = False
            continue
        token = _TOKEN.match(pattern, at)
        text = token[0] if token is not None else pattern[at]
        at += len(text)
        closed = False
        if text == "(":
            branching.append(False)
            at = _after_group_start(pattern, at)
        elif text == ")" and len(branching) > 1:
            closed = branching.pop()
            branching[-1] = branching[-1] or closed
        elif text == "|":
            branching[-1] = True
            tries *= 2
    return tries


def _after_group_start(pattern: str, at: int) -> int:
    """Give where the content of a group begins: its name or its flags are no repeats."""
    start = re.compile(r"\?(?:P?<\w+>|[a-z-]*:?)", re.ASCII).match(pattern, at)
    return at if start is None else start.end()


def _repeats(repeat: re.Match[str]) -> tuple[int, bool]:
    """Give how often it can match at most, and whether that is the only number."""
    if repeat[0] in ("*", "+"):
        return LINE_CHARACTERS, False
    if repeat[0] == "?":
        return 1, False
    least = int(repeat[1])
    if not repeat[2]:
        return least, True
    return (int(repeat[3]) if repeat[3] else LINE_CHARACTERS), repeat[3] == repeat[1]
