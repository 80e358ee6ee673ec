"""Riffusion in miniature, and its convention of pictures against torchaudio's transforms the other way."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers")

from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from packages import needs_package
from tiny_models import CAPTIONS, WIDTH
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from audiolcm.distributed.hardware import Hardware
from evaluation.systems.riffusion import Riffusion, magnitudes_of, phased, sound_of

RATE = 44100


def clip_tokenizer() -> CLIPTokenizer:
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(4, 8), layers_per_block=1, sample_size=64, in_channels=4, out_channels=4,
        norm_num_groups=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=WIDTH, attention_head_dim=2,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), latent_channels=4, norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    text = CLIPTextConfig(
        vocab_size=600, hidden_size=WIDTH, intermediate_size=16, num_attention_heads=2, num_hidden_layers=1,
        bos_token_id=512, eos_token_id=513,
    )  # fmt: skip
    place = tmp_path_factory.mktemp("riffusion")
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text).eval(),
        tokenizer=clip_tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(place)
    return place


def test_sounds_have_the_length_and_depend_on_caption_and_seed_alone(folder):
    made = Riffusion("riffusion", str(folder), "OpenRAIL", Hardware("cpu", "float32"), 2, 7.0, batch_size=2)
    together = made.generate(CAPTIONS[:2], 0.6, [5, 6])
    assert [sound.shape for sound in together.waveforms] == [(9600,)] * 2
    assert together.nfe == 2
    again = made.generate(CAPTIONS[:1], 0.6, [5]).waveforms[0]
    other = made.generate(CAPTIONS[:1], 0.6, [7]).waveforms[0]
    difference = np.abs(again - together.waveforms[0]).mean(), np.abs(other - together.waveforms[0]).mean()
    assert difference[0] < 0.1 * difference[1]  # a pixel may be rounded the other way


def picture_of(waveform: np.ndarray) -> np.ndarray:
    """The picture of a sound by riffusion's published settings: (512, frames, 3)."""
    needs_package("torchaudio")
    from torchaudio.transforms import MelScale, Spectrogram

    spectrogram = Spectrogram(n_fft=17640, win_length=4410, hop_length=441, power=1.0)
    scale = MelScale(512, RATE, 0.0, 10000.0, 8821, norm=None, mel_scale="htk")
    mels = scale(spectrogram(torch.from_numpy(waveform.astype(np.float32)))).numpy()
    pixels = (255 - 255 * (mels / mels.max()) ** 0.25).astype(np.uint8)
    return np.repeat(pixels[::-1, :, None], 3, axis=2)


def test_the_picture_of_a_tone_sounds_like_it():
    t = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 660 * t) * (t > 0.5)
    heard = sound_of(picture_of(tone), seed=0)
    assert abs(len(heard) - RATE) <= 441 and np.abs(heard).max() == pytest.approx(1.0)
    loud, quiet = heard[int(0.6 * RATE) : int(0.9 * RATE)], heard[: int(0.3 * RATE)]
    assert (quiet**2).mean() < 0.01 * (loud**2).mean()
    spectrum = np.abs(np.fft.rfft(loud * np.hanning(len(loud))))
    assert np.argmax(spectrum) * RATE / len(loud) == pytest.approx(660, abs=8)
    np.testing.assert_array_equal(heard, sound_of(picture_of(tone), seed=0))


def test_magnitudes_and_phases_are_those_of_torchaudio():
    needs_package("torchaudio")
    from torchaudio.transforms import GriffinLim, InverseMelScale

    mels = torch.rand(512, 40, generator=torch.Generator().manual_seed(0)) ** 4
    inverse = InverseMelScale(8821, 512, RATE, f_max=10000.0, norm=None, mel_scale="htk")
    magnitudes = magnitudes_of(mels)
    torch.testing.assert_close(magnitudes, inverse(mels), rtol=0, atol=1e-7)
    theirs = GriffinLim(n_fft=17640, n_iter=32, win_length=4410, hop_length=441, power=1.0, momentum=0.99)
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        expected = theirs(magnitudes)
    found = phased(magnitudes, torch.Generator().manual_seed(3))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_a_white_picture_is_silence():
    assert not sound_of(np.full((512, 30, 3), 255, np.uint8), seed=0).any()
