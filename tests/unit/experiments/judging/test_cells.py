"""Cells of several seeds: their mean and interval, and what is refused rather than averaged."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_results import FADS, PROTOCOL, Job, fad, jobs, record, timing, write, write_listening, write_table6
from scipy import stats

from evaluation.marking import marked
from experiments.items.catalog import item_of
from experiments.judging.cells import EMPTY, student_interval, summarize
from experiments.judging.sources import Fact, Reading, in_millions
from experiments.records.records import read_results
from experiments.rendering.shown import ShownTable, show

STEM = "table6_backbone"


def shown(folder: Path, stem: str = STEM, scale: str = "replica", **more: object) -> ShownTable:
    return show(item_of(stem), read_results(folder, stem, scale, **more))


def row_of(table: ShownTable, name: str):
    return next(row for row in table.rows if row.row == name)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_interval_is_that_of_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(3.0, 2.0, count)
    mean, interval = student_interval(values)
    expected = stats.t.interval(0.95, count - 1, loc=values.mean(), scale=stats.sem(values))
    np.testing.assert_allclose((mean, *interval), (values.mean(), *expected), rtol=1e-12)


def test_interval_of_three_by_hand() -> None:
    mean, (low, high) = student_interval([10.0, 11.0, 12.0])  # s = 1, t(0.975, 2) = 4.3027
    assert mean == 11.0 and math.isclose(high - mean, 4.30265 / math.sqrt(3), rel_tol=1e-5)
    assert math.isclose(mean - low, high - mean)
    assert student_interval([5.0]) == (5.0, None)


def test_one_seed_keeps_its_own_interval_and_several_take_students() -> None:
    one = Reading(10.0, interval=(9.0, 12.0), method="bootstrap", num_generated=80)
    cell = summarize({0: one})
    assert (cell.interval, cell.method, cell.num_generated) == ((9.0, 12.0), "bootstrap", 80)
    two = summarize({0: one, 1: replace(one, value=12.0)})
    assert two.value == 11.0 and two.method == "Student's t over 2 training seeds"
    assert two.interval == pytest.approx(stats.t.interval(0.95, 1, loc=11.0, scale=1.0))
    assert summarize({}) == EMPTY


def test_table_has_means_beside_printed_figures(tmp_path: Path) -> None:
    write_table6(tmp_path)
    table = shown(tmp_path)
    assert [row.label for row in table.rows] == ["AudioLCM", "w/o RoPE", "w/o RMSNorm", "w/o SwiGLU"]
    for row in table.rows:
        assert row.cells[0].value == pytest.approx(np.mean(FADS[row.row]))
        assert row.cells[0].count == "N=80/80"
    assert [row.printed for row in table.rows][:2] == [("1.67", "1.37"), ("1.80", "1.45")]
    assert table.measured == "measured (replica: esc10, YAMNet)"
    assert table.caption.startswith("Measured at replica scale: esc10, test split; YAMNet.")
    assert "another task than the paper's" in table.caption


def test_nothing_of_the_paper_is_ever_a_measured_figure(tmp_path: Path) -> None:
    for stem in ("table1_audiocaps", "table5_hyperparameters", STEM):
        for scale in ("replica", "paper"):
            table = shown(tmp_path, stem, scale)
            assert all(cell.is_empty for row in table.rows for cell in row.cells) and not table.is_measured
            assert any(text for row in table.rows for text in row.printed)
    write(tmp_path, record("table1_audiocaps", "audiolcm", 0, fad(12.0)))
    table = shown(tmp_path, "table1_audiocaps")
    measured = [(row.row, cell.value) for row in table.rows for cell in row.cells if not cell.is_empty]
    assert measured == [("audiolcm", 12.0)]


def test_missing_seeds_are_counted_and_named(tmp_path: Path) -> None:
    write_table6(tmp_path)
    (tmp_path / f"records/replica/{STEM}/full-seed1.json").unlink()
    for path in (tmp_path / f"records/replica/{STEM}").glob("without_rope-*"):
        path.unlink()
    table = shown(tmp_path, planned=jobs(*FADS))
    assert [row.seeds for row in table.rows] == ["2 of 3", "0 of 3", "3", "3"]
    assert row_of(table, "without_rope").cells == (EMPTY, EMPTY)
    assert row_of(table, "full").cells[0].value == 11.0
    assert "Missing: full (seed 1), without_rope (seeds 0, 1, 2)." in table.notes


def test_stale_records_are_marked_with_what_changed(tmp_path: Path) -> None:
    write_table6(tmp_path)

    def changes(content: dict, job: Job) -> list[str]:
        stale = (content["row"], content["seed"]) in {("full", 0), *(("without_rope", s) for s in range(3))}
        return ["audiolcm/diffusion changed"] if stale else []

    table = shown(tmp_path, planned=jobs(*FADS), changes=changes)
    full, rope = row_of(table, "full"), row_of(table, "without_rope")
    assert full.state == "2 of 3" and full.cells[0].value == pytest.approx(11.5)
    assert rope.state == "3, stale" and rope.cells[0].value == pytest.approx(np.mean(FADS["without_rope"]))
    assert "full-seed0 is stale and left out: audiolcm/diffusion changed." in table.notes
    assert "without_rope-seed2 are stale: audiolcm/diffusion changed." in " ".join(table.notes)
    assert [judgment.is_stale for judgment in table.judgments] == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("score", "protocol", "words"),
    [
        (fad(11.0, num_generated=79), PROTOCOL, "N: 80/80 / 79/80"),
        (fad(11.0, extractor={"identity": "other"}), PROTOCOL, "network: ab12 / other"),
        (fad(11.0), PROTOCOL | {"num_clips": 40}, "protocol num_clips: 80 / 40"),
    ],
)
def test_what_was_not_measured_alike_is_refused_not_averaged(
    tmp_path: Path, score: object, protocol: dict, words: str
) -> None:
    write_table6(tmp_path)
    write(tmp_path, record(STEM, "full", 2, score, protocol=protocol))
    table = shown(tmp_path)
    cell = row_of(table, "full").cells[0]
    assert cell.figures == "refused" and cell.value is None and words in cell.refusal
    assert any(
        note.startswith("AudioLCM, FAD ↓: refused, seeds 0 and 2 were not measured alike")
        for note in table.notes
    )
    assert row_of(table, "without_rope").cells[0].value is not None
    (judgment, *_) = table.judgments
    assert judgment.verdict == "cannot be told" and judgment.reason.startswith("not measured alike")


def test_a_row_of_another_protocol_does_not_stand_in_the_column(tmp_path: Path) -> None:
    write_table6(tmp_path)
    for seed in range(3):
        write(tmp_path, record(STEM, "full", seed, fad(1.0), protocol=PROTOCOL | {"name": "tango"}))
    table = shown(tmp_path)
    assert (
        "not measured as the other rows (protocol name: replica / tango)"
        in row_of(table, "full").cells[0].refusal
    )
    assert all(row.cells[0].value for row in table.rows[1:])


def test_where_no_protocol_is_the_rule_no_row_is_shown(tmp_path: Path) -> None:
    write(tmp_path, record(STEM, "full", 0, fad(1.0)))
    write(tmp_path, record(STEM, "without_rope", 0, fad(2.0, num_reference=9)))
    table = shown(tmp_path)
    refusals = [row.cells[0].refusal for row in table.rows]
    assert "none is the rule" in refusals[0] and refusals[0] == refusals[1] and refusals[2:] == ["", ""]


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_an_odd_seed_condemns_its_own_row_only(odd: int, tmp_path: Path) -> None:
    for seed in range(3):
        count = 50 if seed == odd else 80
        write(tmp_path, record(STEM, "full", seed, fad(1.0, num_generated=count)))
        write(tmp_path, record(STEM, "without_rope", seed, fad(2.0)))
    table = shown(tmp_path)
    full, other = row_of(table, "full").cells[0], row_of(table, "without_rope").cells[0]
    assert full.refusal.startswith("seeds 0 and ") and "were not measured alike (N: " in full.refusal
    assert other.value == 2.0


def test_speed_of_other_hardware_is_refused(tmp_path: Path) -> None:
    for seed, device in enumerate(("cpu", "cuda")):
        change = {"timings": [timing(0.01)], "provenance": {"hardware": {"device": device}}}
        write(tmp_path, record("table1_audiocaps", "audiolcm", seed, fad(1.0), **change))
    row = row_of(shown(tmp_path, "table1_audiocaps"), "audiolcm")
    assert "hardware: device cpu / device cuda" in row.cells[4].refusal and row.cells[1].value == 1.0


def test_no_cell_reaches_beyond_where_its_figure_ends(tmp_path: Path) -> None:
    for seed, value in enumerate((1.0, 5.0, 12.0)):
        write(tmp_path, record(STEM, "full", seed, fad(value), fad(-0.000045, key="kl_yamnet", title="KL")))
    write(tmp_path, record(STEM, "without_rope", 0, fad(0.5)))
    table = shown(tmp_path)
    fads, kl = row_of(table, "full").cells
    assert (
        fads.figures == "6.0 [0.0, 19.8]" and fads.value == 6.0 and fads.per_seed == {0: 1.0, 1: 5.0, 2: 12.0}
    )
    assert kl.figures == "0.00 [0.00, 0.00]"
    assert row_of(table, "without_rope").cells[0].interval == (0.0, 1.5), "of one seed, by its own bootstrap"
    (note,) = (note for note in table.notes if "are cut where such figures end" in note)
    assert note.startswith("FAD ↓, KL ↓: ")


def test_times_of_before_are_marked_and_stand_in_no_column_with_new_ones(tmp_path: Path) -> None:
    stem, cold = "table1_audiocaps", {"text_memory": "cold", "rtf_warm": 0.01}
    write(tmp_path, record(stem, "audiolcm", 0, fad(3.0), timings=[timing(0.02)]))
    table = shown(tmp_path, stem)
    assert row_of(table, "audiolcm").cells[4].figures == "0.0200 †"
    assert "RTF warm ↓" not in [column.title for column in table.columns], "nothing of it was measured"
    (note,) = (note for note in table.notes if note.startswith("† timed the old way: RTF may lack the text"))
    write(tmp_path, record(stem, "audiolcm", 0, fad(3.0), timings=[timing(0.02) | cold]))
    table = shown(tmp_path, stem)
    assert [cell.figures for cell in row_of(table, "audiolcm").cells[4:6]] == ["0.0200", "0.0100"]
    assert note not in table.notes
    write(tmp_path, record(stem, "teacher", 0, fad(3.0), timings=[timing(0.4)]))
    table = shown(tmp_path, stem)
    for row in ("audiolcm", "teacher"):
        assert "(text memory: as found / cold)" in row_of(table, row).cells[4].refusal


def test_facts_are_shown_when_all_seeds_agree(tmp_path: Path) -> None:
    for seed, nfe in enumerate((2, 2)):
        write(tmp_path, record("table1_audiocaps", "audiolcm", seed, fad(1.0), facts={"nfe": nfe}))
        write(tmp_path, record("table1_audiocaps", "teacher", seed, fad(1.0), facts={"nfe": 50 + seed}))
    table = shown(tmp_path, "table1_audiocaps")
    assert row_of(table, "audiolcm").cells[0].figures == "2"
    assert "seed 0 has 50, seed 1 51" in row_of(table, "teacher").cells[0].refusal


def test_opinion_scores_join_their_rows(tmp_path: Path) -> None:
    write_listening(tmp_path, "table1_audiocaps", {"audiolcm": 77.4, "reference": 91.0, "low_anchor": 31.5})
    for seed in range(3):
        write(tmp_path, record("table1_audiocaps", "audiolcm", seed, fad(1.0)))
    table = shown(tmp_path, "table1_audiocaps")
    cell = row_of(table, "audiolcm").cells[5]
    assert (cell.value, cell.interval, cell.count) == (77.4, (76.4, 78.4), "N=20")
    assert not any("of seeds" in note for note in table.notes)
    assert row_of(table, "ground_truth").cells[6].value == 91.0 and row_of(table, "ground_truth").seeds == "-"
    assert "Rated too, but no row of this table: low_anchor (mos_q 31.5, mos_f 31.5)." in table.notes


def test_a_metric_that_some_seeds_lack_is_said_to_be_of_fewer(tmp_path: Path) -> None:
    write_table6(tmp_path)
    write(tmp_path, record(STEM, "full", 1, fad(11.0)))
    assert "AudioLCM, KL ↓: of seeds 0, 2 only." in shown(tmp_path).notes


def test_an_unknown_row_is_shown_as_such(tmp_path: Path) -> None:
    write(tmp_path, record(STEM, "without_everything", 0, fad(99.0)))
    row = row_of(shown(tmp_path), "without_everything")
    assert row.state == "1, not in the paper" and row.printed == (None, None)


def test_hyper_parameters_and_corpora_come_from_figures(tmp_path: Path) -> None:
    figures = {
        "latent_channels": 20,
        "channel_mult": [1, 2, 4],
        "num_trainable": 158_912_345,
        "num_non_trainable": 2.4e9,
    }
    write(
        tmp_path, record("table5_hyperparameters", "audiolcm", 0, scale="paper", figures=figures, protocol={})
    )
    table = shown(tmp_path, "table5_hyperparameters", "paper")
    cells = {row.label: (row.cells[0].figures, row.printed[0]) for row in table.rows}
    assert cells["Autoencoder: hidden channels"] == ("20", "20")
    assert cells["Autoencoder: channel mult"] == ("1, 2, 4", "1, 2, 4")
    assert cells["Trainable parameters"] == ("159M", "159M")
    assert cells["Non-trainable parameters"] == ("2.4B", "984M")
    assert cells["Text encoder: token length"] == ("-", "77")

    shares = {"share_written": 0.0, "share_from_labels": 1.0, "share_from_names": 0.0, "labels_a_row": 1.0}
    corpora = {"esc50": {"hours": 2.78, "num_clips": 2000}, "audioset": {"labels_a_row": 2.7, "hours": 945.4}}
    for row, counts in corpora.items():
        write(tmp_path, record("table4_corpora", row, 0, figures=shares | counts, protocol={}))
    table = shown(tmp_path, "table4_corpora")
    assert [cell.figures for cell in row_of(table, "esc50").cells] == ["2.78", "label", "2,000"]
    assert [cell.figures for cell in row_of(table, "audioset").cells] == ["945", "multi label", "-"]
    assert row_of(table, "audioset").printed == ("945", "multi label", None)


def test_sizes_are_shown_as_the_paper_shows_them(tmp_path: Path) -> None:
    write(tmp_path, record("table7_scale", "base", 0, facts={"num_parameters": 1_017_992}))
    results = read_results(tmp_path, "table7_scale", "replica")
    assert Fact(("num_parameters",), shown=in_millions).readings(results, "base")[0].text == "1.02M"
    assert Fact(("none", "num_parameters")).readings(results, "base")[0].text == "1,017,992"


def test_figures_of_a_partial_protocol_are_marked(tmp_path: Path) -> None:
    """In the caption, at each figure, in the notes and at each judgment; RTF is of no protocol."""
    partial = marked(PROTOCOL, {"partial": "12 of 80 captions"})
    for row, values in FADS.items():
        for seed, value in enumerate(values):
            write(tmp_path, record(STEM, row, seed, fad(value), protocol=partial))
    table = shown(tmp_path)
    assert "esc10, test split (partial: 12 of 80 captions)" in table.caption
    assert all(row.cells[0].figures.endswith("†") for row in table.rows)
    assert "† partial protocol: not the figures of the protocol that the caption names" in " ".join(
        table.notes
    )
    assert "partial protocol" in table.judgments[0].verdict_text
    former = tmp_path / "former"
    write(former, record(STEM, "full", 0, fad(1.0), protocol=PROTOCOL | {"is_subset": True}))
    assert row_of(shown(former), "full").cells[0].caveat == "partial protocol"
