"""Records and runs from anywhere: damaged ones are named and left out, nothing is imported for them."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from made_results import PROTOCOL, fad, record, write, write_fig2a, write_fig3, write_listening, write_table6
from made_runs import job_of, run

from audiolcm.configuration.fingerprint import changed_modules
from experiments.__main__ import main
from experiments.records.planned import planned
from experiments.rendering.render import render
from experiments.running import collect
from experiments.running.freshness import Freshness
from experiments.running.overview import Standings, overview

TRAINING = {
    "item": "table6_backbone",
    "scale": "replica",
    "name": "full-seed0",
    "settings": "x",
    "method": "m",
}
GOOD = record("table6_backbone", "full", 0, fad(3.0), method="m", training=TRAINING)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": None},
        {"method": {"audiolcm.configuration.build": "1"}},
        {"provenance": "none"},
        {"training": "none"},
        {"training": {"item": "table6_backbone"}},
        {"training": TRAINING | {"item": ["table6_backbone"]}},
    ],
)
def test_status_tells_of_a_damaged_record_and_of_all_others(
    change: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, GOOD | change)
    assert overview(tmp_path / "runs", tmp_path / "records", ["table6_backbone"]) == 0
    shown = capsys.readouterr().out
    assert f"evaluate full-seed0: missing, {path} is damaged" in shown
    assert "evaluate without_rope-seed0: missing\n" in shown


def test_a_training_whose_experiment_is_gone_makes_its_records_stale(tmp_path: Path) -> None:
    (job,) = [
        j for j in planned("table6_backbone", "replica") if (j.entry, j.name) == ("evaluate", "full-seed0")
    ]
    changes = Freshness(tmp_path)(GOOD | {"training": TRAINING | {"item": "table6_old"}}, job)
    assert "table6_old no longer plans the training full-seed0" in changes


def test_no_package_is_imported_because_a_record_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange/__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert changed_modules({"strange.module": "1"}) == ["strange.module"]
    assert "strange" not in sys.modules


def test_status_tells_of_a_record_without_end(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_text("[" * 100_000)
    (job,) = [
        j for j in planned("table6_backbone", "replica") if (j.entry, j.name) == ("evaluate", "full-seed0")
    ]
    assert Standings(tmp_path / "runs", tmp_path / "records")(job).detail == f"{path} is damaged"


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("scores", 0, "value"), 1e200, "a number that no figure can be"),
        (("scores", 0, "value"), -1e308, "a number that no figure can be"),
        (("scores", 0, "interval", 1), 1e200, "a number that no figure can be"),
        pytest.param(("scores", 0, "value"), 10**400, "a whole number of more than 64 bits", id="long value"),
        pytest.param(("facts", "num_steps"), 10**400, "a whole number of more than 64 bits", id="long fact"),
        (("facts", "num_steps"), float("nan"), "a number that no figure can be"),
        (("timings", 0, "rtf_total"), 1e200, "a number that no figure can be"),
        (("notes",), ["a \ud800"], "a text that cannot be written"),
        (("facts", "\ud800"), 1, "a text that cannot be written"),
        (("facts", "num_steps"), json.loads("[" * 60 + "]" * 60), "nested too deeply"),
    ],
)
def test_a_record_that_can_not_be_shown_is_named_and_all_others_are_rendered(
    place: tuple[str | int, ...], value: Any, words: str, tmp_path: Path
) -> None:
    write_fig3(tmp_path)
    path = tmp_path / "records/replica/fig3_speed/teacher-steps10-seed1.json"
    content = json.loads(path.read_text())
    node = content
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value
    path.write_text(json.dumps(content))
    assert render(["fig3_speed"], None, tmp_path) == 0
    text = (tmp_path / "replica/fig3_speed.md").read_text()
    assert f"{path.name} is left out: it " in text and words in text
    assert (text.count(" | 3 | "), text.count(" | 2 | ")) == (5, 1), "seeds of six points"
    assert (tmp_path / "replica/fig3_speed.png").exists()


def test_a_record_without_end_is_left_out(tmp_path: Path) -> None:
    write_table6(tmp_path)
    path = tmp_path / "records/replica/table6_backbone/full-seed1.json"
    path.write_text("[" * 100_000)
    assert render(["table6_backbone"], None, tmp_path) == 0
    text = (tmp_path / "replica/table6_backbone.md").read_text()
    assert "full-seed1.json is left out: it is nested too deeply" in text and "| AudioLCM | 2 |" in text


def test_a_listening_test_whose_names_can_not_be_written_is_left_out(tmp_path: Path) -> None:
    write_listening(tmp_path, "table1_audiocaps", {"audiolcm": 77.4, "a\ud800": 3.0})
    assert render(["table1_audiocaps"], None, tmp_path) == 0
    text = (tmp_path / "replica/table1_audiocaps.md").read_text()
    assert "of the listening test is left out: it has a text that cannot be written" in text


@pytest.mark.parametrize("text", ["$\\foo$", "$$", "5 $ \\", "\x00"])
def test_nothing_in_a_figure_is_a_formula(text: str, tmp_path: Path) -> None:
    write_fig2a(tmp_path, ks=(20,), seeds=1)
    facts = {"k": text, "step": 400}
    protocol = PROTOCOL | {"dataset": text}
    write(tmp_path, record("fig2a_solver_k", "k20-step400", 0, fad(3.0), facts=facts, protocol=protocol))
    write_fig3(tmp_path)
    for seed in range(3):
        path = tmp_path / f"records/replica/fig3_speed/audiolcm-steps1-seed{seed}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"facts": {"num_steps": text}}))
    assert render(["fig2a_solver_k", "fig3_speed"], None, tmp_path) == 0
    assert (tmp_path / "replica/fig2a_solver_k.png").exists()


@pytest.mark.parametrize("kept_is_planned", [True, False])
def test_a_trial_with_other_settings_spoils_no_record_of_the_planned_ones(
    kept_is_planned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs, records = tmp_path / "runs", tmp_path / "records"
    (job,) = planned("table5_hyperparameters", "replica")
    folder = job.folder(runs)
    folder.mkdir(parents=True)
    trial = {"status": "done", "settings": "trial", "method": {}, "figures": {"heads": 1}}
    (folder / "result.json").write_text(json.dumps(trial))
    kept = record("table5_hyperparameters", job.row, job.seed, settings="kept", figures={"heads": 8})
    path = write(tmp_path, kept)
    monkeypatch.setattr(collect, "settings_now", lambda *_: "kept" if kept_is_planned else "new")
    with caplog.at_level(logging.WARNING):
        collect.collect("table5_hyperparameters", runs, records)
    assert json.loads(path.read_text())["figures"]["heads"] == (8 if kept_is_planned else 1)
    assert ("is kept" in caplog.text) is kept_is_planned


def _cut_short(folder: Path) -> None:
    path = folder / "metrics.json"
    path.write_bytes(path.read_bytes()[:200])


def _nested(folder: Path) -> None:
    (folder / "metrics.json").write_text("[" * 100_000)


def _not_a_number(folder: Path) -> None:
    path = folder / "metrics.json"
    path.write_text(path.read_text().replace('"rtf_total": 0.05', '"rtf_total": NaN'))


def _undated(folder: Path) -> None:
    path = folder / "metrics.json"
    path.write_text(path.read_text().replace('"date"', '"day"'))


def _without_method(folder: Path) -> None:
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"method"', '"methods"'))


@pytest.mark.parametrize("damage", [_cut_short, _nested, _not_a_number, _undated, _without_method])
def test_a_damaged_run_is_named_and_the_others_are_rendered(
    damage: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, results = tmp_path / "runs", tmp_path / "results"
    damage(run(runs, job_of("table6_backbone", "evaluate", "full-seed0")))
    run(runs, job_of("table6_backbone", "evaluate", "without_rope-seed0"))
    assert main(["render", "--results", str(results), "--runs", str(runs), "--scale", "replica"]) == 0
    (words,) = [r.getMessage() for r in caplog.records if "damaged" in r.getMessage()]
    assert words.startswith("table6_backbone (replica): full-seed0 is not taken in")
    assert words.endswith("python evaluate.py +experiment=table6_backbone row=full-seed0")
    assert "table6_backbone (replica): 1 of 4 rows measured" in capsys.readouterr().out
    assert [path.stem for path in (results / "records/replica/table6_backbone").iterdir()] == [
        "without_rope-seed0"
    ]
