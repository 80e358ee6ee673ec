"""A tiny data set and settings for tests of the loop."""

from pathlib import Path

import torch
from torch import Tensor

from audiolcm.distributed.hardware import Hardware
from audiolcm.random_numbers import Generator, randn
from audiolcm.training.loop import StageRun
from audiolcm.training.optimization import AdamW
from audiolcm.training.settings import StageSettings
from audiolcm.training.tracking import NoTracker


class Numbers:
    """Thirteen noisy examples."""

    def __init__(self, poison: int | None = None) -> None:
        self.poison = poison

    def __len__(self) -> int:
        return 13

    def names(self, indices: list[int]) -> list[str]:
        return [f"clip{index}" for index in indices]

    def batch(self, indices: list[int], generator: Generator) -> dict[str, Tensor]:
        x = torch.tensor(indices)[:, None] + randn([len(indices), 4], generator)
        if self.poison in indices:
            x[0, 0] = float("nan")
        return {"x": x}


def settings(steps: int = 20, **changes: object) -> StageSettings:
    fixed = {
        "batch_size": 4,
        "learning_rate": 1e-2,
        "crop_seconds": 1.0,
        "log_every": 1,
        "checkpoint_every": 6,
    }
    return StageSettings(**{"steps": steps, "warmup_steps": 3, "final_lr_fraction": 0.1, **fixed, **changes})


def run_in(folder: Path, precision: str = "float32") -> StageRun:
    return StageRun("toy", folder, "abc", 7, Hardware("cpu", precision), AdamW(), NoTracker())
