"""The inception score against the check vector, torch-fidelity and its two extremes."""

import numpy as np
import pytest
import torch

from audiolcm.errors import UserError
from evaluation.metrics.inception import inception_score

LOGITS = np.float32(2 * np.random.RandomState(0).randn(40, 527))


def test_check_vector():
    score = inception_score(LOGITS)
    assert score.mean == pytest.approx(2.4415148835, rel=1e-9)
    assert score.std == pytest.approx(0.0743025162, rel=1e-8)
    assert len(score.splits) == 10
    assert np.mean(score.splits) == score.mean


@pytest.mark.parametrize(
    ("number", "num_splits", "seed"), [(40, 10, 2020), (37, 10, 2020), (10, 10, 1), (23, 3, 5)]
)
def test_against_torch_fidelity(number, num_splits, seed):
    """Also where the number of sounds is no multiple of the splits."""
    metric = pytest.importorskip("torch_fidelity.metric_isc")
    theirs = metric.isc_features_to_metric(torch.from_numpy(LOGITS[:number]), num_splits, True, seed)
    mine = inception_score(LOGITS[:number], num_splits, seed)
    assert mine.mean == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert mine.std == pytest.approx(theirs["inception_score_std"], rel=1e-9, abs=1e-12)


def test_order_matters():
    assert inception_score(LOGITS[::-1]).mean != inception_score(LOGITS).mean


def test_extremes():
    """Sounds that are all alike give 1; each surely of another class, as many as there are."""
    assert inception_score(np.ones((20, 6))).mean == pytest.approx(1.0)
    sure = 1000 * np.eye(6)
    assert inception_score(sure, num_splits=1).mean == pytest.approx(6.0)


def test_fewer_sounds_than_splits():
    with pytest.raises(UserError, match="each of its 10 splits, and there are 9 sounds"):
        inception_score(LOGITS[:9])


def test_nan():
    with pytest.raises(UserError, match="logits of the generated sounds: 40 of 40 rows"):
        inception_score(np.full_like(LOGITS, np.nan))
