"""Optimizers and the learning rate as a function of the step."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from audiolcm.training.settings import StageSettings


@dataclass(frozen=True)
class AdamW:
    """AdamW with decoupled weight decay; makes one optimizer for one part of an objective."""

    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.01
    eps: float = 1e-8

    def make(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer; its learning rate is set before each step by ``learning_rate_at``."""
        return torch.optim.AdamW(
            parameters,
            lr=0.0,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
            foreach=True,
        )


def learning_rate_at(step: int, settings: StageSettings) -> float:
    """Return the learning rate of ``step``: linear warm-up, then a cosine to ``final_lr_fraction`` of the peak.

    With ``lr_decay`` it decays exponentially besides.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    floor = settings.final_lr_fraction
    rate = settings.learning_rate * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * done)))
    return rate if settings.lr_decay is None else rate * settings.lr_decay ** (step - settings.warmup_steps)
