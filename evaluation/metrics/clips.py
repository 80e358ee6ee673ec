"""Frechet distance and KAD of resampled clips, fast enough for a bootstrap.

Each function prepares a statistic for ``bootstrap_statistic``: what it returns for indices of clips equals the plain
metric on the rows of those clips put together.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse

from evaluation.metrics.arrays import matrix, require_width
from evaluation.metrics.bootstrap import Statistic
from evaluation.metrics.frechet import Gaussian, frechet_distance
from evaluation.metrics.kernel import SCALE, Tile, kernel_gamma, own_tiles, reference_bandwidth, tiles


@dataclass(frozen=True)
class ClipRows:
    """Feature rows (N, width) of clips that are resampled; row i belongs to clip ``clip[i]``, from 0.

    Two sets whose clips have the same numbers (generated sounds and their references) are resampled together. A clip
    may have any number of rows: ten of one sound, or those of five generations for one reference.

    Raises:
        ValueError: when the numbers do not fit the rows, or a clip has no row.
    """

    rows: np.ndarray
    clip: np.ndarray

    def __post_init__(self) -> None:
        if self.clip.shape != (len(self.rows),):
            raise ValueError(f"clip numbers {self.clip.shape} do not fit {len(self.rows)} rows.")
        empty = np.flatnonzero(np.bincount(self.clip) == 0)
        if len(empty):
            raise ValueError(f"Clip {empty[0]} has no row of features.")

    def counts(self, clips: np.ndarray) -> np.ndarray:
        """Return how often each clip (num_clips,) is among these."""
        num_clips = int(self.clip.max()) + 1
        counts = np.bincount(clips, minlength=num_clips)
        if len(counts) > num_clips:
            raise ValueError(f"There is no clip {len(counts) - 1}, only {num_clips} clips.")
        return counts.astype(np.float64)


@dataclass(frozen=True)
class FixedRows:
    """Feature rows (N, width) of a set that is not resampled, such as a reference whose clips are no pairs."""

    rows: np.ndarray

    @property
    def clip(self) -> np.ndarray:
        """All rows are of one clip, 0."""
        return np.zeros(len(self.rows), np.int64)

    def counts(self, clips: np.ndarray) -> np.ndarray:
        """Return that the one clip is there once."""
        return np.ones(1)


Rows = ClipRows | FixedRows


def frechet_of_clips(generated: Rows, reference: Rows) -> Statistic:
    """Return the function from indices of clips to the Frechet distance of their rows.

    On one core a call takes about 13 ms for 9000 against 9000 rows of 128 features, 50 ms for 900 against 900 of 2048,
    and seconds where both sets have more rows than 2048 features: take fewer resamples there.
    """
    x, y = matrix(generated.rows, "features"), matrix(reference.rows, "features")
    require_width(x.shape[1], y.shape[1])
    center = y.mean(0)  # a common shift changes nothing but the rounding
    x, y = x - center, y - center
    distance = _from_products(x, y) if min(len(x), len(y)) < x.shape[1] else _from_moments(x, y)
    return lambda clips: distance(_row_counts(generated, clips), _row_counts(reference, clips))


Weighted = Callable[[np.ndarray, np.ndarray], float]


def _row_counts(rows: Rows, clips: np.ndarray) -> np.ndarray:
    return rows.counts(clips)[rows.clip]


def _from_moments(x: np.ndarray, y: np.ndarray) -> Weighted:
    return lambda w, v: frechet_distance(_weighted_gaussian(x, w), _weighted_gaussian(y, v))


def _weighted_gaussian(rows: np.ndarray, counts: np.ndarray) -> Gaussian:
    total = counts.sum()
    mean = counts @ rows / total
    scaled = rows * np.sqrt(counts)[:, None]
    covariance = (scaled.T @ scaled - total * np.outer(mean, mean)) / (total - 1)
    return Gaussian(mean, covariance, int(total))


def _from_products(x: np.ndarray, y: np.ndarray) -> Weighted:
    """Return the distance in the form of ``frechet_distance_from_rows``: inner products of all rows are taken once."""
    products = x @ y.T
    x_squares, y_squares = np.sum(x**2, 1), np.sum(y**2, 1)

    def distance(w: np.ndarray, v: np.ndarray) -> float:
        n, m = w.sum(), v.sum()
        x_mean, y_mean = w @ x / n, v @ y / m
        i, j = np.flatnonzero(w), np.flatnonzero(v)
        centered = products[np.ix_(i, j)] - (x[i] @ y_mean)[:, None] - y[j] @ x_mean + x_mean @ y_mean
        centered *= np.sqrt(np.outer(w[i], v[j]))
        # pyrefly: ignore[missing-attribute]  (scipy's stubs)
        overlap = scipy.linalg.svdvals(centered).sum() / math.sqrt((n - 1) * (m - 1))
        x_trace = (w @ x_squares - n * (x_mean @ x_mean)) / (n - 1)
        y_trace = (v @ y_squares - m * (y_mean @ y_mean)) / (m - 1)
        shift = x_mean - y_mean
        return max(0.0, float(shift @ shift + x_trace + y_trace - 2 * overlap))

    return distance


def kernel_of_clips(generated: Rows, reference: Rows, bandwidth: float | None = None) -> Statistic:
    """Return the function from indices of clips to KAD of their rows; without ``bandwidth`` it is of all references.

    The kernel is summed once over the rows of each pair of clips, 4 s for 9000 against 9000 rows of 128 features on
    one core; a call then takes a millisecond.
    """
    x, y = matrix(generated.rows, "features"), matrix(reference.rows, "features")
    require_width(x.shape[1], y.shape[1])
    gamma = kernel_gamma(reference_bandwidth(y) if bandwidth is None else bandwidth)
    x_members, y_members = _members(generated.clip), _members(reference.clip)
    within_x, within_y = _own_sums(x, x_members, gamma), _own_sums(y, y_members, gamma)
    across = sum(_tile_sums(tile, x_members, y_members, gamma) for tile in tiles(x, y))
    x_rows, y_rows = np.bincount(generated.clip), np.bincount(reference.clip)

    def distance(clips: np.ndarray) -> float:
        w, v = generated.counts(clips), reference.counts(clips)
        n, m = w @ x_rows, v @ y_rows
        own = (w @ within_x @ w - n) / (n * (n - 1)) + (v @ within_y @ v - m) / (m * (m - 1))
        return SCALE * float(own - 2 * (w @ across @ v) / (n * m))

    return distance


def _members(clip: np.ndarray) -> scipy.sparse.csr_matrix:
    """Return the matrix (rows, clips) with a one where the row is of the clip."""
    return scipy.sparse.csr_matrix((np.ones(len(clip)), (np.arange(len(clip)), clip)))


def _own_sums(rows: np.ndarray, members: scipy.sparse.csr_matrix, gamma: float) -> np.ndarray:
    """Return the sums of the kernel over the rows of each pair of clips (clips, clips) of one set."""
    sums = np.zeros((members.shape[1], members.shape[1]))
    for tile in own_tiles(rows):
        part = _tile_sums(tile, members, members, gamma)
        sums += part if tile[0] == tile[1] else part + part.T
    return sums


def _tile_sums(
    tile: Tile, x_members: scipy.sparse.csr_matrix, y_members: scipy.sparse.csr_matrix, gamma: float
) -> np.ndarray:
    """Return what a tile adds to the sums of the kernel over the rows of each pair of clips (x clips, y clips)."""
    i, j, squares = tile
    by_clip = x_members[i].T @ np.exp(-gamma * squares)  # pyrefly: ignore[missing-attribute]  (scipy's stubs)
    return (y_members[j].T @ by_clip.T).T  # pyrefly: ignore[missing-attribute]  (scipy's stubs)
