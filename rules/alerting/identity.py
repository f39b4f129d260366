"""Which rules are the same before and after a reload or a restart; what they gave is unknown here."""

from collections.abc import Iterable

from .model import RecordingRule, Rule


def identities(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Give the identity of each rule of a group: a text that stays while kind, name and label texts do.

    Rules that share all of these are numbered in their order, so that no two of a group have the same identity.
    """
    seen: dict[str, int] = {}
    found: list[str] = []
    for rule in rules:
        text = _text(rule)
        seen[text] = seen.get(text, 0) + 1
        found.append(text if seen[text] == 1 else f"{text} #{seen[text]}")
    return tuple(found)


def _text(rule: Rule) -> str:
    # ascii() quotes what could be taken for a separator, the same in every version of Python.
    if isinstance(rule, RecordingRule):
        return " ".join(("record", ascii(rule.record), *(f"{name}={value!a}" for name, value in rule.labels)))
    return " ".join(("alert", ascii(rule.alert), *(f"{name}={text.source!a}" for name, text in rule.labels)))
