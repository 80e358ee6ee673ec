"""The hit rate and its Wilson interval against scipy and a published value."""

import numpy as np
import pytest
import scipy.stats

from audiolcm.errors import UserError
from evaluation.metrics.rate import hit_rate, wilson_interval


def test_hit_rate():
    assert hit_rate(np.array([True, False, True, True])) == 0.75
    with pytest.raises(UserError, match="hits: there are none"):
        hit_rate(np.zeros(0, bool))


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (1, 7), (35, 40), (80, 80), (150, 200)])
def test_wilson_against_scipy(hits, trials):
    expected = scipy.stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_newcombe_1998():
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # method 3


@pytest.mark.parametrize(("hits", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts(hits, trials):
    with pytest.raises(ValueError, match=f"{hits} hits in {trials} trials"):
        wilson_interval(hits, trials)
