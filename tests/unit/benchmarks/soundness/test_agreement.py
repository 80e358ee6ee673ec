"""Who agrees with YAMNet, who may judge, and what is written of it."""

import numpy as np
import pytest

from benchmarks.soundness.agreement import LEAST, Agreement, agreements, rank_correlation
from benchmarks.soundness.figures import is_monotone
from benchmarks.soundness.judges import Column, yamnet_at_hand
from benchmarks.soundness.text import agreement_table, table

COLUMNS = {
    "good": Column("Good", len),
    "deaf": Column("Deaf", len),
    "fad_yamnet": Column("FAD YAMNet", len),
    "hits_yamnet": Column("hits YAMNet", len, more_is_worse=False),
}


def levels(*good: float, deaf: tuple[float, ...]) -> list[dict[str, float]]:
    """YAMNet's distance grows from level to level, and its hits fall."""
    return [
        {"good": one, "deaf": other, "fad_yamnet": 10 * one + place, "hits_yamnet": 1 - one / 100}
        for place, (one, other) in enumerate(zip(good, deaf, strict=True))
    ]


GROUPS = {
    "smoothing": levels(1, 2, 3, 4, deaf=(4, 3, 2, 1)),
    "noise": levels(5, 6, 7, 8, deaf=(5, 6, 7, 8)),
}
MEL = {"smoothing"}


def test_rank_correlation_is_spearmans():
    generator = np.random.default_rng(0)
    x, y = generator.permutation(20), generator.permutation(20)
    spearman = 1 - 6 * np.sum((x - y) ** 2) / (20 * (20**2 - 1))
    assert rank_correlation(list(x), list(y)) == pytest.approx(spearman)
    assert rank_correlation([1, 2, 3], [10, 20, 1000]) == pytest.approx(1.0)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None


def test_who_ranks_as_yamnet_may_judge_and_who_does_not_may_not():
    found = agreements(COLUMNS, GROUPS, MEL)
    assert set(found) == {"good", "deaf"}
    assert found["good"].overall == pytest.approx({"fad_yamnet": 1.0, "hits_yamnet": 1.0})
    assert found["good"].may_judge
    assert found["deaf"].within == pytest.approx({"smoothing": -1.0, "noise": 1.0})
    assert found["deaf"].overall["fad_yamnet"] == pytest.approx(1 - 6 * 20 / (8 * 63))  # 0.76
    assert found["deaf"].through_mel == pytest.approx({"fad_yamnet": -1.0, "hits_yamnet": -1.0})
    assert not found["deaf"].may_judge


def test_all_cases_and_those_through_the_mel_both_count():
    enough, little = (
        {"fad_yamnet": LEAST, "hits_yamnet": 1.0},
        {"fad_yamnet": 1.0, "hits_yamnet": LEAST - 0.01},
    )
    assert Agreement(enough, enough, {}).may_judge
    assert not Agreement(enough, little, {}).may_judge
    assert not Agreement(little, enough, {}).may_judge
    assert not Agreement(enough, {"fad_yamnet": None}, {}).may_judge


def test_fewer_hits_are_worse():
    [good, *_] = agreements(
        {**COLUMNS, "good": Column("Good", len, more_is_worse=False)}, GROUPS, MEL
    ).values()
    assert good.overall["fad_yamnet"] == pytest.approx(-1.0) and not good.may_judge


def test_without_yamnet_nothing_is_told_and_it_is_said():
    columns = {key: COLUMNS[key] for key in ("good", "deaf")}
    assert agreements(columns, GROUPS, MEL) == {}
    assert "features.yamnet.weights=PATH" in agreement_table(columns, {})
    assert yamnet_at_hand({"_target_": "evaluation.features.yamnet.YamNet", "weights": None}) is None


def test_the_table_says_the_rule_and_the_verdicts():
    text = agreement_table(COLUMNS, agreements(COLUMNS, GROUPS, MEL))
    assert str(LEAST) in text
    _, rules, good, deaf = [line for line in text.splitlines() if line.startswith("|")]
    assert rules.count("---") == 8
    assert good.endswith("| yes |") and "1.00" in good
    assert deaf.endswith("| NO |") and "-1.00" in deaf


def test_no_better_from_level_to_level():
    falling = {"hits": Column("Hits", len, more_is_worse=False), "far": Column("Far", len)}
    same = [{"hits": 0.5, "far": 1.0}, {"hits": 0.5, "far": 1.0}]
    assert is_monotone(falling, same) == {"hits": True, "far": True}
    assert is_monotone(falling, [*same, {"hits": 0.6, "far": 0.9}]) == {"hits": False, "far": False}


def test_the_table_has_three_decimals_and_no_minus_before_zero():
    columns = {"far": Column("Far", len), "hits": Column("Hits", len)}
    text = table(columns, {"true sounds": {"hits": 12.34567, "far": -0.0001}})
    assert text.splitlines() == [
        "| sounds | Far | Hits |",
        "|---|---:|---:|",
        "| true sounds | 0.000 | 12.346 |",
    ]
