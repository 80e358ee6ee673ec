"""Every table and figure as it is described: names that exist, and nothing twice."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from made_results import fad, plan_of_project, record, write

from audiolcm.errors import UserError
from audiolcm.sweeps.row_sweeper import SCALES
from evaluation.tables.table import Column as EvaluationColumn
from experiments.items.baselines import RELEASED
from experiments.items.catalog import STEMS, item_of, printed_figure, printed_table
from experiments.items.columns import FAD
from experiments.items.item import FigureItem, Item, TableItem
from experiments.judging.sources import FirstScore
from experiments.records.records import read_results

ROOT = Path(__file__).parents[4]
ITEMS = [item_of(stem) for stem in STEMS]
TABLES = [item for item in ITEMS if isinstance(item, TableItem)]
FIGURES = [item for item in ITEMS if isinstance(item, FigureItem)]
SAME_PRINTED = {"table6": 2}  # the paper's Table 6 is read in two ways


def test_stems_are_those_of_the_modules_and_experiments() -> None:
    assert [item.stem for item in ITEMS] == list(STEMS)
    assert len(set(STEMS)) == len(STEMS)
    assert len({item.paper_item for item in ITEMS}) == len(ITEMS)
    in_conf = {path.stem for path in (ROOT / "conf/experiment").glob("*.yaml")}
    assert in_conf <= set(STEMS), "an experiment without a module that shows it"
    modules = {path.stem for path in (ROOT / "experiments/items").glob("*.py")}
    assert {name for name in modules if name.startswith(("table", "fig"))} == set(STEMS)


def test_printed_items_are_shown_once_each() -> None:
    counts = Counter(item.printed for item in ITEMS)
    assert {name: count for name, count in counts.items() if count > 1} == SAME_PRINTED
    content = yaml.safe_load((ROOT / "experiments/items/printed.yaml").read_text())
    assert counts.keys() == (content.keys() - {"figures"}) | content["figures"].keys()


@pytest.mark.parametrize("item", TABLES, ids=lambda item: item.stem)
def test_every_row_and_column_of_a_table_is_the_papers_or_said_to_be_added(item: TableItem) -> None:
    printed = printed_table(item.printed)
    shown = [row.printed for row in item.rows if row.printed is not None]
    assert shown == list(printed), (
        "a row that the paper does not have, or one of it is missing or out of order"
    )
    names = [column.name for column in item.columns if column.name is not None]
    assert names == list(next(iter(printed.values())))
    if len({row.key for row in item.rows}) > 1:  # Table 5 has one record for all lines
        assert len({row.key for row in item.rows}) == len(item.rows)
    added = [row for row in item.rows if row.printed is None]
    assert [row.key for row in added] == {
        "table1_audiocaps": ["stable_audio_open"], "table2_clotho": ["audiolcm_4_steps"],
        "table4_corpora": ["esc10", "foley", "foley_music"],
    }.get(item.stem, [])  # fmt: skip


def test_every_planned_row_is_the_papers_or_said_to_be_added() -> None:
    plan = plan_of_project()
    for item in TABLES:
        for scale in SCALES:
            unknown = {job.row for job in plan.jobs(item.stem, scale)} - {row.key for row in item.rows}
            assert not unknown, f"{item.stem}: rows without a printed counterpart"


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.stem)
def test_it_is_said_how_others_are_run_and_which_rows_are_the_released_checkpoint(item: Item) -> None:
    content = yaml.safe_load((ROOT / f"conf/experiment/{item.stem}.yaml").read_text())
    evaluated = content["hydra"]["sweeper"].get("evaluate", {}).get("paper", {})
    assert (RELEASED in item.notes) == ("published:audiolcm" in str(evaluated))
    notes = {row.key: row.note for row in getattr(item, "rows", ())}
    for row in notes.keys() & evaluated.get("rows", {}).keys():
        words = " ".join(map(str, evaluated["rows"][row]))
        if any(f"system={name}" in words for name in ("audioldm", "tango", "make_an", "music", "riff")):
            assert notes[row], f"{row}: what is its authors' and what is not?"


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.stem)
def test_sounds_beside_the_papers_figures_are_made_in_float32(item: Item) -> None:
    evaluations = [job for job in plan_of_project().jobs(item.stem, "paper") if job.entry == "evaluate"]
    assert all("hardware.precision=float32" in job.overrides for job in evaluations)


@pytest.mark.parametrize("item", FIGURES, ids=lambda item: item.stem)
def test_the_paper_says_something_of_every_figure(item: FigureItem) -> None:
    assert len(printed_figure(item.printed)) > 20


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.stem)
def test_sources_are_of_known_scales_and_scores_are_configured(item: Item) -> None:
    metrics = {path.stem for path in (ROOT / "conf/metrics").glob("*.yaml")}
    for column in item.columns:
        EvaluationColumn("key", column.title, column.better)  # the same words for where better is
        for scale, source in column.sources.items():
            assert scale in SCALES
            of_scores = source.keys if isinstance(source, FirstScore) else ()
            assert set(of_scores) <= metrics
            heard = {key.rpartition("_")[2] for key in of_scores}
            assert not heard or ("embedded" in heard) == (scale != "paper"), heard


def test_yamnet_comes_before_the_embedded_evaluator(tmp_path: Path) -> None:
    both = fad(1.0), fad(2.0, key="fad_embedded", is_embedded=True)
    for row, scores in (("full", both), ("without_rope", both[1:])):
        write(tmp_path, record("table6_backbone", row, 0, *scores))
    results = read_results(tmp_path, "table6_backbone", "replica")
    found = {row: FAD.sources["replica"].readings(results, row)[0].value for row in ("full", "without_rope")}
    assert found == {"full": 1.0, "without_rope": 2.0}


def test_every_claim_names_rows_that_its_table_has() -> None:
    for item in TABLES:
        rows = {row.key for row in item.rows}
        for claim in item.claims:
            assert {claim.first.key, claim.second.key} <= rows


@pytest.mark.parametrize(
    ("table", "row", "column", "printed"),
    [
        ("table1", "AudioLCM", "fad", "1.67"), ("table1", "ConsistencyTTA", "kl", "18.76"),
        ("table1", "GT", "fad", None), ("table4", "WavCaps", "hours", "2056"),
        ("table2", "AudioLCM", "rtf", "0.0006"), ("table3", "MusicLM", "fad", "4.00"),
        ("table5", "Trainable parameters", "value", "159M"), ("table6", "w/o RoPE", "fad", "1.80"),
        ("table7", "AudioLCM-XL", "parameters", "2.4B"),
    ],
)  # fmt: skip
def test_printed_figures_are_the_papers(table: str, row: str, column: str, printed: str | None) -> None:
    assert printed_table(table)[row][column] == printed


def test_unknown_item_is_one_message() -> None:
    with pytest.raises(UserError, match="table6_backbone"):
        item_of("table6")
