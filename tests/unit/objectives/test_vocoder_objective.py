"""The vocoder's adversarial objective: closed forms of its losses, and what its parts may touch."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Posterior
from audiolcm.models.vocoder_discriminator import MultiResolutionDiscriminator
from audiolcm.models.vocoder_istft import IstftVocoder
from audiolcm.objectives.vocoder import (
    VocoderObjective,
    discriminator_loss,
    generator_loss,
    texture_matching,
)


class Halving(nn.Module):
    """An autoencoder that forgets every second frame, and counts the mels it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def encode(self, mel: Tensor) -> Posterior:
        self.seen += len(mel)
        return Posterior(mel[..., ::2], torch.full_like(mel[..., ::2], -30.0))

    def decode(self, z: Tensor) -> Tensor:
        return z.repeat_interleave(2, dim=-1)


def objective(autoencoder: nn.Module | None = None, **settings: float) -> VocoderObjective:
    torch.manual_seed(0)
    model = IstftVocoder(width=16, depth=1, sharpening_passes=3, mel_passes=1, tonal_passes=1)
    judge = MultiResolutionDiscriminator(windows=[256], channels=4)
    return VocoderObjective(model, judge, autoencoder, **settings)


def batch(size: int = 4) -> dict[str, Tensor]:
    waveform = 0.1 * torch.randn(size, 256 * 33, generator=torch.Generator().manual_seed(0))
    return {"waveform": waveform}


def train(subject: VocoderObjective, steps: int, learning_rate: float = 2e-3) -> list[dict[str, float]]:
    optimizers = {part: torch.optim.Adam(weights, learning_rate) for part, weights in subject.parts().items()}
    history = []
    for step in range(steps):
        figures = {}
        for part, loss, scalars in subject.losses(batch(), step, torch.Generator().manual_seed(step)):
            loss.backward(inputs=subject.parts()[part])
            optimizers[part].step()
            optimizers[part].zero_grad()
            figures |= {part: float(loss.detach())} | {name: float(value) for name, value in scalars.items()}
        subject.after_step(step)
        history.append(figures)
    return history


def test_losses_are_their_closed_forms() -> None:
    real = [(torch.tensor([0.5, 1.0]), [torch.tensor([1.0, -3.0])])]
    fake = [(torch.tensor([0.0, 0.5]), [torch.tensor([2.0, -1.0])])]
    assert float(discriminator_loss(real, fake)) == pytest.approx(0.125 + 0.125)
    assert float(generator_loss(fake)) == pytest.approx((1.0 + 0.25) / 2)


def test_texture_is_blind_to_time_and_sees_spread_and_level() -> None:
    maps = torch.randn(2, 3, 5, 400, generator=torch.Generator().manual_seed(0))

    def distance(other: Tensor) -> float:
        return float(texture_matching([(maps, [maps])], [(other, [other])]))

    assert distance(maps.flip(-1)) == pytest.approx(0.0, abs=1e-5)
    assert distance(2.0 * maps - maps.mean(-1, keepdim=True)) == pytest.approx(1.0, abs=1e-3)
    assert distance(maps + 0.5) == pytest.approx(0.5, abs=0.02)
    smoothed = torch.zeros_like(maps, requires_grad=True)
    texture_matching([(maps, [maps])], [(smoothed, [smoothed])]).backward()
    assert torch.isfinite(smoothed.grad).all()


def test_two_parts_in_order_and_disjoint() -> None:
    subject = objective()
    parts = subject.parts()
    assert [part for part, _, _ in subject.losses(batch(), 0, torch.Generator())] == list(parts)
    identities = [{id(weight) for weight in weights} for weights in parts.values()]
    assert identities[0].isdisjoint(identities[1])
    kept = {id(weight) for weight in subject.trained.parameters()}
    assert identities[0] | identities[1] < kept


def test_the_discriminators_loss_reaches_no_weight_of_the_generator() -> None:
    subject = objective()
    part, loss, _ = next(iter(subject.losses(batch(), 0, torch.Generator().manual_seed(0))))
    assert part == "discriminator"
    loss.backward()
    assert all(weight.grad is None for weight in subject.trained["generator"].parameters())


def test_training_lowers_the_mel_error() -> None:
    subject = objective()
    nn.init.constant_(subject.trained["generator"].head.bias[:513].detach(), 0.7)  # every bin twice too loud
    history = train(subject, 15, learning_rate=3e-3)
    assert history[-1]["mel"] < 0.5 * history[0]["mel"]


def test_the_average_follows_and_is_the_product() -> None:
    subject = objective(ema_rate=0.5)
    before = subject.product().head.bias.clone()
    train(subject, 3)
    generator = subject.trained["generator"].head.bias
    assert subject.product() is subject.trained["average"]
    assert 0 < F.l1_loss(subject.product().head.bias, generator) < F.l1_loss(before, generator)


def test_the_share_of_reconstructed_mels() -> None:
    autoencoder = Halving()
    subject = objective(autoencoder, reconstructed_share=0.25)
    list(subject.losses(batch(8), 0, torch.Generator().manual_seed(0)))
    assert subject.given.autoencoder.seen == 2
    list(objective(autoencoder, reconstructed_share=0.0).losses(batch(8), 0, torch.Generator()))
    assert autoencoder.seen == 0


def test_validation_tells_true_from_reconstructed_mels() -> None:
    figures = objective(Halving()).validate(batch(), torch.Generator().manual_seed(0))
    assert 0 < figures["mel"] < figures["mel_reconstructed"]
    assert set(objective().validate(batch(), torch.Generator())) == {"mel"}


def test_a_step_is_a_function_of_its_generator() -> None:
    first, second = train(objective(Halving()), 2), train(objective(Halving()), 2)
    assert first == second


def test_a_wrong_share_is_explained() -> None:
    with pytest.raises(UserError, match=r"reconstructed_share=1\.5"):
        objective(Halving(), reconstructed_share=1.5)
