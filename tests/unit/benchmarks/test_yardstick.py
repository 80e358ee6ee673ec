"""The plain networks and the plain step compute what ours compute, with the same weights."""

import pytest
import torch
from torch import Tensor, nn

from audiolcm.assembly import Method, build_denoiser
from audiolcm.configuration.schema import compose
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.bigvgan import BigVGAN
from audiolcm.training.reproducibility import generator_for
from benchmarks.yardstick import bigvgan, decoder, denoiser
from benchmarks.yardstick.distillation import Distillation

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
RELEASED = [
    "backbone/norm=layernorm", "backbone/position=learned", "backbone/feed_forward=geglu",
    "objective/distance=pseudo_huber", "guidance=range_4_12", "model.prediction_type=epsilon",
    "model.width=64", "model.depth=2", "model.kernel_size=9",
]  # fmt: skip
TEXT_WIDTH, CHANNELS, FRAMES = 24, 5, 21


@pytest.fixture(scope="module")
def cfg() -> dict:
    return compose(RELEASED)


@pytest.fixture
def ours(cfg: dict) -> nn.Module:
    torch.manual_seed(5)
    return awake(build_denoiser(cfg, TEXT_WIDTH, CHANNELS))


@pytest.fixture
def plain(ours: nn.Module) -> denoiser.Denoiser:
    made = denoiser.Denoiser(CHANNELS, 64, 2, 4, TEXT_WIDTH)
    made.load_state_dict(ours.state_dict())
    return made


def awake(network: nn.Module) -> nn.Module:
    """Give every weight a value that counts, those that begin at zero or one too."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return network


def call() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    z_t = torch.randn(2, CHANNELS, FRAMES, generator=generator)
    text = torch.randn(2, 12, TEXT_WIDTH, generator=generator)
    return z_t, torch.tensor([999, 19]), text, torch.tensor([4.0, 7.5])


def test_denoiser(ours: nn.Module, plain: nn.Module) -> None:
    z_t, t, text, omega = call()
    torch.testing.assert_close(plain(z_t, t, text, omega), ours(z_t, t, text, omega), **CLOSE)
    torch.testing.assert_close(plain(z_t, t, text), ours(z_t, t, text), **CLOSE)


def test_decoder() -> None:
    autoencoder = awake(Autoencoder(32, (1, 2, 2), 1, 8, 20))
    made = decoder.Decoder(32, (1, 2, 2), 1, 8, 20).take(autoencoder)
    z = torch.randn(2, 8, 13, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(made(z), autoencoder.decode(z), rtol=1e-5, atol=2e-5)


def test_bigvgan() -> None:
    sizes = {"num_mels": 10, "channels": 16, "upsample_rates": [4, 2], "upsample_kernels": [8, 4]}
    ours = awake(BigVGAN(**sizes))
    made = bigvgan.BigVGAN(**sizes)
    made.load_state_dict(ours.state_dict())
    mel = torch.randn(2, 10, 9, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(made(mel), ours(mel), **CLOSE)


def test_distillation_step(cfg: dict, ours: nn.Module, plain: nn.Module) -> None:
    z, _, text, _ = call()
    unconditional = torch.randn(1, 12, TEXT_WIDTH, generator=torch.Generator().manual_seed(4))
    method = Method(cfg)
    objective = method.distillation(ours, unconditional)
    step = Distillation(plain, unconditional)
    drawing = generator_for("draws")
    t, s = method.solver.sample_pair(2, drawing)
    omega = method.guidance.sample(2, drawing)
    noise = torch.randn(z.shape, generator=drawing)

    expected = objective.distillation_loss({"latent": z, "text": text}, generator_for("draws"))
    loss = step.loss(z, text, t, s, omega, noise)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)

    expected.backward()
    loss.backward()
    student = objective.product()
    for (name, weight), other in zip(student.named_parameters(), step.student.parameters(), strict=True):
        torch.testing.assert_close(other.grad, weight.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_a_step_moves_the_student_and_the_target_after_it(plain: nn.Module) -> None:
    z, _, text, _ = call()
    before = plain.conv_in.weight.clone()
    step = Distillation(plain, torch.randn(1, 12, TEXT_WIDTH), learning_rate=1e-2)
    step.step(z, text)
    student, target = (network.conv_in.weight - before for network in (step.student, step.target))
    torch.testing.assert_close(target, 0.05 * student, rtol=1e-3, atol=1e-6)
    assert student.abs().max() > 1e-3 and torch.equal(step.teacher.conv_in.weight, before)
