"""KAD, the kernel audio distance (Chung et al., 2025, arXiv:2502.15602), as its toolkit kadtk computes it.

100 times the unbiased squared maximum mean discrepancy with the Gaussian kernel exp(-|x - y|^2 / (2 h^2 + 1e-8)), h the
median distance between two rows of one of the sets. Which one, kadtk's README and its code say differently: the README
the reference, and so do we by default; the released function takes that of its second set, and the command calls it
with (reference, evaluated), so that kadtk's figures have the evaluated set's (``bandwidth: evaluated``). KAD may be
negative where the sets hardly differ. kadtk computes in float32 and keeps (N, N) matrices; here it is float64 in tiles
of a few megabytes.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from audiolcm.errors import UserError
from evaluation.metrics.arrays import matrix, require_width

SCALE = 100.0
_EPSILON = 1e-8  # added to 2 h^2, as in kadtk
_TILE = 1024

Tile = tuple[slice, slice, np.ndarray]


def median_distance(rows: np.ndarray) -> float:
    """Return the median distance between two of the rows (N, width); the lower one where two are in the middle.

    The squared distances are rounded to float32 and selected by their bits, which are in the order of the numbers
    themselves: one pass over all pairs counts the upper halves of the bits, a second one the lower halves of those
    that share the median's upper half. That is exact for any distances and keeps none of them. 0 where half of all
    pairs are equal.

    Raises:
        UserError: when there are fewer than two rows.
    """
    rows = _two_or_more(rows, "features")
    num_pairs = len(rows) * (len(rows) - 1) // 2
    # In all N^2 distances, sorted, each row's distance of 0 to itself comes first and every pair is met twice.
    rank = len(rows) + 2 * ((num_pairs - 1) // 2)
    upper, num_before = _locate(rank, ((times, bits >> 16) for times, bits in _float_bits(rows)))
    sharing = ((times, bits[bits >> 16 == upper] & 0xFFFF) for times, bits in _float_bits(rows))
    lower, _ = _locate(rank - num_before, sharing)
    square = float(np.uint32(upper << 16 | lower).view(np.float32))
    return 0.0 if square <= 1e-12 * rows.var(0).sum() else square**0.5  # what rounding leaves of 0


def reference_bandwidth(rows: np.ndarray) -> float:
    """Return the median distance between two rows of the reference (M, width).

    Raises:
        UserError: when there are fewer than two rows, or half of all pairs are equal.
    """
    if found := median_distance(_two_or_more(rows, "features of the reference sounds")):
        return found
    raise UserError(
        "KAD: half of all pairs of reference features are equal. Is the reference one sound only?"
    )


def kernel_audio_distance(
    generated: np.ndarray, reference: np.ndarray, bandwidth: float | None = None
) -> float:
    """Return KAD of generated (N, width) against reference rows (M, width).

    ``bandwidth`` is the h of the kernel; None takes the median distance of the reference.

    Raises:
        UserError: when a set has fewer than two rows.
    """
    x = _two_or_more(generated, "features of the generated sounds")
    y = _two_or_more(reference, "features of the reference sounds")
    require_width(x.shape[1], y.shape[1])
    gamma = kernel_gamma(reference_bandwidth(y) if bandwidth is None else bandwidth)
    across = sum(np.exp(-gamma * squares).sum() for _, _, squares in tiles(x, y)) / (len(x) * len(y))
    return SCALE * float(_mean_kernel(x, gamma) + _mean_kernel(y, gamma) - 2 * across)


def kernel_gamma(bandwidth: float) -> float:
    """Return what the squared distance is multiplied with in the kernel."""
    return 1 / (2 * bandwidth**2 + _EPSILON)


def tiles(x: np.ndarray, y: np.ndarray) -> Iterator[Tile]:
    """Yield the squared distances of rows (N, width) and (M, width), tile by tile, with the slices of the tile."""
    center = y.mean(0)  # far from the origin, small distances would lose their digits
    x, y = x - center, y - center
    for i in _slices(len(x)):
        for j in _slices(len(y)):
            yield i, j, _squared_distances(x[i], y[j])


def own_tiles(rows: np.ndarray) -> Iterator[Tile]:
    """Yield the tiles of rows (N, width) among themselves, those below the diagonal left out."""
    rows = rows - rows.mean(0)
    for i, j in itertools.combinations_with_replacement(_slices(len(rows)), 2):
        yield i, j, _squared_distances(rows[i], rows[j])


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squares = x @ (-2 * y.T)
    squares += np.sum(x**2, 1)[:, None]
    squares += np.sum(y**2, 1)
    return np.maximum(squares, 0, out=squares)


def _mean_kernel(rows: np.ndarray, gamma: float) -> float:
    """Return the mean of the kernel over all pairs of different rows."""
    total = sum(_times(i, j) * np.exp(-gamma * squares).sum() for i, j, squares in own_tiles(rows))
    return (total - len(rows)) / (len(rows) * (len(rows) - 1))


def _slices(length: int) -> list[slice]:
    return [slice(start, start + _TILE) for start in range(0, length, _TILE)]


def _times(i: slice, j: slice) -> int:
    """Return how often a tile of ``own_tiles`` is among all tiles: once on the diagonal, or also mirrored."""
    return 1 if i == j else 2


def _float_bits(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for i, j, squares in own_tiles(rows):
        yield _times(i, j), squares.ravel().astype(np.float32).view(np.uint32)


def _locate(rank: int, parts: Iterator[tuple[int, np.ndarray]]) -> tuple[int, int]:
    """Return the number of this rank (from 0) among numbers below 2^16, and how many lie below it.

    ``parts`` are how often the numbers are to be counted, and the numbers.
    """
    counts = np.zeros(1 << 16, np.int64)
    for times, numbers in parts:
        counts += times * np.bincount(numbers, minlength=len(counts))
    up_to = counts.cumsum()
    number = int(np.searchsorted(up_to, rank, side="right"))
    return number, int(up_to[number] - counts[number])


def _two_or_more(rows: np.ndarray, name: str) -> np.ndarray:
    rows = matrix(rows, name)
    if len(rows) < 2:
        raise UserError(f"KAD needs 2 rows of {name} or more.")
    return rows
