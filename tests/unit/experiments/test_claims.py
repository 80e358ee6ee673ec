"""Claims judged by paired differences, against data whose intervals are known."""

from pathlib import Path

import numpy as np
import pytest
from made_results import FADS, PROTOCOL, fad, record, timing, write, write_fig2a, write_fig3, write_table6
from scipy import stats

from experiments.claims import Better, Claim, Close, Judgment, Moment, NoWorse, Point, Row, judge
from experiments.items import item_of
from experiments.records import read_results
from experiments.sources import Fact, ScoreKey
from experiments.verdicts import change_text, summed_up, verdict_text

STEM = "table6_backbone"


def judged(
    folder: Path, first: list[float], second: list[float], better: str = "lower", test: object = None
) -> Judgment:
    for row, values in (("full", first), ("without_rope", second)):
        for seed, value in enumerate(values):
            write(folder, record(STEM, row, seed, fad(value)))
    sources = {"replica": ScoreKey("fad_embedded")}
    claim = Claim("s", Row("full", "a"), Row("without_rope", "b"), "FAD", better, sources, test or Better())
    return judge(claim, read_results(folder, STEM, "replica"))


def test_interval_is_that_of_a_paired_t_test(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    level = generator.normal(20.0, 5.0, 5)  # seeds differ by much, pairs by little
    first, second = level + generator.normal(0, 0.3, 5), level + 1.0 + generator.normal(0, 0.3, 5)
    found = judged(tmp_path, list(first), list(second))
    expected = stats.ttest_rel(second, first)
    np.testing.assert_allclose(found.interval, expected.confidence_interval(0.95), rtol=1e-9)
    assert found.verdict == "holds at this scale" and found.seeds == (0, 1, 2, 3, 4)
    low, high = stats.ttest_ind(second, first).confidence_interval(0.95)
    assert low < 0 < high, "without pairs it could not be told"


@pytest.mark.parametrize(
    ("second", "better", "verdict"),
    [
        ([14.0, 15.0, 16.5], "lower", "holds at this scale"),
        ([6.0, 7.1, 8.0], "lower", "does not hold (the opposite)"),
        ([9.0, 12.0, 13.0], "lower", "cannot be told"),
        ([6.0, 7.1, 8.0], "higher", "holds at this scale"),
        ([14.0, 15.0, 16.5], "higher", "does not hold (the opposite)"),
    ],
)
def test_verdicts(tmp_path: Path, second: list[float], better: str, verdict: str) -> None:
    found = judged(tmp_path, [10.0, 11.0, 12.0], second, better)
    assert found.verdict == verdict and not found.reason


@pytest.mark.parametrize(
    ("test", "shift", "verdict"),
    [
        (NoWorse(0.1), -0.5, "holds at this scale"), (NoWorse(0.1), 9.0, "holds at this scale"),
        (NoWorse(0.1), -1.0, "cannot be told"), (NoWorse(0.1), -3.0, "does not hold"),
        (Close(0.1), 0.5, "holds at this scale"), (Close(0.1), 1.1, "cannot be told"),
        (Close(0.1), 3.0, "does not hold"), (Close(0.1), -3.0, "does not hold"),
    ],
)  # fmt: skip
def test_margins(tmp_path: Path, test: object, shift: float, verdict: str) -> None:
    """The second side is at 10, so that 10% is 1; the interval is shift plus and minus 0.25."""
    second = [9.0, 10.0, 11.0]
    first = [value - shift + noise for value, noise in zip(second, (-0.1, 0.0, 0.1), strict=True)]
    assert judged(tmp_path, first, second, test=test).verdict == verdict


def test_two_seeds_tell_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, [10.0, 11.0, 12.0], [20.0, 21.0])
    assert found.verdict == "cannot be told" and found.reason == "2 common training seeds, 3 are needed"
    assert found.change == 10.0


def test_what_is_not_there_is_not_measured(tmp_path: Path) -> None:
    found = judged(tmp_path, [10.0], [])
    assert (found.verdict, found.reason, change_text(found)) == ("not measured", "b", "-")


def test_pairs_of_other_protocols_are_not_compared(tmp_path: Path) -> None:
    judged(tmp_path, [10.0, 11.0, 12.0], [20.0, 21.0, 22.0])
    write(tmp_path, record(STEM, "full", 1, fad(11.0), protocol=PROTOCOL | {"num_clips": 3}))
    found = judge(item_of(STEM).claims[0], read_results(tmp_path, STEM, "replica"))
    assert found.verdict == "cannot be told" and "protocol num_clips: 3 / 80" in found.reason


def test_the_backbone(tmp_path: Path) -> None:
    write_table6(tmp_path)
    results = read_results(tmp_path, STEM, "replica")
    found = {claim.second.key: judge(claim, results) for claim in item_of(STEM).claims}
    assert {row: judgment.verdict for row, judgment in found.items()} == {
        "without_rope": "holds at this scale", "without_rmsnorm": "cannot be told",
        "without_swiglu": "does not hold (the opposite)",
    }  # fmt: skip
    expected = stats.ttest_rel(FADS["without_rope"], FADS["full"]).confidence_interval(0.95)
    assert found["without_rope"].interval == pytest.approx(tuple(expected))
    assert summed_up(list(found.values())).startswith("1 hold at this scale, 1 do not, 1 cannot be told")


def test_moments_of_a_training(tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    results = read_results(tmp_path, "fig2a_solver_k", "replica")
    step = Fact(("step", "train_steps"))
    rows = [Moment("m", {"k": 20}, step=step, part=part).row(results) for part in (1.0, 0.5, 0.7, 0.1)]
    assert rows == ["k20", "k20-step400", "k20-step800", None]  # of 1200 steps: 1200, 400, 800, none
    assert Point("p", {"k": 20}).row(results) is None, "three rows are no point"
    verdicts = [judge(claim, results).verdict for claim in item_of("fig2a_solver_k").claims]
    assert verdicts == ["holds at this scale", "holds at this scale", "does not hold (the opposite)"]


def test_speed_and_steps(tmp_path: Path) -> None:
    write_fig3(tmp_path)
    results = read_results(tmp_path, "fig3_speed", "replica")
    found = [judge(claim, results) for claim in item_of("fig3_speed").claims]
    assert [judgment.verdict for judgment in found] == [
        "does not hold", "holds at this scale", "holds at this scale", "holds at this scale"
    ]  # fmt: skip
    assert found[3].change == pytest.approx(0.48)
    for seed in range(3):
        facts = {"num_steps": 2, "nfe": 2, "omega": 4.0}
        other = {"timings": [timing(0.01)], "provenance": {"hardware": {"device": "cuda"}}}
        write(tmp_path, record("fig3_speed", "audiolcm-steps2", seed, fad(1.0), facts=facts, **other))
    results = read_results(tmp_path, "fig3_speed", "replica")
    assert "hardware: device cuda / device cpu" in verdict_text(
        judge(item_of("fig3_speed").claims[3], results)
    )
