"""The training loop of every stage, read from top to bottom."""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from tqdm import tqdm

from audiolcm.data.batches import batch_indices
from audiolcm.errors import UserError
from audiolcm.interrupts import Interrupted, stop_on_signal
from audiolcm.objectives.objective import Batch, Objective
from audiolcm.training.checkpoint import Checkpoints
from audiolcm.training.hardware import Hardware
from audiolcm.training.optimization import AdamW, learning_rate_at
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.settings import StageSettings
from audiolcm.training.tracking import MetricLog, Tracker

log = logging.getLogger(__name__)


@runtime_checkable
class TrainingSet(Protocol):
    """Examples by index; a batch is a function of its arguments alone."""

    def __len__(self) -> int: ...

    def names(self, indices: list[int]) -> list[str]:
        """Return the names of the clips, for error messages."""
        ...

    def batch(self, indices: list[int], generator: torch.Generator) -> Batch:
        """Return the tensors of these examples, stacked."""
        ...


@dataclass(frozen=True)
class StageRun:
    """Where and under which name a stage trains."""

    name: str
    folder: Path
    identity: str
    seed: int
    hardware: Hardware
    optimizer: AdamW
    tracker: Tracker


def fit(
    objective: Objective,
    data: TrainingSet,
    validation: TrainingSet | None,
    settings: StageSettings,
    run: StageRun,
) -> int:
    """Train ``objective`` to ``settings.steps``, from the newest checkpoint in ``run.folder`` if there is one.

    Step n is a function of (seed, n) and of the state after step n - 1, so an interrupted run that is started
    again ends in the same weights, bit for bit, on one CPU with one number of threads. Returns the step it
    started from.

    Raises:
        UserError: on a loss that is not finite, naming the step and the clips, and on a full disk.
        Interrupted: after SIGTERM, SIGUSR2 or Ctrl-C, with a checkpoint written.
    """
    device = run.hardware.torch_device()
    objective.to(device)
    optimizers = {part: run.optimizer.make(weights) for part, weights in objective.parts().items()}
    checkpoints = Checkpoints(run.folder / "checkpoints", run.identity)
    start = checkpoints.restore(objective.trained, optimizers)
    metrics = MetricLog(run.folder / "metrics.jsonl", run.tracker, start)
    if start:
        log.info("%s: goes on from step %d of %d.", run.name, start, settings.steps)

    bar = tqdm(range(start, settings.steps), run.name, settings.steps, initial=start, mininterval=1.0)
    with stop_on_signal() as arrived:
        began = time.monotonic()
        for step in bar:
            indices = batch_indices(len(data), settings.batch_size, step, run.seed)
            rng = generator_for(run.seed, "step", step)
            batch = to_device(data.batch(indices, rng), device)
            scalars: dict[str, float | Tensor] = {}
            for part, loss, extra in losses_under(objective, batch, step, rng, run.hardware):
                scalars |= {f"train/{name}": value for name, value in ({part: loss.detach()} | extra).items()}
                check_finite(loss.detach(), f"{part} loss", step, data.names(indices), checkpoints)
                norm = set_gradients(optimizers[part], loss, settings, step)
                check_finite(norm, f"norm of the {part} gradient", step, data.names(indices), checkpoints)
                optimizers[part].step()
                optimizers[part].zero_grad(set_to_none=True)
            objective.after_step(step)

            done = step + 1
            if every(settings.log_every, done, settings.steps):
                figures = {name: float(value) for name, value in scalars.items()}
                rate = (done - start) / (time.monotonic() - began)
                metrics.record(done, figures | {"steps_per_second": rate})
                bar.set_postfix({name.removeprefix("train/"): f"{v:.3g}" for name, v in figures.items()})
            if validation is not None and every(settings.validate_every, done, settings.steps):
                metrics.record(done, validate(objective, validation, settings, run))
            if every(settings.checkpoint_every, done, settings.steps) or arrived:
                checkpoints.save(done, objective.trained, optimizers)
            if arrived:
                log.warning("%s: stopped at step %d; the same command goes on from there.", run.name, done)
                raise Interrupted(arrived[0])
    return start


def every(interval: int, done: int, total: int) -> bool:
    """Return whether something due every ``interval`` steps is due after ``done`` of ``total``; always at the end."""
    return done % interval == 0 or done == total


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch with every tensor on ``device``."""
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


def losses_under(
    objective: Objective, batch: Batch, step: int, rng: torch.Generator, hardware: Hardware
) -> Iterator[tuple[str, Tensor, dict[str, float | Tensor]]]:
    """Yield the objective's losses, each computed under autocast; the caller's updates run outside of it."""
    losses = objective.losses(batch, step, rng)
    while True:
        with hardware.autocast():
            found = next(losses, None)
        if found is None:
            return
        yield found


def check_finite(value: Tensor, what: str, step: int, names: list[str], checkpoints: Checkpoints) -> None:
    """Raise a ``UserError`` when a loss or a gradient is NaN or infinite, before it reaches the weights."""
    if math.isfinite(float(value)):
        return
    saved = next(iter(checkpoints.files()), None)
    raise UserError(
        f"The {what} is {float(value)} at step {step}. Clips of the batch: {', '.join(names)}. "
        f"Last good checkpoint: {saved or 'none yet'}. Look at these clips, or lower the learning rate of this "
        "stage (for example trainer.<stage>.learning_rate=1e-4), and type the command again."
    )


def set_gradients(
    optimizer: torch.optim.Optimizer, loss: Tensor, settings: StageSettings, step: int
) -> Tensor:
    """Set clipped gradients and the learning rate of ``step``; return the gradient's norm before clipping."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for group in optimizer.param_groups:
        group["lr"] = learning_rate_at(step, settings)
    # Named inputs: the loss of one part leaves no gradient on another's weights.
    loss.backward(inputs=parameters)
    return torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)


def validate(
    objective: Objective, validation: TrainingSet, settings: StageSettings, run: StageRun
) -> dict[str, float]:
    """Return the mean validation figures over the first ``num_validation`` clips, on the same noise every time."""
    device = run.hardware.torch_device()
    count = min(settings.num_validation, len(validation))
    sums: dict[str, float] = {}
    for first in range(0, count, settings.batch_size):
        indices = list(range(first, min(first + settings.batch_size, count)))
        rng = generator_for(run.seed, "validation", first)
        batch = to_device(validation.batch(indices, rng), device)
        with torch.no_grad(), run.hardware.autocast():
            for name, value in objective.validate(batch, rng).items():
                sums[name] = sums.get(name, 0.0) + value * len(indices)
    return {f"validation/{name}": value / count for name, value in sums.items()}
