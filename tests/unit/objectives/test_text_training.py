"""A text encoder trained along with the teacher, against AdamW of torch and T5 of transformers written out by hand."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from text_files import WIDTH, save_text_files
from torch import Tensor, nn
from torch.testing import assert_close
from transformers import T5EncoderModel

from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.distributed.hardware import Hardware
from audiolcm.models.clap_t5 import ClapT5TextEncoder
from audiolcm.models.feed_forward import SwiGLU
from audiolcm.models.norm import RMSNorm
from audiolcm.models.position import RotaryPosition
from audiolcm.models.transformer import Transformer
from audiolcm.objectives.diffusion import DiffusionObjective
from audiolcm.random_numbers import Generator, rand, randint, randn
from audiolcm.training.loop import StageRun, fit
from audiolcm.training.micro_batches import training_pieces
from audiolcm.training.optimization import AdamW
from audiolcm.training.settings import StageSettings
from audiolcm.training.tracking import NoTracker

CAPTIONS = ["a dog barks", "rain falls on the roof", "the dog", "then rain"]
STRUCTURED = ["< dog & start >", "< rain & all >", "< dog & end >", "< rain & all >"]
RATE, DROPPED, AVERAGED = 3e-3, 0.5, 0.9
SETTINGS = StageSettings(
    steps=1, batch_size=4, learning_rate=RATE, crop_seconds=1.0, validate_every=2, num_validation=4, log_every=1,
    checkpoint_every=2,
)  # fmt: skip


class Clips:
    """Four clips: fixed latents, and the ids of their captions."""

    def __init__(self, encoder: ClapT5TextEncoder) -> None:
        self.ids = encoder.ids(CAPTIONS, STRUCTURED)
        self.latents = torch.randn(4, 8, 16, generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return 4

    def names(self, indices: list[int]) -> list[str]:
        return [CAPTIONS[index] for index in indices]

    def batch(self, indices: list[int], generator: Generator) -> dict[str, Tensor]:
        return {"latent": self.latents[indices], "text": self.ids[indices]}


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], tuple[DiffusionObjective, Clips]]:
    files = save_text_files(tmp_path)

    def made() -> tuple[DiffusionObjective, Clips]:
        """The same objective and clips at every call."""
        encoder = ClapT5TextEncoder(**files, tokens_per_half=12, min_vocabulary=15, trainable=True)
        torch.manual_seed(0)
        network = Transformer(8, 32, 1, 2, WIDTH, RMSNorm, RotaryPosition, SwiGLU)
        for parameter in network.parameters():  # no zeros: the text counts from the first step
            nn.init.normal_(parameter, std=0.2)
        empty = encoder.ids([""], [""])
        given = (network, ScaledLinearSchedule(), empty, DROPPED, AVERAGED)
        return DiffusionObjective(*given, text_encoder=encoder), Clips(encoder)

    return made


def train(made: DiffusionObjective, clips: Clips, settings: StageSettings, folder: Path) -> int:
    run = StageRun("teacher", folder, "abc", 5, Hardware("cpu", "float32", 1), AdamW(), NoTracker())
    return fit(made, clips, clips, settings, run)


def weights(networks: nn.ModuleDict) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in networks.state_dict().items()}


def test_gradients_reach_t5_and_not_bert(make: Callable[[], tuple[DiffusionObjective, Clips]]) -> None:
    made, clips = make()
    (trained,) = made.parts().values()
    encoder = made.text_encoder
    assert {id(p) for p in trained} == {
        id(p) for part in (made.trained["model"], encoder.t5_transformer) for p in part.parameters()
    }
    batch = {"latent": clips.latents, "text": clips.ids}
    ((_, loss, _),) = made.losses(batch, 0, torch.Generator().manual_seed(0))
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in encoder.t5_transformer.parameters())
    assert all(p.grad is None for p in encoder.caption_encoder.parameters())
    assert not encoder(CAPTIONS, STRUCTURED).requires_grad
    assert_close(encoder(CAPTIONS, STRUCTURED), encoder.encode(clips.ids).detach(), rtol=1e-5, atol=1e-6)


def noised(z: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alpha = (1 - betas).cumprod(0)[t, None, None]
    return (alpha.sqrt() * z + (1 - alpha).sqrt() * noise).float()


def test_a_step_is_that_of_one_adamw_over_denoiser_and_t5(
    make: Callable[[], tuple[DiffusionObjective, Clips]], tmp_path: Path
) -> None:
    """As the released code trains: one optimizer, one learning rate, one norm; empty captions are encoded as others."""
    made, clips = make()
    before = weights(made.trained)
    bert = copy.deepcopy(made.text_encoder.caption_encoder)
    denoiser = copy.deepcopy(made.trained["model"])
    t5 = T5EncoderModel.from_pretrained(tmp_path / "t5").eval()

    ((order, draws),) = training_pieces(clips, SETTINGS, 0, 5)
    dropped = rand([4], draws) < DROPPED
    captions = [
        ("", "") if gone else (CAPTIONS[i], STRUCTURED[i]) for i, gone in zip(order, dropped, strict=True)
    ]
    assert 0 < int(dropped.sum()) < 4
    t = randint(1000, [4], draws)
    noise = randn((4, 8, 16), draws)
    ids = made.text_encoder.ids(*map(list, zip(*captions, strict=True)))
    with torch.no_grad():
        plain = bert(ids[:, :12])
    text = torch.cat((plain, t5(ids[:, 12:]).last_hidden_state), dim=1)
    z_t = noised(clips.latents[order], noise, t)
    loss = (denoiser(z_t, t, text) - noise).square().mean()
    parameters = [*denoiser.parameters(), *t5.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=RATE)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()

    train(made, clips, SETTINGS, tmp_path / "run")
    # A first step is the gradient over its own size: of what is nearly zero that is rounding, at most a step of 3e-3
    close = {"rtol": 0, "atol": 1e-4}
    assert_close(weights(made.trained["text_model"]), weights(t5), **close)
    assert_close(weights(made.trained["model"]), weights(denoiser), **close)
    assert_close(weights(made.text_encoder.caption_encoder), weights(bert), rtol=0, atol=0)
    for name, tensor in weights(t5).items():  # the first steps remember little: 1/10 of what was
        averaged = 0.1 * before[f"text_average.{name}"] + 0.9 * tensor
        assert_close(made.trained["text_average"].state_dict()[name], averaged, **close)


def test_training_goes_on_bit_for_bit_after_a_checkpoint(
    make: Callable[[], tuple[DiffusionObjective, Clips]], tmp_path: Path
) -> None:
    four = StageSettings(**{**vars(SETTINGS), "steps": 4})
    made, clips = make()
    assert train(made, clips, four, tmp_path / "run") == 0
    expected = weights(made.trained)
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    (tmp_path / "killed/checkpoints/step-00000004.safetensors").unlink()
    made, clips = make()
    assert train(made, clips, four, tmp_path / "killed") == 2
    assert_close(weights(made.trained), expected, rtol=0, atol=0)
    assert not torch.equal(expected["text_model.shared.weight"], expected["text_average.shared.weight"])


def test_recomputed_blocks_give_the_same_gradients(
    make: Callable[[], tuple[DiffusionObjective, Clips]],
) -> None:
    found = []
    for recompute in (False, True):
        made, clips = make()
        made.trained["text_model"].recompute = recompute
        assert made.trained["text_model"].recompute is recompute
        ((_, loss, _),) = made.losses(
            {"latent": clips.latents, "text": clips.ids}, 0, torch.Generator().manual_seed(0)
        )
        loss.backward()
        found.append([parameter.grad for parameter in made.trained["text_model"].parameters()])
    assert_close(*found, rtol=0, atol=0)
