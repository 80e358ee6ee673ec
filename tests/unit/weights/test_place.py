"""The models inside the package: when a main job distils from one, the first sound, what is damaged."""

import shutil
from pathlib import Path

import pytest

from audiolcm.commands.cli import main
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.published.models import open_model, vocoder_of
from audiolcm.storage.plain_data import read_yaml
from audiolcm.weights import place
from audiolcm.weights.artifacts import open_artifact
from audiolcm.weights.place import FOLEY, embedded_name, folder_of


@pytest.mark.parametrize(
    "words",
    [[], ["solver.k=5", "guidance=range_4_12", "seed=3"], ["dataset.num_train=7", "dataset.duration=2.0"],
     ["trainer.student.steps=3", "objective.distance.eta=0.01"], ["vocoder=istft"], ["stage=vocoder"]],
)  # fmt: skip
def test_a_student_is_distilled_from_the_embedded_teacher(words: list[str]) -> None:
    assert compose(words)["parents"]["teacher"] == FOLEY


@pytest.mark.parametrize(
    "words",
    [["teacher=scratch"], ["model=tiny_base"], ["model=tiny"], ["model.width=64"], ["backbone/position=learned"],
     ["trainer=foley"], ["trainer=smoke"], ["trainer.teacher.steps=3"], ["trainer.teacher.crop_seconds=2"],
     ["trainer.autoencoder.batch_size=2"], ["schedule.beta_end=0.01"], ["dataset=esc10", "dataset.root=x"],
     ["objective.diffusion.caption_dropout=0.2"], ["stage=data"], ["stage=autoencoder"], ["stage=teacher"],
     ["stage=describe"], ["parents.autoencoder=x"], ["text_encoder.width=64"], ["autoencoder.model.channels=32"],
     ["optimizer.weight_decay=0"], ["recipe=embedded"],
     ["profile=paper", "dataset.root=x", "vocoder.model.path=y"]],
)  # fmt: skip
def test_another_teacher_is_trained(words: list[str]) -> None:
    """What decides a teacher is never left aside, and in a sweep over it the teachers of all jobs are trained."""
    assert compose(words)["parents"]["teacher"] is None


def test_a_given_teacher_wins() -> None:
    assert compose(["parents.teacher=mine"])["parents"]["teacher"] == "mine"


def test_the_first_sound_needs_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "a church bell tolls three times", "-o", "bell.wav", "--duration", "2"]) == 0
    assert (tmp_path / "bell.wav").stat().st_size > 2 * 2 * 16000
    assert [path.name for path in tmp_path.iterdir()] == ["bell.wav"]  # the package was left alone


def test_all_parts_are_whole_and_small() -> None:
    student = open_model(FOLEY, "student")
    teacher = open_model(FOLEY, "teacher")
    for part in (
        student,
        teacher,
        student.parent("autoencoder"),
        teacher.parent("autoencoder"),
        vocoder_of(student),
    ):
        part.weights_file()
        part.config_file()
        assert embedded_name(part.folder) is not None
    assert sum(path.stat().st_size for path in folder_of(FOLEY).rglob("*")) < 25e6


@pytest.mark.parametrize(
    ("part", "words"),
    [("/autoencoder", ["stage=autoencoder", "dataset.num_train=6000"]), ("/teacher", []), ("", [])],
)
def test_the_committed_commands_made_them(part: str, words: list[str]) -> None:
    """Steps, rates and number of clips are those of the commands in docs/embedded.md."""
    made = open_artifact(folder_of(f"{FOLEY}{part}"))
    recipe = compose(["recipe=embedded", *words])
    trainer = recipe["trainer"][made.card["stage"]]
    assert made.card["made_from"]["trainer"] == {
        name: trainer[name] for name in made.card["made_from"]["trainer"]
    }
    assert read_yaml(made.config_file())["dataset"]["num_train"] == recipe["dataset"]["num_train"]


def test_other_weights_have_another_name() -> None:
    """Cards that name embedded:foley mean these weights: new ones go under a new name."""
    hashes = {
        part: open_artifact(folder_of(f"{FOLEY}{part}")).card["weights_hash"]
        for part in ("", "/teacher", "/autoencoder")
    }
    assert hashes == {"": "438ff898d7", "/teacher": "e8751e4abe", "/autoencoder": "a18896bffa"}


def test_names_are_of_the_package_alone() -> None:
    for name in ("embedded:mine", "embedded:", "embedded:../data", "embedded:foley/../../data"):
        with pytest.raises(UserError, match="is not in this package, which has: embedded:foley"):
            open_model(name)
    assert open_model("embedded:foley/teacher").card["stage"] == "teacher"


@pytest.mark.parametrize(
    "part", ["model.safetensors", "teacher/model.safetensors", "autoencoder/config.yaml"]
)
def test_a_damaged_part_is_refused(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        place, "_FOLDER", Path(shutil.copytree(folder_of(FOLEY).parent, tmp_path / "package"))
    )
    with (tmp_path / "package/foley" / part).open("ab") as file:
        file.write(b" ")
    with pytest.raises(UserError, match=r"was changed or damaged .* It is a part of the package"):
        AudioLCM.from_checkpoint("embedded:foley/teacher" if "teacher" in part else FOLEY)
