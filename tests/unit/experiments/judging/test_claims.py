"""Claims judged by paired differences, against data whose intervals are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_results import FADS, PROTOCOL, fad, record, timing, write, write_fig2a, write_fig3, write_table6
from scipy import stats

from experiments.items.catalog import STEMS, item_of
from experiments.judging.claims import (
    BETTER,
    Claim,
    Comparison,
    FigurePoint,
    Judgment,
    NamedRow,
    close,
    judge,
    no_worse,
    summed_up,
)
from experiments.judging.sources import Fact, FirstScore, PaperColumn
from experiments.records.records import read_results

STEM = "table6_backbone"


def judged(
    folder: Path, first: list[float], second: list[float], better: str = "lower", test: Comparison = BETTER
) -> Judgment:
    for row, values in (("full", first), ("without_rope", second)):
        for seed, value in enumerate(values):
            write(folder, record(STEM, row, seed, fad(value)))
    column = PaperColumn("FAD", None, better, {"replica": FirstScore(("fad_yamnet",))})
    claim = Claim("s", NamedRow("full", "a"), NamedRow("without_rope", "b"), column, test)
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


def test_the_embedded_evaluator_judges_nothing(tmp_path: Path) -> None:
    for row, level in (("full", 10.0), ("without_rope", 20.0)):
        for seed in range(3):
            write(tmp_path, record(STEM, row, seed, fad(level + seed / 10, is_embedded=True)))
    column = PaperColumn("FAD", None, "lower", {"replica": FirstScore(("fad_yamnet",))})
    claim = Claim("s", NamedRow("full", "a"), NamedRow("without_rope", "b"), column)
    found = judge(claim, read_results(tmp_path, STEM, "replica"))
    assert found.verdict == "cannot be told" and found.change == pytest.approx(10.0)
    assert "embedded evaluator" in found.reason


@pytest.mark.parametrize(
    ("test", "shift", "verdict"),
    [
        (no_worse(0.1), -0.5, "holds at this scale"), (no_worse(0.1), 9.0, "holds at this scale"),
        (no_worse(0.1), -1.0, "cannot be told"), (no_worse(0.1), -3.0, "does not hold"),
        (close(0.1), 0.5, "holds at this scale"), (close(0.1), 1.1, "cannot be told"),
        (close(0.1), 3.0, "does not hold"), (close(0.1), -3.0, "does not hold"),
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
    assert (found.verdict, found.reason, found.change_text) == ("not measured", "b", "-")


def test_pairs_of_other_protocols_are_not_compared(tmp_path: Path) -> None:
    judged(tmp_path, [10.0, 11.0, 12.0], [20.0, 21.0, 22.0])
    write(tmp_path, record(STEM, "full", 1, fad(11.0), protocol=PROTOCOL | {"num_clips": 3}))
    found = judge(item_of(STEM).claims[0], read_results(tmp_path, STEM, "replica"))
    assert found.verdict == "cannot be told" and "protocol num_clips: 3 / 80" in found.reason


def test_the_backbone(tmp_path: Path) -> None:
    write_table6(tmp_path)
    results = read_results(tmp_path, STEM, "replica")
    claims = item_of(STEM).claims
    found = {claim.second.key: judge(claim, results) for claim in claims if claim.column.title == "FAD"}
    assert [claim.column.title for claim in claims] == ["FAD", "KL"] * 3, "the paper prints both"
    assert [judge(claim, results).verdict for claim in claims if claim.column.title == "KL"] == [
        judgment.verdict for judgment in found.values()
    ]
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
    rows = [FigurePoint("m", {"k": 20}, step=step, part=part).row(results) for part in (1.0, 0.5, 0.7, 0.1)]
    assert rows == ["k20", "k20-step400", "k20-step800", None]  # of 1200 steps: 1200, 400, 800, none
    assert FigurePoint("p", {"k": 20}).row(results) is None, "three rows are no point"
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
    judgment = judge(item_of("fig3_speed").claims[3], results)
    assert "hardware: device cuda / device cpu" in judgment.verdict_text


PAPER = {"scale": "paper", "facts": {"model": "published"}}


def drawn(value: float, key: str = "fad_vggish", noise: float = 0.05, seeds: int = 1, **changes: Any) -> Any:
    """A score of a published system: clips move all systems alike by much, and each by a little of its own."""
    shared = np.random.default_rng(0).normal(0.0, 2.0, 100)
    own = np.random.default_rng(round(1000 * value)).normal(0.0, noise, (seeds, 100))
    draws = tuple(tuple(map(float, value + shared + one)) for one in own)
    fields = {
        "key": key,
        "is_embedded": False,
        "draws": draws,
        "drawn": "clips0",
        "interval": (value - 4, value + 4),
    }
    return fad(value, **fields | changes)


def write_paper(folder: Path, row: str, *scores: Any, **changes: Any) -> None:
    write(folder, record("table1_audiocaps", row, 0, *scores, **PAPER | changes))


def of_table1(folder: Path) -> dict[tuple[str, str], Judgment]:
    """The judgments of the table at the paper's scale by the second row and the column."""
    results = read_results(folder, "table1_audiocaps", "paper")
    found = [judge(claim, results) for claim in item_of("table1_audiocaps").claims]
    return {(one.claim.second.key, one.claim.column.title): one for one in found}


@pytest.mark.parametrize("seeds", [1, 3])
def test_published_weights_are_judged_by_the_paired_bootstrap(seeds: int, tmp_path: Path) -> None:
    for row, value in (("audiolcm", 1.6), ("teacher", 1.5), ("audioldm2_large", 1.9)):
        kl = drawn(2 - value / 10, "kl_panns", seeds=seeds)
        write_paper(tmp_path, row, drawn(value, seeds=seeds), kl)
    found = of_table1(tmp_path)
    large = found["audioldm2_large", "FAD"]
    assert large.verdict == "holds at this scale" and large.change == pytest.approx(0.3)
    assert large.interval[0] > 0.1 and large.interval[1] < 0.5, (
        "alone each has an interval of plus and minus 4"
    )
    more = " and 3 generation seeds" if seeds > 1 else ""
    assert large.change_text.endswith(f"], paired bootstrap over clips{more}")
    assert found["teacher", "FAD"].method == found["teacher", "KL"].method == large.method
    assert found["teacher", "KL"].verdict == "holds at this scale"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"draws": ()}, "draws of a bootstrap are needed, which a record lacks"),
        ({"drawn": "other clips"}, "not resampled alike"),
        ({"draws": ((1.0, 2.0),)}, "not resampled alike"),
        ({"num_generated": 79}, "not measured alike (N: "),
    ],
)
def test_what_is_no_pair_is_not_judged(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    write_paper(tmp_path, "audiolcm", drawn(1.6))
    write_paper(tmp_path, "audioldm2_large", drawn(1.9, **change))
    found = of_table1(tmp_path)["audioldm2_large", "FAD"]
    assert found.verdict == "cannot be told" and reason in found.reason


@pytest.mark.parametrize(
    "made", [{"facts": {"train_steps": 400}}, {"training": {"item": "table1_audiocaps"}}]
)
def test_one_training_is_not_judged_by_its_clips(made: dict[str, Any], tmp_path: Path) -> None:
    """Another training might be another model: draws of clips know nothing of that."""
    write_paper(tmp_path, "audiolcm", drawn(1.6), **made)
    write_paper(tmp_path, "teacher", drawn(1.5), **made)
    found = of_table1(tmp_path)["teacher", "FAD"]
    assert found.reason == "1 common training seeds, 3 are needed" and not found.method


def test_a_published_system_stands_against_every_training(tmp_path: Path) -> None:
    for seed, value in enumerate((1.5, 1.6, 1.7)):
        facts = {"train_steps": 400}
        content = record("table1_audiocaps", "audiolcm", seed, drawn(value), scale="paper", facts=facts)
        write(tmp_path, content)
    write_paper(tmp_path, "audioldm2_large", drawn(2.6))
    found = of_table1(tmp_path)["audioldm2_large", "FAD"]
    expected = stats.ttest_1samp([1.1, 1.0, 0.9], 0.0).confidence_interval(0.95)
    assert found.interval == pytest.approx(tuple(expected)) and found.seeds == (0, 1, 2)
    assert found.verdict == "holds at this scale"


def test_speed_of_published_weights_goes_by_its_calls(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for row, rtf in (("audiolcm", 0.003), ("teacher", 0.19)):
        calls = list(map(float, rtf * 5 * random.uniform(0.9, 1.1, 50)))
        time = timing(rtf) | {"text_memory": "cold", "calls": calls, "rtf_warm": rtf / 2}
        write_paper(tmp_path, row, timings=[time])
    found = of_table1(tmp_path)["teacher", "RTF"]
    assert found.verdict == "holds at this scale" and found.method == "paired bootstrap over timed calls"
    assert found.interval == pytest.approx((0.187, 0.187), abs=0.01) and not found.caveat


def test_verdicts_on_old_times_say_so_and_old_ones_are_not_compared_with_new_ones(tmp_path: Path) -> None:
    write_fig3(tmp_path)
    speed = item_of("fig3_speed").claims[3]
    old = judge(speed, read_results(tmp_path, "fig3_speed", "replica"))
    assert old.verdict_text == "holds at this scale; timed the old way"
    for seed in range(3):
        facts = {"num_steps": 2, "nfe": 2, "omega": 4.0}
        new = timing(0.02) | {"text_memory": "cold"}
        content = record("fig3_speed", "audiolcm-steps2", seed, fad(1.0), facts=facts, timings=[new])
        write(tmp_path, content)
    mixed = judge(speed, read_results(tmp_path, "fig3_speed", "replica"))
    assert mixed.verdict == "cannot be told" and "text memory: cold / as found" in mixed.reason


def test_quality_is_judged_by_fad_and_kl_where_the_paper_prints_both() -> None:
    """But for sentences that name their metrics themselves, and figures, which have FAD alone."""
    named = {("table1_audiocaps", "AudioLDM 2-Large"), ("table2_clotho", "AudioLCM with 4 steps")}
    for stem in STEMS:
        claims = item_of(stem).claims
        sides = {(c.sentence, c.first, c.second) for c in claims if c.column.title == "KL"}
        for claim in claims:
            is_named = {(stem, claim.first.name), (stem, claim.second.name)} & named
            if claim.column.title == "FAD" and stem.startswith("table") and not is_named:
                assert (claim.sentence, claim.first, claim.second) in sides
