"""Texts and numbers expanded by us and by the real promtool: the same, character by character."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.rules.templates import promtool_texts as promtool
from tests.rules.templates.template_tables import LABEL_TEXTS, LABELS, NEVER_WORKS, NUMBER_TEXTS, NUMBERS, REFUSED
from wattledger.rules.templates import (
    ExpansionError,
    QuerySample,
    TemplateData,
    TemplateSyntaxError,
    compile_template,
)

FAILURE = "<error expanding template:"

OTHER = (('other{n="b", __value__="b!"}', "2"), ('other{n="a"}', "1"))


def ours(text: str, labels: Mapping[str, str], value: float) -> str:
    """Expand one text; what fails gives the same start as Prometheus writes."""
    answers: dict[str, Sequence[QuerySample]] = {
        "sort(other)": (QuerySample({"__name__": "other", "n": "a"}, 1.0), QuerySample(OTHER_B, 2.0)),
        "absent_metric": (),
        'other{n="a"}': (QuerySample({"__name__": "other", "n": "a"}, 1.0),),
    }
    data = TemplateData(labels, value, promtool.EXTERNAL_LABELS, promtool.EXTERNAL_URL)
    try:
        return compile_template(text).expand(data, query=lambda query: answers[query])
    except ExpansionError:
        return FAILURE


OTHER_B = {"__name__": "other", "n": "b", "__value__": "b!"}


def test_numbers_are_written_as_promtool_writes_them(tmp_path: Path) -> None:
    series = [promtool.InputSeries({}, number) for number in NUMBERS]
    theirs = promtool.expanded(NUMBER_TEXTS, series, tmp_path)
    differences = []
    for index, number in enumerate(NUMBERS):
        labels = {"__name__": "m", "case": f"{index:04d}"}
        for text, expected in zip(NUMBER_TEXTS, theirs[index], strict=True):
            got = ours(text, labels, float(number))
            if "humanizeDuration" in text and abs(float(number)) >= 2**63:
                continue  # there Go's conversion to an integer depends on the processor
            if got != (FAILURE if expected.startswith(FAILURE) else expected):
                differences.append((text, number, got, expected))
    assert differences == []
    assert math.prod((len(NUMBERS), len(NUMBER_TEXTS))) > 1000


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What promtool makes of LABEL_TEXTS, in one run."""
    folder = tmp_path_factory.mktemp("texts")
    series = [promtool.InputSeries(LABELS, "0.25")]
    return dict(zip(LABEL_TEXTS, promtool.expanded(LABEL_TEXTS, series, folder, other_series=OTHER)[0], strict=True))


@pytest.mark.parametrize("text", LABEL_TEXTS)
def test_a_text_is_expanded_as_promtool_expands_it(text: str, theirs: dict[str, str]) -> None:
    got = ours(text, {"__name__": "m", **LABELS, "case": "0000"}, 0.25)
    expected = theirs[text]
    assert got == (FAILURE if expected.startswith(FAILURE) else expected)
    assert got != FAILURE or "expanding" in expected


@pytest.mark.parametrize("text", REFUSED)
def test_what_promtool_refuses_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    assert not promtool.accepted(text, tmp_path)
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_template(text)
    assert caught.value.line == 1
    assert 1 <= caught.value.column <= len(text) + 1


@pytest.mark.parametrize("text", NEVER_WORKS)
def test_what_fails_at_every_expansion_is_refused_at_load_already(text: str, tmp_path: Path) -> None:
    assert promtool.accepted(text, tmp_path)
    assert promtool.expanded([text], [promtool.InputSeries({}, "1")], tmp_path)[0][0].startswith(FAILURE)
    with pytest.raises(TemplateSyntaxError):
        compile_template(text)
