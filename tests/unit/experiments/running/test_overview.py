"""How jobs stand: done, stale, running, failed or missing, and what the rest would cost."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_runs import evaluation, job_of, run

from audiolcm.configuration.fingerprint import settings_made
from audiolcm.storage.run_folder import begin, write_result
from audiolcm.sweeps.row_sweeper import settings_of
from experiments.__main__ import main
from experiments.running.collect import collect
from experiments.running.overview import Standing, Standings, overview

STEM = "table6_backbone"
EVALUATION, TRAINING = job_of(STEM, "evaluate", "full-seed0"), job_of(STEM, "train", "full-seed0")


class Folders:
    """Runs and records below one folder."""

    def __init__(self, root: Path) -> None:
        self.runs, self.records = root / "runs", root / "records"
        self.path = self.records / "replica" / STEM / "full-seed0.json"

    def look(self, job: Any = EVALUATION) -> Standing:
        return Standings(self.runs, self.records)(job)

    def change(self, **changes: Any) -> None:
        """Change the record of the evaluation."""
        self.path.write_text(json.dumps(json.loads(self.path.read_text()) | changes))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def done(folders: Folders) -> Folders:
    """Trained, evaluated and taken in."""
    for job in (TRAINING, EVALUATION):
        run(folders.runs, job)
    collect(STEM, folders.runs, folders.records)
    return folders


def test_nothing_there_is_missing(folders: Folders) -> None:
    assert folders.look().state == folders.look(TRAINING).state == "missing"


def test_what_is_done_is_done_from_its_record_alone(done: Folders) -> None:
    assert done.look() == Standing(EVALUATION, "done", "", 60.0)
    done.runs.rename(done.runs.parent / "gone")
    assert done.look() == Standing(EVALUATION, "done", "", 60.0)
    assert done.look(TRAINING) == Standing(TRAINING, "done")
    other = job_of(STEM, "evaluate", "without_rope-seed0")
    assert done.look(other).state == "missing"


def test_a_run_that_is_not_taken_in_yet_is_done(folders: Folders) -> None:
    run(folders.runs, EVALUATION)
    assert folders.look() == Standing(EVALUATION, "done", "not rendered yet")


def test_changed_settings_make_it_stale(done: Folders) -> None:
    done.change(settings="0123456789")
    assert done.look() == Standing(EVALUATION, "stale", "the settings", 60.0)


def test_changed_code_makes_it_stale_and_is_named(done: Folders) -> None:
    (done.records / "method/ffffffffff.json").write_text(
        json.dumps({"audiolcm.random_numbers": "0", "audiolcm.gone": "0"})
    )
    done.change(method="ffffffffff")
    assert done.look().detail == "the code: audiolcm.random_numbers, audiolcm.gone"
    (done.records / "method/ffffffffff.json").write_text(json.dumps({f"gone.m{i}": "0" for i in range(5)}))
    assert done.look().detail == "the code: gone.m0, gone.m1, gone.m2 and 2 more"
    (done.records / "method/ffffffffff.json").unlink()
    assert "missing or damaged" in done.look().detail


def test_a_changed_training_makes_its_evaluation_stale(done: Folders) -> None:
    training = json.loads(done.path.read_text())["training"]
    done.change(training=training | {"settings": "0123456789"})
    assert done.look().detail == "the settings of the training"
    assert done.look(TRAINING).state == "done"  # the run that is there
    done.runs.rename(done.runs.parent / "gone")
    assert done.look(TRAINING) == Standing(TRAINING, "stale", "the settings of the training")
    done.change(training=training | {"name": "full-seed9"})
    assert "no longer plans the training full-seed9" in done.look().detail
    done.change(training=training | {"item": "table99_gone"})
    assert "table99_gone no longer plans the training" in done.look().detail


def test_of_a_training_the_freshest_record_tells(done: Folders) -> None:
    """Another item's record may be of the training as it was before."""
    done.runs.rename(done.runs.parent / "gone")
    was = json.loads(done.path.read_text())
    older = was | {"training": was["training"] | {"settings": "0123456789", "seconds": 7.0}}
    for item in ("fig2a_solver_k", "table7_scale"):  # before and after it
        (done.records / "replica" / item).mkdir()
        (done.records / "replica" / item / "x-seed0.json").write_text(json.dumps(older))
        assert done.look(TRAINING) == Standing(TRAINING, "done", "", 7.0)


def test_the_sections_that_changed_are_named(done: Folders) -> None:
    now = settings_of(EVALUATION.entry, EVALUATION.scale, EVALUATION.item, EVALUATION.overrides)
    sections = settings_made(now)["sections"]
    done.change(settings="0123456789", sections=sections | {"sampler": "0", "gone": "0"})
    assert done.look().detail == "the settings: gone, sampler"
    del sections["dataset"]
    done.change(sections=sections)
    assert done.look().detail == "the settings: dataset"
    for unknown in ({}, 3, None):
        done.change(sections=unknown)
        assert done.look().detail == "the settings"
    training = json.loads(done.path.read_text())["training"]
    done.change(training=training | {"settings": "0", "sections": training["sections"] | {"optimizer": "0"}})
    assert done.look().detail.endswith("the settings of the training: optimizer")


@pytest.mark.parametrize("job", [TRAINING, EVALUATION], ids=["train", "evaluate"])
def test_a_run_of_other_settings_or_code_is_stale(folders: Folders, job: Any) -> None:
    run(folders.runs, job, settings="0123456789")
    assert folders.look(job) == Standing(job, "stale", "the settings")
    run(folders.runs, job, method={"audiolcm.random_numbers": "0"})
    assert folders.look(job) == Standing(job, "stale", "the code: audiolcm.random_numbers")


def test_what_is_at_work_is_running(done: Folders) -> None:
    for job in (TRAINING, EVALUATION):
        begin(job.folder(done.runs))  # by this process
        assert done.look(job).state == "running"


def test_a_failed_run_is_failed_though_an_older_record_is_there(done: Folders) -> None:
    write_result(EVALUATION.folder(done.runs), {"status": "failed", "error": "no space"})
    assert done.look() == Standing(EVALUATION, "failed", "no space")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", "null", '{"settings": "a", "method": "b", "provenance": 3}',
             '{"settings": "a", "method": "b", "provenance": {}, "training": {"item": "x"}}',
             '{"settings": "a", "method": "b", "provenance": {}, "training": 3}'],
)  # fmt: skip
def test_a_damaged_record_is_none(done: Folders, text: str) -> None:
    done.runs.rename(done.runs.parent / "gone")
    done.path.write_text(text)
    assert done.look().state == "missing"


def test_costs_are_those_of_the_median_job(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seconds in (("full", 60.0), ("without_rope", 120.0), ("without_swiglu", 6000.0)):
        run(folders.runs, job_of(STEM, "evaluate", f"{name}-seed0"), record=evaluation(seconds=seconds))
    collect(STEM, folders.runs, folders.records)
    assert overview(folders.runs, folders.records, [STEM]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == (
        "table6_backbone (replica): train: 4 missing; evaluate: 3 done, 1 missing; "
        "left: unknown time to train 4, 2 min to evaluate 1"
    )


def test_trainings_left_are_estimated_by_the_longest(
    folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seconds in (("full", 600.0), ("without_rope", 120.0), ("without_swiglu", None)):
        told = {} if seconds is None else {"seconds": seconds}
        run(folders.runs, job_of(STEM, "train", f"{name}-seed0"), **told)
        run(folders.runs, job_of(STEM, "evaluate", f"{name}-seed0"))
    collect(STEM, folders.runs, folders.records)
    for _ in ("from the runs", "from the records alone"):
        overview(folders.runs, folders.records, [STEM])
        (replica, *_) = capsys.readouterr().out.splitlines()
        assert "train: 3 done, 1 missing; " in replica and "left: up to 10 min to train 1, " in replica
        if folders.runs.exists():
            folders.runs.rename(folders.runs.parent / "gone")


def test_other_scales_know_nothing_of_the_time(done: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    run(done.runs, TRAINING, seconds=600.0)
    overview(done.runs, done.records, [STEM])
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith(f"{STEM} (esc10)")]
    assert "unknown time to train 12, unknown time to evaluate 12" in line


def test_a_training_is_as_long_as_any_record_of_it_says(done: Folders) -> None:
    training = json.loads(done.path.read_text())["training"]
    done.change(training=training | {"seconds": 90.0})
    other = json.loads(done.path.read_text()) | {"row": "without_swiglu", "training": training}
    (done.path.parent / "without_swiglu-seed0.json").write_text(json.dumps(other))
    done.runs.rename(done.runs.parent / "gone")
    assert done.look(TRAINING) == Standing(TRAINING, "done", "", 90.0)


@pytest.mark.parametrize("seconds", [-5, 0, True, "60", None, float("nan")])
def test_seconds_that_no_job_took_are_unknown(done: Folders, seconds: Any) -> None:
    run(done.runs, TRAINING, seconds=seconds)
    assert done.look(TRAINING) == Standing(TRAINING, "done")


def test_the_exit_code_tells_of_failures(done: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert overview(done.runs, done.records, [STEM]) == 0
    write_result(EVALUATION.folder(done.runs), {"status": "failed", "error": "no space"})
    assert overview(done.runs, done.records, [STEM]) == 1
    assert "  evaluate full-seed0: failed, no space" in capsys.readouterr().out.splitlines()


def test_status_lists_every_item_where_nothing_was_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from experiments.items.catalog import STEMS

    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 1
    assert f"nor runs in {tmp_path}. Type this in the project's root." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    Path("experiments/results").mkdir(parents=True)
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split(" ")[0] for line in lines} == set(STEMS)
    assert all("missing" in line and "done" not in line for line in lines)


@pytest.mark.parametrize("options", [[], ["--json"], ["--all"]])
def test_status_of_what_there_is_not_names_the_items(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "table6_backbon", *options]) == 1
    words = capsys.readouterr().err
    assert words.startswith(
        "There is no table, figure or folder table6_backbon. Did you mean 'table6_backbone'"
    )
    assert "fig3_speed, or give the folder of a sweep" in words


@pytest.mark.parametrize("option", ["--json", "--all"])
def test_options_of_sweeps_are_refused_for_items(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", option, STEM]) == 1
    words = capsys.readouterr().err
    assert "are for sweeps" in words and f"python -m experiments status {STEM}\n" in words
