"""The experiments at replica scale as a user types them, in tiny sizes and one shared folder: run, skip, fail, show."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_run import VOCODER, ended, type_all

from experiments.items.catalog import STEMS

ROOT = Path(__file__).resolve().parents[2]
COMMON = [
    "dataset.num_train=16", "dataset.num_validation=4", "dataset.num_test=4", "dataset.duration=2.0", "logger=jsonl",
    "hardware.num_threads=1",
]  # fmt: skip
FOLEY = [*COMMON, "dataset=foley", "dataset.min_duration=2.0", "dataset.max_duration=2.0"]
MUSIC = [*COMMON, "dataset=foley_music"]
# The rows of Table 4 differ in the data set, so none can be named; ++ since the whole table's is another one.
COUNTED = ["logger=jsonl", *(f"++{word}" for word in FOLEY if word.startswith("dataset."))]
SMALL = [f"trainer.{stage}.steps=2" for stage in ("autoencoder", "vocoder", "teacher")] + [
    *VOCODER, "trainer=smoke", "trainer.teacher.batch_size=2", "trainer.student.batch_size=2",
    "autoencoder.model.channels=32", "model.width=32", "model.depth=1", "model.num_heads=2",
    "preview.num_clips=1", "preview.student_steps=[1]",
]  # fmt: skip
TRAIN = [*SMALL, "trainer.student.steps=4"]
# Its teacher and the autoencoder behind that are as large as they are.
OF_EMBEDDED = [word for word in TRAIN if not word.startswith(("model.", "autoencoder."))]
HEAR = [
    "metrics=[fad_embedded,kl_embedded,clap_embedded]", "trainer.evaluator.steps=4", "trainer.evaluator.batch_size=8",
    "num_resamples=10", "allow=[few_clips]", "report_clips=1",
]  # fmt: skip
TIMED = ["efficiency.num_clips=1", "efficiency.num_warmup=1", "efficiency.batch_sizes=[1]"]
# Steps of a snapshot that the experiment evaluates: 100 are the fewest. Table 4 counts the data set of the others.
TRAININGS = {
    "table1_audiocaps": [*FOLEY, *TRAIN],
    "table3_musiccaps": [*MUSIC, *TRAIN],
    "table4_corpora": [*COUNTED, "row=foley"],
    "table5_hyperparameters": [],
    "table6_backbone": [*FOLEY, *TRAIN, "row=full-seed0"],
    "table6_backbone_student": [*FOLEY, *OF_EMBEDDED, "row=without_rope-seed0"],
    "table7_scale": [*FOLEY, *TRAIN, "row=xl-seed0"],
    "fig2a_solver_k": [
        *FOLEY,
        *SMALL,
        "trainer.student.steps=100",
        "trainer.student.snapshots=[50]",
        "row=k20-seed0",
    ],
}
EVALUATIONS = {
    "table1_audiocaps": [*FOLEY, *HEAR, *TIMED],
    "table2_clotho": [*MUSIC, *HEAR, *TIMED, "row=audiolcm"],
    "table3_musiccaps": [*MUSIC, *HEAR, *TIMED, "row=ground_truth,audiolcm"],
    "table6_backbone": [*FOLEY, *HEAR, "row=without_rope-seed0,full-seed0"],  # the former is not trained
    "table6_backbone_student": [*FOLEY, *HEAR, "row=without_rope-seed0"],
    "table7_scale": [*FOLEY, *HEAR, "row=xl-seed0"],
    "fig2a_solver_k": [*FOLEY, *HEAR, "row=k20-step100-seed0"],
    "fig2b_guidance": [*FOLEY, *HEAR, "row=audiolcm-omega4-steps1-seed0"],
    "fig3_speed": [*FOLEY, *HEAR, *TIMED, "row=audiolcm-steps1-seed0,teacher-steps4-seed0"],
}
AGAIN = "table1_audiocaps"
COMMANDS = [
    *(("train.py", stem, words) for stem, words in TRAININGS.items()),
    *(("evaluate.py", stem, words) for stem, words in EVALUATIONS.items()),
    ("evaluate.py", AGAIN, EVALUATIONS[AGAIN]),
]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "HF_HUB_OFFLINE": "1"}


def run(cwd: Path, *command: str, seconds: int = 400) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=seconds,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all commands were typed; their words and codes lie there by number."""
    folder = tmp_path_factory.mktemp("experiments")
    lines = [
        [str(folder), str(ROOT / script), f"+experiment={stem}", *words] for script, stem, words in COMMANDS
    ]
    type_all(lines, ENVIRONMENT)
    return folder


@pytest.fixture(scope="module")
def rendered(typed: Path) -> Path:
    """The folder after ``render``."""
    done = run(typed, "-m", "experiments", "render", "--results", "experiments/results", "--runs", "runs")
    assert done.returncode == 0, done.stderr[-3000:]
    (typed / "rendered").write_text(done.stdout)
    return typed


def told(folder: Path, script: str, stem: str, is_last: bool = False) -> tuple[int, str]:
    """Exit code and words of a command."""
    numbers = [i for i, command in enumerate(COMMANDS) if command[:2] == (script, stem)]
    return ended(folder, numbers[-1 if is_last else 0])


def read(folder: Path, script: str, stem: str, job: str, name: str) -> dict[str, Any]:
    place = folder / "runs/replica" / stem / script.removesuffix(".py") / job
    return json.loads((place / name).read_text())


def test_every_item_is_run(typed: Path) -> None:
    assert TRAININGS.keys() | EVALUATIONS.keys() == set(STEMS)


@pytest.mark.parametrize("stem", TRAININGS)
def test_rows_are_trained(typed: Path, stem: str) -> None:
    code, words = told(typed, "train.py", stem)
    assert code == 0, words[-3000:]
    (job,) = (path.parent.name for path in typed.glob(f"runs/replica/{stem}/train/*/result.json"))
    result = read(typed, "train.py", stem, job, "result.json")
    assert result["status"] == "done" and result["settings"] and result["method"] and result["seconds"] > 0
    given = next((word for word in TRAININGS[stem] if word.startswith("row=")), "row=audiolcm")
    assert job == given.removeprefix("row=").removesuffix("-seed0") + "-seed0"


@pytest.mark.parametrize("stem", EVALUATIONS)
def test_rows_are_evaluated(typed: Path, stem: str) -> None:
    code, words = told(typed, "evaluate.py", stem)
    assert code == int(stem == "table6_backbone"), words[-3000:]
    jobs = [path.parent.name for path in typed.glob(f"runs/replica/{stem}/evaluate/*/metrics.json")]
    assert jobs
    for job in jobs:
        record = read(typed, "evaluate.py", stem, job, "metrics.json")
        assert {score["key"] for score in record["row"]["scores"]} == {
            "fad_embedded", "kl_embedded", "clap_embedded",
        }  # fmt: skip
        if "steps1" in job:
            assert record["row"]["facts"]["num_steps"] == 1
    if stem == "table1_audiocaps":
        assert sorted(jobs) == ["audiolcm-seed0", "ground_truth-seed0", "teacher-seed0"]


def test_networks_of_the_experiments_are_those_that_were_asked_for(typed: Path) -> None:
    facts = read(typed, "evaluate.py", "fig2a_solver_k", "k20-step100-seed0", "metrics.json")["row"]["facts"]
    assert facts["k"] == 20 and facts["train_steps"] == 100
    guided = read(typed, "evaluate.py", "fig2b_guidance", "audiolcm-omega4-steps1-seed0", "metrics.json")
    assert guided["row"]["facts"]["omega"] == 4.0
    assert guided["row"]["facts"]["artifact"] == facts["artifact"]
    student = read(typed, "train.py", "table6_backbone_student", "without_rope-seed0", "result.json")[
        "folder"
    ]
    card = json.loads((typed / student / "card.json").read_text())
    assert "learnedposition" in student and card["parents"]["teacher"] == "embedded:foley/teacher"
    data = read(typed, "train.py", "table4_corpora", "foley-seed0", "result.json")["figures"]
    assert data["num_clips"] == 24 and data["hours"] == pytest.approx(24 * 2.0 / 3600, rel=0.01)


def test_a_failed_row_does_not_stop_the_others(typed: Path) -> None:
    code, words = told(typed, "evaluate.py", "table6_backbone")
    assert code == 1
    assert "1 of 2 jobs failed: without_rope-seed0" in words
    assert "runs/replica/table6_backbone/train/without_rope-seed0" in words and "Traceback" not in words
    failed = read(typed, "evaluate.py", "table6_backbone", "without_rope-seed0", "result.json")
    assert failed["status"] == "failed" and "without_rope-seed0" in failed["error"]
    assert (typed / "runs/replica/table6_backbone/evaluate/full-seed0/metrics.json").is_file()


def test_finished_rows_are_skipped(typed: Path) -> None:
    code, words = told(typed, "evaluate.py", AGAIN, is_last=True)
    assert code == 0, words[-2000:]
    assert words.count("All of it was done before") == 3
    assert "generate" not in words and "fad_embedded" in words  # the summary has the figures all the same


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["row=full,without_rope", "nonsense=1"], "nonsense"),
        (["row=ful"], "table6_backbone has no row ful. Did you mean 'full'"),
        (["backbone/norm=layernorm"], "choose among them by row=NAME"),
    ],
)
def test_a_mistake_is_one_message_before_anything_is_run(
    tmp_path: Path, words: list[str], message: str
) -> None:
    refused = run(tmp_path, str(ROOT / "train.py"), "+experiment=table6_backbone", *words)
    assert refused.returncode == 1
    assert message in refused.stderr and "Traceback" not in refused.stderr
    assert not (tmp_path / "artifacts").exists()


def test_tables_have_the_figures_of_the_runs(rendered: Path) -> None:
    results = rendered / "experiments/results"
    assert {path.stem for path in (results / "replica").glob("*.csv")} == set(STEMS)
    for stem in EVALUATIONS:
        for path in (results / "records/replica" / stem).glob("*.json"):
            text = path.read_text()
            assert str(rendered) not in text and str(ROOT) not in text
            score = json.loads(text)["scores"][0]
            measured = read(rendered, "evaluate.py", stem, path.stem, "metrics.json")["row"]["scores"][0]
            assert score["value"] == measured["value"]
    with (results / "replica/table6_backbone.csv").open() as handle:
        cells = {(line["row"], line["column"]): line for line in csv.DictReader(handle)}
    record = read(rendered, "evaluate.py", "table6_backbone", "full-seed0", "metrics.json")
    cell = cells["full", "FAD ↓"]
    assert float(cell["measured"]) == pytest.approx(record["row"]["scores"][0]["value"])
    assert cell["marks"] == "stale" and cell["paper"] == "1.67"
    assert (
        cells["without_rope", "FAD ↓"]["measured"] == "" and cells["without_rope", "FAD ↓"]["paper"] == "1.80"
    )
    assert (results / "index.html").is_file()
    assert "table6_backbone (replica): 1 of 4 rows measured, 1 stale" in (rendered / "rendered").read_text()


def test_status_says_what_is_done_what_failed_and_that_tiny_sizes_are_not_the_papers(rendered: Path) -> None:
    done = run(rendered, "-m", "experiments", "status", "table5_hyperparameters", "table6_backbone")
    lines = done.stdout.splitlines()
    assert "  train audiolcm-seed0: done" in lines
    assert any(line.startswith("  evaluate full-seed0: stale, the settings: ") for line in lines)
    assert any(line.startswith("  evaluate without_rope-seed0: failed") for line in lines)
    assert "  evaluate full-seed1: missing" in lines
    assert done.returncode == 1  # something failed
