"""A diagnosis where the truth is known: the teacher is exact, and students are made of its flow."""

import itertools
from dataclasses import replace

import pytest
import torch
from known_truth import CLASSES, EMPTY, SCHEDULE, ExactTeacher
from torch import Tensor, nn

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.sampler import ConsistencySampler, DDIMSampler
from audiolcm.types import Denoiser
from experiments.diagnosing.diagnosis import (
    DATA,
    NOTHING,
    OWN,
    Figures,
    FlowFrom,
    GivenLatents,
    Ground,
    diagnose,
)

STEPS = 25
OMEGAS = [0.0, 2.0, 4.0]
PAIRS = [*itertools.pairwise(OMEGAS), (0.0, 4.0)]
SAMPLER = ConsistencySampler(num_steps=1)


class OfFlow(nn.Module):
    """A student that jumps to the end of a teacher's flow, under the omega it is asked for or always under one."""

    def __init__(self, ground: Ground, always: float | None = None) -> None:
        super().__init__()
        self.ground, self.always = ground, always

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return the noise that makes f the end of the flow."""
        assert omega is not None
        asked = float(omega[0]) if self.always is None else self.always
        end = self.ground.flow(z_t, int(t[0]), asked, STEPS)
        scalings = BoundaryScalings()
        z_0 = (end - scalings.c_skip(t) * z_t) / scalings.c_out(t)
        return (z_t - SCHEDULE.alpha(t) * z_0) / SCHEDULE.sigma(t)


@pytest.fixture(scope="module")
def ground() -> Ground:
    teacher = ExactTeacher(2, 3)
    classes = torch.arange(16) % 2
    latents = teacher.sample(classes, torch.Generator().manual_seed(0))
    names = [f"clip{i}" for i in range(16)]
    return Ground(teacher, SCHEDULE, latents, CLASSES[classes], EMPTY, names, STEPS)


def figures(ground: Ground, student: Denoiser, timesteps: tuple[int, ...] = (999, 499, 99)) -> Figures:
    return diagnose(student, SAMPLER, ground, timesteps, OMEGAS, PAIRS, lambda: None)


@pytest.mark.parametrize("omega", [0.0, 4.0])
@pytest.mark.parametrize("t", [999, 499, 199])
def test_the_end_is_that_of_the_flow_in_all_of_its_timesteps(ground: Ground, t: int, omega: float) -> None:
    class InAll(DDIMSampler):
        def timesteps(self, num_timesteps: int) -> list[int]:
            return list(range(t, -1, -1))

    start = ground.of_data(t, omega)
    empty = EMPTY.expand_as(ground.text)
    exact = (
        InAll(t + 1, omega)
        .sample(ground.teacher, SCHEDULE, GivenLatents(start.z_t), ground.text, empty)
        .latents
    )
    assert ground.distance(start.end, exact) < 0.03
    assert ground.distance(start.one_jump, exact) > 0.08


def test_steps_go_down_to_0_and_each_is_taken_once() -> None:
    assert FlowFrom(999, 4, 1.0).timesteps(1000) == [999, 444, 111, 0]
    assert FlowFrom(2, 25, 1.0).timesteps(1000) == [2, 1, 0]
    assert FlowFrom(799, 1, 1.0).timesteps(1000) == [799]


def test_the_flow_is_guided_in_the_interval_of_the_students_alone(ground: Ground) -> None:
    z = ground.of_data(999, 0.0).z_t
    ends = {
        interval: replace(ground, interval=interval).flow(z, 999, 4.0, STEPS)
        for interval in (None, (0, 999), (1, 1))  # the last holds none of the flow's timesteps
    }
    assert torch.equal(ends[None], ends[0, 999])
    assert torch.equal(ends[1, 1], ground.flow(z, 999, 0.0, STEPS))
    assert ground.distance(ends[None], ends[1, 1]) > 0.1


def test_a_student_that_is_the_flow_misses_nothing_and_follows_omega(ground: Ground) -> None:
    found = figures(ground, OfFlow(ground))
    assert [d.source for d in found.distances[:2]] == [DATA, OWN]
    for distance in found.distances:
        assert distance.student < 1e-3 < distance.one_jump, distance
    assert len(found.responses) == 9
    told = [response for response in found.responses if response.ends_apart > NOTHING]
    assert len(told) >= 6  # the last timesteps end alike whatever omega
    for response in told:
        assert response.response == pytest.approx(1.0, abs=0.02), response
        assert response.cosine == pytest.approx(1.0, abs=0.02), response


def test_a_student_that_is_deaf_to_omega_is_found_so(ground: Ground) -> None:
    found = figures(ground, OfFlow(ground, always=2.0))
    apart = {(r.timestep, r.omegas): r.ends_apart for r in found.responses}
    for distance in found.distances:
        if distance.omega == 2.0:
            assert distance.student < 1e-3
        elif distance.source == DATA:
            pair = (min(2.0, distance.omega), max(2.0, distance.omega))
            assert distance.student == pytest.approx(apart[distance.timestep, pair], abs=1e-3)
    for response in found.responses:
        assert response.response == (0.0 if response.ends_apart > NOTHING else None)
        assert response.cosine is None


def test_a_student_that_turns_the_wrong_way_has_a_negative_cosine(ground: Ground) -> None:
    class Mirrored(OfFlow):
        def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
            assert omega is not None
            return super().forward(z_t, t, text, 4.0 - omega)

    found = figures(ground, Mirrored(ground), (499,))
    (whole,) = (r for r in found.responses if r.omegas == (0.0, 4.0))
    assert whole.response == pytest.approx(1.0, abs=0.01)
    assert whole.cosine == pytest.approx(-1.0, abs=0.01)


def test_where_guidance_changes_nothing_there_is_nothing_to_hear(ground: Ground) -> None:
    free = EMPTY.expand_as(ground.text)
    unheard = Ground(ground.teacher, SCHEDULE, ground.latents, free, EMPTY, ground.names, STEPS)
    for response in figures(unheard, OfFlow(unheard), (499,)).responses:
        assert response.ends_apart < NOTHING
        assert response.response is None
        assert response.cosine is None


def test_a_figure_does_not_depend_on_what_else_is_asked(ground: Ground) -> None:
    student = OfFlow(ground, always=2.0)
    alone, among = figures(ground, student, (499,)), figures(ground, student)
    assert alone.distances == [d for d in among.distances if d.timestep == 499]
    assert alone.responses == [r for r in among.responses if r.timestep == 499]


def test_own_sounds_start_from_what_the_student_makes(ground: Ground) -> None:
    """Of a student that makes silence, the noised latents at a late timestep are near silence."""

    class Silent(nn.Module):
        def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
            return z_t / SCHEDULE.sigma(t)

    found = figures(ground, Silent(), (99,))
    by_source = {d.source: d for d in found.distances if d.omega == 0.0}
    assert by_source[DATA].student > 0.8  # the end is near the clip
    assert by_source[OWN].student != pytest.approx(by_source[DATA].student, rel=0.05)
