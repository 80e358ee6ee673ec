"""Cosine similarity of pairs."""

import numpy as np
import pytest
import torch

from audiolcm.errors import UserError
from evaluation.metrics.similarity import cosine_similarity


def test_against_torch():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(7, 16)), 3 * random.normal(size=(7, 16))
    expected = torch.cosine_similarity(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(cosine_similarity(x, y), expected, rtol=1e-12)


def test_known_angles():
    x = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    y = np.array([[5.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 2.0]])
    np.testing.assert_allclose(cosine_similarity(x, y), [1.0, 0.5**0.5, -1.0, 0.0], atol=1e-15)


def test_zero_has_no_direction():
    with pytest.raises(UserError, match="sound or caption 1 is zero"):
        cosine_similarity(np.eye(2), np.array([[1.0, 0.0], [0.0, 0.0]]))


def test_unequal_numbers():
    with pytest.raises(ValueError, match="embeddings of the sounds .* must have one shape"):
        cosine_similarity(np.ones((3, 4)), np.ones((1, 4)))
