"""HTK's mel filters against torchaudio and librosa."""

import pytest
import torch
from librosa.filters import mel
from packages import needs_package

from evaluation.features.mel import htk_filters

SETTINGS = [(257, 64, 16000, 50.0, 8000.0), (8821, 512, 44100, 0.0, 10000.0), (201, 40, 8000, 20.0, 4000.0)]


@pytest.mark.parametrize("settings", SETTINGS)
def test_they_are_those_of_torchaudio_to_the_bit(settings: tuple) -> None:
    needs_package("torchaudio")
    from torchaudio.functional import melscale_fbanks

    bins, mels, rate, low, high = settings
    assert torch.equal(htk_filters(*settings), melscale_fbanks(bins, low, high, mels, rate))


@pytest.mark.parametrize("settings", SETTINGS)
def test_they_are_those_of_librosa_up_to_rounding(settings: tuple) -> None:
    bins, mels, rate, low, high = settings
    theirs = mel(sr=rate, n_fft=2 * (bins - 1), n_mels=mels, fmin=low, fmax=high, htk=True, norm=None)
    torch.testing.assert_close(htk_filters(*settings).T, torch.from_numpy(theirs), rtol=0, atol=1e-4)
