"""The fixtures that tests of this folder share, by name."""

from tests.agent.sampler.ice import ice
from tests.nvml.fixtures import make_double

__all__ = ["ice", "make_double"]
