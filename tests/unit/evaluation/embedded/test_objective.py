"""Augmentation and losses of the evaluator."""

import math

import pytest
import torch
from torch.nn import functional as F

from evaluation.embedded.network import EvaluatorNetwork
from evaluation.embedded.objective import EvaluatorObjective, Mixture, augment

CLASSES = 3


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def objective() -> EvaluatorObjective:
    torch.manual_seed(0)
    return EvaluatorObjective(EvaluatorNetwork(CLASSES, (4, 4, 8, 8), 8))


@pytest.fixture
def batch(objective) -> dict[str, torch.Tensor]:
    captions = ["a dog barks", "rain falls", "a dog barks", "a bell rings"]
    labels = F.one_hot(torch.tensor([0, 1, 0, 2]), CLASSES).float()
    return {
        "waveform": 0.1 * torch.randn(4, 16000, generator=generator()),
        "labels": labels,
        "frames": labels[:, None].repeat(1, 12, 1),
        "knows_events": torch.ones(4, dtype=torch.bool),
        "text": objective.trained["model"].text_encoder(captions, captions),
        "caption": torch.tensor([0, 1, 0, 2]),
    }


def loss_of(objective, batch, seed: int = 0) -> torch.Tensor:
    [(part, loss, _)] = objective.losses(batch, 0, generator(seed))
    assert part == "evaluator"
    return loss


class TestAugmentation:
    def test_it_is_a_function_of_the_generator_and_leaves_its_input(self):
        x = torch.randn(6, 64, 50)
        before = x.clone()
        first, again, other = augment(x, generator()), augment(x, generator()), augment(x, generator(1))
        assert torch.equal(first.spectrogram, again.spectrogram) and torch.equal(x, before)
        assert not torch.equal(first.spectrogram, other.spectrogram)
        assert first.spectrogram.shape == x.shape and first.spectrogram.isfinite().all()

    def test_company_is_never_the_louder_one_and_never_inaudible(self):
        share = torch.cat([augment(torch.zeros(64, 64, 4), generator(seed)).share for seed in range(8)])
        assert 0.4 < (share == 1).float().mean() < 0.6
        assert share.min() >= 0.5 and share[share < 1].max() <= 0.95

    def test_union_and_blend(self):
        mixture = Mixture(torch.zeros(2, 64, 4), torch.tensor([0.75, 1.0]), torch.tensor([1, 0]))
        labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        torch.testing.assert_close(mixture.union(labels), torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
        torch.testing.assert_close(mixture.blend(labels), torch.tensor([[0.75, 0.25], [0.0, 1.0]]))
        assert mixture.union(torch.ones(2, 7, 3)).shape == (2, 7, 3)


class TestLosses:
    def test_a_step_is_a_function_of_the_generator_alone(self, objective, batch):
        """Dropout too: else a resumed training would differ from an undisturbed one."""
        losses = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            state = torch.random.get_rng_state()
            losses.append(loss_of(objective, batch))
            assert torch.equal(torch.random.get_rng_state(), state)
        assert losses[0] == losses[1] != loss_of(objective, batch, seed=1)

    def test_every_weight_learns(self, objective, batch):
        loss_of(objective, batch).backward()
        idle = [name for name, p in objective.trained["model"].named_parameters() if not p.grad.abs().sum()]
        assert not idle

    def test_sounds_without_events_train_no_frames(self, objective, batch):
        loss_of(objective, batch | {"knows_events": torch.zeros(4, dtype=torch.bool)}).backward()
        assert objective.trained["model"].frames.weight.grad is None

    def test_the_loss_of_a_blind_network(self, objective, batch):
        """Zero logits cost ln 2 a class; equal captions share their probability, the rest is a guess among four."""
        model = objective.trained["model"]
        for layer in (model.classes, model.frames, model.sound[-1]):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        [(_, loss, scalars)] = objective.losses(batch, 0, generator())
        assert float(scalars["classes"]) == pytest.approx(CLASSES * math.log(2), rel=1e-5)
        assert float(scalars["frames"]) == pytest.approx(CLASSES * math.log(2), rel=1e-5)
        assert float(scalars["captions"]) == pytest.approx(math.log(4), rel=1e-5)
        expected = scalars["classes"] + objective.frame_weight * scalars["frames"]
        torch.testing.assert_close(loss.detach(), expected + objective.caption_weight * scalars["captions"])

    def test_it_tells_tones_by_how_high_they_are(self, objective, batch):
        t = torch.arange(16000) / 16000
        batch["waveform"] = 0.1 * torch.stack([torch.sin(6.2832 * f * t) for f in (500, 1200, 520, 2800)])
        optimizer = torch.optim.AdamW(objective.parts()["evaluator"], 1e-2)
        for step in range(100):
            [(_, loss, _)] = objective.losses(batch, step, generator(step))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        figures = objective.validate(batch, generator())
        assert (figures["accuracy"], figures["retrieval"]) == (1.0, 1.0)
        assert figures["frames"] < 0.5 * CLASSES * math.log(2)
