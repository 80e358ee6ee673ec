"""Records from run folders: whole, small, without places of this computer, and only the newest."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_runs import METHOD, PLACE, evaluation, job_of, result_of, run

from audiolcm.storage.run_folder import write_result
from experiments.records.records import read_results
from experiments.running.collect import collect, keep_method

STEM = "table6_backbone"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "results/records"


def only(paths: list[Path]) -> dict[str, Any]:
    (path,) = paths
    return json.loads(path.read_text())


def texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for key, value in node.items() for text in [key, *texts(value)]]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [node] if isinstance(node, str) else []


def test_an_evaluation_becomes_a_record(runs: Path, records: Path) -> None:
    job = job_of(STEM, "evaluate", "without_rope-seed0")
    run(runs, job)
    written = collect(STEM, runs, records)
    assert written == [records / "replica" / STEM / "without_rope-seed0.json"]
    record = only(written)
    assert (record["item"], record["scale"], record["row"], record["seed"]) == (
        STEM, "replica", "without_rope", 0,
    )  # fmt: skip
    (score,) = record["scores"]
    assert score["value"] == 3.5 and score["interval"] == [2.5, 4.5]
    assert not {"per_clip", "details"} & score.keys() and "clips" not in record
    assert record["timings"][0]["rtf_total"] == 0.05 and record["facts"]["num_steps"] == 2
    assert record["provenance"]["command"] == job.command
    assert record["provenance"]["seconds"] == 60.0 and record["settings"] == result_of(job)["settings"]
    (result,) = read_results(records.parent, STEM, "replica").results
    assert result.scores["fad_embedded"].value == 3.5


def test_no_place_of_this_computer_is_in_a_record(runs: Path, records: Path) -> None:
    run(runs, job_of(STEM, "train", "full-seed0"))
    run(runs, job_of(STEM, "evaluate", "full-seed0"))
    run(runs, job_of("table4_corpora", "train", "foley-seed0"), figures={"hours": 1.5, "place": "seldom"})
    for path in [*collect(STEM, runs.absolute(), records), *collect("table4_corpora", runs, records)]:
        text = path.read_text()
        assert PLACE not in text and str(runs) not in text and "~" not in text
        for word in texts(json.loads(text)):
            assert not re.search(r"(?<![\w:/.])/\w+/", word), word
    record = json.loads((records / "replica" / STEM / "full-seed0.json").read_text())
    assert record["facts"]["checkpoint"] == "tiny-0a1b"
    assert record["facts"]["url"] == "https://a.org/b/c"  # an address says something everywhere
    assert record["notes"] == ["3 files have several channels (a.wav, c.wav)"]
    assert record["report"] is None  # below an absolute folder of runs


def test_the_report_is_linked_below_a_relative_folder(
    tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(Path("runs"), job_of(STEM, "evaluate", "full-seed0"))
    record = only(collect(STEM, Path("runs"), records))
    assert record["report"] == f"runs/replica/{STEM}/evaluate/full-seed0/report.html"


def test_a_record_names_the_training_of_its_model(runs: Path, records: Path) -> None:
    training = job_of("fig2a_solver_k", "train", "k20-seed0")
    run(runs, training, code="fedcba9", method={"audiolcm.training.loop": "0123456789"}, seconds=300.0)
    run(runs, job_of("fig2b_guidance", "evaluate", "audiolcm-omega4-steps2-seed0"))
    record = only(collect("fig2b_guidance", runs, records))
    linked = record["training"]
    assert (linked["item"], linked["scale"], linked["name"]) == ("fig2a_solver_k", "replica", "k20-seed0")
    assert linked["settings"] == result_of(training)["settings"] and linked["code"] == "fedcba9"
    assert linked["seconds"] == 300.0
    kept = json.loads((records / "method" / f"{linked['method']}.json").read_text())
    assert kept == {"audiolcm.training.loop": "0123456789"}
    assert json.loads((records / "method" / f"{record['method']}.json").read_text()) == METHOD
    run(runs, job_of("fig2a_solver_k", "evaluate", "k20-step100-seed0"))  # of a step: ...@100
    assert only(collect("fig2a_solver_k", runs, records))["training"] == linked
    (score,) = record["scores"]
    assert not {"draws", "drawn"} & score.keys(), "it is judged by its training seeds"


def test_without_the_training_at_hand_none_is_named(runs: Path, records: Path) -> None:
    run(runs, job_of(STEM, "evaluate", "full-seed0"))
    record = only(collect(STEM, runs, records))
    assert "training" not in record
    assert {"draws", "drawn"} <= record["scores"][0].keys(), "published weights are judged by their clips"


def test_what_train_py_counts_is_a_record_where_nothing_is_evaluated(runs: Path, records: Path) -> None:
    run(runs, job_of("table5_hyperparameters", "train", "audiolcm-seed0"), when=1.7e9)
    record = only(collect("table5_hyperparameters", runs, records))
    assert record["figures"] == {"num_parameters": 7} and record["scores"] == []
    assert record["provenance"]["date"] == "2023-11-14T22:13:20+00:00"
    assert "seconds" not in record["provenance"], "its result does not tell"
    run(runs, job_of(STEM, "train", "full-seed0"))
    assert collect(STEM, runs, records) == []  # its evaluation is what is shown


def test_the_seconds_of_train_py_are_kept(runs: Path, records: Path) -> None:
    run(runs, job_of("table5_hyperparameters", "train", "audiolcm-seed0"), seconds=12.5)
    assert only(collect("table5_hyperparameters", runs, records))["provenance"]["seconds"] == 12.5


def test_the_newer_one_stays(runs: Path, records: Path) -> None:
    job = job_of(STEM, "evaluate", "full-seed0")
    run(runs, job, record=evaluation(1.0, "2026-03-01T00:00:00+00:00"))
    assert len(collect(STEM, runs, records)) == 1
    assert collect(STEM, runs, records) == []  # the same again changes no file
    run(runs, job, record=evaluation(2.0, "2026-02-01T00:00:00+00:00"))
    assert collect(STEM, runs, records) == []
    path = records / "replica" / STEM / "full-seed0.json"
    assert json.loads(path.read_text())["scores"][0]["value"] == 1.0
    run(runs, job, record=evaluation(3.0, "2026-04-01T00:00:00+00:00"))
    assert only(collect(STEM, runs, records))["scores"][0]["value"] == 3.0
    path.write_text("{cut o")
    assert only(collect(STEM, runs, records))["scores"][0]["value"] == 3.0


def test_unfinished_failed_and_unplanned_runs_give_none(runs: Path, records: Path) -> None:
    failed = run(runs, job_of(STEM, "evaluate", "full-seed0"))
    write_result(failed, {"status": "failed", "error": "no disk"})
    unfinished = run(runs, job_of(STEM, "evaluate", "without_rope-seed0"))
    (unfinished / "result.json").unlink()
    old = run(runs, job_of(STEM, "evaluate", "without_rmsnorm-seed0"))  # before results told of settings
    write_result(old, {"status": "done", "figures": {}})
    whole = run(runs, job_of(STEM, "evaluate", "without_swiglu-seed0"))
    whole.rename(whole.parent / "with_love-seed0")
    assert collect(STEM, runs, records) == []
    assert not records.exists()


def test_code_is_kept_once(records: Path) -> None:
    names = {keep_method({"a": "1", "b": "2"}, records), keep_method({"b": "2", "a": "1"}, records)}
    assert len(names) == 1 and len(list((records / "method").iterdir())) == 1
    assert keep_method({"a": "1"}, records) not in names
