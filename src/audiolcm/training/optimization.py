"""Optimizers and the learning rate as a function of the step."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiolcm.distributed.sharded import whole
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
            fused=True,
        )


def clip_gradients(optimizer: torch.optim.Optimizer, settings: StageSettings, step: int) -> Tensor:
    """Clip the gradients, if so set, and set the learning rate of ``step``; return the gradient's norm before that."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate_at(step, settings)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if settings.clip_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, settings.clip_norm, norm)
    return whole(norm)


def update(optimizer: torch.optim.Optimizer, unless: Tensor) -> None:
    """Take the optimizer's step and drop the gradients; where ``unless`` is 1, all weights stay as they are.

    A fused optimizer decides on the device, as for torch's own ``GradScaler``; only others wait for its answer.

    Args:
        optimizer: its learning rate and gradients are set.
        unless: 0 or 1, float32, on the device.
    """
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        # pyrefly: ignore[missing-attribute]  (part of torch's protocol between GradScaler and fused optimizers)
        optimizer.found_inf = unless
        optimizer.step()
    elif not unless:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)


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
