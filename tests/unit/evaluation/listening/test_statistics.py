"""Agreement against the worked examples of the papers that define it.

Intervals over raters and clips: the spread in closed form, the share that holds the truth by simulation.
"""

import numpy as np
import pytest

from evaluation.listening.statistics import (
    intraclass_correlations,
    krippendorff_alpha,
    mean_opinion,
    two_way_means,
)

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


def test_spread_is_that_of_the_closed_form() -> None:
    """With a full table the variance splits: raters, clips, and what is left, each by its own count."""
    table = np.random.default_rng(1).normal(60, 15, (7, 5)) + 9 * np.arange(7)[:, None] - 5 * np.arange(5)
    mean, raters, clips = table.mean(), table.mean(axis=1), table.mean(axis=0)
    rest = table - raters[:, None] - clips + mean
    expected = raters.var() / 7 + clips.var() / 5 + (rest**2).mean() / 35
    means = two_way_means(table, 40_000, seed=0)
    assert means.var() == pytest.approx(expected, rel=0.03)
    assert means.mean() == pytest.approx(mean, abs=0.15)


def test_draws_of_single_ratings_would_be_far_too_sure() -> None:
    """Raters who differ in level make the ratings of one rater alike: more clips do not help then."""
    table = np.repeat(np.array([[20.0], [60.0], [100.0], [60.0]]), 50, axis=1)
    low, high = mean_opinion(table, 2000, 0)[1]
    single = 1.96 * table.std() / np.sqrt(table.size)
    assert high - low > 5 * 2 * single


def test_intervals_hold_the_truth() -> None:
    """20 raters and 15 clips with levels of their own: 95% intervals hold the truth in 90% of tests or more."""
    generator = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        raters, clips = generator.normal(0, 8, (20, 1)), generator.normal(0, 8, 15)
        table = 60 + raters + clips + generator.normal(0, 12, (20, 15))
        low, high = mean_opinion(table, 300, trial)[1]
        held += low <= 60 <= high
    assert 180 <= held <= 199


def test_ratings_that_are_not_there_do_not_count() -> None:
    table = np.array([[20.0, np.nan, 40], [60, np.nan, 80], [np.nan, np.nan, np.nan]])
    value, interval, why_not = mean_opinion(table, 500, 0)
    assert value == 50.0 and why_not == ""
    assert 20 <= interval[0] < 50 < interval[1] <= 80


def test_one_rater_or_one_clip_has_no_interval() -> None:
    assert mean_opinion(np.array([[20.0, 40.0]]), 500, 0) == (
        30.0,
        None,
        "no interval: 1 rater(s) and 2 clip(s)",
    )
    assert mean_opinion(np.array([[20.0], [40.0]]), 500, 0)[1] is None


def test_ratings_too_thin_for_draws_have_no_interval() -> None:
    value, interval, why_not = mean_opinion(np.array([[20.0, np.nan], [np.nan, 40.0]]), 500, 0)
    assert (value, interval) == (30.0, None) and "so few ratings" in why_not
