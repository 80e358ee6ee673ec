"""Griffin-Lim and its STFT against torch, torchaudio and the identities that they must hold."""

import math

import pytest
import torch
from packages import needs_package
from torch import Tensor

from audiolcm.audio.mel import MelSpectrogram, approximate_magnitude
from audiolcm.errors import UserError
from audiolcm.models.griffin_lim import GriffinLim, griffin_lim
from audiolcm.models.stft import Stft


def tones(num_samples: int) -> Tensor:
    """A harmonic tone with vibrato, (1, samples)."""
    time = torch.arange(num_samples) / 16000
    phase = 2 * math.pi * (300 * time + 2 * torch.sin(2 * math.pi * 3 * time))
    return sum(0.2 / k * torch.sin(k * phase) for k in range(1, 6)).unsqueeze(0)


def spectral_convergence(waveform: Tensor, magnitude: Tensor) -> float:
    """|| |STFT(x)| - magnitude || / || magnitude ||, as in Griffin and Lim's objective."""
    return float((Stft().analyze(waveform).abs() - magnitude).norm() / magnitude.norm())


@pytest.mark.parametrize("n_fft", [256, 1024])
@pytest.mark.parametrize("num_frames", [1, 7, 40])
def test_synthesis_inverts_analysis_exactly(n_fft: int, num_frames: int) -> None:
    stft = Stft(n_fft)
    waveform = torch.randn(2, num_frames * n_fft // 4, generator=torch.Generator().manual_seed(0))
    spectrum = stft.analyze(waveform)
    assert spectrum.shape == (2, n_fft // 2 + 1, num_frames)
    torch.testing.assert_close(stft.synthesize(spectrum), waveform, atol=1e-5, rtol=1e-4)


def test_frames_are_those_of_the_mel() -> None:
    waveform = tones(256 * 40)
    mel = MelSpectrogram()
    magnitude = Stft().analyze(waveform).abs()
    ours = torch.log10((mel.filterbank @ magnitude).clamp(min=1e-5))
    # The ends differ: the mel reflects there, the vocoder's analysis pads zeros.
    torch.testing.assert_close(ours[..., 3:-3], mel(waveform)[..., 3:-3], atol=0.02, rtol=0.0)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_more_iterations_bring_the_spectrum_nearer(momentum: float) -> None:
    magnitude = Stft().analyze(tones(256 * 60)).abs()
    start = torch.polar(
        torch.ones_like(magnitude),
        2 * math.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(1)),
    )
    errors = [
        spectral_convergence(griffin_lim(Stft(), magnitude, start, n, momentum), magnitude)
        for n in (0, 2, 8, 32)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_it_converges_as_far_as_torchaudio() -> None:
    """torchaudio centers its frames, so the waveforms cannot be compared; the error it reaches can."""
    needs_package("torchaudio")
    import torchaudio

    waveform = tones(256 * 60)
    settings = {"n_fft": 1024, "win_length": 1024, "hop_length": 256}
    window = torch.hann_window(1024)
    spectrogram = torchaudio.functional.spectrogram(
        waveform, 0, window, power=1.0, normalized=False, **settings
    )
    torch.manual_seed(0)
    theirs = torchaudio.functional.griffinlim(
        spectrogram,
        window,
        power=1.0,
        n_iter=32,
        momentum=0.99,
        length=waveform.shape[1],
        rand_init=True,
        **settings,
    )
    reached = torchaudio.functional.spectrogram(theirs, 0, window, power=1.0, normalized=False, **settings)
    expected = float((reached - spectrogram).norm() / spectrogram.norm())
    magnitude = Stft().analyze(waveform).abs()
    phase = 2 * math.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    start = torch.polar(torch.ones_like(phase), phase)
    ours = spectral_convergence(griffin_lim(Stft(), magnitude, start, 32, 0.99), magnitude)
    assert ours < 1.3 * expected


def test_the_true_phase_is_a_fixed_point() -> None:
    waveform = tones(256 * 30)
    spectrum = Stft().analyze(waveform)
    again = griffin_lim(Stft(), spectrum.abs(), spectrum, num_iterations=3, momentum=0.99)
    torch.testing.assert_close(again, waveform, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("num_frames", [31, 100])
def test_the_vocoder_is_deterministic_and_independent_of_the_batch(num_frames: int) -> None:
    mel = MelSpectrogram()(torch.randn(3, num_frames * 256, generator=torch.Generator().manual_seed(2)) * 0.1)
    vocoder = GriffinLim(num_iterations=2)
    waveform = vocoder(mel)
    assert waveform.shape == (3, num_frames * 256)
    torch.testing.assert_close(waveform[1:2], vocoder(mel[1:2]))
    assert not torch.equal(waveform, GriffinLim(num_iterations=2, seed=1)(mel))


def test_iterations_keep_the_mel_and_silence_stays_silent() -> None:
    mel = MelSpectrogram()(tones(256 * 60))
    error = [float((MelSpectrogram()(GriffinLim(n)(mel)) - mel).abs().mean()) for n in (0, 8)]
    assert error[1] < 0.5 * error[0]
    silence = GriffinLim(8, momentum=0.99)(torch.full((1, 80, 40), -5.0))
    assert torch.isfinite(silence).all()
    assert silence.abs().max() < 1e-3
    assert approximate_magnitude(torch.full((1, 80, 4), -5.0)).max() < 1e-2


@pytest.mark.parametrize("wrong", [{"num_iterations": -1}, {"momentum": 1.0}])
def test_wrong_settings_are_explained(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="num_iterations"):
        GriffinLim(**wrong)
