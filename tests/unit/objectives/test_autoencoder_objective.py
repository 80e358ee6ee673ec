"""The autoencoder's objective: every term against its closed form, and the adversary's timing and gradients."""

import math

import pytest
import torch
from torch import nn

from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.discriminator import MelPatchDiscriminator
from audiolcm.objectives.adversary import (
    HingeAdversary,
    NoAdversary,
    adaptive_weight,
    feature_matching_loss,
    hinge_discriminator_loss,
)
from audiolcm.objectives.autoencoder import AutoencoderObjective
from audiolcm.objectives.reconstruction import LearnedVarianceL1, SpectralL1


def tiny(seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    return Autoencoder(channels=32, multipliers=(1, 2), num_res_blocks=1, latent_channels=4)


def hinge(start_step: int = 0, **settings: float) -> HingeAdversary:
    torch.manual_seed(1)
    return HingeAdversary(MelPatchDiscriminator(channels=4, num_layers=2), start_step, **settings)


def make(adversary: nn.Module | None = None, **settings: float) -> AutoencoderObjective:
    return AutoencoderObjective(tiny(), SpectralL1(), adversary or NoAdversary(), **settings)


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    return {"mel": torch.randn(3, 80, 32, generator=torch.Generator().manual_seed(5)) - 2.0}


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_spectral_l1_of_a_constant_and_of_a_ramp() -> None:
    mel = torch.zeros(2, 80, 10)
    assert float(SpectralL1(slope_weight=3.0)(mel + 0.5, mel)) == pytest.approx(0.5)
    ramp = torch.arange(10.0).expand(2, 80, 10)
    assert float(SpectralL1(slope_weight=3.0)(ramp, mel)) == pytest.approx(4.5 + 3.0)
    assert float(SpectralL1(loudness_weight=2.0)(mel + 1.0, mel)) == pytest.approx(
        1.0 + 2.0 * (math.sqrt(10.0) - 1.0), rel=1e-6
    )


def test_learned_variance_is_lowest_at_the_log_of_the_error() -> None:
    loss, mel = LearnedVarianceL1(), torch.zeros(2, 80, 4)
    with torch.no_grad():
        loss.logvar.fill_(math.log(0.25))
    value = loss(mel + 0.25, mel)
    assert value.item() == pytest.approx(1.0 + math.log(0.25))
    value.backward()
    assert loss.logvar.grad.item() == pytest.approx(0.0, abs=1e-6)


def test_hinge_and_feature_matching_closed_forms() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert hinge_discriminator_loss(real, fake).item() == pytest.approx(0.5 * (0.25 + 0.5))
    features = [torch.full((2, 3), 2.0), torch.full((4,), -1.0)]
    assert feature_matching_loss(features, [f * 1.5 for f in features]).item() == pytest.approx(0.5)


def test_adaptive_weight_is_the_ratio_of_gradient_norms() -> None:
    layer = torch.tensor([1.0, 2.0], requires_grad=True)
    nll, adversarial = (layer * torch.tensor([3.0, 4.0])).sum(), (layer * torch.tensor([0.0, 2.0])).sum()
    assert adaptive_weight(nll, adversarial, layer).item() == pytest.approx(2.5)
    assert adaptive_weight(nll, 1e-9 * adversarial, layer).item() == pytest.approx(1e4)


def test_loss_is_reconstruction_plus_weighted_kl_per_bin(batch: dict[str, torch.Tensor]) -> None:
    objective = make(kl_weight=0.3)
    part, loss, scalars = next(iter(objective.losses(batch, 1, rng())))
    model = objective.trained["model"]
    posterior = model.encode(batch["mel"])
    expected = (model.decode(posterior.sample(rng())) - batch["mel"]).abs().mean()
    kl = posterior.kl().mean() / (80 * 32)
    assert part == "generator"
    assert loss.item() == pytest.approx((expected + 0.3 * kl).item(), rel=1e-5)
    assert float(scalars["kl"]) == pytest.approx(kl.item(), rel=1e-5)


def test_adversary_joins_at_its_step(batch: dict[str, torch.Tensor]) -> None:
    objective = make(hinge(start_step=10))
    assert list(objective.parts()) == ["generator", "discriminator"]
    assert [part for part, _, _ in objective.losses(batch, 9, rng())] == ["generator"]
    assert [part for part, _, _ in objective.losses(batch, 10, rng())] == ["generator", "discriminator"]
    assert list(make().parts()) == ["generator"]


def test_adversarial_gradient_equals_half_of_the_reconstruction_gradient_at_the_last_layer(
    batch: dict[str, torch.Tensor],
) -> None:
    objective = make(hinge(weight=0.5), kl_weight=0.0)
    plain = next(iter(make(kl_weight=0.0).losses(batch, 1, rng())))[1]
    full = next(iter(objective.losses(batch, 1, rng())))[1]
    # same weights and noise, so the difference of the two losses is the adversary's share
    of_full = torch.autograd.grad(full, objective.trained["model"].last_layer)[0]
    reference = make(kl_weight=0.0)
    of_plain = torch.autograd.grad(
        next(iter(reference.losses(batch, 1, rng())))[1], reference.trained["model"].last_layer
    )[0]
    assert plain.item() != full.item()
    assert ((of_full - of_plain).norm() / of_plain.norm()).item() == pytest.approx(0.5, rel=1e-3)


def test_each_loss_moves_only_its_own_part(batch: dict[str, torch.Tensor]) -> None:
    objective = make(hinge(feature_weight=1.0))
    parts = objective.parts()
    for part, loss, _ in objective.losses(batch, 0, rng()):
        objective.zero_grad(set_to_none=True)
        loss.backward()
        moved = {name: any(p.grad is not None for p in weights) for name, weights in parts.items()}
        assert moved == {name: name == part for name in parts}
    missing = [n for n, p in objective.trained["adversary"].named_parameters() if p.grad is None]
    assert not missing


def test_average_follows_and_is_the_product(batch: dict[str, torch.Tensor]) -> None:
    objective = make(ema_rate=0.5)
    model, average = objective.trained["model"], objective.product()
    before = average.decoder.conv_out.bias.clone()
    with torch.no_grad():
        model.decoder.conv_out.bias.add_(1.0)
    objective.after_step(100)
    torch.testing.assert_close(average.decoder.conv_out.bias, before + 0.5)
    figures = objective.validate(batch, rng())
    assert figures["mel_l1"] > 0 and all(math.isfinite(value) for value in figures.values())


def test_negative_kl_weight_is_refused() -> None:
    with pytest.raises(UserError, match="kl_weight"):
        make(kl_weight=-1.0)


def test_the_adversary_comes_in_gradually(batch: dict[str, torch.Tensor]) -> None:
    """With ramp_steps = 3 its weights are 1/4, 2/4, 3/4 and then all of the adaptive one's share."""
    adversary, model = hinge(10, weight=0.5, ramp_steps=3), tiny()
    reconstruction = model.decode(model.encode(batch["mel"]).mode())

    def nll(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        return (made - true).abs().mean()

    found = [
        adversary.generator_loss(batch["mel"], reconstruction, nll, model.last_layer, step)
        for step in (10, 11, 12, 13, 500)
    ]
    weights = [float(scalars["adaptive"]) for _, scalars in found]
    assert [weight / weights[-1] for weight in weights] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_a_silent_clip_does_not_rule_the_texture() -> None:
    """Against nothing at all any reconstruction is infinitely rough."""
    objective = AutoencoderObjective(tiny(), LearnedVarianceL1(), NoAdversary())
    mel = torch.rand(4, 80, 16, generator=torch.Generator().manual_seed(0)) - 3
    alone = objective.validate({"mel": mel}, torch.Generator().manual_seed(0))["texture"]
    mel = torch.cat([mel, torch.full((1, 80, 16), -5.0)])
    assert 0 < objective.validate({"mel": mel}, torch.Generator().manual_seed(0))["texture"] < 20 + alone
