"""The pipeline on parts whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audiolcm.diffusion.sampler import ConsistencySampler, Sampled
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.pipeline import AudioLCM
from audiolcm.training.hardware import Hardware


class Text(nn.Module):
    """One token a half: 1 for a caption, 0 for the empty one; remembers what it encoded."""

    num_tokens, width = 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[list[str]] = []

    def forward(self, captions: list[str], structured: list[str]) -> Tensor:
        self.encoded.append(captions)
        return torch.tensor([float(bool(c)) for c in captions])[:, None, None].expand(-1, 2, 3)


class Halves(Autoencoder):
    """Two latent channels and a scale factor of 4; the decoded mel is the mean of a latent frame."""

    def __init__(self) -> None:
        super().__init__(channels=32, multipliers=(1, 2), num_res_blocks=1, latent_channels=2)
        self.scale_factor.fill_(4.0)

    def decode(self, z: Tensor, num_frames: int | None = None) -> Tensor:
        return z.mean(dim=1, keepdim=True).expand(-1, 80, -1).repeat_interleave(2, dim=2)


class Tone(nn.Module):
    """A vocoder: the level of the mel's first band, held over the samples of a frame."""

    def forward(self, mel: Tensor) -> Tensor:
        return mel[:, 0].repeat_interleave(256, dim=1)


def pipeline(text: Text | None = None, sampler: object | None = None) -> AudioLCM:
    parts = (text or Text(), nn.Identity(), Halves(), Tone(), ScaledLinearSchedule())
    return AudioLCM(*parts, sampler or ConstantSampler(), Hardware("cpu", "float32"))


class ConstantSampler(ConsistencySampler):
    """Latents of -2 under a caption, whatever the noise."""

    def sample(
        self, denoiser: object, schedule: object, noise: object, text: Tensor, unconditional: Tensor
    ) -> Sampled:
        assert float(text.min()) == 1.0
        assert not unconditional.any()
        assert unconditional.shape == text.shape
        return Sampled(torch.full((len(text), *noise.shape), -2.0), nfe=3)


def test_latents_are_divided_by_the_scale_factor() -> None:
    made = pipeline()(["a", "b"], duration=1.0)
    np.testing.assert_array_equal(made.mels, np.full((2, 80, 64), -0.5, np.float32))
    np.testing.assert_array_equal(made.waveforms, np.full((2, 16000), -0.5, np.float32))
    assert made.nfe == 3
    assert set(made.seconds) == {"text", "denoiser", "decoder", "vocoder"}


def test_the_empty_caption_is_encoded_once() -> None:
    model = pipeline(text := Text())
    model("a", duration=1.0)
    model(["b", "c"], duration=1.0)
    assert text.encoded == [[""], ["a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (SimpleNamespace(captions="a", duration=0.5, seed=0), "duration=0.5"),
        (SimpleNamespace(captions="a", duration=31.0, seed=0), "duration=31"),
        (SimpleNamespace(captions="a", duration=2.0, seed=2**63), "seed=.* is out of range"),
        (SimpleNamespace(captions=" ", duration=2.0, seed=0), "caption is empty"),
        (SimpleNamespace(captions=["a", "b"], duration=2.0, seed=[1]), "do not match"),
    ],
)
def test_requests_out_of_bounds(request_: SimpleNamespace, words: str) -> None:
    with pytest.raises(UserError, match=words):
        pipeline()(**vars(request_))
