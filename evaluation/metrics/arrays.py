"""Checks of what goes into a metric: an array of the right shape, of finite float64 numbers."""

import numpy as np

from audiolcm.errors import UserError


def matrix(values: np.ndarray, name: str) -> np.ndarray:
    """Return ``values`` (rows, columns) as float64.

    Args:
        values: numbers of any type.
        name: what they are, for the message, such as "features of the generated sounds".

    Raises:
        ValueError: when there are not two axes, or no columns.
        UserError: when there are no rows, or one of them is not finite.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name}: shape {array.shape} must be (rows, columns).")
    return _finite(array, name)


def vector(values: np.ndarray, name: str) -> np.ndarray:
    """Return ``values`` (rows,) as float64; raises as ``matrix`` does."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name}: shape {array.shape} must be (rows,).")
    return _finite(array, name)


def pair(first: np.ndarray, second: np.ndarray, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return two matrices of one shape, row i of one belonging to row i of the other; raises as ``matrix`` does."""
    one, other = matrix(first, names[0]), matrix(second, names[1])
    if one.shape != other.shape:
        raise ValueError(f"{names[0]} {one.shape} and {names[1]} {other.shape} must have one shape.")
    return one, other


def require_width(width: int, other: int) -> None:
    """Refuse two sets of features that do not have as many columns.

    Raises:
        ValueError: naming both numbers.
    """
    if width != other:
        raise ValueError(f"Features of {width} and of {other} columns do not come from one network.")


def _finite(array: np.ndarray, name: str) -> np.ndarray:
    if len(array) == 0:
        raise UserError(f"{name}: there are none. Is the folder of sounds empty?")
    broken = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(1))
    if len(broken):
        raise UserError(
            f"{name}: {len(broken)} of {len(array)} rows hold NaN or infinity, the first is row {broken[0]}. "
            "Listen to the sound it comes from; if that is in order, the weights of the network are not."
        )
    return array
