"""Pytest fixtures of the NVML double; import them in a conftest.py to use them by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .double import NvmlDouble
from .probe import Probe
from .profiles import GpuSpec

MakeDouble = Callable[..., NvmlDouble]
MakeProbe = Callable[..., Probe]


@pytest.fixture
def make_double(tmp_path: Path) -> Iterator[MakeDouble]:
    """Make doubles: make_double("h100", GpuSpec("l40s"), clock="real")."""
    made: list[NvmlDouble] = []

    def make(*gpus: str | GpuSpec, **options: object) -> NvmlDouble:
        double = NvmlDouble(tmp_path / f"nvml-{len(made)}", gpus or ("h100",), **options)  # type: ignore[arg-type]  # options are NvmlDouble's own
        made.append(double)
        return double

    yield make
    for double in made:
        double.close()


@pytest.fixture
def double(make_double: MakeDouble) -> NvmlDouble:
    """One H100 on a virtual clock."""
    return make_double("h100")


@pytest.fixture
def make_probe() -> Iterator[MakeProbe]:
    """Start probes: make_probe(double); killed at the end."""
    made: list[Probe] = []

    def make(of: NvmlDouble, *, init: bool = True) -> Probe:
        made.append(Probe(of.env, init=init))
        return made[-1]

    yield make
    for probe in made:
        probe.kill()


@pytest.fixture
def probe(double: NvmlDouble, make_probe: MakeProbe) -> Probe:
    """A probe of the one-H100 double."""
    return make_probe(double)
