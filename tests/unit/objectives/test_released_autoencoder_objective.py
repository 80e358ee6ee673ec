"""The released autoencoder's training, transcribed: two GPUs of four examples, torch's Adam, BatchNorm and autograd."""

from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.discriminator import MelPatchDiscriminator, PatchDiscriminator
from audiolcm.objectives.adversary import HingeAdversary, LeastSquaresAdversary
from audiolcm.objectives.autoencoder import AutoencoderObjective

GPUS, BATCH = 2, 4
START = 2
RATES = (2e-6, 1e-2)  # of the summed loss, and of the discriminator
"""The step at which the discriminator joins (80,001), and the learning rate (4.5e-6 x batch x GPUs)."""


def tiny() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(channels=32, multipliers=(1, 2), num_res_blocks=1, latent_channels=4)


@cache
def settings() -> dict[str, Any]:
    return compose(["autoencoder/objective=released"])["autoencoder"]


def make(model: Autoencoder, start_step: int = START) -> AutoencoderObjective:
    node = deepcopy(settings()["objective"])
    node["adversary"]["start_step"] = start_step
    node["adversary"]["discriminator"]["channels"] = 8
    torch.manual_seed(1)
    return build(node, "autoencoder.objective", model=model)


def patch_gan(ours: PatchDiscriminator) -> nn.Sequential:
    """Return the released layers at an eighth of their width, with the weights of ``ours``."""
    layers: list[nn.Module] = [nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs, stride in ((8, 16, 2), (16, 32, 2), (32, 64, 1)):
        layers += [
            nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        ]
    judge = nn.Sequential(*layers, nn.Conv2d(64, 1, 4, 1, 1))
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), judge.parameters(), strict=True):
            other.copy_(mine)
    return judge


def batch() -> torch.Tensor:
    return torch.randn(GPUS * BATCH, 80, 32, generator=torch.Generator().manual_seed(5)) - 2.0


class Released:
    """One of its GPUs computes on four examples alone; the gradients of the GPUs are averaged."""

    def __init__(self, model: Autoencoder, judge: nn.Module) -> None:
        self.model, self.judge = model, judge
        trained = (model.encoder, model.decoder, model.quant_conv, model.post_quant_conv)
        weights = [p for part in trained for p in part.parameters()]
        self.optimizers = [
            torch.optim.SGD(list(of), lr=rate)
            for of, rate in zip((weights, judge.parameters()), RATES, strict=True)
        ]

    def passed(self, mel: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        moments = self.model.quant_conv(self.model.encoder(mel))
        mean, logvar = moments.chunk(2, dim=1)
        logvar = logvar.clamp(-30.0, 20.0)
        kl = 0.5 * (mean**2 + logvar.exp() - 1.0 - logvar).sum() / len(mel)
        z = mean + torch.exp(0.5 * logvar) * noise
        return self.model.decoder(self.model.post_quant_conv(z)), kl

    def of_autoencoder(self, mel: torch.Tensor, noise: torch.Tensor, step: int) -> torch.Tensor:
        made, kl = self.passed(mel, noise)
        nll = (mel - made).abs().sum() / len(mel)
        deceived = -self.judge(made.unsqueeze(1)).mean()
        last = self.model.decoder.conv_out.weight
        of_nll, of_deceived = (torch.autograd.grad(x, last, retain_graph=True)[0] for x in (nll, deceived))
        weight = 0.5 * (of_nll.norm() / (of_deceived.norm() + 1e-4)).clamp(0.0, 1e4)
        factor = 2.0 if step >= START else 0.0
        return nll + 1e-6 * kl + weight.detach() * factor * deceived

    def of_discriminator(self, mel: torch.Tensor, noise: torch.Tensor, step: int) -> torch.Tensor:
        shown = mel.clone().requires_grad_(True)
        on_true = self.judge(shown.unsqueeze(1))
        on_made = self.judge(self.passed(mel, noise)[0].detach().unsqueeze(1))
        factor = 2.0 if step >= START else 0.0
        wrong = 0.5 * (((1 - on_true) ** 2).mean() + (on_made**2).mean())
        (gradient,) = torch.autograd.grad(on_true.sum(), shown, create_graph=True)
        return factor * wrong + 3.0 * (gradient**2).mean()

    def step(self, mel: torch.Tensor, draws: torch.Generator, step: int) -> list[float]:
        """Take a step of the autoencoder, then one of the discriminator; return both losses."""
        means = []
        for loss, optimizer in zip(
            (self.of_autoencoder, self.of_discriminator), self.optimizers, strict=True
        ):
            noise = torch.randn(len(mel), 4, mel.shape[2] // 2, generator=draws)
            mean = torch.stack(
                [loss(*on_gpu, step) for on_gpu in zip(mel.split(BATCH), noise.split(BATCH), strict=True)]
            ).mean()
            self.model.zero_grad()
            self.judge.zero_grad()
            mean.backward()
            optimizer.step()
            means.append(mean.item())
        return means


def test_five_steps_are_the_released_ones() -> None:
    """Two of them before the discriminator joins, when its gradient penalty already trains it.

    The steps are those of plain gradient descent: Adam makes whole steps of what rounding leaves of nothing.
    """
    objective, model = make(tiny()), tiny()
    judge = objective.trained["adversary"].discriminator
    theirs = Released(model, patch_gan(judge))
    optimizers = {
        part: torch.optim.SGD(weights, lr=rate)
        for (part, weights), rate in zip(objective.parts().items(), RATES, strict=True)
    }
    for step in range(5):  # whose numbers are drawn anew, as in a training
        ours, draws = torch.Generator().manual_seed(step), torch.Generator().manual_seed(step)
        expected = theirs.step(batch(), draws, step)
        found = []
        for part, loss, _ in objective.losses({"mel": batch()}, step, ours):
            loss.backward(inputs=objective.parts()[part])
            optimizers[part].step()
            optimizers[part].zero_grad()
            found.append(loss.item())
        assert found == pytest.approx(expected, rel=1e-4), step
    objective.after_step(4)  # without a moving average the product is the trained network
    found_model = objective.product()
    torch.testing.assert_close(found_model(batch()), model(batch()), rtol=0, atol=1e-4)
    expected_weights = dict(model.named_parameters())
    before = dict(tiny().named_parameters())
    for name, weight in found_model.named_parameters():
        torch.testing.assert_close(weight, expected_weights[name], rtol=0, atol=1e-6)
    assert max(float((w - before[name]).abs().max()) for name, w in expected_weights.items()) > 1e-4
    for mine, other in zip(judge.parameters(), theirs.judge.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)


def test_its_optimizer_is_adam() -> None:
    weights = [torch.nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2)]
    ours = build(settings()["optimizer"], "autoencoder.optimizer").make(weights[:1])
    ours.param_groups[0]["lr"] = 1e-3
    theirs = torch.optim.Adam(weights[1:], lr=1e-3, betas=(0.5, 0.9))
    for seed in range(5):
        gradient = torch.randn(7, generator=torch.Generator().manual_seed(seed))
        for weight, optimizer in zip(weights, (ours, theirs), strict=True):
            weight.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(*weights, rtol=0, atol=1e-7)


def test_the_yaml_says_what_the_released_configuration_says() -> None:
    cfg = settings()
    adversary, optimizer = cfg["objective"]["adversary"], cfg["optimizer"]
    assert {key: adversary[key] for key in ("start_step", "factor", "weight", "penalty_weight", "floor")} == {
        "start_step": 80001, "factor": 2.0, "weight": 0.5, "penalty_weight": 3.0, "floor": 1e-4,
    }  # fmt: skip
    assert adversary["group_size"] == 4
    assert cfg["objective"]["kl_weight"] == 1e-6
    assert (optimizer["beta1"], optimizer["beta2"], optimizer["weight_decay"]) == (0.5, 0.9, 0.0)
    paper = compose(["profile=paper"])
    assert {key: paper["autoencoder"][key] for key in cfg if key != "model"} == {
        key: cfg[key] for key in cfg if key != "model"
    }
    trainer = paper["trainer"]["autoencoder"]
    assert trainer["learning_rate"] == pytest.approx(4.5e-6 * 4 * 8)
    assert (trainer["batch_size"], trainer["warmup_steps"], trainer["clip_norm"]) == (32, 0, None)


def test_logvar_is_in_no_optimizer_and_does_not_move() -> None:
    objective = make(tiny())
    model = objective.trained["model"]
    parts = objective.parts()
    trained = [
        p
        for part in ("encoder", "decoder", "quant_conv", "post_quant_conv")
        for p in getattr(model, part).parameters()
    ]
    assert {id(p) for p in parts["generator"]} == {id(p) for p in trained}
    assert {id(p) for p in parts["discriminator"]} == {
        id(p) for p in objective.trained["adversary"].parameters()
    }
    assert not list(objective.trained["reconstruction"].state_dict())
    mel = torch.zeros(2, 80, 8)
    reconstruction = objective.trained["reconstruction"]
    assert reconstruction(mel + 0.1, mel).item() == pytest.approx(0.1), "0.1 / exp(0) + 0"


def test_the_discriminator_joins_at_its_step_and_is_penalized_before() -> None:
    objective = make(tiny())
    logged = {}
    for step in (START - 1, START):
        found = list(objective.losses({"mel": batch()}, step, torch.Generator().manual_seed(7)))
        assert [part for part, _, _ in found] == ["generator", "discriminator"]
        logged[step] = found
    (_, before, of_autoencoder), (_, penalty, scalars) = logged[START - 1]
    assert "adversarial" not in of_autoencoder
    assert penalty.item() == pytest.approx(3.0 * float(scalars["penalty"]))
    num_bins = 80 * 32
    expected = num_bins * (float(of_autoencoder["reconstruction"]) + 1e-6 * float(of_autoencoder["kl"]))
    assert before.item() == pytest.approx(expected, rel=1e-5)
    (_, joined, more), (_, judged, _) = logged[START]
    added = float(more["adaptive"] * more["adversarial"])
    assert joined.item() != before.item() and added != 0.0
    assert judged.item() > penalty.item()


def test_it_is_the_mean_over_groups_so_that_it_can_be_taken_in_pieces() -> None:
    objective = make(tiny(), 0)
    assert (objective.additive, objective.examples_together) == (True, 4)
    whole = [
        loss.item() for _, loss, _ in objective.losses({"mel": batch()}, 0, torch.Generator().manual_seed(7))
    ]
    draws = [torch.randn(8, 4, 16, generator=g) for g in [torch.Generator().manual_seed(7)] for _ in range(2)]
    pieces = []
    for half in range(GPUS):
        noises = iter([draw.split(BATCH)[half] for draw in draws])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("audiolcm.models.autoencoder.randn", lambda shape, generator, n=noises: next(n))
            piece = objective.losses({"mel": batch().split(BATCH)[half]}, 0, torch.Generator())
            pieces.append([loss.item() for _, loss, _ in piece])
    assert torch.tensor(pieces).mean(0).tolist() == pytest.approx(whole, rel=1e-5)


def test_batch_normalization_needs_a_group() -> None:
    with pytest.raises(UserError, match=r"group_size is null.*batch normalization.*group_size=4"):
        LeastSquaresAdversary(PatchDiscriminator(channels=8), 0)


@pytest.mark.parametrize("kind", [HingeAdversary, LeastSquaresAdversary])
def test_choices_go_together_in_any_way(kind: type[HingeAdversary]) -> None:
    """Another discriminator, feature matching, a ramp, no penalty, the whole batch as one group."""
    judge = MelPatchDiscriminator(channels=4, num_layers=2)
    adversary = kind(judge, 0, feature_weight=1.0, ramp_steps=3, penalty_weight=0.5)
    reconstruction = make(tiny()).trained["reconstruction"]
    objective = AutoencoderObjective(tiny(), reconstruction, adversary, loss_per="example")
    assert not objective.additive
    for part, loss, scalars in objective.losses({"mel": batch()}, 1, torch.Generator().manual_seed(7)):
        loss.backward(inputs=objective.parts()[part])
        assert loss.isfinite() and all(torch.as_tensor(value).isfinite() for value in scalars.values())
    with pytest.raises(UserError, match="loss_per=mel: choose bin or example"):
        AutoencoderObjective(tiny(), reconstruction, adversary, loss_per="mel")
