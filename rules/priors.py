"""Published idle draws by board name: a first guess, shown as `prior`, until the board's own is learnt."""

from .account import Baseline
from .state import BaselineKind, BaselineOrigin

# Milliwatts without and with an idle context. First match in order of this table wins.
# Sources: arXiv 2605.23918 (H100 SXM, A100 PCIe, L40S); captures published with nvidia_gpu_exporter (H200, RTX 4080);
# open-gpu-kernel-modules#874 (A40); cuda-samples#74 and ollama#8591 (V100, RTX 4090); arXiv 2604.09048 (L4, T4, A30).
_PRIORS: tuple[tuple[str, int, int | None], ...] = (
    ("H100 80GB HBM3", 71_800, 121_700),
    ("H200", 77_700, None),
    ("A100 80GB PCIe", 53_700, 80_000),
    ("A100-SXM4", 50_000, None),
    ("L40S", 35_600, 102_100),
    ("A40", 30_000, 110_000),
    ("V100", 26_000, 45_000),
    ("A30", 27_000, None),
    ("L4", 17_000, None),
    ("T4", 12_000, None),
    ("RTX 4090", 22_000, 51_000),
)


def prior_baselines(name: str) -> dict[BaselineKind, Baseline]:
    """Give what is published for a board of this name; empty when nothing is."""
    words = name.replace("-", " ").split()
    for pattern, bare_mw, context_mw in _PRIORS:
        wanted = pattern.replace("-", " ").split()
        if any(words[i : i + len(wanted)] == wanted for i in range(len(words))):
            pairs = ((BaselineKind.BARE, bare_mw), (BaselineKind.CONTEXT, context_mw))
            return {
                kind: Baseline(kind=kind, origin=BaselineOrigin.PRIOR, power_mw=power_mw)
                for kind, power_mw in pairs
                if power_mw is not None
            }
    return {}
