"""95% intervals by resampling sounds: how far the figure would move with other clips of the same kind.

What is drawn, with replacement, are clips, not rows of features: ten rows of one sound are no ten sounds. A clip with
several generations (captions or seeds) is drawn with all of them. Draws depend on ``seed`` alone, so that two systems
or two metrics over the same clips can be compared draw by draw.
"""

from collections.abc import Callable

import numpy as np

from audiolcm.errors import UserError
from evaluation.metrics.arrays import vector

NORMAL_QUANTILE = 1.959963984540054  # 97.5% of a normal distribution lies below it
MEAN_METHOD = "percentile bootstrap over clips"
STATISTIC_METHOD = "estimate +- 1.96 bootstrap standard errors over clips"

Statistic = Callable[[np.ndarray], float]
"""A figure of the clips with these indices (clips,), of which some come several times and some not at all."""


def resampled(statistic: Statistic, num_clips: int, num_resamples: int, seed: int) -> np.ndarray:
    """Return the statistic of ``num_resamples`` draws of ``num_clips`` clips with replacement, (num_resamples,).

    Raises:
        UserError: when there are fewer than two clips.
        ValueError: when there are fewer than two draws, or a figure is not finite.
    """
    if num_clips < 2:
        raise UserError(f"A 95% interval needs 2 clips or more, not {num_clips}: switch it off or add clips.")
    if num_resamples < 2:
        raise ValueError(f"num_resamples={num_resamples} must be 2 or more.")
    generator = np.random.default_rng(seed)
    draws = (generator.integers(num_clips, size=num_clips) for _ in range(num_resamples))
    figures = np.array([statistic(clips) for clips in draws], np.float64)
    if not np.isfinite(figures).all():
        raise ValueError("A statistic of resampled clips is not finite.")
    return figures


def bootstrap_mean(values: np.ndarray, num_resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Return the 2.5% and 97.5% quantiles of the mean of resampled values (clips,).

    For scores that a sound has by itself (KL, CLAP). Average a clip's generations first: one value a clip.
    """
    values = vector(values, "values of the clips")
    means = resampled(lambda clips: float(values[clips].mean()), len(values), num_resamples, seed)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_statistic(
    statistic: Statistic, num_clips: int, num_resamples: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Return the statistic of all clips, minus and plus 1.96 standard deviations of its resampled values.

    For figures of whole sets (Frechet distances, KAD, IS). Repeated clips make a set look less diverse: the resampled
    figures lie to one side of the figure itself, and their quantiles miss it (in simulations, quantiles of resampled
    Frechet distances held the truth 46 times in 100, these intervals 99 times). The spread of the resampled figures is
    right, or up to twice too large where clips are fewer than features or two sets hardly differ.

    The interval is for the expectation of the figure at this number of clips: it knows nothing of the bias that FAD
    and IS have against infinitely many clips. It is not cut where a figure ends (a distance at 0): tables do that.

    For several generation seeds let ``statistic`` return the mean over them: each draw then takes the same clips from
    all.
    """
    return around(statistic(np.arange(num_clips)), resampled(statistic, num_clips, num_resamples, seed))


def around(estimate: float, figures: np.ndarray) -> tuple[float, float]:
    """Return an estimate minus and plus 1.96 standard deviations of its resampled figures (draws,)."""
    half = NORMAL_QUANTILE * float(np.std(figures, ddof=1))
    return estimate - half, estimate + half


def paired_interval(
    change: float, first: np.ndarray, second: np.ndarray, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% interval of how much larger the second of two figures is, by the paired bootstrap.

    Row by row both sides were resampled with the same clips. Where there are several generation seeds, each row also
    draws them with replacement, the same ones on both sides. What both sides share of a draw falls out of their
    difference.

    Args:
        change: the second figure minus the first, of all clips and generation seeds.
        first: resampled figures, (draws, generation seeds).
        second: likewise.
        seed: of the draws of generation seeds.

    Raises:
        ValueError: the shapes differ: they are no pairs.
    """
    if first.shape != second.shape:
        raise ValueError(f"Draws {first.shape} and {second.shape} are no pairs.")
    drawn = np.random.default_rng(seed).integers(first.shape[1], size=first.shape)
    return around(change, np.take_along_axis(second - first, drawn, axis=1).mean(axis=1))
