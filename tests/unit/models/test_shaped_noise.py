"""The vocoder without parameters: its mel, determinism, lengths, silence, and what it is for."""

import pytest
import torch
from torch import Tensor

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.errors import UserError
from audiolcm.models.griffin_lim import GriffinLim
from audiolcm.models.shaped_noise import ShapedNoise
from audiolcm.models.vocoder_istft import IstftVocoder


def bursts(num_frames: int, batch: int = 1) -> Tensor:
    """Noise that is switched on and off, (batch, samples)."""
    waveform = torch.randn(batch, num_frames * 256, generator=torch.Generator().manual_seed(3))
    return waveform * (0.02 + 0.2 * (torch.arange(num_frames * 256) // 3000 % 2))


def mel_error(waveform: Tensor, mel: Tensor) -> float:
    return float((MelSpectrogram()(waveform) - mel).abs().mean())


def test_its_mel_is_nearer_than_griffin_lims() -> None:
    mel = MelSpectrogram()(bursts(60))
    assert mel_error(ShapedNoise()(mel), mel) < 0.7 * mel_error(GriffinLim(4)(mel), mel)


def test_it_is_where_the_trainable_vocoder_starts() -> None:
    mel = MelSpectrogram()(bursts(40))
    with torch.no_grad():
        start = IstftVocoder(width=8, depth=1)(mel)
    ours = ShapedNoise()(mel)
    assert (start - ours).norm() < 0.2 * ours.norm()


@pytest.mark.parametrize("num_frames", [31, 100])
def test_deterministic_and_independent_of_the_batch(num_frames: int) -> None:
    mel = MelSpectrogram()(bursts(num_frames, batch=3))
    vocoder = ShapedNoise(5, 2)
    waveform = vocoder(mel)
    assert waveform.shape == (3, num_frames * 256)
    torch.testing.assert_close(waveform[2:], vocoder(mel[2:]), atol=1e-3, rtol=1e-3)  # rounding
    assert not torch.equal(waveform, ShapedNoise(5, 2, seed=1)(mel))


def test_silence_is_nearly_silent() -> None:
    waveform = ShapedNoise()(torch.full((1, 80, 62), -5.0))
    assert torch.isfinite(waveform).all()
    assert waveform.abs().max() < 1e-3


@pytest.mark.parametrize("wrong", [{"mel_passes": -1}, {"sharpening_passes": -1}])
def test_wrong_settings_are_explained(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match="passes"):
        ShapedNoise(**wrong)
