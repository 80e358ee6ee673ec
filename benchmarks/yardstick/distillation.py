"""The released distillation step: one network call after another, an optimizer and an average weight by weight."""

import copy

import torch
from torch import Tensor, nn

T = 1000
K = 20
EMA_RATE = 0.95
HUBER_C = 0.001


def alphas_and_sigmas() -> tuple[Tensor, Tensor]:
    """Return alpha_t and sigma_t of the released schedule."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, T, dtype=torch.float64) ** 2
    kept = torch.cumprod(1.0 - betas, dim=0)
    return kept.sqrt().float(), (1.0 - kept).sqrt().float()


class Distillation:
    """Student, target and frozen teacher in float32.

    The released code encodes the empty caption again in every step; here its features are given, to its advantage.

    Args:
        teacher: a noise prediction network; student and target start as its copies.
        unconditional: text features of the empty caption, (1, tokens, width).
        learning_rate: of AdamW.
    """

    def __init__(self, teacher: nn.Module, unconditional: Tensor, learning_rate: float = 9.6e-5) -> None:
        self.student = copy.deepcopy(teacher).requires_grad_(True)
        self.target = copy.deepcopy(teacher).requires_grad_(False)
        self.teacher = teacher.requires_grad_(False)
        self.unconditional = unconditional
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), lr=learning_rate, foreach=False, fused=False
        )
        self.alphas, self.sigmas = (table.to(unconditional.device) for table in alphas_and_sigmas())

    def draw(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return start and end of a solver step, omega and noise of each example."""
        size, device = len(latent), latent.device
        t = (torch.randint(T // K, (size,), device=device) + 1) * K - 1
        omega = 4.0 + 8.0 * torch.rand(size, device=device)
        return t, (t - K).clamp(min=0), omega, torch.randn_like(latent)

    def loss(self, z: Tensor, text: Tensor, t: Tensor, s: Tensor, omega: Tensor, noise: Tensor) -> Tensor:
        """Return the pseudo-Huber distance of the student at t to the target at s."""
        z_t = self._at(self.alphas, t) * z + self._at(self.sigmas, t) * noise
        predicted = self._consistency(self.student, z_t, t, text, omega)
        with torch.no_grad():
            conditional = self.teacher(z_t, t, text)
            free = self.teacher(z_t, t, self.unconditional.expand_as(text))
            scale = omega[:, None, None]
            clean, clean_free = self._clean(z_t, conditional, t), self._clean(z_t, free, t)
            z_0 = clean + scale * (clean - clean_free)
            epsilon = conditional + scale * (conditional - free)
            z_s = self._at(self.alphas, s) * z_0 + self._at(self.sigmas, s) * epsilon
            aim = self._consistency(self.target, z_s, s, text, omega)
        return torch.mean(torch.sqrt((predicted - aim) ** 2 + HUBER_C**2) - HUBER_C)

    def step(self, latent: Tensor, text: Tensor) -> None:
        """Take one step on a batch."""
        self.loss(latent, text, *self.draw(latent)).backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0, foreach=False)
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            for kept, new in zip(self.target.parameters(), self.student.parameters(), strict=True):
                kept.mul_(EMA_RATE).add_(new, alpha=1 - EMA_RATE)

    def _consistency(self, network: nn.Module, z_t: Tensor, t: Tensor, text: Tensor, omega: Tensor) -> Tensor:
        scaled = (10.0 * t.float())[:, None, None]
        skip = 0.25 / (scaled**2 + 0.25)
        out = scaled / (scaled**2 + 0.25) ** 0.5
        return skip * z_t + out * self._clean(z_t, network(z_t, t, text, omega), t)

    def _clean(self, z_t: Tensor, epsilon: Tensor, t: Tensor) -> Tensor:
        return (z_t - self._at(self.sigmas, t) * epsilon) / self._at(self.alphas, t)

    @staticmethod
    def _at(table: Tensor, t: Tensor) -> Tensor:
        return table[t][:, None, None]
