"""The mel front end against published numbers, librosa and a direct computation in float64."""

import librosa
import numpy as np
import pytest
import torch

from audiolcm.audio.mel import (
    HOP_LENGTH,
    LOG_MEL_MIN,
    N_FFT,
    NUM_MELS,
    SAMPLE_RATE,
    MelSpectrogram,
    approximate_magnitude,
    mel_filterbank,
)
from audiolcm.audio.slaney import slaney_filters
from audiolcm.errors import UserError


@pytest.fixture(scope="module")
def mel_spectrogram() -> MelSpectrogram:
    return MelSpectrogram()


@pytest.fixture
def noise() -> torch.Tensor:
    return 0.1 * torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))


def direct_log_mel(waveform: np.ndarray) -> np.ndarray:
    """Frame by frame with numpy's FFT in float64: (samples,) -> (80, samples // 256)."""
    padded = np.pad(waveform.astype(np.float64), 384, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    frames = [
        np.fft.rfft(window * padded[start : start + N_FFT])
        for start in range(0, len(padded) - N_FFT + 1, HOP_LENGTH)
    ]
    magnitude = np.sqrt(np.abs(np.array(frames).T) ** 2 + 1e-9)
    bank = librosa.filters.mel(sr=16000, n_fft=1024, n_mels=80, fmin=0, fmax=8000, dtype=np.float64)
    return np.log10(np.maximum(bank @ magnitude, 1e-5))


def test_sine_gives_the_check_vector(mel_spectrogram: MelSpectrogram) -> None:
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(160000) / 16000)
    mel = mel_spectrogram(torch.from_numpy(sine).float()[None])[0]
    assert mel.shape == (80, 625)
    assert mel.double().sum().item() == pytest.approx(-215982.987, rel=1e-4)
    assert mel.max().item() == pytest.approx(0.6815798, rel=1e-4)
    assert mel.mean(dim=1).argmax().item() == 11
    expected = torch.tensor([-4.4821086, -4.1832595, -3.9510405, -3.7684207])
    # Near the floor of sqrt(1e-9) float32 lands on either side of the truth, by the processor: so the check vector and
    # our float32 are each held to the float64 computation, not to each other.
    truth = torch.from_numpy(direct_log_mel(sine)[:4, 300]).float()
    torch.testing.assert_close(expected, truth, rtol=1e-4, atol=0)
    torch.testing.assert_close(mel[:4, 300], truth, rtol=1e-4, atol=0)


def test_equals_a_direct_computation(mel_spectrogram: MelSpectrogram, noise: torch.Tensor) -> None:
    expected = np.stack([direct_log_mel(row.numpy()) for row in noise])
    np.testing.assert_allclose(mel_spectrogram(noise).numpy(), expected, atol=2e-5)


def test_filterbank_is_librosas_slaney_bank() -> None:
    bank = mel_filterbank()
    expected = librosa.filters.mel(
        sr=16000, n_fft=1024, n_mels=80, fmin=0, fmax=8000, htk=False, norm="slaney"
    )
    assert bank.shape == (NUM_MELS, N_FFT // 2 + 1)
    np.testing.assert_array_equal(bank.numpy(), expected)
    bank.zero_()
    assert mel_filterbank().sum() > 0, "the caller got the shared copy"


@pytest.mark.parametrize(("samples", "frames"), [(160000, 625), (159744, 624), (512, 2), (511, 1), (385, 1)])
def test_frames_are_samples_over_hop(mel_spectrogram: MelSpectrogram, samples: int, frames: int) -> None:
    mel = mel_spectrogram(torch.zeros(2, samples))
    assert mel.shape == (2, NUM_MELS, frames)
    assert SAMPLE_RATE / HOP_LENGTH == 62.5


def test_silence_is_close_to_the_floor_and_has_a_finite_gradient(mel_spectrogram: MelSpectrogram) -> None:
    silence = torch.zeros(1, 2048, requires_grad=True)
    mel = mel_spectrogram(silence)
    mel.sum().backward()
    assert mel.min() >= LOG_MEL_MIN
    assert mel.max() < -4.4
    assert torch.isfinite(silence.grad).all()


def test_samples_out_of_range_are_clipped(mel_spectrogram: MelSpectrogram, noise: torch.Tensor) -> None:
    loud = 20 * noise
    torch.testing.assert_close(mel_spectrogram(loud), mel_spectrogram(loud.clamp(-1, 1)), rtol=0, atol=0)


def test_autocast_changes_nothing(mel_spectrogram: MelSpectrogram, noise: torch.Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = mel_spectrogram(noise)
        magnitude = approximate_magnitude(under_autocast)
    assert under_autocast.dtype == magnitude.dtype == torch.float32
    torch.testing.assert_close(under_autocast, mel_spectrogram(noise), rtol=0, atol=0)
    torch.testing.assert_close(magnitude, approximate_magnitude(under_autocast), rtol=0, atol=0)


def test_gradient_equals_a_finite_difference(mel_spectrogram: MelSpectrogram, noise: torch.Tensor) -> None:
    waveform = noise[:1, :1024].clone().requires_grad_()
    mel_spectrogram(waveform).sum().backward()
    start, direction, step = noise[0, :1024].double().numpy(), noise[1, :1024].double().numpy(), 1e-5
    ahead, behind = (direct_log_mel(start + sign * step * direction).sum() for sign in (1, -1))
    directional = np.dot(waveform.grad[0].numpy(), direction)
    assert directional == pytest.approx((ahead - behind) / (2 * step), rel=1e-3)


def test_too_short_a_waveform_is_the_users_error(mel_spectrogram: MelSpectrogram) -> None:
    with pytest.raises(UserError, match="384 samples is too short"):
        mel_spectrogram(torch.zeros(1, 384))


def test_magnitude_has_the_mel_it_came_from(mel_spectrogram: MelSpectrogram, noise: torch.Tensor) -> None:
    mel = mel_spectrogram(noise)
    magnitude = approximate_magnitude(mel)
    assert magnitude.shape == (3, 513, mel.shape[2])
    assert magnitude.min() >= 0
    error = torch.log10((mel_filterbank() @ magnitude).clamp(min=1e-5)) - mel
    assert error.abs().mean() < 0.03


def test_magnitude_of_a_tone_peaks_at_its_frequency(mel_spectrogram: MelSpectrogram) -> None:
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]
    magnitude = approximate_magnitude(mel_spectrogram(tone))
    assert abs(magnitude[0, :, 30].argmax().item() - 64) <= 1


@pytest.mark.parametrize(
    "sizes",
    [(16000, 1024, 80, 0.0, 8000.0), (48000, 1024, 64, 50.0, 14000.0), (22050, 2048, 128, 1200.0, 11025.0),
     (44100, 2048, 40, 30.0, 900.0)],
)  # fmt: skip
def test_filters_are_librosas_bit_for_bit(sizes: tuple[int, int, int, float, float]) -> None:
    ours, names = slaney_filters(*sizes), ("sr", "n_fft", "n_mels", "fmin", "fmax")
    theirs = librosa.filters.mel(**dict(zip(names, sizes, strict=True)))
    assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
