"""The KL divergences against published check vectors, torch and closed forms."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from audiolcm.errors import UserError
from evaluation.metrics.divergence import (
    DIVERGENCES,
    kl_exact,
    kl_sigmoid,
    kl_softmax,
    kl_softmax_reversed,
)


def check_vector() -> tuple[np.ndarray, np.ndarray]:
    """Logits of references and of generated sounds, whose divergences the reference implementations gave."""
    random = np.random.RandomState(0)
    generated = np.float32(2 * random.randn(40, 527))
    return np.float32(2 * random.randn(40, 527)), generated


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("softmax", 3.778646), ("sigmoid", 158.205795), ("exact", 3.798193), ("softmax_reversed", 3.689584)],
)
def test_check_vector(kind, expected):
    values = DIVERGENCES[kind](*check_vector())
    assert values.shape == (40,)
    assert values.mean() == pytest.approx(expected, rel=2e-7)


def test_against_torch():
    reference, generated = (torch.from_numpy(x).double() for x in check_vector())
    p, q = reference.softmax(1), generated.softmax(1)
    own = functional.kl_div((q + 1e-6).log(), p, reduction="none").sum(1)
    np.testing.assert_allclose(kl_softmax(*check_vector()), own, rtol=1e-9)
    back = functional.kl_div((p + 1e-6).log(), q, reduction="none").sum(1)
    np.testing.assert_allclose(kl_softmax_reversed(*check_vector()), back, rtol=1e-9)
    s, t = reference.sigmoid(), generated.sigmoid()
    own = functional.kl_div((t + 1e-6).log(), s, reduction="none").sum(1)
    np.testing.assert_allclose(kl_sigmoid(*check_vector()), own, rtol=1e-9)
    own = functional.kl_div(
        generated.log_softmax(1), reference.log_softmax(1), reduction="none", log_target=True
    )
    np.testing.assert_allclose(kl_exact(*check_vector()), own.sum(1), rtol=1e-9)


def test_two_classes_in_closed_form():
    """P = (3/4, 1/4) and Q = (1/2, 1/2): the direction is reference || generated."""
    reference, generated = np.log([[3.0, 1.0]]), np.zeros((1, 2))
    expected = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert kl_exact(reference, generated) == pytest.approx(expected, rel=1e-12)
    assert kl_softmax(reference, generated) == pytest.approx(expected, abs=3e-6)
    assert kl_softmax_reversed(generated, reference) == pytest.approx(expected, abs=6e-6)


def test_equal_logits():
    reference, _ = check_vector()
    np.testing.assert_allclose(kl_exact(reference, reference), 0.0, atol=1e-12)
    assert np.abs(kl_softmax(reference, reference)).max() < 6e-4  # 527 classes times the 1e-6


def test_sigmoid_may_be_negative():
    assert kl_sigmoid(np.zeros((1, 3)), np.full((1, 3), 5.0)) < 0


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_logits_of_certainty_stay_finite(kind):
    """Probabilities of exactly 0 and 1."""
    logits = np.array([[2000.0, -2000.0, -2000.0]])
    assert np.isfinite(DIVERGENCES[kind](logits, logits[:, ::-1])).all()


def test_several_generations_for_one_reference():
    reference, generated = check_vector()
    reference_of_sound = np.array([0, 0, 0, 1, 1])
    values = kl_softmax(reference[reference_of_sound], generated[:5])
    assert values[2] == kl_softmax(reference[:1], generated[2:3])[0]
    assert values[4] == kl_softmax(reference[1:2], generated[4:5])[0]


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_bad_input(kind):
    with pytest.raises(ValueError, match="logits of the references .* must have one shape"):
        DIVERGENCES[kind](np.zeros((1, 5)), np.zeros((4, 5)))  # would be repeated silently
    with pytest.raises(UserError, match="logits of the generated sounds: 4 of 4 rows hold NaN"):
        DIVERGENCES[kind](np.zeros((4, 5)), np.full((4, 5), np.nan))
    with pytest.raises(UserError, match="logits of the references: there are none"):
        DIVERGENCES[kind](np.zeros((0, 5)), np.zeros((0, 5)))
