"""How far raters agree: Krippendorff's alpha and the intraclass correlations of Shrout and Fleiss."""

from __future__ import annotations

import numpy as np


def krippendorff_alpha(ratings: np.ndarray) -> float | None:
    """Return alpha for interval data: 1 is agreement, 0 what chance gives; None where nothing differs or is paired.

    ratings: (raters, units), NaN where a rater did not rate; units with one rating do not count.
    Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", with the squared difference as distance.
    """
    units = [column[np.isfinite(column)] for column in ratings.T]
    paired = [unit for unit in units if len(unit) > 1]
    if not paired:
        return None
    values = np.concatenate(paired)
    expected = _squared_differences(values) / (len(values) - 1)
    if expected == 0:
        return None
    observed = sum(_squared_differences(unit) / (len(unit) - 1) for unit in paired)
    return float(1 - observed / expected)


def _squared_differences(values: np.ndarray) -> float:
    """Return the sum of (a - b)^2 over all ordered pairs."""
    centered = values - values.mean()
    return float(2 * len(values) * (centered**2).sum())


def intraclass_correlations(ratings: np.ndarray) -> tuple[float, float] | None:
    """Return ICC(2,1), of one rater, and ICC(2,k), of the mean of all; None unless all raters rated all units.

    ratings: (raters, units). Raters are a sample of many, and their levels count. Shrout and Fleiss (1979),
    "Intraclass correlations", Psychological Bulletin 86.
    """
    num_raters, num_units = ratings.shape
    if min(ratings.shape) < 2 or not np.isfinite(ratings).all():
        return None
    mean = ratings.mean()
    by_unit = num_raters * ((ratings.mean(axis=0) - mean) ** 2).sum()
    by_rater = num_units * ((ratings.mean(axis=1) - mean) ** 2).sum()
    rest = ((ratings - mean) ** 2).sum() - by_unit - by_rater
    units, raters = by_unit / (num_units - 1), by_rater / (num_raters - 1)
    error = rest / ((num_units - 1) * (num_raters - 1))
    single = units + (num_raters - 1) * error + num_raters * (raters - error) / num_units
    average = units + (raters - error) / num_units
    if single <= 0 or average <= 0:  # nothing differs
        return None
    return float((units - error) / single), float((units - error) / average)
