"""evaluate.py as a user types it, in subprocesses, with no network: score, report, resume, refuse."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_run import NETWORKS

ROOT = Path(__file__).resolve().parents[2]
DATA = [
    "dataset.num_train=24", "dataset.num_validation=8", "dataset.num_test=12", "dataset.duration=2.0",
    "dataset.max_duration=3.0", "dataset.labels=[dog,bell,rain,wind]", "hardware.num_threads=1", "logger=jsonl",
]  # fmt: skip
TRAIN = [*NETWORKS, "trainer=smoke", "preview.num_clips=1", "preview.student_steps=[2]"]
SMALL = [
    "trainer.evaluator.steps=12", "trainer.evaluator.batch_size=8", "num_resamples=10", "allow=[few_clips]",
    "report_clips=2",
]  # fmt: skip
TIMED = ["efficiency.num_clips=2", "efficiency.num_warmup=1", "efficiency.batch_sizes=[1]"]
UNTIMED = ["efficiency=none"]


def run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": "",
        "HF_HUB_OFFLINE": "1",
        "AUDIOLCM_WEIGHTS": str(cwd / "weights"),
    }
    command = [sys.executable, str(ROOT / script), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=400)


def evaluate(cwd: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return run("evaluate.py", *DATA, *SMALL, f"hydra.run.dir={cwd}/out", *overrides, cwd=cwd)


def record(cwd: Path) -> dict:
    return json.loads((cwd / "out/metrics.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    done = run("train.py", *DATA, *TRAIN, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def evaluated(trained: Path) -> Path:
    done = evaluate(trained, *TIMED, "+sanity=true", "+crosscheck=true", "sampler.num_steps=1", "seeds=[0,1]")
    assert done.returncode == 0, done.stderr[-3000:]
    (trained / "log").write_text(done.stdout + done.stderr)
    return trained


def method(folder: Path) -> dict[str, str]:
    return json.loads((folder / "result.json").read_text())["method"]


def test_a_student_is_scored_and_reported(evaluated: Path) -> None:
    found = record(evaluated)
    keys = [score["key"] for score in found["row"]["scores"]]
    assert {"fad_embedded", "kl_embedded", "clap_embedded", "is_embedded", "hit_rate"} <= set(keys)
    for score in found["row"]["scores"]:
        assert np.isfinite(score["value"]) and score["is_embedded"]
        assert len(score["per_seed"]) == 2
    assert found["row"]["facts"]["num_steps"] == 1
    assert found["row"]["facts"]["nfe"] == 1
    assert {row["system"] for row in found["sanity"]} == {
        "silence", "white_noise", "reconstruction", "reference", "shuffled_captions", "reference_halves",
    }  # fmt: skip
    (timing,) = found["timings"]
    assert timing["num_runs"] == len(timing["calls"]) == 2
    assert timing["text_memory"] == "cold" and timing["rtf_warm"] > 0
    assert "evaluation.efficiency" in method(evaluated / "out")
    (fad,) = (score for score in found["row"]["scores"] if score["key"] == "fad_embedded")
    assert [len(draws) for draws in fad["draws"]] == [10, 10], "num_resamples for each generation seed"
    assert len(found["clips"]) == 12 and (evaluated / "out" / found["clips"][0]["audio"]).is_file()
    assert found["provenance"]["hardware"] and found["provenance"]["evaluator"]["held_out"]
    assert (evaluated / "log").read_text().count("Against silence") == 1
    page = (evaluated / "out/report.html").read_text()
    assert "Against silence" in page and page.count("<audio") == 4
    with (evaluated / "out/metrics.csv").open() as handle:
        assert next(csv.DictReader(handle))["system"] == "audiolcm"
    assert r"\midrule" in (evaluated / "out/metrics.tex").read_text()
    assert "the newest finished student" in (evaluated / "log").read_text()


def test_a_crosscheck_of_embedded_figures_says_that_there_is_none(evaluated: Path) -> None:
    said = "Crosscheck: no class of laion-clap or frechet-audio-distance computes any of these metrics."
    assert any(note.startswith(said) for note in record(evaluated)["notes"])
    assert "crosschecks" not in record(evaluated)
    assert said in (evaluated / "log").read_text()


def test_true_sounds_score_as_true(evaluated: Path) -> None:
    values = {
        row["system"]: {score["key"]: score["value"] for score in row["scores"]}
        for row in record(evaluated)["sanity"]
    }
    assert values["reference"]["fad_embedded"] == pytest.approx(0.0, abs=1e-4)  # fewer rows than dimensions
    assert values["reference"]["kl_embedded"] == pytest.approx(0.0, abs=1e-4)
    assert values["reconstruction"]["fad_embedded"] < values["white_noise"]["fad_embedded"]


def test_the_same_again_makes_and_hears_nothing_new(evaluated: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (evaluated / "cache").rglob("*.wav")}
    shelves = sorted((evaluated / "cache/features").rglob("*.safetensors"))
    scores = record(evaluated)["row"]["scores"]
    again = evaluate(evaluated, *TIMED, "+sanity=true", "sampler.num_steps=1", "seeds=[0,1]")
    assert again.returncode == 0, again.stderr[-2000:]
    assert {path: path.stat().st_mtime_ns for path in (evaluated / "cache").rglob("*.wav")} == before
    assert sorted((evaluated / "cache/features").rglob("*.safetensors")) == shelves
    assert record(evaluated)["row"]["scores"] == scores


def test_a_folder_scores_as_the_system_that_made_it(evaluated: Path, tmp_path: Path) -> None:
    found = record(evaluated)
    for clip in found["clips"]:
        shutil.copy(evaluated / "out" / clip["audio"], tmp_path / Path(clip["audio"]).name)
    done = evaluate(
        evaluated, "system=folder", f"path={tmp_path}", f"hydra.run.dir={tmp_path}/out", "seeds=[0]"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "evaluation.efficiency" not in method(tmp_path / "out"), "nothing was timed"
    ours = json.loads((tmp_path / "out/metrics.json").read_text())["row"]["scores"]
    for score, other in zip(found["row"]["scores"], ours, strict=True):
        assert other["value"] == pytest.approx(score["per_seed"][0], rel=1e-6), score["key"]
    (tmp_path / "more.wav").write_bytes(next(tmp_path.glob("*.wav")).read_bytes())
    refused = evaluate(evaluated, "system=folder", f"path={tmp_path}", f"hydra.run.dir={tmp_path}/out")
    assert refused.returncode == 1
    assert "13 files for 12 captions" in refused.stderr + refused.stdout


def test_a_killed_evaluation_goes_on(trained: Path) -> None:
    """Sounds that are there are kept: only the one that is taken away is made again, the same up to rounding."""
    arguments = (*UNTIMED, "sampler.num_steps=2", f"hydra.run.dir={trained}/killed")
    assert evaluate(trained, *arguments).returncode == 0
    clips = json.loads((trained / "killed/metrics.json").read_text())["clips"]
    paths = [trained / "killed" / clip["audio"] for clip in clips]
    lost, _ = soundfile.read(paths[5])
    kept = {path: path.stat().st_mtime_ns for path in paths if path != paths[5]}
    paths[5].unlink()
    assert evaluate(trained, *arguments).returncode == 0
    np.testing.assert_allclose(soundfile.read(paths[5])[0], lost, atol=0.02 * np.abs(lost).max())
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["metrics=[fad_vggish,kl_panns]"], r"vggish-10086976.pth.*Cnn14_16k_mAP=0.438.pth"),
        (["checkpoint=nowhere"], "nowhere"),
        (["allow=[]"], r"allow=\[few_clips\]"),
        (["num_clips=50"], "1 to 12"),
        (["dataset=clotho", "metrics=is_embedded"], "dataset.root"),
        (["system=folder"], "path=FOLDER"),
        (["sampler.num_steps=-1"], "num_steps"),
    ],
)
def test_mistakes_are_one_message(trained: Path, overrides: list[str], message: str) -> None:
    base = [o for o in DATA + SMALL if not (overrides[0].startswith("dataset=") and o.startswith("dataset."))]
    refused = run("evaluate.py", *base, f"hydra.run.dir={trained}/refused", *overrides, cwd=trained)
    assert refused.returncode == 1
    told = refused.stderr + refused.stdout
    assert re.search(message, told, re.DOTALL), told[-2000:]
    assert "Traceback" not in told


def test_a_sweep_ends_in_one_table(trained: Path) -> None:
    done = run(
        "evaluate.py", "-m", *DATA, *SMALL, *UNTIMED, "metrics=clap_embedded", "sampler.num_steps=1,2",
        "hydra.sweep.dir=sweep", cwd=trained,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    [table] = (trained / "sweep").glob("summary-*.md")
    assert "clap_embedded" in table.read_text() and table.read_text().count("\n| ") == 2


def test_a_broken_sound_stops_the_scoring(evaluated: Path, tmp_path: Path) -> None:
    for clip in record(evaluated)["clips"]:
        shutil.copy(evaluated / "out" / clip["audio"], tmp_path / Path(clip["audio"]).name)
    broken = sorted(tmp_path.glob("*.wav"))[3]
    samples, rate = soundfile.read(broken)
    samples[100] = np.nan
    soundfile.write(broken, samples, rate, subtype="FLOAT")
    refused = evaluate(evaluated, "system=folder", f"path={tmp_path}", f"hydra.run.dir={tmp_path}/out")
    assert refused.returncode == 1
    assert broken.name in refused.stderr + refused.stdout and "NaN" in refused.stderr + refused.stdout
    assert not (tmp_path / "out/metrics.json").exists()
