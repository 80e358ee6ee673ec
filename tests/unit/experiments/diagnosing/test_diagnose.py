"""The command ``diagnose`` on students of a few steps: what it shows and writes, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from audiolcm.configuration.schema import compose, to_yaml
from audiolcm.published.export import export
from audiolcm.stages.recipe import Recipe
from audiolcm.storage import plain_data
from audiolcm.weights.artifacts import Artifact
from audiolcm.weights.card import read_card, write_card
from experiments.__main__ import main

SMALL = [
    "trainer=smoke", "logger=jsonl", "dataset.num_train=8", "dataset.num_validation=2", "dataset.num_test=3",
    "dataset.duration=2.0", "dataset.min_duration=2.0", "dataset.max_duration=2.0", "model=tiny_base",
    "trainer.autoencoder.steps=2", "trainer.teacher.steps=2", "trainer.student.steps=4", "hardware=cpu_float32",
    "trainer.student.snapshots=[1,2]", "solver.k=50",
]  # fmt: skip
QUICK = ["--num-steps", "2", "--clips", "2", "--timesteps", "999", "99", "--omega", "0", "4", "12"]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("made")
    GlobalHydra.instance().clear()
    paths = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    return Recipe(compose([*SMALL, *paths])).student


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that the command says instead."""
    assert main(["diagnose", *map(str, words)]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "Traceback" not in told
    return told


def content(folder: Path) -> dict:
    return json.loads((folder / "diagnosis.json").read_text())


def test_a_student_and_its_snapshots(
    student: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["diagnose", str(student.folder), "--snapshots", *QUICK, "-o"]
    assert main([*words, str(tmp_path / "first")]) == 0
    shown, found = capsys.readouterr().out, content(tmp_path / "first")
    assert [one["trained_steps"] for one in found["students"]] == [1, 2, 4]
    assert f"{student.folder.name}@2" in (tmp_path / "first/diagnosis.md").read_text()
    assert "Farthest from own sounds" in shown
    for one in found["students"]:
        assert len(one["distances"]) == 2 * 2 * 3  # sources, timesteps, omegas
        assert all(distance["student"] > 0 for distance in one["distances"])
        assert {tuple(response["omegas"]) for response in one["responses"]} == {(0, 4), (4, 12)}
    # The flow from data is that of their one teacher, whatever the student
    one_calls = [
        [d["one_jump"] for d in one["distances"] if d["source"] == "data"] for one in found["students"]
    ]
    assert one_calls[0] == one_calls[1] == one_calls[2]
    assert found["students"][0]["distances"] != found["students"][2]["distances"]
    assert main([*words, str(tmp_path / "again")]) == 0
    assert content(tmp_path / "again") == found


def test_usual_places_and_numbers(
    student: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["diagnose", f"{student.folder}@1", "--num-steps", "1"]) == 0
    (written,) = Path("runs/diagnose").iterdir()
    assert written.name.startswith(f"{student.folder.name}@1-")
    (one,) = content(written)["students"]
    assert len(one["clips"]) == 3  # of test, which has no more
    timesteps = list(dict.fromkeys(d["timestep"] for d in one["distances"]))
    assert timesteps == [999, 799, 599, 399, 199, 99]  # of the grid of k = 50; 979 is none of them
    low, high = one["trained_omegas"]
    assert {0.0, low, (low + high) / 2, high} < {d["omega"] for d in one["distances"]}
    assert str(written) in capsys.readouterr().out


def test_no_student(student: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "stage teacher" in refused(capsys, student.parent("teacher").folder)
    assert "no artifact" in refused(capsys, tmp_path)
    assert "kept no network of step 3; it has 1, 2" in refused(capsys, f"{student.folder}@3")
    assert "kept no snapshots" in refused(capsys, f"{student.folder}@2", "--snapshots")


def test_a_student_without_its_teacher(
    student: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = export(student, student.parent("vocoder"), tmp_path / "exported")
    assert "--teacher FOLDER" in refused(capsys, exported)
    moved = tmp_path / "student" / student.folder.name
    shutil.copytree(student.folder, moved)
    assert "--teacher FOLDER" in refused(capsys, moved)
    cache = student.folder.parents[3] / "cache"
    given = ["--teacher", str(student.parent("teacher").folder), "--cache", str(cache)]
    assert main(["diagnose", str(exported), *given, *QUICK, "-o", str(tmp_path / "given")]) == 0
    assert main(["diagnose", str(student.folder), *QUICK, "-o", str(tmp_path / "own")]) == 0
    (of_export,), (of_own,) = (content(tmp_path / name)["students"] for name in ("given", "own"))
    assert of_export["distances"] == of_own["distances"]


def test_another_teacher(student: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "teacher"
    shutil.copytree(student.parent("teacher").folder, other)
    write_card(other, read_card(other) | {"hash": "0123456789"})
    assert "(0123456789) is not the teacher of" in refused(capsys, student.folder, "--teacher", other)
    teacher = student.parent("teacher")
    half = export(teacher, student.parent("vocoder"), tmp_path / "half", half=True)
    cache = student.folder.parents[3] / "cache"
    given = map(str, (student.folder, "--teacher", half, "--cache", cache, "-o", tmp_path / "out"))
    assert main(["diagnose", *given, *QUICK]) == 0  # half is its own, rounded


def test_data_that_are_not_there(
    student: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = tmp_path / "real"
    shutil.copytree(student.folder, real)
    cfg = plain_data.read_yaml(real / "config.yaml")
    cfg["dataset"] = compose(["dataset=esc10", f"dataset.root={tmp_path / 'gone'}"])["dataset"]
    (real / "config.yaml").write_text(to_yaml(cfg))
    parents = {stage: str(student.parent(stage).folder) for stage in student.card["parents"]}
    write_card(real, read_card(real) | {"parents": parents})
    told = refused(capsys, real)
    assert str(tmp_path / "gone") in told
    assert "--root FOLDER" in told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--clips", "4"], "type --clips 3"),
        (["--clips", "0"], "--clips 0 is out of range"),
        (["--timesteps", "1000"], "--timesteps 1000 is out of range: 0 to 999"),
        (["--own-steps", "21"], "num_steps=21"),
        (["--omega", "nan"], "--omega nan is out of range"),
        (["--num-steps", "0"], "--num-steps 0 is out of range"),
        (["--device", "tpu"], "tpu"),
        (["--root", ""], "--root"),
    ],
)
def test_numbers_that_will_not_do(
    student: Artifact, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    assert expected in refused(capsys, student.folder, *words)
