"""Guided latent consistency distillation: Algorithm 1 of the paper."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from audiolcm.diffusion.boundary import BoundaryScalings
from audiolcm.diffusion.consistency import consistency_function
from audiolcm.diffusion.guidance import UniformGuidance, guide
from audiolcm.diffusion.sampler import DPMSolverPlusPlusSampler, NoiseSource
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.diffusion.solver import SkippingSolver
from audiolcm.models.ema import ema_update, frozen_copy
from audiolcm.objectives.objective import Batch, Scalars
from audiolcm.random_numbers import Generator, on_device, randint, randn
from audiolcm.types import TextTokens


class ConsistencyDistillation(nn.Module):
    """Distills ``teacher`` (frozen) into a student that jumps to z_0 from any timestep.

    Args:
        teacher: the trained noise prediction model, frozen here; student and target start as its copies (line 2).
        schedule, boundary, solver, guidance, distance: the pieces of Algorithm 1's first line.
        unconditional: text features of the empty caption, (1, tokens, width), computed once.
        ema_rate: mu of line 9.
        student: what student and target start as instead, when their backbone is not the teacher's.
    """

    def __init__(
        self,
        teacher: nn.Module,
        schedule: NoiseSchedule,
        boundary: BoundaryScalings,
        solver: SkippingSolver,
        guidance: UniformGuidance,
        distance: Callable[[Tensor, Tensor], Tensor],
        unconditional: TextTokens,
        ema_rate: float = 0.95,
        student: nn.Module | None = None,
    ) -> None:
        super().__init__()
        start = student or teacher
        trained = frozen_copy(start).requires_grad_(True).train()
        self.trained = nn.ModuleDict({"student": trained, "target": frozen_copy(start)})
        self.teacher = teacher.requires_grad_(False).eval()
        self.schedule, self.boundary, self.solver = schedule, boundary, solver
        self.guidance, self.distance, self.ema_rate = guidance, distance, ema_rate
        self.register_buffer("unconditional", unconditional, persistent=False)
        self._trajectory_ends: dict[tuple[int, ...], Tensor] = {}

    @property
    def only_read(self) -> list[nn.Module]:
        """The teacher."""
        return [self.teacher]

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the one part, ``student``."""
        return {"student": list(self.trained["student"].parameters())}

    def losses(self, batch: Batch, step: int, generator: Generator) -> Iterator[tuple[str, Tensor, Scalars]]:
        """Yield L_CD of Eq. 14 for latent (batch, channels, frames) and text (batch, tokens, width)."""
        yield "student", self.distillation_loss(batch, generator), {}

    def distillation_loss(self, batch: Batch, generator: Generator) -> Tensor:
        """Return the loss of lines 4 to 7 of Algorithm 1."""
        z, c = batch["latent"], batch["text"]
        t, s = (on_device(time, z.device) for time in self.solver.sample_pair(len(z), generator))  # line 4
        omega = on_device(self.guidance.sample(len(z), generator), z.device)  # line 4
        noise = on_device(randn(z.shape, generator), z.device)
        z_t = self.schedule.add_noise(z, noise, t)  # line 5
        with torch.no_grad():
            epsilon = partial(self.guided_teacher, c=c, omega=omega)
            z_s = self.solver.step(epsilon, z_t, t, s, self.schedule)  # line 6
            aim = self.f("target", z_s, s, c, omega)
        return self.distance(self.f("student", z_t, t, c, omega), aim)  # line 7

    def guided_teacher(self, z_t: Tensor, t: Tensor, c: Tensor, omega: Tensor) -> Tensor:
        """Return (1 + omega) epsilon(c) - omega epsilon(empty), both branches in one batched call.

        Outside of the guidance's interval, where it has one, omega counts as 0.
        """
        text = torch.cat([c, self.unconditional.expand_as(c)])
        epsilon = self.teacher(torch.cat([z_t, z_t]), torch.cat([t, t]), text).float()
        conditional, free = epsilon.chunk(2)
        return guide(conditional, free, self.guidance.at(omega, t))

    def f(self, who: str, z_t: Tensor, t: Tensor, c: Tensor, omega: Tensor) -> Tensor:
        """Return the consistency function of Eq. 12 with the network ``student`` or ``target``."""
        return consistency_function(self.trained[who], z_t, t, c, omega, self.schedule, self.boundary)

    def after_step(self, step: int) -> None:
        """Move the target towards the student: line 9."""
        ema_update(self.trained["target"], self.trained["student"], self.ema_rate)

    @torch.no_grad()
    def validate(self, batch: Batch, generator: Generator) -> dict[str, float]:
        """Return the loss, and the distance of one student call to the end of the teacher's trajectory.

        The second figure needs no k, so it compares students of different k: both start from the same noise at
        T - 1 with omega in the middle of the range, and the teacher follows its ODE in 25 second-order steps.
        """
        loss = float(self.distillation_loss(batch, generator))
        return {"loss": loss, "distance_to_teacher": float(self._distance_to_teacher(batch, generator))}

    def product(self) -> nn.Module:
        """Return the student; like the released sampler, inference uses it and not the target."""
        return self.trained["student"]

    def _distance_to_teacher(self, batch: Batch, generator: Generator) -> Tensor:
        z, c = batch["latent"], batch["text"]
        seeds = tuple(randint(2**31, [len(z)], generator).tolist())
        omega = (self.guidance.w_min + self.guidance.w_max) / 2.0
        if seeds not in self._trajectory_ends:
            sampler = DPMSolverPlusPlusSampler(25, omega, self.guidance.interval)
            noise = NoiseSource(list(seeds), *z.shape[1:], device=z.device)
            unconditional = self.unconditional.expand_as(c)
            sampled = sampler.sample(self.teacher, self.schedule, noise, c, unconditional)
            self._trajectory_ends[seeds] = sampled.latents
        z_t = NoiseSource(list(seeds), *z.shape[1:], device=z.device).draw()
        t = torch.full((len(z),), self.schedule.num_timesteps - 1, device=z.device)
        reached = self.f("student", z_t, t, c, torch.full((len(z),), omega, device=z.device))
        return (reached - self._trajectory_ends[seeds]).square().mean((1, 2)).sqrt().mean()
