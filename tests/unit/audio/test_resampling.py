"""The resampler against torchaudio's at every pair of usual rates, and against what a resampler must do."""

import itertools
import math

import pytest
import torch
from packages import needs_package

from audiolcm.audio.resampling import resample

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)


def noise(samples: int) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("rate", "wanted"), list(itertools.product(RATES, RATES)))
def test_it_is_torchaudio_to_the_bit(rate: int, wanted: int) -> None:
    needs_package("torchaudio")
    from torchaudio.functional import resample as theirs

    for samples in (1, 999, 7001):
        assert torch.equal(resample(noise(samples), rate, wanted), theirs(noise(samples), rate, wanted))


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (16000, 44100), (48000, 16000), (16000, 48000)])
def test_a_tone_and_the_length_stay(rate: int, wanted: int) -> None:
    def tone(samples: int, rate: int) -> torch.Tensor:
        return torch.sin(2 * math.pi * 440 * torch.arange(samples, dtype=torch.float64) / rate).float()

    found = resample(tone(rate + 1, rate), rate, wanted)
    assert len(found) == math.ceil((rate + 1) * wanted / rate)
    torch.testing.assert_close(found[500:-500], tone(len(found), wanted)[500:-500], rtol=0, atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    high = torch.sin(2 * math.pi * 15000 * torch.arange(44100) / 44100)
    assert resample(high, 44100, 16000)[500:-500].abs().max() < 0.01
