"""Intervals: they cover what they should, by simulation, and the draws are the same for everybody."""

import numpy as np
import pytest

from audiolcm.errors import UserError
from evaluation.metrics.bootstrap import (
    NORMAL_QUANTILE,
    bootstrap_mean,
    bootstrap_statistic,
    paired_interval,
    resampled,
)
from evaluation.metrics.clips import ClipRows, frechet_of_clips, kernel_of_clips
from evaluation.metrics.inception import inception_score

WIDTH, NUM_CLIPS = 8, 40


def sample(random: np.random.Generator):
    """Rows of 40 generated sounds and of their references, two Gaussians."""
    clip = np.arange(NUM_CLIPS)
    generated = 0.3 + 1.3 * random.normal(size=(NUM_CLIPS, WIDTH))
    return ClipRows(generated, clip), ClipRows(random.normal(size=(NUM_CLIPS, WIDTH)), clip)


def frechet(random):
    return frechet_of_clips(*sample(random))


def kernel(random):
    return kernel_of_clips(*sample(random), bandwidth=4.0)


def inception(random):
    logits = 2 * random.normal(size=(NUM_CLIPS, 5))
    return lambda clips: inception_score(logits[clips], num_splits=2).mean


@pytest.mark.parametrize(("draw", "most_held_by_quantiles"), [(frechet, 60), (kernel, 85), (inception, 100)])
def test_coverage_of_figures_of_sets(draw, most_held_by_quantiles):
    """How many of 100 intervals hold the expectation of the figure at this number of clips, and how wide they are."""
    random = np.random.default_rng(0)
    figures = [draw(random)(np.arange(NUM_CLIPS)) for _ in range(1000)]
    held = held_by_quantiles = 0
    widths = []
    for repetition in range(100):
        statistic = draw(random)
        low, high = bootstrap_statistic(statistic, NUM_CLIPS, 60, seed=repetition)
        held += low <= np.mean(figures) <= high
        widths.append(high - low)
        low, high = np.quantile(resampled(statistic, NUM_CLIPS, 60, seed=repetition), [0.025, 0.975])
        held_by_quantiles += low <= np.mean(figures) <= high
    assert held >= 85
    assert held_by_quantiles < most_held_by_quantiles
    assert 0.8 < np.mean(widths) / (2 * NORMAL_QUANTILE * np.std(figures)) < 1.6


def test_coverage_of_means():
    random = np.random.default_rng(0)
    intervals = [bootstrap_mean(random.exponential(size=60), 200, seed) for seed in range(200)]
    assert 0.88 <= np.mean([low <= 1.0 <= high for low, high in intervals]) <= 0.99


def test_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(size=400)
    half = NORMAL_QUANTILE * values.std() / 20
    interval = bootstrap_mean(values, 4000)
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_interval_of_a_statistic_lies_about_it():
    """The mean as a statistic: known standard error."""
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_statistic(lambda clips: values[clips].mean(), 400, 4000)
    assert (low + high) / 2 == pytest.approx(values.mean(), rel=1e-12)
    assert high - low == pytest.approx(2 * NORMAL_QUANTILE * values.std() / 20, rel=0.05)


def test_all_generation_seeds_get_the_same_clips():
    """What one seed has too much and the other too little cancels only when the draws are the same."""
    first = np.random.default_rng(0).normal(size=50)
    second = 3.0 - first
    mean_over_seeds = lambda clips: np.mean([first[clips].mean(), second[clips].mean()])  # noqa: E731
    assert bootstrap_statistic(mean_over_seeds, 50) == pytest.approx((1.5, 1.5), abs=1e-12)


def test_pairs_are_told_apart_where_single_intervals_are_not():
    """Two systems on the same clips: what a clip does to both falls out, and the interval holds the truth."""
    held, apart = 0, 0
    for repetition in range(200):
        random = np.random.default_rng(repetition)
        level = random.normal(size=(60, 1))  # of a clip
        first, second = (level + shift + 0.2 * random.normal(size=(60, 3)) for shift in (0.0, 0.1))
        draws = [
            np.stack([resampled(lambda c, s=s: s[c].mean(), 60, 100, repetition) for s in side.T], 1)
            for side in (first, second)
        ]
        low, high = paired_interval(float(second.mean() - first.mean()), *draws, seed=repetition)
        held += low < 0.1 < high
        apart += bootstrap_mean(first.mean(1), 100)[1] < bootstrap_mean(second.mean(1), 100)[0]
    assert held > 180 and apart == 0


def test_generation_seeds_are_drawn_too():
    """Clips that are all alike, and seeds that are not: only these can spread the difference."""
    first = np.tile([[1.0, 2.0, 3.0]], (400, 1))
    assert paired_interval(0.0, first, first) == (0.0, 0.0)
    low, high = paired_interval(0.0, first, np.zeros((400, 3)))
    spread = NORMAL_QUANTILE * np.sqrt(2 / 3 / 3)  # of the mean of three draws from 1, 2, 3
    assert (high - low) / 2 == pytest.approx(spread, rel=0.1)
    assert paired_interval(0.5, first[:, :1], first[:, :1] + 0.5) == (0.5, 0.5)
    with pytest.raises(ValueError, match="no pairs"):
        paired_interval(0.0, first, first[:, :2])


def test_seed_alone_decides_the_draws():
    drawn: list[list[np.ndarray]] = []
    for seed in (0, 0, 1):
        drawn.append([])
        resampled(lambda clips: drawn[-1].append(clips) or 0.0, 9, 3, seed)
    first, again, other = (np.stack(draws) for draws in drawn)
    assert first.shape == (3, 9) and first.min() >= 0 and first.max() <= 8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert bootstrap_mean(np.arange(9.0), seed=0) != bootstrap_mean(np.arange(9.0), seed=1)


class TestMistakes:
    def test_one_clip(self):
        with pytest.raises(UserError, match="2 clips or more, not 1"):
            bootstrap_mean(np.ones(1))
        with pytest.raises(UserError, match="2 clips or more, not 1"):
            bootstrap_statistic(lambda clips: 0.0, 1)

    def test_nan(self):
        with pytest.raises(UserError, match="values of the clips: 1 of 3 rows hold NaN"):
            bootstrap_mean(np.array([1.0, np.nan, 2.0]))
        with pytest.raises(ValueError, match="not finite"):
            bootstrap_statistic(lambda clips: float("nan"), 5)

    def test_one_draw(self):
        with pytest.raises(ValueError, match="num_resamples=1"):
            bootstrap_statistic(lambda clips: 0.0, 5, num_resamples=1)
