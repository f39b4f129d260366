"""The Chinese README says what the English one says: the same sections, code, links and commands, in one order."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))
SWITCH = {"README.md": "English | [简体中文](README.zh-CN.md)", "README.zh-CN.md": "[English](README.md) | 简体中文"}
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
OTHER = re.compile(r"README(\.zh-CN)?\.md")


def prose(text: str) -> str:
    return FENCE.sub("", text)


def code_blocks(text: str) -> list[str]:
    return FENCE.findall(text)


def heading_levels(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(text), re.MULTILINE)]


def links(text: str) -> list[str]:
    return [link for link in LINK.findall(prose(text)) if not OTHER.fullmatch(link)]


def tables(text: str) -> list[str]:
    """Give the first cell of every row of a table, and how many there are: commands and names are not translated."""
    rows = re.findall(r"^\|(.*)\|$", prose(text), re.MULTILINE)
    return [f"{row.split('|')[0].strip()}: {row.count('|') + 1}" for row in rows if "`" in row.split("|")[0]]


def code_of_sections(text: str) -> list[list[str]]:
    """Give for each section what stands in it as code, in any order: the order of words differs."""
    return [
        sorted(re.findall(r"`([^`\n]+)`", section)) for section in re.split(r"^#+ ", prose(text), flags=re.MULTILINE)
    ]


def points(text: str) -> list[int]:
    """Give how many points the lists of each section have."""
    return [
        len(re.findall(r"^- ", part, re.MULTILINE)) for part in re.split(r"^#+ ", prose(text), flags=re.MULTILINE)
    ]


def numbers(text: str) -> list[str]:
    """Give the numbers in the prose, in any order, but for those that are written as words in one of the two."""
    return sorted(re.findall(r"\d+(?:\.\d+)*", re.sub(r"\([^)\s]*\)|`[^`\n]*`", "", prose(text))))


@pytest.mark.parametrize("part", [heading_levels, code_blocks, links, tables, code_of_sections, points, numbers])
def test_both_have_the_same(part: Callable[[str], list[object]]) -> None:
    assert part(ENGLISH), "there is something to compare"
    assert part(CHINESE) == part(ENGLISH)


@pytest.mark.parametrize("name", SWITCH)
def test_each_leads_to_the_other_at_its_top(name: str) -> None:
    assert (ROOT / name).read_text("utf-8").splitlines()[:3] == ["# wattledger", "", SWITCH[name]]


def test_the_chinese_one_is_chinese() -> None:
    """A paragraph that was left in English would have the same code and links too."""
    for paragraph in re.split(r"\n\n|\n(?=- |\|)", prose(CHINESE)):
        plain = re.sub(r"`[^`\n]*`|\[[\w./-]*\]|\([^)\s]*\)|Apache-2\.0", "", paragraph)
        if len(re.findall(r"[A-Za-z]{2,}", plain)) > 6:
            assert len(re.findall(r"[\u4e00-\u9fff]", plain)) > 10, paragraph
