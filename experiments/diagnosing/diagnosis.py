"""How far a student is from what it was taught: f(z_t, t, omega) against the end of its teacher's guided flow.

Both start at the same z_t: a real clip's latent, or the student's own, noised to t. Distances are root mean squares
over all elements of all latents, in units of the clips' own deviation.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiolcm.diffusion.consistency import consistency_function
from audiolcm.diffusion.guidance import Interval
from audiolcm.diffusion.sampler import ConsistencySampler, DPMSolverPlusPlusSampler, NoiseSource, Sampler
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.training.reproducibility import derived_seed
from audiolcm.types import Denoiser, Latent, TextTokens

DATA, OWN = "data", "own sounds"
NOTHING = 1e-4
"""What rounding leaves of a distance of 0, and more."""


class FlowFrom(DPMSolverPlusPlusSampler):
    """The guided flow from any timestep ``start`` on, in at most ``num_steps`` second-order steps.

    Steps get shorter towards the end, quadratically: on the exact teacher of the tests 25 of them mostly end within
    0.02 deviations of the flow in all of its timesteps, and within 0.07 at omega 12; as many even ones within 0.12.
    """

    def __init__(self, start: int, num_steps: int, omega: float, interval: Interval = None) -> None:
        super().__init__(num_steps, omega, interval)
        self.start = start

    def timesteps(self, num_timesteps: int) -> list[int]:
        """Return start (1 - i / (num_steps - 1))^2, rounded, each once; of one step ``start`` alone."""
        spaced = self.start * np.linspace(1.0, 0.0, self.num_steps) ** 2
        return sorted({int(t) for t in np.round(spaced)}, reverse=True)


class GivenLatents(NoiseSource):
    """Latents that a sampler goes on from, in the place of noise."""

    def __init__(self, latents: Latent) -> None:
        self.latents = latents

    def draw(self) -> Latent:
        """Return them."""
        return self.latents


@dataclass(frozen=True)
class Start:
    """A noised latent, where the flow from it ends, and z_0 as the teacher predicts it there in one guided call."""

    z_t: Latent
    end: Latent
    one_jump: Latent


@dataclass(frozen=True)
class Distance:
    """How far the student, and the teacher in one call, are from the end of the flow."""

    source: str
    timestep: int
    omega: float
    student: float
    one_jump: float


@dataclass(frozen=True)
class Response:
    """What another omega changes at one timestep, from the same noised clips.

    ``response`` is how far the student moves over how far the end of the flow does, ``cosine`` whether in the same
    direction. None where the end does not move, or the student does not.
    """

    timestep: int
    omegas: tuple[float, float]
    ends_apart: float
    response: float | None
    cosine: float | None


@dataclass(frozen=True)
class Figures:
    """All that is found of one student."""

    distances: list[Distance]
    responses: list[Response]


@dataclass
class Ground:
    """Clips, and the teacher's flow from them. The flow from data is followed once for all students of the teacher.

    ``interval`` is that of the timesteps at which the students' teacher was guided.
    """

    teacher: Denoiser
    schedule: NoiseSchedule
    latents: Latent
    text: TextTokens
    unconditional: TextTokens
    names: Sequence[str]
    num_steps: int
    interval: Interval = None

    def __post_init__(self) -> None:
        self.deviation = float(self.latents.std())
        self._of_data: dict[tuple[int, float], Start] = {}

    def noise(self, *purpose: int | str) -> NoiseSource:
        """Return noise that depends on the clips' names and a purpose, whatever else is diagnosed."""
        seeds = [derived_seed("diagnosis", name, *purpose) for name in self.names]
        return NoiseSource(seeds, *self.latents.shape[1:], device=self.latents.device)

    def of_data(self, t: int, omega: float) -> Start:
        """Return the clips noised to ``t``: from the same noise for every omega."""
        if (t, omega) not in self._of_data:
            self._of_data[t, omega] = self.start(self.latents, t, omega)
        return self._of_data[t, omega]

    def start(self, z: Latent, t: int, omega: float) -> Start:
        """Return clean latents noised to ``t``, and what becomes of them."""
        z_t = self.schedule.add_noise(z, self.noise("noised", t).draw(), self.each(t))
        end, one_jump = (self.flow(z_t, t, omega, steps) for steps in (self.num_steps, 1))
        return Start(z_t, end, one_jump)

    def each(self, value: float) -> Tensor:
        """Return a timestep, or an omega, for each clip."""
        return torch.full((len(self.names),), value, device=self.latents.device)

    def flow(self, z_t: Latent, t: int, omega: float, num_steps: int) -> Latent:
        """Return where the guided flow from ``z_t`` ends; in one step z_0 as the teacher predicts it there."""
        return self.sample(FlowFrom(t, num_steps, omega, self.interval), self.teacher, GivenLatents(z_t))

    def sample(self, sampler: Sampler, denoiser: Denoiser, noise: NoiseSource) -> Latent:
        """Return what a sampler makes of noise for the clips' text."""
        unconditional = self.unconditional.expand_as(self.text)
        return sampler.sample(denoiser, self.schedule, noise, self.text, unconditional).latents

    def distance(self, x: Latent, y: Latent) -> float:
        """Return the root mean square of a difference, in units of the clips' deviation."""
        return float((x - y).square().mean().sqrt()) / self.deviation


@torch.no_grad()
def diagnose(
    student: Denoiser,
    sampler: ConsistencySampler,
    ground: Ground,
    timesteps: Sequence[int],
    omegas: Sequence[float],
    pairs: Sequence[tuple[float, float]],
    told: Callable[[], object],
) -> Figures:
    """Measure one student.

    Args:
        student: the denoiser.
        sampler: what its own sounds are made by, with another omega each; its boundary scalings are those of f.
        ground: clips, and the teacher's flow from them.
        timesteps: where its calls begin.
        omegas: what it is asked for.
        pairs: of these omegas, between which its answers are compared.
        told: called after each source, timestep and omega.
    """
    own = {}
    for omega in omegas:
        at_omega = ConsistencySampler(sampler.num_steps, omega, sampler.k, sampler.boundary)
        own[omega] = ground.sample(at_omega, student, ground.noise("own"))  # the same noise
    distances: list[Distance] = []
    responses: list[Response] = []
    for t in timesteps:
        reached: dict[float, Latent] = {}
        for omega, source in itertools.product(omegas, (DATA, OWN)):
            start = ground.of_data(t, omega) if source == DATA else ground.start(own[omega], t, omega)
            times, scales = ground.each(t), ground.each(omega)
            asked = ground.text, scales, ground.schedule, sampler.boundary
            f = consistency_function(student, start.z_t, times, *asked)
            missed, by_one_jump = (ground.distance(x, start.end) for x in (f, start.one_jump))
            distances.append(Distance(source, t, omega, missed, by_one_jump))
            if source == DATA:
                reached[omega] = f
            told()
        responses += [_response(reached, ground, t, pair) for pair in pairs]
    return Figures(distances, responses)


def _response(reached: dict[float, Latent], ground: Ground, t: int, pair: tuple[float, float]) -> Response:
    low, high = pair
    ends = [ground.of_data(t, omega).end for omega in pair]
    apart = ground.distance(ends[1], ends[0])
    moved, end_moved = (reached[high] - reached[low]).double(), (ends[1] - ends[0]).double()
    lengths = float(moved.norm()), float(end_moved.norm())
    if apart < NOTHING:
        return Response(t, pair, apart, None, None)
    cosine = float((moved * end_moved).sum()) / (lengths[0] * lengths[1]) if lengths[0] else None
    return Response(t, pair, apart, lengths[0] / lengths[1], cosine)
