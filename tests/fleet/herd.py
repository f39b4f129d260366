"""The pages of many hosts: a few simulated ones, each copied with a name, boards and an owner of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from tests.fleet.host import FULL, FleetHost, Shape
from wattledger.exporter.render import Format, Renderer

GPUS_OF_HOST = 8
STEP_S = 15
PAGES = 60  # a quarter of an hour
# The seed of a host stands in the UUIDs of its boards (sim_fleet.py): its upper half makes a mark in the text.
_MARK = 0xFEE7
_UUID_MARK = f"-{_MARK:04x}-8".encode()
_OWNER_MARK = b'owner="owner-0"'
_PROFILES = ("h100", "a100")
_OWNERS, _HOSTS_OF_CLUSTER, _HOSTS_OF_RACK = 50, 250, 4


@dataclass(frozen=True, slots=True)
class Herd:
    """Pages of the hosts that others are copies of, each a list in order of time, `STEP_S` apart."""

    originals: tuple[tuple[bytes, ...], ...]

    @classmethod
    def made(cls, start_s: int, count: int = PAGES, form: Format = Format.TEXT) -> Self:
        """Let a daemon on each original make *count* pages from *start_s* on."""
        renderer = Renderer()
        return cls(
            tuple(
                tuple(
                    renderer.render(snapshot, form)
                    for snapshot in FleetHost(_MARK << 16, shape_of(profile), start_s, STEP_S).pages(count)
                )
                for profile in _PROFILES
            )
        )

    @classmethod
    def loaded(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        originals = sorted(path for path in folder.iterdir() if path.is_dir())
        return cls(tuple(tuple(page.read_bytes() for page in sorted(path.iterdir())) for path in originals))

    def save(self, folder: Path) -> None:
        """Write the pages to *folder*."""
        for number, pages in enumerate(self.originals):
            place = folder / f"original-{number}"
            place.mkdir(parents=True)
            for moment, page in enumerate(pages):
                (place / f"page-{moment:03d}").write_bytes(page)

    def page(self, host: int, moment: int) -> bytes:
        """Give the page of *host* at a *moment*; hosts are not in step."""
        pages = self.originals[host % len(self.originals)]
        return as_host(pages[(moment + host // len(self.originals) % 4) % len(pages)], host)


def shape_of(profile: str) -> Shape:
    """Give a host that shows everything there is."""
    return replace(FULL, profile=profile)


def as_host(text: bytes, host: int) -> bytes:
    """Give *text* of an original with the boards and the owner of *host*."""
    own = text.replace(_UUID_MARK, f"-{host:04x}-8".encode())
    return own.replace(_OWNER_MARK, f'owner="owner-{host % _OWNERS}"'.encode())


def target_labels(host: int) -> Mapping[str, str]:
    """Give the labels that the scrape of *host* has."""
    return {
        "instance": f"gpu-{host}",
        "cluster": f"hall-{host // _HOSTS_OF_CLUSTER}",
        "rack": f"r{host // _HOSTS_OF_RACK}",
    }


def hosts_of(gpus: int) -> int:
    """Give how many hosts have so many GPUs."""
    return -(-gpus // GPUS_OF_HOST)
