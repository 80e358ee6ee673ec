"""The excitation against what it promises, and the vocoder's contract: length, determinism, silence, start."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.models.excitation import Excitation, band_interpolation
from audiolcm.models.griffin_lim import GriffinLim
from audiolcm.models.vocoder_discriminator import MultiResolutionDiscriminator
from audiolcm.models.vocoder_istft import IstftVocoder, features


def noise(num_frames: int, seed: int = 0) -> Tensor:
    return torch.randn(1, num_frames * 256, generator=torch.Generator().manual_seed(seed))


def clicks(num_frames: int) -> Tensor:
    """A click of 2 ms every half second, (1, samples), on a faint floor."""
    waveform = 1e-4 * noise(num_frames, seed=9)
    for start in range(4000, num_frames * 256 - 32, 8000):
        waveform[:, start : start + 32] += 0.5 * noise(1, seed=start)[:, :32]
    return waveform


def small() -> IstftVocoder:
    return IstftVocoder(width=16, depth=2)


def mel_error(waveform: Tensor, mel: Tensor) -> float:
    return float((MelSpectrogram()(waveform) - mel).abs().mean())


def test_passes_bring_the_mel_of_the_noise_to_the_given_one() -> None:
    mel = MelSpectrogram()(0.1 * noise(60, seed=1))
    errors = []
    for passes in (0, 2, 8):
        excitation = Excitation(mel_passes=passes)
        errors.append(mel_error(excitation.stft.synthesize(excitation(mel, noise(60))[:, 1]), mel))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05


def test_consistent_noise_has_the_texture_of_noise_and_griffin_lim_has_not() -> None:
    """The log-magnitude of Gaussian noise spreads by 5.57 dB = 20 / ln(10) * pi / sqrt(24) in every bin."""
    truth = 0.1 * noise(200, seed=1)
    mel = MelSpectrogram()(truth)
    stft = Excitation().stft

    def spread(waveform: Tensor) -> float:
        level = 20 * torch.log10(stft.analyze(waveform).abs()[:, 200:500, 3:-3].clamp(min=1e-6))
        return float(level.std())

    consistent = stft.synthesize(Excitation()(mel, noise(200))[:, 1])
    ideal = 20 / math.log(10) * math.pi / math.sqrt(24)
    assert spread(truth) == pytest.approx(ideal, abs=0.1)
    assert spread(consistent) == pytest.approx(ideal, abs=0.5)
    assert abs(spread(GriffinLim(32)(mel)) - ideal) > 1.0


def test_sharpening_keeps_clicks_short() -> None:
    """Energy within 6 ms of the clicks, as a share of all: a window of the mel alone lasts 64 ms."""
    truth = clicks(150)
    mel = MelSpectrogram()(truth)
    near = F.max_pool1d((truth.abs() > 0.01).float().unsqueeze(1), 193, stride=1, padding=96)[0]

    def share(passes: int) -> float:
        waveform = Excitation(sharpening_passes=passes).raw(mel, noise(150))
        return float((waveform.square() * near).sum() / waveform.square().sum())

    assert share(20) > 0.85
    assert share(0) < 0.6


def test_sharpened_power_explains_the_power_of_the_mel() -> None:
    excitation = Excitation(sharpening_passes=50)
    mel = MelSpectrogram()(clicks(100))
    power = excitation.sharpened_power(mel)
    assert power.shape == (1, 80, 400)
    kernel = excitation.window_power.expand(80, 1, -1)
    observed = F.conv1d(F.pad(power, (6, 6)), kernel, stride=4, groups=80)
    error = (0.5 * torch.log10(observed) - mel).abs().mean()
    assert error < 0.05


def test_band_interpolation_is_linear_between_the_band_centers() -> None:
    filterbank = Excitation().filterbank
    matrix = band_interpolation(filterbank, 256)
    torch.testing.assert_close(matrix.sum(1), torch.ones(129))
    centers = filterbank @ torch.linspace(0, 8000, 513) / filterbank.sum(1)
    inside = slice(2, 120)
    torch.testing.assert_close(
        (matrix @ centers)[inside], torch.linspace(0, 8000, 129)[inside], rtol=1e-4, atol=0.1
    )


def test_a_steady_tone_advances_steadily_whatever_its_frequency() -> None:
    time = torch.arange(256 * 40) / 16000
    stft = Excitation().stft
    spectrum = stft.analyze(torch.sin(2 * math.pi * 1000.0 * time).unsqueeze(0))  # center of bin 64
    seen = features(torch.zeros(1, 80, 40), spectrum.unsqueeze(1))
    cosine, sine = seen[0, 4:-4, 80 + 513 :].unflatten(1, (2, 513))[:, :, 64].T
    torch.testing.assert_close(cosine, torch.ones(32), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(sine, torch.zeros(32), atol=2e-2, rtol=0.0)


@pytest.mark.parametrize("num_frames", [31, 32, 157, 3000])
def test_any_length_gives_its_samples(num_frames: int) -> None:
    mel = -3.0 + torch.randn(1, 80, num_frames, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        waveform = small()(mel)
    assert waveform.shape == (1, num_frames * 256)
    assert torch.isfinite(waveform).all()


def test_the_same_mel_gives_the_same_waveform_anywhere_in_a_batch() -> None:
    mel = -3.0 + torch.randn(3, 80, 40, generator=torch.Generator().manual_seed(0))
    vocoder = small()
    torch.nn.init.normal_(vocoder.head.weight, std=0.05)
    with torch.no_grad():
        waveform = vocoder(mel)
        assert torch.equal(waveform, vocoder(mel))
        torch.testing.assert_close(waveform[2:], vocoder(mel[2:]), atol=1e-3, rtol=1e-3)  # rounding
        assert not torch.equal(waveform, vocoder(mel, noise(40, seed=5)))


def test_silence_is_nearly_silent() -> None:
    with torch.no_grad():
        waveform = small()(torch.full((1, 80, 62), -5.0))
    assert torch.isfinite(waveform).all()
    assert waveform.abs().max() < 1e-3


def test_it_is_usable_before_training() -> None:
    mel = MelSpectrogram()(0.1 * noise(60, seed=1) + clicks(60))
    with torch.no_grad():
        assert mel_error(small()(mel), mel) < mel_error(GriffinLim(4)(mel), mel)


def test_every_weight_gets_a_gradient_and_silence_a_finite_one() -> None:
    vocoder, judge = small(), MultiResolutionDiscriminator(channels=4)
    torch.nn.init.normal_(vocoder.head.weight, std=0.01)
    mel = torch.cat([MelSpectrogram()(clicks(32)), torch.full((1, 80, 32), -5.0)])
    sum(scores.square().mean() for scores, _ in judge(vocoder(mel))).backward()
    for name, weight in [*vocoder.named_parameters(), *judge.named_parameters()]:
        assert weight.grad is not None and torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().sum() > 0, name
