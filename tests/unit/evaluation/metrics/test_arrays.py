"""What every metric refuses: shapes that are a mistake in the code, and numbers that are a mistake in the data."""

import numpy as np
import pytest

from audiolcm.errors import UserError
from evaluation.metrics.arrays import matrix, pair, require_width, vector


def test_float64_of_any_numbers():
    assert matrix(np.ones((2, 3), np.float16), "x").dtype == np.float64
    assert vector(np.array([True, False]), "x").tolist() == [1.0, 0.0]


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (3, 0)])
def test_wrong_axes_are_a_mistake_in_the_code(shape):
    with pytest.raises(ValueError, match="features: shape .* must be"):
        matrix(np.zeros(shape), "features")


def test_a_matrix_is_no_vector():
    with pytest.raises(ValueError, match="must be"):
        vector(np.zeros((2, 2)), "values")


def test_nothing_is_said_to_be_nothing():
    with pytest.raises(UserError, match="logits: there are none"):
        matrix(np.zeros((0, 5)), "logits")
    with pytest.raises(UserError, match="values: there are none"):
        vector(np.zeros(0), "values")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_broken_row_is_named(bad):
    rows = np.zeros((5, 3))
    rows[2, 1] = rows[4, 0] = bad
    with pytest.raises(UserError, match="features: 2 of 5 rows hold NaN or infinity, the first is row 2"):
        matrix(rows, "features")
    with pytest.raises(UserError, match="1 of 3 rows"):
        vector(np.array([0.0, bad, 1.0]), "values")


def test_pairs_have_one_shape():
    with pytest.raises(ValueError, match=r"a \(4, 3\) and b \(5, 3\) must have one shape"):
        pair(np.zeros((4, 3)), np.zeros((5, 3)), ("a", "b"))


def test_features_of_two_networks():
    with pytest.raises(ValueError, match="128 and of 2048 columns"):
        require_width(128, 2048)
