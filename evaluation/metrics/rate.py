"""The rate of hits and its 95% interval."""

import math

import numpy as np

from evaluation.metrics.arrays import vector
from evaluation.metrics.bootstrap import NORMAL_QUANTILE


def hit_rate(is_hit: np.ndarray) -> float:
    """Return the part of sounds (N,) that are hits, from 0 to 1.

    Raises:
        UserError: when there are no sounds.
    """
    return float(vector(is_hit, "hits").mean())


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95% Wilson score interval of a rate (E. B. Wilson, 1927)."""
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} hits in {trials} trials")
    z = NORMAL_QUANTILE
    center = (hits + z * z / 2) / (trials + z * z)
    half = z / (trials + z * z) * math.sqrt(hits * (trials - hits) / trials + z * z / 4)
    return max(0.0, center - half), min(1.0, center + half)
