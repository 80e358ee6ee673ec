"""Algorithm 1 against a transcription of its lines, and its pieces against what they must do."""

import pytest
import torch
from torch import Tensor, nn

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.distance import L2, Huber, PseudoHuber
from audiolcm.diffusion.guidance import UniformGuidance
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.diffusion.solver import GridSolver
from audiolcm.objectives.consistency import ConsistencyDistillation

SCHEDULE = ScaledLinearSchedule()


class Network(nn.Module):
    """Depends on every input, so that a swapped or missing one shows."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(3, 3, 1)
        self.calls: list[tuple[int, bool]] = []

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        self.calls.append((len(z_t), omega is not None))
        w = torch.zeros(len(z_t)) if omega is None else omega
        shift = text.mean((1, 2)) + torch.sin(t.float() / 100) + 0.05 * w
        return self.mix(z_t) + shift[:, None, None]


def objective(distance=None, **changes: object) -> ConsistencyDistillation:
    torch.manual_seed(0)
    pieces = {
        "schedule": SCHEDULE,
        "boundary": BoundaryScalings(),
        "solver": GridSolver(20),
        "guidance": UniformGuidance(4.0, 12.0),
        "distance": distance or PseudoHuber(0.001),
        "unconditional": torch.full((1, 2, 2), -1.0),
    }
    return ConsistencyDistillation(Network(), **(pieces | changes))


def a_batch() -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(1)
    return {"latent": torch.randn(5, 3, 6, generator=g), "text": torch.randn(5, 2, 2, generator=g)}


def transcription(made: ConsistencyDistillation, batch: dict[str, Tensor], seed: int) -> Tensor:
    """Lines 4 to 7 of Algorithm 1 with every formula written out, from the same random draws."""
    g = torch.Generator().manual_seed(seed)
    z, c = batch["latent"], batch["text"]
    index = torch.randint(50, (5,), generator=g)
    t, s = 20 * (index + 1) - 1, torch.clamp(20 * index - 1, min=0)
    w = 4.0 + 8.0 * torch.rand(5, generator=g)
    noise = torch.randn(z.shape, generator=g)
    a = [SCHEDULE.alphas[x][:, None, None] for x in (t, s)]
    b = [SCHEDULE.sigmas[x][:, None, None] for x in (t, s)]
    z_t = a[0] * z + b[0] * noise
    teacher, empty = made.teacher, made.unconditional.expand(5, -1, -1)

    def psi(text: Tensor) -> Tensor:
        epsilon = teacher(z_t, t, text)
        return a[1] * (z_t - b[0] * epsilon) / a[0] + b[1] * epsilon - z_t

    w3 = w[:, None, None]
    z_s = z_t + (1 + w3) * psi(c) - w3 * psi(empty)

    def f(network: nn.Module, x: Tensor, time: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        scaled = 10.0 * time.float()[:, None, None]
        z_0 = (x - sigma * network(x, time, c, w)) / alpha
        return 0.25 / (scaled**2 + 0.25) * x + scaled / (scaled**2 + 0.25).sqrt() * z_0

    difference = f(made.trained["student"], z_t, t, a[0], b[0]) - f(
        made.trained["target"], z_s, s, a[1], b[1]
    )
    return (torch.sqrt(difference**2 + 0.001**2) - 0.001).mean()


def test_loss_equals_the_transcription_of_algorithm_1() -> None:
    made = objective()
    with torch.no_grad():  # student and target apart, so that exchanging them would show
        made.trained["student"].mix.weight += 0.1
    ours = made.distillation_loss(a_batch(), torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours, transcription(made, a_batch(), 3), rtol=1e-4, atol=1e-5)


def test_gradient_reaches_the_student_only() -> None:
    made = objective(distance=L2())
    made.distillation_loss(a_batch(), torch.Generator().manual_seed(3)).backward()
    assert all(p.grad is not None for p in made.trained["student"].parameters())
    for frozen in (made.teacher, made.trained["target"]):
        assert all(p.grad is None and not p.requires_grad for p in frozen.parameters())


def test_teacher_branches_are_one_call_and_take_no_omega() -> None:
    made = objective()
    made.distillation_loss(a_batch(), torch.Generator().manual_seed(3))
    assert made.teacher.calls == [(10, False)]
    assert made.trained["student"].calls == [(5, True)]


def test_target_is_the_moving_average() -> None:
    made = objective()
    before = made.trained["target"].mix.weight.clone()
    with torch.no_grad():
        made.trained["student"].mix.weight += 1.0
    made.after_step(0)
    torch.testing.assert_close(made.trained["target"].mix.weight, 0.95 * before + 0.05 * (before + 1.0))


def test_student_starts_as_the_teacher() -> None:
    made = objective()
    z, t, text = torch.randn(2, 3, 6), torch.tensor([10, 900]), torch.randn(2, 2, 2)
    torch.testing.assert_close(made.trained["student"](z, t, text), made.teacher(z, t, text), rtol=0, atol=0)


def test_validation_does_not_depend_on_when_it_runs() -> None:
    made = objective()
    first = made.validate(a_batch(), torch.Generator().manual_seed(5))
    again = made.validate(a_batch(), torch.Generator().manual_seed(5))
    assert first == again
    assert first["distance_to_teacher"] > 0


def test_product_is_the_student() -> None:
    made = objective()
    assert made.product() is made.trained["student"]


def test_checkpoint_leaves_the_teacher_out() -> None:
    assert {name.split(".")[0] for name in objective().trained.state_dict()} == {"student", "target"}


@pytest.mark.parametrize("difference", [0.0, 0.3, 1.0, 2.5])
def test_distances_against_their_formulas(difference: float) -> None:
    x, y = torch.zeros(3, 2), torch.full((3, 2), difference)
    eta, d = 0.5, difference
    expected = 0.5 * d**2 if d <= eta else eta * (d - 0.5 * eta)
    assert float(Huber(eta)(x, y)) == pytest.approx(expected, rel=1e-6)
    assert float(PseudoHuber(0.1)(x, y)) == pytest.approx((d**2 + 0.01) ** 0.5 - 0.1, rel=1e-5, abs=1e-7)
    assert float(L2()(x, y)) == pytest.approx(d**2, rel=1e-6)


def test_the_teacher_is_guided_in_the_interval_alone() -> None:
    made = objective(guidance=UniformGuidance(4.0, 12.0, [300, 600]))
    z, c = a_batch().values()
    t, omega = torch.tensor([100, 299, 300, 600, 999]), torch.full((5,), 5.0)
    with torch.no_grad():
        found = made.guided_teacher(z, t, c, omega)
        conditional, free = made.teacher(z, t, c), made.teacher(z, t, made.unconditional.expand_as(c))
    inside = torch.tensor([False, False, True, True, False])[:, None, None]
    torch.testing.assert_close(found, torch.where(inside, 6.0 * conditional - 5.0 * free, conditional))
