"""Exports of released models: text encoder, origin and license go along; what is in the way is never replaced."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from sealed import sealed_again

from audiolcm.commands.cli import main
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.published import export as export_module
from audiolcm.published import hub
from audiolcm.published.models import open_model

FLOAT32 = Hardware(device="cpu", precision="float32", num_threads=1)


def one(folder: Path, stage: str) -> Path:
    (found,) = (folder / stage).iterdir()
    return found


def test_a_released_model_is_whole_without_its_artifacts(
    convert: Callable[..., Path], weights: Path, tmp_path: Path
) -> None:
    artifacts = convert()
    before = AudioLCM.from_checkpoint(artifacts, hardware=FLOAT32)("a dog barks", 1.0, 3).waveforms
    assert main(["export", str(artifacts), "-o", str(tmp_path / "new/dogs")]) == 0
    shutil.rmtree(artifacts)
    shutil.rmtree(weights)
    moved = (tmp_path / "new/dogs").rename(tmp_path / "moved")
    model = AudioLCM.from_pretrained(moved, hardware=FLOAT32)
    np.testing.assert_array_equal(model("a dog barks", 1.0, 3).waveforms, before)
    assert {path.name for path in (moved / "text_encoder").iterdir()} >= {"bert_tokenizer", "t5_tokenizer"}
    assert "none stated in the authors' repository" in (moved / "LICENSE").read_text()
    assert "published:audiolcm" in (moved / "README.md").read_text()
    assert open_model(moved).card["origin"]["name"] == "published:audiolcm"
    again = model.save_pretrained(tmp_path / "again")  # an export of an export is the same
    files = {path.relative_to(moved) for path in moved.rglob("*") if path.is_file()}
    assert files == {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    different = {str(name) for name in files if (moved / name).read_bytes() != (again / name).read_bytes()}
    assert different == {"README.md"}  # its title is the folder's name


@pytest.mark.parametrize("stage", ["teacher", "target"])
def test_other_networks_of_a_student_are_exported_too(
    convert: Callable[..., Path], tmp_path: Path, stage: str
) -> None:
    AudioLCM.from_checkpoint(one(convert(), stage), hardware=FLOAT32).save_pretrained(tmp_path / "out")
    assert open_model(tmp_path / "out").card["stage"] == stage
    model = AudioLCM.from_pretrained(str(tmp_path / "out"), hardware=FLOAT32)
    assert model("rain falls", 1.0, steps=2).waveforms.std() > 0


def test_half_precision_halves_it_and_a_teacher_goes_along(
    convert: Callable[..., Path], tmp_path: Path
) -> None:
    artifacts = convert()
    for name, words in {"whole": [], "small": ["--half", "--with-teacher"]}.items():
        assert main(["export", str(artifacts), "-o", str(tmp_path / name), *words]) == 0
    whole, small = open_model(tmp_path / "whole"), open_model(tmp_path / "small")
    assert (
        small.hash != whole.hash
        and small.weights_file().stat().st_size < 0.6 * whole.weights_file().stat().st_size
    )
    teacher = open_model(tmp_path / "small", "teacher")
    assert teacher.parent("autoencoder").folder == small.folder / "autoencoder"
    for part, of in ((small, one(artifacts, "student")), (teacher, one(artifacts, "teacher"))):
        kept, exact = load_file(part.weights_file()), load_file(of / "model.safetensors")
        for tensor_name, tensor in exact.items():
            expected = tensor.half() if tensor.ndim > 1 else tensor
            assert torch.equal(kept[tensor_name], expected), tensor_name
    assert small.card["half_of"] == whole.hash
    assert teacher.card["half_of"] == open_model(one(artifacts, "teacher")).hash != teacher.hash
    assert "half precision" in (small.folder / "README.md").read_text()
    assert main(["export", str(small.folder), "-o", str(tmp_path / "again"), "--half"]) == 0
    assert open_model(tmp_path / "again").hash == small.hash  # no weight changed any more
    model = AudioLCM.from_pretrained(tmp_path / "small", hardware=FLOAT32)
    assert {parameter.dtype for parameter in model.denoiser.parameters()} == {torch.float32}
    close = AudioLCM.from_pretrained(tmp_path / "whole", hardware=FLOAT32)("a dog barks", 1.0, 3).mels
    np.testing.assert_allclose(model("a dog barks", 1.0, 3).mels, close, atol=0.05)


def test_what_half_precision_cannot_hold_is_refused(
    convert: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifacts = convert()
    student = one(artifacts, "student")
    weights = load_file(student / "model.safetensors")
    weights["conv_in.weight"][0, 0, 0] = 1e6
    save_file(weights, student / "model.safetensors")
    sealed_again(student)
    assert main(["export", str(artifacts), "-o", str(tmp_path / "out"), "--half"]) == 1
    assert "conv_in.weight is too large for half precision" in caplog.text and not (tmp_path / "out").exists()


def test_a_teacher_has_no_teacher_to_go_along(
    convert: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = one(convert(), "teacher")
    assert main(["export", str(teacher), "-o", str(tmp_path / "out"), "--with-teacher"]) == 1
    assert "--with-teacher is for students" in caplog.text and not (tmp_path / "out").exists()


def test_a_teacher_of_another_autoencoder_does_not_go_along(
    convert: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder has room for one autoencoder: the teacher would be heard through the student's."""
    artifacts = convert()
    own = one(artifacts, "autoencoder")
    sealed_again(Path(shutil.copytree(own, own.with_name("other"))), hash="0123456789")
    teacher = open_model(one(artifacts, "teacher"))
    sealed_again(teacher.folder, parents=teacher.card["parents"] | {"autoencoder": "../../autoencoder/other"})
    assert main(["export", str(artifacts), "-o", str(tmp_path / "out"), "--with-teacher"]) == 1
    assert "different parts of the stage autoencoder" in caplog.text and not (tmp_path / "out").exists()


def test_only_an_earlier_export_is_replaced(convert: Callable[..., Path], tmp_path: Path) -> None:
    model = AudioLCM.from_checkpoint(convert(), hardware=FLOAT32)
    kept = tmp_path / "mine"
    kept.mkdir()
    model.save_pretrained(kept)  # empty: nothing is lost
    (kept / "old.txt").touch()
    model.save_pretrained(kept)
    assert not (kept / "old.txt").exists() and open_model(kept)
    for place in (one(tmp_path / "audiolcm", "student"), tmp_path / "audiolcm", kept / "README.md"):
        with pytest.raises(UserError, match="holds no earlier export: give another name"):
            model.save_pretrained(place)
    assert not list(tmp_path.glob(".*.partial*"))


def test_what_is_cut_off_leaves_the_earlier_export(
    convert: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AudioLCM.from_checkpoint(convert(), hardware=FLOAT32)
    model.save_pretrained(tmp_path / "mine")
    before = {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()}

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_module, "license_text", full)
    with pytest.raises(UserError, match="No space left"):
        model.save_pretrained(tmp_path / "mine")
    assert before == {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    assert not list(tmp_path.glob(".mine*"))


def test_damaged_weights_and_missing_tokenizers_are_refused(
    convert: Callable[..., Path], tmp_path: Path
) -> None:
    artifacts = convert()
    model = AudioLCM.from_checkpoint(artifacts, hardware=FLOAT32)
    shutil.rmtree(one(artifacts, "text_encoder") / "t5_tokenizer")
    with pytest.raises(UserError, match=r"t5_tokenizer/.* is missing. Put back a whole copy"):
        model.save_pretrained(tmp_path / "out")
    sealed_again(one(artifacts, "text_encoder"))  # as it is converted where there is no such tokenizer
    with pytest.raises(UserError, match="has no t5_tokenizer.*--t5 FOLDER"):
        model.save_pretrained(tmp_path / "out")
    with (one(artifacts, "student") / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="was changed or damaged"):
        model.save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("export", [False, True])
def test_a_changed_configuration_makes_no_sound(
    convert: Callable[..., Path], tmp_path: Path, export: bool
) -> None:
    folder = convert()
    model = AudioLCM.from_checkpoint(folder, hardware=FLOAT32)
    student = model.save_pretrained(tmp_path / "out") if export else one(folder, "student")
    path = student / "config.yaml"
    path.write_text(path.read_text().replace("omega: ", "omega: 1", 1))
    with pytest.raises(UserError, match=r"config.yaml was changed or damaged"):
        AudioLCM.from_checkpoint(student, hardware=FLOAT32)


def test_files_of_this_computer_are_refused(convert: Callable[..., Path], tmp_path: Path) -> None:
    artifacts = convert()
    path = one(artifacts, "student") / "config.yaml"
    path.write_text(path.read_text().replace("bert:", "clap_checkpoint: weights.pth\n  bert:", 1))
    student = sealed_again(path.parent)
    with pytest.raises(UserError, match="reads its text encoder from files of this computer"):
        export_module.export(student, student.parent("vocoder"), tmp_path / "out")


def test_no_place_of_this_computer_is_told(convert: Callable[..., Path], tmp_path: Path) -> None:
    artifacts = convert()
    student = one(artifacts, "student")
    config = yaml.safe_load((student / "config.yaml").read_text())
    config["paths"]["corpora"] = f"{tmp_path}/corpora"
    config["parents"]["teacher"] = f"{tmp_path}/teacher"
    config["dataset"]["labels"] = ["dog", "~alice/rain"]
    config["logger"] = {"_target_": "audiolcm.training.tracking.WandbTracker", "entity": "alice"}
    (student / "config.yaml").write_text(yaml.safe_dump(config))
    facts = {"wandb": {"entity": "alice"}, "derived_from": [{"name": "x", "file": str(tmp_path / "x.ckpt")}]}
    sealed_again(student, **facts)
    folder = AudioLCM.from_checkpoint(student, hardware=FLOAT32).save_pretrained(tmp_path / "out")
    texts = [path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".yaml", ".md")]
    assert len(texts) > 8
    assert not any(str(tmp_path) in text or "alice" in text for text in texts)
    exported = yaml.safe_load((folder / "config.yaml").read_text())
    assert exported["paths"]["corpora"] == "corpora" and exported["dataset"]["labels"] == ["dog", "rain"]
    assert json.loads((folder / "card.json").read_text())["derived_from"][0]["file"] == "x.ckpt"


def test_a_loaded_model_is_pushed_under_its_name(
    convert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def upload(write: Callable[[Path, str], Path], repo_id: str, *settings: object) -> str:
        seen["settings"] = settings
        return write(seen["place"] / "model", repo_id).joinpath("README.md").read_text()

    seen["place"] = convert().parent
    monkeypatch.setattr(hub, "upload", upload)
    model = AudioLCM.from_checkpoint(seen["place"] / "audiolcm", hardware=FLOAT32)
    assert 'from_pretrained("user/dogs")' in model.push_to_hub("user/dogs", True, "hf_x", "Dogs")
    assert seen["settings"] == (True, "hf_x", "Dogs")
