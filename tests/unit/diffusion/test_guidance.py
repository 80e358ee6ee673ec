"""Guidance in an interval of timesteps: in the teacher's samplers, in distillation, and what is no interval."""

import itertools

import pytest
import torch
from torch import Tensor

from audiolcm.configuration.schema import compose
from audiolcm.diffusion.guidance import UniformGuidance, omega_at, read_interval
from audiolcm.diffusion.sampler import DDIMSampler, DPMSolverPlusPlusSampler, NoiseSource, OdeSampler
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.diffusion.solver import ddim_step
from audiolcm.errors import UserError

SCHEDULE = ScaledLinearSchedule()
TEXT, EMPTY = torch.ones(2, 1, 1), torch.zeros(2, 1, 1)


class Network:
    """A prediction that the caption decides; keeps the size of every batch and its timestep."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        self.calls.append((len(z_t), int(t[0])))
        return 0.5 * z_t + 0.1 * text.mean((1, 2))[:, None, None]


def sampled(sampler: OdeSampler, network: Network) -> tuple[Tensor, int]:
    made = sampler.sample(network, SCHEDULE, NoiseSource([1, 2], 3, 4), TEXT, EMPTY)
    return made.latents, made.nfe


def test_ddim_guides_inside_the_interval_alone() -> None:
    """Against the same steps written out; where nothing is guided there is one branch, and one evaluation."""
    network = Network()
    found, nfe = sampled(DDIMSampler(5, 3.0, [399, 799]), network)
    assert network.calls == [(2, 999), (4, 799), (4, 599), (4, 399), (2, 199)]
    assert nfe == 8
    z, plain = NoiseSource([1, 2], 3, 4).draw(), Network()
    for t, s in itertools.zip_longest([999, 799, 599, 399, 199], [799, 599, 399, 199]):
        now = torch.full((2,), t)
        epsilon = plain(z, now, TEXT)
        if 399 <= t <= 799:
            epsilon = 4.0 * epsilon - 3.0 * plain(z, now, EMPTY)
        z = (
            SCHEDULE.predicted_z0(z, epsilon, now)
            if s is None
            else ddim_step(z, epsilon, now, torch.full((2,), s), SCHEDULE)
        )
    torch.testing.assert_close(found, z)


@pytest.mark.parametrize("kind", [DDIMSampler, DPMSolverPlusPlusSampler])
def test_everywhere_and_nowhere(kind: type[OdeSampler]) -> None:
    everywhere, nowhere = sampled(kind(6, 3.0), Network()), sampled(kind(6, 0.0), Network())
    for interval, expected in (((0, 999), everywhere), ((0, 3), nowhere), (None, everywhere)):
        found, nfe = sampled(kind(6, 3.0, interval), Network())
        assert nfe == expected[1]
        assert torch.equal(found, expected[0])
    assert not torch.allclose(everywhere[0], nowhere[0])


def test_a_distillation_batch_is_guided_example_by_example() -> None:
    omega, t = torch.tensor([4.0, 5.0, 6.0, 7.0]), torch.tensor([199, 200, 700, 701])
    assert omega_at(omega, t, (200, 700)).tolist() == [0.0, 5.0, 6.0, 0.0]
    assert UniformGuidance(4.0, 8.0, [200, 700]).at(omega, t).tolist() == [0.0, 5.0, 6.0, 0.0]
    assert UniformGuidance(4.0, 8.0).at(omega, t) is omega


def test_the_teacher_is_sampled_as_its_student_was_taught() -> None:
    assert compose(["guidance.interval=[100,600]"])["teacher_sampler"]["interval"] == [100, 600]


@pytest.mark.parametrize(
    ("words", "interval"),
    [([], None), (["dataset=esc10", "dataset.root=x"], [200, 700]),
     (["dataset=esc10", "dataset.root=x", "~recipe"], None),
     (["profile=paper", "dataset=esc10", "dataset.root=x", "vocoder.model.path=y"], None)],
)  # fmt: skip
def test_the_replica_of_esc10_has_an_interval_and_the_paper_none(words: list[str], interval: object) -> None:
    assert compose(words)["guidance"]["interval"] == interval


@pytest.mark.parametrize(
    "setting", [[1], [700, 200], [-1, 5], [0.5, 2], "200,700", 3, [True, False], [1, 2, 3]]
)
def test_what_is_no_interval_is_refused(setting: object) -> None:
    with pytest.raises(UserError, match=r"sampler.interval=.* type the first and the last"):
        read_interval("sampler.interval", setting)
