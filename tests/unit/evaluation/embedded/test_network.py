"""The evaluator's network: front end, shapes, lengths, what may not depend on the rest of a batch."""

import numpy as np
import pytest
import torch
from packages import needs_package

from audiolcm.errors import UserError
from evaluation.embedded.network import EvaluatorNetwork
from evaluation.features.mel import log_mel

RATE = 16000


@pytest.fixture(scope="module")
def network() -> EvaluatorNetwork:
    torch.manual_seed(0)
    return EvaluatorNetwork(5, (4, 4, 8, 8), 6).eval()


def noise(count: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(count, samples, generator=torch.Generator().manual_seed(0))


def test_the_front_end_is_that_of_torchaudio_to_the_bit():
    """The evaluators of committed records were trained with torchaudio's."""
    needs_package("torchaudio")
    from torchaudio.transforms import MelSpectrogram

    theirs = MelSpectrogram(RATE, n_fft=512, hop_length=320, f_min=50.0, f_max=8000.0, n_mels=64)
    waveforms = noise(3, RATE + 1)
    assert torch.equal(log_mel(waveforms), (theirs(waveforms) + 1e-5).log())


def test_silence_is_the_floor():
    silence = log_mel(torch.zeros(3, RATE))
    assert silence.shape == (3, 64, 51)
    torch.testing.assert_close(silence, torch.full_like(silence, np.log(1e-5)))


def test_a_tone_lies_in_its_band():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)[None]
    edges = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (50, 8000)), 66)  # the HTK scale
    centers = 700 * (10 ** (edges[1:-1] / 2595) - 1)
    assert log_mel(tone)[0].mean(1).argmax() == np.abs(centers - 1000).argmin()


@pytest.mark.parametrize(
    ("seconds", "rows", "frames"), [(0.96, 1, 12), (2.0, 2, 25), (5.0, 5, 62), (10.0, 10, 125)]
)
def test_shapes(network, seconds, rows, frames):
    heard = network(log_mel(noise(2, round(seconds * RATE))))
    assert heard.logits.shape == (2, 5)
    assert heard.frames.shape == (2, frames, 5)
    assert heard.rows.shape == (2, rows, 6)
    torch.testing.assert_close(heard.joint.norm(dim=1), torch.ones(2))


def test_the_shortest_sound_has_one_row_and_a_shorter_one_none(network):
    assert network(log_mel(noise(1, network.min_samples))).rows.shape[1] == 1
    with pytest.raises(RuntimeError, match="Output size is too small"):
        network(log_mel(noise(1, network.min_samples - 1)))


def test_the_level_is_taken_out(network):
    x = log_mel(noise(2, RATE))
    torch.testing.assert_close(network(x + 3.0).logits, network(x).logits, rtol=1e-3, atol=1e-4)


def test_captions_have_length_one_and_differ(network):
    texts = ["a dog barks", "rain falls"]
    read = network.read(network.text_encoder(texts, texts))
    torch.testing.assert_close(read.norm(dim=1), torch.ones(2))
    assert not torch.allclose(read[0], read[1], atol=1e-2)


def test_what_it_refuses():
    with pytest.raises(UserError, match="2 classes or more, and this has 0.*metrics=audiolcm"):
        EvaluatorNetwork(0)
    with pytest.raises(UserError, match="widths=.*give 4 numbers"):
        EvaluatorNetwork(3, (8, 8))
