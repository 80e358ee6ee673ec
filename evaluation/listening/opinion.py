"""Mean opinion scores with 95% intervals over raters and clips together."""

from __future__ import annotations

import numpy as np

METHOD = "percentile bootstrap over raters and clips, both drawn anew"


def two_way_means(ratings: np.ndarray, num_resamples: int, seed: int) -> np.ndarray:
    """Return the means of ``num_resamples`` draws of raters and of clips with replacement, (num_resamples,).

    ratings: (raters, clips), NaN where a rater did not rate.  A mean is NaN where a draw has no rating at all.

    Raters and clips are both samples of larger crowds, and their ratings go together: drawing single ratings would
    give intervals that are far too narrow. Owen (2007), "The pigeonhole bootstrap", Annals of Applied Statistics 1:
    the variance is never too small in expectation, and at most some 3 times too large where neither matters.
    """
    generator = np.random.default_rng(seed)
    num_raters, num_clips = ratings.shape
    raters = generator.multinomial(num_raters, np.full(num_raters, 1 / num_raters), num_resamples)
    clips = generator.multinomial(num_clips, np.full(num_clips, 1 / num_clips), num_resamples)
    known = np.isfinite(ratings)
    sums = np.einsum("br,rc,bc->b", raters, np.where(known, ratings, 0.0), clips, optimize=True)
    counts = np.einsum("br,rc,bc->b", raters, known.astype(np.float64), clips, optimize=True)
    return np.divide(sums, counts, out=np.full(num_resamples, np.nan), where=counts > 0)


def mean_opinion(
    ratings: np.ndarray, num_resamples: int, seed: int
) -> tuple[float, tuple[float, float] | None, str]:
    """Return the mean of all ratings, its 95% interval, and why there is none ("" where there is one).

    ratings: (raters, clips), NaN where a rater did not rate.
    """
    rated = np.isfinite(ratings)
    value = float(ratings[rated].mean())
    kept = ratings[rated.any(axis=1)][:, rated.any(axis=0)]
    if min(kept.shape) < 2:
        return value, None, f"no interval: {kept.shape[0]} rater(s) and {kept.shape[1]} clip(s)"
    means = two_way_means(kept, num_resamples, seed)
    if not np.isfinite(means).all():
        return value, None, "no interval: so few ratings that some draws of raters and clips have none"
    low, high = np.quantile(means, [0.025, 0.975])
    return value, (float(low), float(high)), ""
