"""Stable Audio Open in miniature: stereo at another rate, noise added at every step."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers")

from diffusers import (
    AutoencoderOobleck,
    CosineDPMSolverMultistepScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)
from tiny_models import CAPTIONS, WIDTH, t5_encoder, t5_tokenizer

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from evaluation.systems.pipelines import StableAudio

RATE = 22050


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    transformer = StableAudioDiTModel(
        sample_size=512, in_channels=3, num_layers=2, attention_head_dim=8, num_attention_heads=2,
        num_key_value_attention_heads=1, out_channels=3, cross_attention_dim=WIDTH, time_proj_dim=8,
        global_states_input_dim=2 * WIDTH, cross_attention_input_dim=WIDTH,
    )  # fmt: skip
    vae = AutoencoderOobleck(
        encoder_hidden_size=6, downsampling_ratios=[4, 8], decoder_channels=3, decoder_input_channels=3,
        audio_channels=2, channel_multiples=[2, 4], sampling_rate=RATE,
    )  # fmt: skip
    place = tmp_path_factory.mktemp("stable_audio")
    StableAudioPipeline(
        vae=vae,
        text_encoder=t5_encoder(),
        projection_model=StableAudioProjectionModel(WIDTH, WIDTH, min_value=0, max_value=32),
        tokenizer=t5_tokenizer(),
        transformer=transformer,
        scheduler=CosineDPMSolverMultistepScheduler(sigma_max=500, sigma_min=0.3, sigma_data=1.0),
    ).save_pretrained(place)
    return place


def system(folder: Path) -> StableAudio:
    return StableAudio(
        "stable_audio_open", str(folder), "license", Hardware("cpu", "float32"), 4, 7.0, batch_size=3
    )


def test_sounds_are_mono_at_16_khz_and_depend_on_caption_and_seed_alone(folder):
    made = system(folder)
    together = made.generate(CAPTIONS, 0.4, [5, 6, 7])
    assert [sound.shape for sound in together.waveforms] == [(6400,)] * 3
    assert together.nfe == 4
    for i, (caption, seed) in enumerate(zip(CAPTIONS, (5, 6, 7), strict=True)):
        alone = made.generate([caption], 0.4, [seed]).waveforms[0]
        np.testing.assert_allclose(alone, together.waveforms[i], atol=2e-5)
    assert np.abs(together.waveforms[0]).max() > 1e-3
    for caption, seed in ((CAPTIONS[1], 5), (CAPTIONS[0], 6)):
        other = made.generate([caption], 0.4, [seed]).waveforms[0]
        assert np.abs(other - together.waveforms[0]).max() > 1e-4


def test_resampling_keeps_a_tone_and_channels_are_averaged(folder):
    t = np.arange(round(0.4 * RATE)) / RATE
    stereo = np.stack([np.sin(2 * np.pi * 440 * t), np.zeros_like(t)])
    heard = system(folder)._fitted(stereo, RATE, 0.4)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(6400) / 16000)
    np.testing.assert_allclose(heard[200:-200], expected[200:-200], atol=2e-3)
    assert np.abs(system(folder)._fitted(3 * stereo, RATE, 0.4)).max() == pytest.approx(1.0)


def test_a_length_that_the_model_can_not_make_is_refused(folder):
    with pytest.raises(UserError, match="longer than the model maximum"):
        system(folder).generate(CAPTIONS[:1], 1.0, [0])
    with pytest.raises(UserError, match=r"made 0\.400 s instead of 0\.5 s"):
        system(folder)._fitted(np.zeros(6400), 16000, 0.5)
