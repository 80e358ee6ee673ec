"""True sounds through a model's autoencoder and vocoder, or through the vocoder alone."""

from pathlib import Path

import numpy as np
import torch

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.distributed.hardware import Hardware
from audiolcm.weights.place import FOLEY
from evaluation.systems.baselines import Silence
from evaluation.systems.model import CopySynthesis, Model, Reconstruction
from evaluation.systems.system import precision_of


def model(folder: Path, vocoder: str | None = None) -> Model:
    return Model(None, str(folder), Hardware("cpu", "float32"), FOLEY, vocoder=vocoder)


def test_copy_synthesis_leaves_the_autoencoder_out(tmp_path: Path) -> None:
    times = torch.arange(16000) / 16000
    mel = MelSpectrogram()((0.1 * torch.sin(2 * torch.pi * 440 * times) * (times % 0.25 < 0.1))[None])
    both, alone = (kind(model(tmp_path)) for kind in (Reconstruction, CopySynthesis))
    pipeline = alone.model.pipeline
    with torch.no_grad():
        expected = [pipeline.vocoder(mels).numpy() for mels in (pipeline.autoencoder(mel), mel)]
    for system, sound in zip((both, alone), expected, strict=True):
        np.testing.assert_allclose(pipeline.reconstruct(mel, system.with_autoencoder), sound, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    assert (both.name, alone.name) == ("reconstruction", "copy_synthesis")
    assert (set(both.facts()), set(alone.facts())) == ({"autoencoder", "vocoder"}, {"vocoder"})


def test_it_takes_the_vocoder_that_is_asked_for(tmp_path: Path) -> None:
    system = CopySynthesis(model(tmp_path, "griffin_lim"))
    assert "griffin" in system.facts()["vocoder"].lower()
    sound = system.model.pipeline.reconstruct(torch.zeros(1, 80, 8) - 1.0, with_autoencoder=False)
    assert sound.shape == (1, 8 * 256)
    assert np.isfinite(sound).all()


def test_the_precision_is_told_of_sounds_that_are_made_here(tmp_path: Path) -> None:
    rounded = Model(None, str(tmp_path), Hardware("cpu", "bfloat16"), FOLEY)
    assert precision_of(model(tmp_path)) == {"precision": "float32"}
    assert precision_of(Reconstruction(rounded)) == {"precision": "bfloat16"}
    assert precision_of(CopySynthesis(rounded)) == {"precision": "float32"}, "as vocoders compute"
    assert precision_of(Silence()) == {}


def test_a_teacher_tells_where_it_is_sampled(tmp_path: Path) -> None:
    on = (str(tmp_path), Hardware("cpu", "float32"), FOLEY)
    assert Model("teacher", *on).facts()["spacing"] == "trailing_to_next"
    assert Model("teacher", *on, spacing="released").facts()["spacing"] == "released"
    assert "spacing" not in Model("student", *on).facts()
    assert Model("student", *on, clamp_mel=False).facts()["clamp_mel"] is False
