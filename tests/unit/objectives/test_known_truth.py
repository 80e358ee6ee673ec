"""Guided consistency distillation where the truth is known: the teacher is the exact score of a mixture of Gaussians.

What few steps of the student give is compared with the end of the teacher's guided flow, which is followed in as many
steps as there are timesteps: from the same noise for one step, as sets of samples for several.
"""

import math
from collections.abc import Callable

import pytest
import torch
from known_truth import CLASSES, EMPTY, SCHEDULE, ExactTeacher
from torch import Tensor, nn

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.distance import L2, Huber, PseudoHuber
from audiolcm.diffusion.guidance import UniformGuidance
from audiolcm.diffusion.sampler import ConsistencySampler, DDIMSampler, NoiseSource
from audiolcm.diffusion.solver import GridSolver
from audiolcm.objectives.consistency import ConsistencyDistillation

Distance = Callable[[Tensor, Tensor], Tensor]


class Student(nn.Module):
    """A small network that predicts z_0 and tells it as noise, with class, timestep and guidance as inputs."""

    def __init__(self, channels: int, frames: int, width: int) -> None:
        super().__init__()
        size = channels * frames
        self.layers = nn.Sequential(
            nn.Linear(size + 16 + 2 + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, size),
        )  # fmt: skip

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return the predicted noise."""
        assert omega is not None
        angles = t[:, None] / 1000.0 * math.pi * 2.0 ** torch.arange(8)
        inputs = [z_t.flatten(1), angles.sin(), angles.cos(), text[:, 0], omega[:, None] / 4.0]
        z_0 = self.layers(torch.cat(inputs, 1)).view_as(z_t)
        return (z_t - SCHEDULE.alpha(t) * z_0) / SCHEDULE.sigma(t)


def distilled(teacher: ExactTeacher, k: int, distance: Distance, steps: int, width: int) -> nn.Module:
    """Return the student of the teacher after so many steps of Algorithm 1."""
    torch.manual_seed(0)
    shape = teacher.means.shape[2:]
    objective = ConsistencyDistillation(
        teacher, SCHEDULE, BoundaryScalings(), GridSolver(k), UniformGuidance(0.0, 4.0), distance, EMPTY,
        student=Student(*shape, width),
    )  # fmt: skip
    parameters = objective.parts()["student"]
    optimizer = torch.optim.Adam(parameters, 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(1)
    for step in range(steps):
        classes = torch.randint(2, (512,), generator=generator)
        batch = {"latent": teacher.sample(classes, generator), "text": CLASSES[classes]}
        (_, loss, _) = next(objective.losses(batch, step, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        objective.after_step(step)
    return objective.product().eval()


@pytest.fixture(scope="module")
def teacher() -> ExactTeacher:
    return ExactTeacher(2, 1)


def test_few_updates_bring_a_student_near_the_guided_flow(teacher: ExactTeacher) -> None:
    """Of the slow test below; one update is no training."""
    student, untrained = (distilled(teacher, 50, L2(), steps, width=128) for steps in (600, 1))
    for omega in (0.0, 4.0):
        flow = Flow(teacher, omega)
        assert flow.missed_by(student, 50) < 0.6 < flow.missed_by(untrained, 50)
        assert flow.unlike(student, 50, 2) < 0.4 < flow.unlike(untrained, 50, 2)


@pytest.mark.slow
@pytest.mark.parametrize("distance", [L2(), Huber(), PseudoHuber()], ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("k", [20, 50])
@pytest.mark.parametrize("frames", [1, 4])
def test_a_student_gives_the_guided_flow(k: int, distance: Distance, frames: int) -> None:
    """For k, distance and a point or a short sequence; with k = 5 it needs several times as many updates."""
    exact = ExactTeacher(2, frames)
    student = distilled(exact, k, distance, steps=3000, width=256)
    flows = {omega: Flow(exact, omega) for omega in (0.0, 2.0, 4.0)}
    for flow in flows.values():
        assert flow.missed_by(student, k) < 0.35
        for steps in (1, 2, 4, 8):
            assert flow.unlike(student, k, steps) < 0.3  # untrained: 1 to 3
    guided = flows[4.0].sampled(student, k, 1, 0)
    assert energy(guided, flows[4.0].ends) < energy(guided, flows[0.0].ends) / 2


def energy(x: Tensor, y: Tensor) -> float:
    """Return the energy distance of two sets of examples (count, channels, frames); 0 for equal distributions."""
    x, y = x.flatten(1), y.flatten(1)
    between = torch.cdist(x, y).mean()
    within = sum(torch.cdist(z, z).sum() / (len(z) * (len(z) - 1)) for z in (x, y))
    return float(2 * between - within)


class Flow:
    """Where a teacher's flow under a guidance scale ends, and how far from it a student is."""

    def __init__(self, teacher: ExactTeacher, omega: float, count: int = 600) -> None:
        self.shape = teacher.means.shape[2:]
        self.text = CLASSES[torch.arange(count) % 2]
        self.omega = omega
        flow = DDIMSampler(1000, omega)
        self.empty = EMPTY.expand_as(self.text)
        self.ends, others = (
            flow.sample(teacher, SCHEDULE, self.noise(number), self.text, self.empty).latents
            for number in (0, 1)
        )
        self.scale = float((self.ends - others).square().mean().sqrt())  # of two examples of one class

    def noise(self, set_number: int) -> NoiseSource:
        return NoiseSource([10_000 * set_number + i for i in range(len(self.text))], *self.shape)

    def sampled(self, student: nn.Module, k: int, steps: int, set_number: int) -> Tensor:
        sampler = ConsistencySampler(steps, self.omega, k)
        with torch.no_grad():
            return sampler.sample(student, SCHEDULE, self.noise(set_number), self.text, self.empty).latents

    def missed_by(self, student: nn.Module, k: int) -> float:
        """The distance of one step to the end of the flow from the same noise, over that of two ends."""
        off = (self.sampled(student, k, 1, 0) - self.ends).square().mean().sqrt()
        return float(off) / self.scale

    def unlike(self, student: nn.Module, k: int, steps: int) -> float:
        """The energy distance of sets from other noise, over the scale of the ends; the mean of both classes."""
        sampled = self.sampled(student, k, steps, 2)
        parts = [energy(sampled[c::2], self.ends[c::2]) for c in (0, 1)]
        return sum(parts) / 2 / self.scale
