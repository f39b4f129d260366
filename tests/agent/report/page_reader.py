"""The page of a report as a reader sees it; what is not well-formed, or would load or run something, fails."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

_ADDRESSES = ("src", "href", "action", "data", "srcset", "xlink:href", "poster", "background")


class ReportPage:
    """The page as a tree."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.head, _, rest = text.partition("<body>")
        body = f"<body>{rest.removesuffix('</html>' + chr(10))}"
        self.body = ET.fromstring(body)  # noqa: S314  (made a moment ago by the code under test)
        for element in self.body.iter():
            assert element.tag not in ("script", "style", "link", "iframe", "object", "image", "foreignObject")
            for name in element.attrib:
                assert not name.startswith("on"), f"{name} of {element.tag} would run"
                assert name not in _ADDRESSES, f"{name} of {element.tag} would load"
                assert name != "style", f"the policy forbids style of {element.tag}"

    @property
    def words(self) -> str:
        """Give all that can be read outside of pictures, blanks as one."""
        return " ".join(" ".join(_texts(self.body)).split())

    def section(self, name: str) -> ET.Element:
        """Give the section with that anchor."""
        (found,) = (one for one in self.body.iter("section") if one.get("id") == name)
        return found

    @property
    def sections(self) -> list[str]:
        """Give the anchors of all sections in their order."""
        return [one.get("id") or "" for one in self.body.iter("section")]

    def rows(self, name: str) -> list[list[str]]:
        """Give the cells of the table of a section, a list for each row, its head first."""
        (table,) = self.section(name).iter("table")
        return [[" ".join(" ".join(cell.itertext()).split()) for cell in row] for row in table.iter("tr")]

    def row(self, name: str, start: str) -> list[str]:
        """Give the one row whose first cell begins so."""
        (found,) = (row for row in self.rows(name) if row[0].startswith(start))
        return found

    def of_class(self, name: str, kind: str) -> list[ET.Element]:
        """Give the shapes of a section's picture that are of a class."""
        (picture,) = (one for one in self.section(name).iter("svg") if one.get("class") == "chart")
        return [one for one in picture.iter() if one.get("class") == kind]

    def legend(self, name: str) -> list[str]:
        """Give what the colours of a section's picture stand for."""
        return ["".join(item.itertext()) for item in self.section(name).iter("li")]

    def tips(self, name: str) -> list[list[str]]:
        """Give the lines of each text under the pointer."""
        return [(one.text or "").split("\n") for one in self.section(name).iter("title")]

    def summary(self, name: str) -> str:
        """Give what a picture says in words; those who do not see it hear the same."""
        (said,) = (one for one in self.section(name).iter("p") if one.get("class") == "sum")
        (picture,) = (one for one in self.section(name).iter("svg") if one.get("class") == "chart")
        assert picture.get("role") == "img"
        assert (said.text or "") in (picture.get("aria-label") or "")
        return said.text or ""

    def tiles(self) -> dict[str, str]:
        """Give the numbers at a glance by what they are."""
        found = {}
        for tile in self.body.iter("div"):
            label = tile.find("span")
            number = tile.find("b")
            if label is not None and number is not None and label.get("class") == "label":
                found[label.text or ""] = " ".join("".join(number.itertext()).split())
        return found


def _texts(element: ET.Element) -> Iterator[str]:
    if element.tag == "svg":
        return
    yield element.text or ""
    for child in element:
        yield from _texts(child)
        yield child.tail or ""


def corners(path: str) -> Iterator[list[tuple[float, float]]]:
    """Give the corners of each part of a path of straight lines."""
    for part in path.split("M")[1:]:
        numbers = [float(one) for one in re.findall(r"-?[\d.]+", part)]
        yield list(zip(numbers[::2], numbers[1::2], strict=True))


def area(path: str) -> float:
    """Give the area of a path, by the shoelace formula."""
    return abs(sum(_area(part) for part in corners(path)))


def _area(points: list[tuple[float, float]]) -> float:
    following = [*points[1:], points[0]]
    return sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(points, following, strict=True)) / 2
