"""Mean opinion scores with 95% intervals over raters and clips, and how far raters agree.

All ratings are tables (raters, units), NaN where a rater did not rate; a unit is a clip, or a clip of one system.
"""

import numpy as np

METHOD = "percentile bootstrap over raters and clips, both drawn with replacement"


def mean_opinion(
    ratings: np.ndarray, num_resamples: int, seed: int
) -> tuple[float, tuple[float, float] | None, str]:
    """Return the mean of all ratings, its 95% interval, and why there is none ("" where there is one)."""
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


def two_way_means(ratings: np.ndarray, num_resamples: int, seed: int) -> np.ndarray:
    """Return the means of draws of raters and of clips with replacement, (num_resamples,); NaN of no rating at all.

    Raters and clips are both samples of larger crowds, and their ratings go together: drawing single ratings would
    give intervals that are far too narrow. Owen (2007), "The pigeonhole bootstrap", Annals of Applied Statistics 1:
    the variance is never too small in expectation, and at most some 3 times too large where neither matters.
    """
    generator = np.random.default_rng(seed)
    raters, clips = (
        generator.multinomial(count, np.full(count, 1 / count), num_resamples) for count in ratings.shape
    )
    known = np.isfinite(ratings)
    sums, counts = (
        np.einsum("br,rc,bc->b", raters, table, clips, optimize=True)
        for table in (np.where(known, ratings, 0.0), known.astype(np.float64))
    )
    return np.divide(sums, counts, out=np.full(num_resamples, np.nan), where=counts > 0)


def krippendorff_alpha(ratings: np.ndarray) -> float | None:
    """Return alpha for interval data: 1 is agreement, 0 what chance gives; None where nothing differs or is paired.

    Units with one rating do not count. Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", with the
    squared difference as distance: over all ordered pairs of n values it sums to 2 n (n - 1) times their variance.
    """
    units = [column[np.isfinite(column)] for column in ratings.T]
    paired = [unit for unit in units if len(unit) > 1]
    if not paired:
        return None
    values = np.concatenate(paired)
    expected = len(values) * values.var(ddof=1)
    if expected == 0:
        return None
    return float(1 - sum(len(unit) * unit.var(ddof=1) for unit in paired) / expected)


def intraclass_correlations(ratings: np.ndarray) -> tuple[float, float] | None:
    """Return ICC(2,1), of one rater, and ICC(2,k), of the mean of all; None unless all raters rated all units.

    Raters are a sample of many, and their levels count. Shrout and Fleiss (1979), "Intraclass correlations",
    Psychological Bulletin 86.
    """
    num_raters, num_units = ratings.shape
    if min(ratings.shape) < 2 or not np.isfinite(ratings).all():
        return None
    units = num_raters * ratings.mean(axis=0).var(ddof=1)
    raters = num_units * ratings.mean(axis=1).var(ddof=1)
    rest = ratings - ratings.mean(axis=0) - ratings.mean(axis=1, keepdims=True) + ratings.mean()
    error = (rest**2).sum() / ((num_units - 1) * (num_raters - 1))
    single = units + (num_raters - 1) * error + num_raters * (raters - error) / num_units
    average = units + (raters - error) / num_units
    if single <= 0 or average <= 0:  # nothing differs
        return None
    return float((units - error) / single), float((units - error) / average)
