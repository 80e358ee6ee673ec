"""A released model makes its sounds as the code that it came with: how long they are, and what the vocoder gets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from audiolcm.commands.cli import main
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.published import models
from audiolcm.published.conventions import LENGTHS, OURS, conventions_of
from audiolcm.published.models import open_model
from audiolcm.sound import read_card
from audiolcm.weights.artifacts import open_artifact
from audiolcm.weights.place import FOLEY
from evaluation.systems.model import Model

FLOAT32 = Hardware(device="cpu", precision="float32", num_threads=1)
LATENT_FRAME = 512
"""Samples: 256 a mel frame, two mel frames a latent frame."""


def width_of_make_an_audio_2(seconds: float) -> int:
    """The latent frames that its gen_wav.py draws noise for."""
    frames = int(seconds * 31.5)
    return frames if frames % 2 == 0 else 2 * (frames // 2 + 1)


def test_ten_seconds_are_what_the_released_scripts_make_of_them() -> None:
    assert LENGTHS["exact"](10.0) == 160_000
    assert LENGTHS["whole"](10.0) == LENGTHS["whole"](9.984) == 312 * LATENT_FRAME == 159_744
    assert LENGTHS["even"](10.0) == 316 * LATENT_FRAME == 161_792
    for seconds in np.arange(1, 30.01, 0.25):
        assert LENGTHS["even"](seconds) == width_of_make_an_audio_2(seconds) * LATENT_FRAME
        short = round(seconds * 16000) - LENGTHS["whole"](seconds)
        assert 0 <= short < LATENT_FRAME and LENGTHS["whole"](seconds) % LATENT_FRAME == 0


@pytest.mark.parametrize(("kind", "frames"), [("audiolcm", 312), ("make_an_audio_2", 316)])
def test_the_default_of_a_released_model_is_its_own(
    convert: Callable[..., Path], kind: str, frames: int, tmp_path: Path
) -> None:
    folder = convert(kind)
    model = AudioLCM.from_pretrained(folder, hardware=FLOAT32, sampler={"num_steps": 1})
    for asked in ({}, {"duration": 10}):
        made = model("a dog barks", **asked)
        assert made.waveforms.shape == (1, frames * LATENT_FRAME)
        assert made.mels.shape == (1, 80, 2 * frames)
    words = ["--checkpoint", str(folder), "--steps", "1", "-o", str(tmp_path / "a.wav")]
    assert main(["generate", "a dog barks", *words]) == 0
    card = read_card(tmp_path / "a.wav")
    assert soundfile.info(tmp_path / "a.wav").frames == frames * LATENT_FRAME
    assert (card["seconds"], card["mel_range"]) == (frames * LATENT_FRAME / 16000, None)
    assert (card["duration"], card["length"]) == (10.0, "whole" if kind == "audiolcm" else "even")
    assert main(["generate", "a dog barks", *words, "--duration", "2", "--length", "exact"]) == 0
    assert soundfile.info(tmp_path / "a.wav").frames == 32_000


def test_an_export_keeps_them_and_a_user_may_choose_ours(
    convert: Callable[..., Path], tmp_path: Path
) -> None:
    folder = AudioLCM.from_checkpoint(convert(), hardware=FLOAT32).save_pretrained(tmp_path / "out")
    model = AudioLCM.from_pretrained(folder, hardware=FLOAT32)
    assert (model.conventions.length, model.conventions.clamp_mel) == ("whole", False)
    decode = model.autoencoder.decode

    def loud(z: Tensor, num_frames: int | None = None) -> Tensor:
        return decode(z, num_frames) + torch.linspace(-9, 9, 80)[:, None]

    model.autoencoder.decode = loud
    mels = model("a dog barks", 1.0, 3).mels
    assert mels.min() < -5 and mels.max() > 2
    ours = AudioLCM.from_pretrained(folder, hardware=FLOAT32, length="exact", clamp_mel=True)
    ours.autoencoder.decode = loud
    made = ours("a dog barks", 1.0, 3)
    assert made.waveforms.shape == (1, 16000) and made.mels.min() == -5 and made.mels.max() == 2
    with pytest.raises(UserError, match="length=long is unknown: choose exact, whole, even"):
        AudioLCM.from_pretrained(folder, length="long")


def test_evaluation_makes_the_frames_that_fit_and_our_settings_stay(convert: Callable[..., Path]) -> None:
    """Both released test scripts draw noise for 312 latent frames, which are 9.984 s."""
    for kind, stage in (("audiolcm", "student"), ("make_an_audio_2", "teacher")):
        system = Model(stage, "", FLOAT32, str(convert(kind)))
        assert (system.conventions.length, system.conventions.clamp_mel) == ("whole", False)
        assert {"length", "clamp_mel"} <= set(system.settings())
        assert system.pipeline.conventions == system.conventions
        assert Model(stage, "", FLOAT32, str(convert(kind)), clamp_mel=True).conventions.clamp_mel
    ours = Model("student", "", FLOAT32, FOLEY)
    assert ours.conventions == conventions_of(open_artifact(Path(FOLEY))) == OURS
    assert set(ours.settings()) == {"artifacts", "sampler", "text_encoder", "bfloat16"}
    assert Model("student", "", FLOAT32, FOLEY, clamp_mel=False).settings()["clamp_mel"] is False


def test_a_teacher_of_an_earlier_conversion_is_told(
    convert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = convert("make_an_audio_2")
    open_model(folder)
    assert "sampler.spacing" not in caplog.text
    monkeypatch.setattr(models, "load_yaml", lambda path: {"teacher_sampler": {"omega": 4.0}})
    open_model(folder)
    assert "sampler.spacing=released" in caplog.text
