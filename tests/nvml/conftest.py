"""The fixtures of the double, by name, for the tests of this folder."""

from tests.nvml.fixtures import double, make_double, make_probe, probe

__all__ = ["double", "make_double", "make_probe", "probe"]
