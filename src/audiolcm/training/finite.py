"""Losses and gradients that are not finite: noticed on the device, told when the loop looks at it anyway."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.training.checkpoint import Checkpoints


@dataclass(frozen=True)
class Noted:
    """A number of a step, which may still be computed: a loss, or the norm of a gradient."""

    value: Tensor
    what: str
    step: int
    clips: list[str]


class FiniteNumbers:
    """Watches that every loss and every gradient is finite, without a wait for the device in each step.

    From the first number on that is not, ``failed`` is 1 and keeps optimizers from their steps (``update``), so that
    the weights stay those before it. ``check`` tells of it.

    Args:
        device: where the numbers are.
        checkpoints: of the stage, to name the last good one.
    """

    def __init__(self, device: torch.device, checkpoints: Checkpoints) -> None:
        self.failed = torch.zeros((), device=device)
        self._checkpoints = checkpoints
        self._noted: list[Noted] = []

    def note(self, value: Tensor, what: str, step: int, clips: list[str]) -> None:
        """Take down a number, shaped (), and whence it came."""
        self._noted.append(Noted(value, what, step, clips))
        self.failed = torch.maximum(self.failed, (~value.isfinite()).to(self.failed))

    def check(self) -> None:
        """Wait for the device; every process must call it, after the same step.

        Raises:
            UserError: a number since the last call is NaN or infinite; it tells of the first.
        """
        if not self._noted:
            return
        noted, self._noted = self._noted, []
        values = torch.stack([number.value.float() for number in noted]).tolist()
        first = next((place for place, value in enumerate(values) if not math.isfinite(value)), len(noted))
        told = None if first == len(noted) else self._told(noted[first], values[first])
        if message := processes.first_told(told, first):
            raise UserError(message)

    def _told(self, number: Noted, value: float) -> str:
        saved = next(iter(self._checkpoints.files()), None)
        return (
            f"The {number.what} is {value} at step {number.step}. Clips of the batch: {', '.join(number.clips)}. "
            f"Last good checkpoint: {saved or 'none yet'}. Look at these clips, or lower the learning rate of this "
            "stage (for example trainer.<stage>.learning_rate=1e-4), and type the command again."
        )
