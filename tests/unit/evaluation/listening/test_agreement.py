"""Agreement against the worked examples of the papers that define it."""

import numpy as np
import pytest

from evaluation.listening.agreement import intraclass_correlations, krippendorff_alpha

_ = np.nan
# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", part D: four observers, twelve units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
)
# Shrout and Fleiss (1979), table 2: six targets, four judges; here a row is a judge.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
).T


def test_alpha_of_the_published_example() -> None:
    assert krippendorff_alpha(KRIPPENDORFF) == pytest.approx(0.849, abs=5e-4)


def test_alpha_does_not_depend_on_scale_or_order() -> None:
    assert krippendorff_alpha(20 * KRIPPENDORFF[::-1, ::-1] + 7) == pytest.approx(
        krippendorff_alpha(KRIPPENDORFF)
    )


def test_alpha_of_agreement_chance_and_nothing() -> None:
    agreeing = np.tile([20.0, 40, 100], (3, 1))
    assert krippendorff_alpha(agreeing) == 1.0
    random = np.random.default_rng(0).choice([20.0, 40, 60, 80, 100], (5, 4000))
    assert krippendorff_alpha(random) == pytest.approx(0.0, abs=0.02)
    assert krippendorff_alpha(np.full((3, 4), 60.0)) is None
    assert krippendorff_alpha(np.array([[20.0, _], [_, 40.0]])) is None


def test_intraclass_correlations_of_the_published_example() -> None:
    assert intraclass_correlations(SHROUT_FLEISS) == pytest.approx((0.29, 0.62), abs=5e-3)


def test_intraclass_correlations_want_a_full_table_with_differences() -> None:
    holed = SHROUT_FLEISS.astype(float)
    holed[0, 0] = _
    assert intraclass_correlations(holed) is None
    assert intraclass_correlations(np.full((3, 4), 60.0)) is None
    assert intraclass_correlations(SHROUT_FLEISS[:1].astype(float)) is None
