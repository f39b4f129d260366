"""The sampler process and its supervisor, which are two programs: one package that loads neither by itself.

The names below are found at their first use, because the sampler imports this package too and needs none of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .limits import SupervisorLimits, SupervisorState
    from .settings import SamplerSettings, SimSettings
    from .supervisor import SamplerSupervisor

__all__ = ["SamplerSettings", "SamplerSupervisor", "SimSettings", "SupervisorLimits", "SupervisorState"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import limits, settings, supervisor  # noqa: PLC0415  (see above)

    return next(getattr(module, name) for module in (settings, limits, supervisor) if hasattr(module, name))
