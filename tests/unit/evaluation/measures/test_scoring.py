"""Intervals by resampling clips keep their draws, and are what they were before these were kept."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.measures.pairs import paired_score
from evaluation.measures.scoring import Resampling, scored
from evaluation.metrics.bootstrap import NORMAL_QUANTILE, bootstrap_mean
from evaluation.record import Record, RecordRow, read_record

EAR = SimpleNamespace(name="ear", identity="12", is_embedded=False)


def trial(names: str, captions: int = 1) -> SimpleNamespace:
    items = tuple(
        SimpleNamespace(name=f"{name}__{i}", clip_name=name) for name in names for i in range(captions)
    )
    numbers = np.repeat(np.arange(len(names)), captions)
    return SimpleNamespace(items=items, clip_of_item=numbers)


def test_the_interval_of_a_statistic_is_to_the_bit_what_it_was() -> None:
    """As main computed it: estimate and draws one after the other, the mean over the seeds of each."""
    values = np.random.default_rng(0).normal(size=(3, 30))
    statistics = [lambda clips, own=own: float(own[clips].std()) for own in values]
    found = Resampling(50, 7).of_statistic(statistics, 30)
    generator = np.random.default_rng(7)
    draws = [generator.integers(30, size=30) for _ in range(50)]
    figures = [float(np.mean([statistic(clips) for statistic in statistics])) for clips in draws]
    estimate = float(np.mean([statistic(np.arange(30)) for statistic in statistics]))
    half = NORMAL_QUANTILE * float(np.std(figures, ddof=1))
    assert found.interval == (estimate - half, estimate + half)
    assert found.method.endswith("over clips, 50 draws") and (len(found.draws), len(found.draws[0])) == (
        3,
        50,
    )
    expected = [[statistic(clips) for clips in draws] for statistic in statistics]
    np.testing.assert_allclose(found.draws, expected, rtol=1e-6)
    assert Resampling(50, 7).of_statistic(statistics, 30, most=20).draws[0] == found.draws[0][:20]


def test_the_interval_of_a_mean_is_to_the_bit_what_it_was() -> None:
    values = [np.random.default_rng(seed).normal(size=8) for seed in range(2)]
    score = paired_score("kl", "KL", "lower", values, EAR, trial("abcd", captions=2), Resampling(40, 3))
    by_clip = np.mean(values, axis=0).reshape(4, 2).mean(1)
    assert score.interval == bootstrap_mean(by_clip, 40, 3)
    generator = np.random.default_rng(3)
    draws = [generator.integers(4, size=4) for _ in range(40)]
    expected = [[seed.reshape(4, 2).mean(1)[clips].mean() for clips in draws] for seed in values]
    np.testing.assert_allclose(score.draws, expected, rtol=1e-6)


def test_draws_tell_of_which_clips_they_are(tmp_path: Path) -> None:
    def made(names: str, num_resamples: int = 40, seed: int = 3):
        values = [np.arange(float(len(names)))]
        return paired_score("kl", "KL", "lower", values, EAR, trial(names), Resampling(num_resamples, seed))

    same, *others = made("abcd"), made("abdc"), made("abce"), made("abcd", 39), made("abcd", seed=4)
    assert same.drawn == made("abcd").drawn
    assert len({score.drawn for score in (same, *others)}) == 5
    record = Record(RecordRow("x", {}, (same,)), {}, ())
    record.write(tmp_path / "metrics.json")
    assert read_record(tmp_path / "metrics.json") == record
    content = json.loads((tmp_path / "metrics.json").read_text())
    del content["seal"]  # nor had a record of before
    for name in ("draws", "drawn"):
        del content["row"]["scores"][0][name]
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    (old,) = read_record(tmp_path / "metrics.json").row.scores
    assert old == dataclasses.replace(same, draws=(), drawn="")


@pytest.mark.parametrize("interval", [(None, ""), ((1.0, 2.0), "by hand")])
def test_a_measure_of_ones_own_needs_no_draws(interval: tuple) -> None:
    score = scored("x", "X", "lower", [1.5], interval, EAR, trial("ab"))
    assert (score.interval, score.interval_method) == interval and score.draws == () and score.drawn == ""
