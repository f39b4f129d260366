"""What is done with the labels of one series; it knows neither values nor time."""

from collections.abc import Collection

from .model import METRIC_NAME, Labels


def drop_name(labels: Labels) -> Labels:
    """Give *labels* without the metric name."""
    if labels and labels[0][0] == METRIC_NAME:
        return labels[1:]
    return tuple(pair for pair in labels if pair[0] != METRIC_NAME)


def keep(labels: Labels, names: Collection[str]) -> Labels:
    """Give those of *labels* that *names* has."""
    return tuple([pair for pair in labels if pair[0] in names])


def leave_out(labels: Labels, names: Collection[str]) -> Labels:
    """Give those of *labels* that *names* has not."""
    return tuple([pair for pair in labels if pair[0] not in names])


def value_of(labels: Labels, name: str) -> str:
    """Give the value of the label *name*, the empty text where there is none."""
    for key, value in labels:
        if key == name:
            return value
    return ""


def with_label(labels: Labels, name: str, value: str) -> Labels:
    """Give *labels* with *name* set to *value*, or without it where that is empty."""
    rest = [pair for pair in labels if pair[0] != name]
    return tuple(sorted([*rest, (name, value)])) if value else tuple(rest)


def text_of(labels: Labels) -> str:
    """Write *labels* as a selector would, for messages."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
