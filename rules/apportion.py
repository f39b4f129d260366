"""Splitting a whole number into whole parts that sum to it; of what the parts are, it knows nothing."""

from collections.abc import Sequence


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split *total* by non-negative *weights* so that the whole parts sum to it exactly.

    Largest remainder (Hamilton), ties to the earlier part. All weights zero: the last part takes everything.
    """
    scale = sum(weights)
    if scale == 0:
        return [0] * (len(weights) - 1) + [total]
    parts = [total * weight // scale for weight in weights]
    left = total - sum(parts)
    if left:
        order = sorted(range(len(weights)), key=lambda index: (-(total * weights[index] % scale), index))
        for index in order[:left]:
            parts[index] += 1
    return parts
