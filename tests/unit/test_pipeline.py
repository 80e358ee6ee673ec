"""The pipeline on parts whose answers are known."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audiolcm.commands.cli import main
from audiolcm.diffusion.sampler import ConsistencySampler, NoiseSource, Sampled
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.pipeline import AudioLCM


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


def test_captions_are_remembered_until_they_are_forgotten() -> None:
    model = pipeline(text := Text())
    first = model("a", duration=1.0)
    model("a", duration=1.0)
    model.forget_prompts()
    again = model("a", duration=1.0)
    assert text.encoded == [[""], ["a"], ["a"]]
    np.testing.assert_array_equal(again.waveforms, first.waveforms)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (SimpleNamespace(captions="a", duration=0.5, seed=0), "duration=0.5"),
        (SimpleNamespace(captions="a", duration=31.0, seed=0), "duration=31"),
        (SimpleNamespace(captions="a", duration=2.0, seed=2**63), "seed=.* is out of range"),
        (SimpleNamespace(captions=" ", duration=2.0, seed=0), "caption is empty"),
        (SimpleNamespace(captions=["a", "..."], duration=2.0, seed=0), "caption '...' holds no word"),
        (SimpleNamespace(captions=["a", "b"], duration=2.0, seed=[1]), "do not match"),
    ],
)
def test_requests_out_of_bounds(request_: SimpleNamespace, words: str) -> None:
    with pytest.raises(UserError, match=words):
        pipeline()(**vars(request_))


class RecordingSampler(ConsistencySampler):
    """Remembers the steps, the omega and the seeds that it sampled with."""

    def sample(
        self, denoiser: object, schedule: object, noise: NoiseSource, text: Tensor, unconditional: Tensor
    ) -> Sampled:
        seeds = [generator.initial_seed() for generator in noise.generators]
        SEEN.append((self.num_steps, self.omega, seeds))
        return Sampled(noise.draw(), nfe=self.num_steps)


SEEN: list[tuple[int, float, list[int]]] = []


def test_steps_and_omega_hold_for_one_call() -> None:
    SEEN.clear()
    model = pipeline(sampler=RecordingSampler(2, 4.0))
    assert model("a", 1.0, steps=np.int64(3), omega=np.float32(0.5)).nfe == 3
    model("a", 1.0, omega=0)
    model("a", 1.0)
    assert [seen[:2] for seen in SEEN] == [(3, 0.5), (2, 0.0), (2, 4.0)]
    assert (model.sampler.num_steps, model.sampler.omega) == (2, 4.0)


def test_the_old_order_of_arguments_and_numpys_numbers() -> None:
    SEEN.clear()
    model = pipeline(sampler=RecordingSampler())
    first = model(["a", "b"], 1.0, [3, 4], ["<a& all>", "<b& all>"])
    again = model(["a", "b"], duration=np.float32(1.0), seed=np.array([3, 4]))
    assert [seen[2] for seen in SEEN] == [[3, 4], [3, 4]]
    np.testing.assert_array_equal(first.waveforms, again.waveforms)
    assert model.sample_rate == first.sample_rate == 16000


def test_to_moves_all_parts_and_what_is_remembered() -> None:
    model = pipeline()
    model("a", duration=1.0)
    with pytest.raises(UserError, match="meta is not supported"):
        model.to(torch.device("meta"))
    assert model.device == torch.device("cpu") and model("a", duration=1.0).nfe == 3
    assert model.to("cpu") is model is model.to(torch.device("cpu"))
    assert model.text_encoder.encoded == [[""], ["a"]]


def test_to_asks_every_part_and_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were another device: torch's meta device stands for it, which holds no numbers."""
    model = pipeline()
    model("a", duration=1.0)
    monkeypatch.setattr(Hardware, "torch_device", lambda self: torch.device(self.device))
    model.to("meta")
    tensors = [*model.autoencoder.parameters(), *model._encoded.values(), model.unconditional]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert model.hardware.device == "meta" and model.hardware.precision == "float32"


@pytest.mark.parametrize("name", ["cuda:0", "mps", "tpu"])
def test_a_device_that_is_not_there_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    model = pipeline()
    with pytest.raises(UserError, match=f"hardware.device={name}"):
        model.to(name)
    assert model.hardware.device == "cpu"
    assert model("a", duration=1.0).nfe == 3


def test_what_is_missing_on_apples_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Tensor:
        raise NotImplementedError("The operator 'aten::x' is not currently implemented for the MPS device.")

    model = pipeline()
    monkeypatch.setattr(model.vocoder, "forward", missing)
    with pytest.raises(UserError, match="export PYTORCH_ENABLE_MPS_FALLBACK=1"):
        model("a", duration=1.0)


def test_a_model_of_loose_parts_can_not_be_exported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="put together from parts"):
        pipeline().save_pretrained(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_steps_beyond_the_grid_are_refused_before_a_caption_is_read() -> None:
    model = pipeline(text=None, sampler=RecordingSampler())
    model.text_encoder.forward = lambda *_: pytest.fail("a caption was read")
    with pytest.raises(UserError, match="num_steps=51 is out of range: 1 to 50"):
        model("a new caption", 1.0, steps=51)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "0"], "steps=0 must be 1 or more"),
        (["--omega", "nan"], "--omega nan is out of range"),
        (["--duration", "99"], "duration=99 s is out of range"),
        (["-o", "/proc/none/dog.wav"], "/proc/none"),
    ],
)
def test_the_command_refuses_before_it_loads_or_fetches(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(AudioLCM, "from_pretrained", lambda *_, **__: pytest.fail("a model was loaded"))
    assert main(["generate", "a dog", *words]) == 1
    assert message in caplog.text
