"""The Frechet distance of two sets of features (FAD, FD) and its extrapolation to infinitely many rows.

|m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2) for Gaussians fitted to the sets (Dowson and Landau, 1982). The
symmetric form needs eigenvalues of symmetric matrices only: they stay real where a covariance is singular, and where
the reference implementations (frechet_audio_distance 0.3.4, audioldm_eval, torch-fidelity) take the root of S1 S2 and
drop an imaginary part, all agree to eight digits.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from audiolcm.errors import UserError
from evaluation.metrics.arrays import matrix, require_width, vector


@dataclass(frozen=True)
class Gaussian:
    """Mean (width,) and covariance (width, width) of ``num_rows`` rows of features.

    Raises:
        ValueError: when the shapes do not fit.
        UserError: when a number is not finite, as in a damaged file of statistics.
    """

    mean: np.ndarray
    covariance: np.ndarray
    num_rows: int

    def __post_init__(self) -> None:
        width = len(vector(self.mean, "mean of features"))
        if matrix(self.covariance, "covariance of features").shape != (width, width):
            raise ValueError(f"covariance {self.covariance.shape} does not fit a mean of {width} features.")


def fit_gaussian(rows: np.ndarray) -> Gaussian:
    """Return the mean and the unbiased covariance (divisor N - 1) of rows (N, width).

    Raises:
        UserError: when there are fewer than two rows.
    """
    rows = _at_least_two(matrix(rows, "features"))
    return Gaussian(rows.mean(0), np.atleast_2d(np.cov(rows, rowvar=False)), len(rows))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the squared Frechet distance of two Gaussians, 0 or more, in squared units of the features."""
    return _distance(a, _square_root(a.covariance), b)


def frechet_distance_from_rows(rows: np.ndarray, others: np.ndarray) -> float:
    """Return the Frechet distance of Gaussians fitted to rows (N, width) and others (M, width).

    With centered rows A and B, tr (S1^1/2 S2 S1^1/2)^1/2 is the sum of the singular values of A B^T divided by
    sqrt((N - 1)(M - 1)). Where a set has fewer rows than features, this (N, M) matrix is the cheaper way: 900 against
    900 rows of 2048 features take a fifth of a second and no covariance.

    Raises:
        UserError: when a set has fewer than two rows.
    """
    a, b = (_at_least_two(matrix(values, "features")) for values in (rows, others))
    require_width(a.shape[1], b.shape[1])
    if min(len(a), len(b)) >= a.shape[1]:
        return frechet_distance(fit_gaussian(a), fit_gaussian(b))
    shift = a.mean(0) - b.mean(0)
    a, b = ((x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (a, b))
    overlap = scipy.linalg.svdvals(a @ b.T).sum()  # pyrefly: ignore[missing-attribute]  (scipy's stubs)
    return max(0.0, float(shift @ shift + np.sum(a**2) + np.sum(b**2) - 2 * overlap))


@dataclass(frozen=True)
class Extrapolation:
    """The distance at infinitely many rows, and the line through what was measured: value + slope / rows.

    Attributes:
        value: the distance.
        slope: of the line.
        r_squared: the part of the points' variance that the line explains.
        points: rows drawn and distance, (points, 2).
    """

    value: float
    slope: float
    r_squared: float
    points: np.ndarray


def frechet_infinity(
    rows: np.ndarray, reference: Gaussian, seed: int, min_rows: int = 500, num_points: int = 25
) -> Extrapolation:
    """Return FAD-infinity of generated rows (N, width) (Gui et al., 2024, after Chong and Forsyth, 2020).

    As ``score_inf`` of fadtk: ``num_points`` sizes n, evenly from ``min_rows`` to N; n rows (not sounds) drawn with
    replacement; a line through the distances over 1 / n. Only the drawing is seeded here. The reference stays as it
    is. Since the rows are drawn with replacement, the line ends at the distance of the N rows themselves: in
    simulations the value was within a fifth of the plain distance, and the bias of N rows was still in it.

    Raises:
        UserError: when there are not more than ``min_rows`` rows.
    """
    rows = matrix(rows, "features of the generated sounds")
    require_more_rows(len(rows), min_rows)
    generator = np.random.default_rng(seed)
    root = _square_root(reference.covariance)
    sizes = np.linspace(min_rows, len(rows), num_points).astype(int)
    drawn = (rows[generator.integers(len(rows), size=size)] for size in sizes)
    distances = np.array([_distance(reference, root, fit_gaussian(some)) for some in drawn])
    slope, value = np.polyfit(1 / sizes, distances, 1)
    residual = np.sum((distances - value - slope / sizes) ** 2)
    total = np.sum((distances - distances.mean()) ** 2)
    points = np.stack([sizes, distances], 1)
    return Extrapolation(float(value), float(slope), float(1 - residual / total) if total else 1.0, points)


def require_rows(num_rows: int, width: int, what: str, remedy: str, allow_few: bool = False) -> None:
    """Refuse features whose covariance has no full rank: the distance is then far too large and orders nothing.

    Args:
        num_rows: how many there are.
        width: columns of the features.
        what: what gave the rows, such as "FAD (PANNs): 900 generated sounds".
        remedy: what to type, such as "Pass metrics.allow_few=true to get the figure all the same".
        allow_few: whether too few are allowed.

    Raises:
        UserError: when ``num_rows`` is not above ``width`` and it was not allowed.
    """
    if num_rows <= width and not allow_few:
        raise UserError(
            f"{what} give {num_rows} rows of {width} features, too few for a covariance: more than {width} are "
            f"needed. {remedy}"
        )


def require_more_rows(num_rows: int, min_rows: int) -> None:
    """Refuse rows that are not more than the smallest set that FAD-infinity draws.

    Raises:
        UserError: naming both numbers.
    """
    if num_rows <= min_rows:
        raise UserError(
            f"FAD-infinity needs more than {min_rows} rows of features and got {num_rows}: generate more sounds, or "
            "lower min_rows, which makes the extrapolation longer."
        )


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _distance(a: Gaussian, root: np.ndarray, b: Gaussian) -> float:
    """Return the distance, given the square root of the covariance of ``a``."""
    require_width(len(a.mean), len(b.mean))
    shift = a.mean - b.mean
    overlap = np.sqrt(np.linalg.eigvalsh(root @ b.covariance @ root).clip(0)).sum()
    return max(0.0, float(shift @ shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap))


def _at_least_two(rows: np.ndarray) -> np.ndarray:
    if len(rows) < 2:
        raise UserError(
            f"The Frechet distance needs 2 rows of features or more on each side, not {len(rows)}."
        )
    return rows
