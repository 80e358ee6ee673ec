"""A released file becomes artifacts, and the artifacts sound as a transcription of the released code does."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from released_file import Layout, random_state, save, save_bigvgan, save_tokenizers
from safetensors.torch import load_file
from torch import Tensor

from audiolcm.commands.cli import main
from audiolcm.configuration.kept import read_yaml
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.published.models import open_model
from audiolcm.sound import read_card
from audiolcm.weights.artifacts import Artifact, ArtifactStore, Identity

FLOAT32 = Hardware(device="cpu", precision="float32", num_threads=1)


def one(folder: Path, stage: str) -> Path:
    (found,) = (folder / stage).iterdir()
    return found


def test_every_stage_is_an_artifact_with_origin_and_license(convert: Callable[..., Path]) -> None:
    folder = convert()
    stages = {path.name for path in folder.iterdir()}
    assert stages == {"autoencoder", "student", "target", "teacher", "text_encoder", "vocoder"}
    card = json.loads((one(folder, "student") / "card.json").read_text())
    assert card["origin"]["name"] == "published:audiolcm" and len(card["origin"]["sha256"]) == 64
    assert "ask them" in card["origin"]["license"]
    assert set(card["parents"]) == {"autoencoder", "teacher", "text_encoder", "vocoder"}


def test_weights_are_bit_for_bit_those_of_the_file(convert: Callable[..., Path], small: Layout) -> None:
    state, folder = random_state(small), convert()
    text = load_file(one(folder, "text_encoder") / "model.safetensors")
    for name, tensor in text.items():
        assert torch.equal(tensor, state[f"cond_stage_model.{name}"])
    target = load_file(one(folder, "target") / "model.safetensors")
    assert torch.equal(target["position.table.weight"], state["target_unet.diffusion_model.pos_emb.weight"])
    autoencoder = load_file(one(folder, "autoencoder") / "model.safetensors")
    assert autoencoder.pop("scale_factor") == 0.75
    assert all(torch.equal(tensor, state[f"first_stage_model.{n}"]) for n, tensor in autoencoder.items())


def test_nothing_is_unpickled_afterwards(
    convert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = convert()
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    model = AudioLCM.from_checkpoint(folder, hardware=FLOAT32)
    made = model(["a dog barks", "rain falls", "a dog barks"], duration=1.0, seed=[0, 0, 0])
    assert made.nfe == 2 and made.waveforms.std() > 0
    # Equal prompts and seeds, equal sounds; other prompts, other sounds.
    torch.testing.assert_close(made.mels[0], made.mels[2])
    assert abs(made.mels[0] - made.mels[1]).max() > 1e-4


def test_text_features_of_equal_prompts_are_computed_once(
    convert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AudioLCM.from_checkpoint(convert(), hardware=FLOAT32)
    seen: list[str] = []
    forward = model.text_encoder.forward

    def counted(captions: list[str], structured: list[str]) -> Tensor:
        seen.extend(captions)
        return forward(captions, structured)

    monkeypatch.setattr(model.text_encoder, "forward", counted)
    model(["a dog barks", "rain falls", "a dog barks"], duration=1.0)
    model("a dog barks", duration=1.0)
    model("a dog barks", duration=1.0, structured=["<a dog& start>"])
    assert seen == ["a dog barks", "rain falls", "a dog barks"]


def test_structured_fallback_is_the_released_one(convert: Callable[..., Path]) -> None:
    model = AudioLCM.from_checkpoint(convert(), hardware=FLOAT32)
    fallback = model("a dog barks", duration=1.0)
    given = model("a dog barks", duration=1.0, structured=["<a dog barks& all>"])
    torch.testing.assert_close(fallback.mels, given.mels, rtol=0, atol=0)
    other = model("a dog barks", duration=1.0, structured=["<a dog barks& end>"])
    assert abs(other.mels - given.mels).max() > 1e-4


def test_teacher_alone_generates(convert: Callable[..., Path], tmp_path: Path) -> None:
    folder = convert("make_an_audio_2")
    assert open_model(folder).card["stage"] == "teacher"
    arguments = ["generate", "a dog barks", "--checkpoint", str(folder), "--steps", "2", "--duration", "1"]
    assert main([*arguments, "-o", str(tmp_path / "t.wav")]) == 0
    assert (tmp_path / "t.wav").stat().st_size > 30_000
    assert read_card(tmp_path / "t.wav")["omega"] == 3.0, "scale 4, as in both commands of its README"
    sampler = read_yaml(open_model(folder).config_file())["teacher_sampler"]
    assert (sampler["num_steps"], sampler["spacing"]) == (100, "released")


def test_a_file_named_instead_of_an_artifact_is_converted_once(
    small: Layout, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(random_state(small), weights / "audiolcm.ckpt")
    save_tokenizers(weights)
    (weights / "bert").rename(weights / "bert-base-uncased")
    (weights / "t5").rename(weights / "t5-v1_1-large")
    command = ["generate", "rain falls", "--checkpoint", "published:audiolcm", "--vocoder", "griffin_lim"]
    command += ["--duration", "1", "-o", str(tmp_path / "a.wav")]
    caplog.set_level("INFO")
    assert main(command) == 0
    assert "converting it, once" in caplog.text
    first = (tmp_path / "a.wav").read_bytes()
    caplog.clear()
    assert main(command) == 0
    assert "converting" not in caplog.text
    assert (tmp_path / "a.wav").read_bytes() == first
    assert open_model("published:audiolcm", "teacher").card["stage"] == "teacher"
    assert open_model(weights / "audiolcm.ckpt").card["stage"] == "student"


def test_a_conversion_that_was_cut_off_is_done_again(
    small: Layout, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save(random_state(small), weights / "audiolcm.ckpt")
    write = ArtifactStore.write

    def killed(self: ArtifactStore, identity: Identity, *rest: object) -> Artifact:
        if identity.stage == "student":
            raise KeyboardInterrupt
        return write(self, identity, *rest)

    monkeypatch.setattr(ArtifactStore, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        open_model(source)
    shutil.rmtree(weights / "converted" / "student")
    with pytest.raises(UserError, match="cut off before the student"):
        open_model(weights / "converted")
    monkeypatch.setattr(ArtifactStore, "write", write)
    assert open_model("published:audiolcm").card["stage"] == "student"
    assert list((weights / "converted/target").iterdir())


def test_converting_again_keeps_the_vocoder(convert: Callable[..., Path]) -> None:
    convert()
    assert "vocoder" in json.loads((one(convert(vocoder=""), "student") / "card.json").read_text())["parents"]


@pytest.mark.slow
def test_base_size_is_read_from_the_file_not_into_memory(
    released_layout: Layout, weights: Path, tmp_path: Path
) -> None:
    """The whole layout, 4.6 GB: conversion and then a sound need less than 1.3 times the file in memory, each."""
    import subprocess

    source = save(random_state(released_layout), tmp_path / "audiolcm.ckpt")
    tokenizers = save_tokenizers(tmp_path, 30522, 32100)
    convert = ["convert", str(source), "-o", str(tmp_path / "a"), "--vocoder", "griffin_lim", *tokenizers]
    generate = ["generate", "a dog barks", "--checkpoint", str(tmp_path / "a"), "-o", str(tmp_path / "a.wav")]
    for arguments in (convert, generate):
        code = (
            "import sys; from audiolcm.commands.cli import main; code = main(sys.argv[1:]); "
            "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]); sys.exit(code)"
        )
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert 1024 * int(done.stdout.split()[-1]) < 1.3 * source.stat().st_size
    source.unlink()
    shutil.rmtree(tmp_path / "a")


def test_the_published_vocoder_is_converted_with_the_rest(
    convert: Callable[..., Path], tmp_path: Path
) -> None:
    vocoder = save_bigvgan(tmp_path / "bigvgan")
    folder = convert(vocoder=str(vocoder))
    card = json.loads((one(folder, "vocoder") / "card.json").read_text())
    assert card["origin"]["file"] == "best_netG.pt" and "MIT" in card["origin"]["license"]
    for file in vocoder.iterdir():
        file.unlink()
    assert AudioLCM.from_checkpoint(folder, hardware=FLOAT32)("a dog barks", 1.0).waveforms.std() > 0


def test_the_vocoder_in_the_folder_of_weights_is_found(convert: Callable[..., Path], weights: Path) -> None:
    save_bigvgan(weights / "bigvnat16k93.5w")
    assert one(convert(vocoder=""), "vocoder").name.startswith("bigvgan")


def test_mels_of_another_range_or_logarithm_are_explicit(
    small: Layout, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vocoder = save_bigvgan(tmp_path / "bigvgan", fmin=125, fmax=7600)
    source = save(random_state(small), tmp_path / "audiolcm.ckpt")
    command = ["convert", str(source), "--vocoder", str(vocoder), *save_tokenizers(tmp_path)]
    assert main([*command, "-o", str(tmp_path / "a")]) == 1
    assert "mels from 125 to 7600 Hz" in caplog.text
    assert main([*command, "-o", str(tmp_path / "a"), "--mel-range", "0", "8000"]) == 0
    assert main([*command, "-o", str(tmp_path / "b"), "--mel-range", "0", "8000", "--mel-log", "ln"]) == 0
    factors = [AudioLCM.from_checkpoint(tmp_path / name).vocoder.mel_factor for name in "ab"]
    assert factors == pytest.approx([1.0, 2.302585], abs=1e-6)
