"""The released sampler, distillation loss and text projection, written out once more in float64 from the facts.

The functions named released_... use nothing of ours: they are the method as published code runs it, in
their notation of alphas_cumprod = alpha^2. The tests feed both with the same draws.
"""

import copy
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.distance import PseudoHuber
from audiolcm.diffusion.guidance import UniformGuidance
from audiolcm.diffusion.sampler import ConsistencySampler, NoiseSource
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.diffusion.solver import GridSolver
from audiolcm.models.clap_t5 import Projection
from audiolcm.objectives.consistency import ConsistencyDistillation

T = 1000
Network = Callable[..., Tensor]


def released_alphas_cumprod() -> Tensor:
    """alpha_t^2 for t = 0 .. T-1 of beta = linspace(sqrt(0.00085), sqrt(0.012), T)^2."""
    betas = np.linspace(math.sqrt(0.00085), math.sqrt(0.012), T) ** 2
    return torch.tensor(np.cumprod(1.0 - betas))


def column(values: Tensor) -> Tensor:
    return values[:, None, None]


def released_scalings(t: Tensor) -> tuple[Tensor, Tensor]:
    """c_skip = s^2 / ((10 t)^2 + s^2) and c_out = 10 t / sqrt((10 t)^2 + s^2), s = 0.5."""
    scaled = 10.0 * t.double()
    return column(0.25 / (scaled**2 + 0.25)), column(scaled / torch.sqrt(scaled**2 + 0.25))


def released_predicted_z_0(epsilon: Tensor, t: Tensor, z: Tensor) -> Tensor:
    alphas_cumprod = column(released_alphas_cumprod()[t])
    return (z - torch.sqrt(1.0 - alphas_cumprod) * epsilon) / torch.sqrt(alphas_cumprod)


def released_sampler(
    network: Network, text: Tensor, omega: float, nfe: int, k: int, noise: list[Tensor]
) -> Tensor:
    """Grid k i - 1 reversed, ``nfe`` of its timesteps, re-noised to the next one after every call but the last."""
    grid = [k * i - 1 for i in range(1, T // k + 1)][::-1]
    timesteps = [grid[math.floor(index)] for index in np.linspace(0, len(grid), nfe, endpoint=False)]
    z = noise[0].double()
    omegas = torch.full((len(z),), omega, dtype=torch.float64)
    for i, timestep in enumerate(timesteps):
        t = torch.full((len(z),), timestep)
        c_skip, c_out = released_scalings(t)
        denoised = c_out * released_predicted_z_0(network(z, t, text, omegas), t, z) + c_skip * z
        if i == nfe - 1:
            return denoised
        alphas_cumprod = released_alphas_cumprod()[timesteps[i + 1]]
        z = torch.sqrt(alphas_cumprod) * denoised + torch.sqrt(1.0 - alphas_cumprod) * noise[i + 1].double()
    raise AssertionError("no timesteps")


def released_loss(
    networks: dict[str, Network],
    z: Tensor,
    text: Tensor,
    empty: Tensor,
    k: int,
    draws: tuple[Tensor, Tensor, Tensor],
) -> Tensor:
    """One value of the distillation loss; ``draws`` are the grid's indices 0 .. T/k - 1, omega and noise."""
    index, omega, noise = draws
    alphas_cumprod = released_alphas_cumprod()
    grid = torch.tensor([k * i - 1 for i in range(1, T // k + 1)])
    alphas_before = alphas_cumprod[[0, *grid[:-1].tolist()]]
    start = grid[index]
    end = torch.clamp(start - k, min=0)
    a = column(alphas_cumprod[start])
    z_start = torch.sqrt(a) * z + torch.sqrt(1.0 - a) * noise

    c_skip, c_out = released_scalings(start)
    epsilon = networks["student"](z_start, start, text, omega)
    prediction = c_skip * z_start + c_out * released_predicted_z_0(epsilon, start, z_start)
    with torch.no_grad():
        w = column(omega)
        with_text = networks["teacher"](z_start, start, text)
        without = networks["teacher"](z_start, start, empty.expand_as(text))
        z_0, z_0_without = (released_predicted_z_0(e, start, z_start) for e in (with_text, without))
        guided_z_0 = z_0 + w * (z_0 - z_0_without)
        guided_epsilon = with_text + w * (with_text - without)
        a = column(alphas_before[index])
        z_end = torch.sqrt(a) * guided_z_0 + torch.sqrt(1.0 - a) * guided_epsilon
        c_skip, c_out = released_scalings(end)
        epsilon = networks["target"](z_end, end, text, omega)
        aim = c_skip * z_end + c_out * released_predicted_z_0(epsilon, end, z_end)
    return torch.mean(torch.sqrt((prediction - aim) ** 2 + 0.001**2) - 0.001)


def released_projection(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """LayerNorm(e1 + W2 gelu(e1)), e1 = W1 x; the exact GELU, the biased variance, eps 1e-5."""
    e1 = torch.einsum("oi,bti->bto", w["linear1.weight"], x)
    gelu = 0.5 * e1 * (1.0 + torch.special.erf(e1 / math.sqrt(2.0)))
    summed = e1 + torch.einsum("oi,bti->bto", w["linear2.weight"], gelu)
    centered = summed - summed.mean(-1, keepdim=True)
    normalized = centered / torch.sqrt((centered**2).mean(-1, keepdim=True) + 1e-5)
    return normalized * w["layer_norm.weight"] + w["layer_norm.bias"]


class Denoiser(nn.Module):
    """Random weights; depends on z, t, every text token and omega, so that a swapped or missing one shows."""

    def __init__(self, seed: int, channels: int = 3, text_width: int = 5) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.expand, self.contract = nn.Conv1d(channels, 8, 3, padding=1), nn.Conv1d(8, channels, 1)
        self.listen, self.scale = nn.Linear(text_width, 8), nn.Linear(2, 8)

    def forward(self, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor | None = None) -> Tensor:
        omega = torch.zeros(len(z_t)) if omega is None else omega
        numbers = torch.stack([t.to(z_t.dtype) / T, omega.to(z_t.dtype) / 10.0], dim=1)
        heard = torch.tanh(self.listen(text)).mean(1) + self.scale(numbers)
        return self.contract(torch.sin(self.expand(z_t) + heard[:, :, None]))


class ReplayedNoise(NoiseSource):
    """A noise source that returns given draws in their order."""

    def __init__(self, draws: list[Tensor]) -> None:
        super().__init__([0] * len(draws[0]), *draws[0].shape[1:])
        self.left: Iterator[Tensor] = iter(draws)

    def draw(self) -> Tensor:
        return next(self.left)


def exact(network: nn.Module) -> nn.Module:
    """The same network in float64, with weights of its own."""
    return copy.deepcopy(network).double()


@pytest.mark.parametrize("k", [20, 5])
@pytest.mark.parametrize("nfe", [1, 2, 4, 8])
@pytest.mark.parametrize("omega", [0.0, 4.0, 11.5])
@torch.no_grad()
def test_sampler_is_the_released_one(nfe: int, k: int, omega: float) -> None:
    g = torch.Generator().manual_seed(nfe)
    draws = [torch.randn(4, 3, 16, generator=g) for _ in range(nfe)]
    text, network = torch.randn(4, 7, 5, generator=g), Denoiser(k)
    expected = released_sampler(exact(network), text.double(), omega, nfe, k, draws)
    noise, unused = ReplayedNoise(draws), torch.full_like(text, float("nan"))
    sampled = ConsistencySampler(nfe, omega, k).sample(network, ScaledLinearSchedule(), noise, text, unused)
    error = float((sampled.latents - expected).abs().max() / expected.abs().max())
    assert error < 1e-5
    assert sampled.nfe == nfe
    assert next(noise.left, None) is None  # every draw was used


def distillation(seed: int, k: int) -> tuple[ConsistencyDistillation, dict[str, nn.Module]]:
    """Our objective with a student and a target that have left the teacher, and all three in float64."""
    g = torch.Generator().manual_seed(seed)
    made = ConsistencyDistillation(
        Denoiser(seed), ScaledLinearSchedule(), BoundaryScalings(), GridSolver(k), UniformGuidance(4.0, 12.0),
        PseudoHuber(0.001), torch.randn(1, 7, 5, generator=g),
    )  # fmt: skip
    made.trained["student"].load_state_dict(Denoiser(100 + seed).state_dict())
    made.trained["target"].load_state_dict(Denoiser(200 + seed).state_dict())
    three = {"teacher": made.teacher, "student": made.trained["student"], "target": made.trained["target"]}
    return made, {name: exact(network) for name, network in three.items()}


def draws_of(seed: int, shape: tuple[int, ...], k: int) -> tuple[Tensor, Tensor, Tensor]:
    """What our objective draws from a generator of this seed, in its order: grid indices, omega, noise."""
    g = torch.Generator().manual_seed(seed)
    index = torch.randint(T // k, shape[:1], generator=g)
    omega = 4.0 + 8.0 * torch.rand(shape[0], generator=g)
    return index, omega.double(), torch.randn(shape, generator=g).double()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [20, 5])
def test_distillation_loss_is_the_released_one(seed: int, k: int) -> None:
    made, networks = distillation(seed, k)
    g = torch.Generator().manual_seed(300 + seed)
    z, text = torch.randn(6, 3, 16, generator=g), torch.randn(6, 7, 5, generator=g)
    draws = draws_of(seed, z.shape, k)
    expected = released_loss(networks, z.double(), text.double(), made.unconditional.double(), k, draws)
    ours = made.distillation_loss({"latent": z, "text": text}, torch.Generator().manual_seed(seed))
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)

    expected.backward()
    ours.backward()
    theirs = dict(networks["student"].named_parameters())
    for name, parameter in made.trained["student"].named_parameters():
        gradient = theirs[name].grad
        assert float((parameter.grad - gradient).abs().max() / gradient.abs().max()) < 1e-5, name


def test_distillation_loss_below_the_first_grid_point() -> None:
    """Grid index 0: the step ends at timestep 0, with alpha_0 and not with 1."""
    made, networks = distillation(0, 500)  # two grid points: 499 and 999
    g = torch.Generator().manual_seed(1)
    z, text = torch.randn(8, 3, 16, generator=g), torch.randn(8, 7, 5, generator=g)
    draws = draws_of(9, z.shape, 500)
    assert set(draws[0].tolist()) == {0, 1}
    expected = released_loss(networks, z.double(), text.double(), made.unconditional.double(), 500, draws)
    ours = made.distillation_loss({"latent": z, "text": text}, torch.Generator().manual_seed(9))
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)


@torch.no_grad()
def test_text_projection_is_the_released_one() -> None:
    torch.manual_seed(0)
    projection = Projection(24, 32)
    nn.init.normal_(projection.layer_norm.weight)
    nn.init.normal_(projection.layer_norm.bias)
    x = 3.0 * torch.randn(2, 7, 24)
    weights = {name: weight.double() for name, weight in projection.state_dict().items()}
    expected = released_projection(weights, x.double())
    assert float((projection(x) - expected).abs().max()) < 1e-5
