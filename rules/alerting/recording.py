"""One evaluation of a recording rule: a result to samples; where they go is not its matter."""

from wattledger.rules.promql.model import Element

from .failure import RuleFailedError
from .labels import overridden
from .model import RecordingRule


def recorded(rule: RecordingRule, elements: tuple[Element, ...], *, limit: int) -> tuple[Element, ...]:
    """Give the series that *rule* writes for the result *elements*.

    Raises RuleFailedError when two get the same labels, or there are more than *limit* (0: no limit).
    """
    made = tuple(
        Element(overridden(element.labels, rule.labels, metric=rule.record), element.value) for element in elements
    )
    if len({element.labels for element in made}) < len(made):
        raise RuleFailedError("vector contains metrics with the same labelset after applying rule labels")
    if 0 < limit < len(made):
        raise RuleFailedError(f"exceeded limit of {limit} with {len(made)} series")
    return made
