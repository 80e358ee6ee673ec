"""The training loop of every stage, read from top to bottom."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from audiolcm.distributed import processes
from audiolcm.distributed.hardware import Hardware
from audiolcm.environment.interrupts import Interrupted, stop_on_signal
from audiolcm.objectives.objective import Batch, Objective
from audiolcm.random_numbers import Generator
from audiolcm.training.checkpoint import Checkpoints, save_snapshot
from audiolcm.training.finite import FiniteNumbers
from audiolcm.training.micro_batches import check_pieces, piece_of, validation_pieces
from audiolcm.training.optimization import AdamW, clip_gradients, update
from audiolcm.training.parallel import Engine, Parallel, advice_on_memory
from audiolcm.training.reading import Piece, pieces_of_steps, read_ahead
from audiolcm.training.settings import StageSettings, TrainingSet
from audiolcm.training.tracking import MetricLog, Tracker

log = logging.getLogger(__name__)

PartLoss = tuple[str, Tensor, dict[str, float | Tensor]]


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
    parallel: Parallel = field(default_factory=Parallel)


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
        UserError: on a loss that is not finite, naming the step and the clips, on a full disk, when memory runs out,
            and on a batch that cannot be divided as asked.
        Interrupted: after SIGTERM, SIGUSR2 or Ctrl-C, with a checkpoint written.
    """
    piece = piece_of(objective)
    check_pieces(settings, run.name, piece)
    with advice_on_memory(settings, run.name, piece):
        engine = run.parallel.spread(objective, run.hardware)
    device = run.hardware.torch_device()
    optimizers = {part: run.optimizer.make(weights) for part, weights in objective.parts().items()}
    checkpoints = Checkpoints(run.folder / "checkpoints", run.identity)
    start = processes.first_then_others(lambda: checkpoints.restore(objective.trained, optimizers))
    finite = FiniteNumbers(device, checkpoints)
    metrics = MetricLog(run.folder / "metrics.jsonl", run.tracker, start) if processes.is_first() else None
    if start:
        log.info("%s: goes on from step %d of %d.", run.name, start, settings.steps)

    steps = range(start, settings.steps)
    bar = tqdm(steps, run.name, settings.steps, initial=start, mininterval=1.0, disable=metrics is None)
    examples = pieces_of_steps(data, settings, run.seed, steps, device)
    with (
        stop_on_signal() as arrived,
        advice_on_memory(settings, run.name, piece),
        read_ahead(examples, run.parallel.reads_ahead(device), device) as examples,
    ):
        began = time.monotonic()
        for step in bar:
            streams = [
                (read.clips, losses_of_piece(objective, read, step, run.hardware)) for read in next(examples)
            ]
            scalars: dict[str, float | Tensor] = {}
            while part := add_gradients(streams, engine, scalars, step, finite):
                norm = clip_gradients(optimizers[part], settings, step)
                clips = [name for names, _ in streams for name in names]
                finite.note(norm, f"norm of the {part} gradient", step, clips)
                update(optimizers[part], unless=finite.failed)
            objective.after_step(step)

            done = step + 1
            if every(settings.log_every, done, settings.steps):
                finite.check()
                figures = averaged(scalars)
                rate = (done - start) / (time.monotonic() - began)
                bar.set_postfix({name.removeprefix("train/"): f"{v:.3g}" for name, v in figures.items()})
                if metrics:
                    metrics.record(done, figures | {"steps_per_second": rate})
            if validation is not None and every(settings.validate_every, done, settings.steps):
                finite.check()
                figures = validate(objective, validation, settings, run)
                if metrics:
                    metrics.record(done, figures)
            if done in (settings.snapshots or ()):
                finite.check()
                save_snapshot(run.folder, done, objective.product())
            stop = processes.largest(arrived[0] if arrived else 0)  # all stop after the same step
            if every(settings.checkpoint_every, done, settings.steps) or stop:
                finite.check()
                checkpoints.save(done, objective.trained, optimizers)
            if stop:
                log.warning("%s: stopped at step %d; the same command goes on from there.", run.name, done)
                raise Interrupted(stop)
    return start


def every(interval: int, done: int, total: int) -> bool:
    """Return whether something due every ``interval`` steps is due after ``done`` of ``total``; always at the end."""
    return done % interval == 0 or done == total


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch with every tensor on ``device``."""
    return {name: tensor.to(device, non_blocking=device.type == "cuda") for name, tensor in batch.items()}


def losses_of_piece(objective: Objective, piece: Piece, step: int, hardware: Hardware) -> Iterator[PartLoss]:
    """Yield the objective's losses on a piece, which is brought to the device when the first one is asked for."""
    batch = to_device(piece.batch, hardware.torch_device())
    yield from losses_under(objective, batch, step, piece.draws, hardware)


def losses_under(
    objective: Objective, batch: Batch, step: int, rng: Generator, hardware: Hardware
) -> Iterator[PartLoss]:
    """Yield the objective's losses, each computed under autocast; the caller's updates run outside of it."""
    losses = objective.losses(batch, step, rng)
    while True:
        with hardware.autocast():
            found = next(losses, None)
        if found is None:
            return
        yield found


def add_gradients(
    streams: list[tuple[list[str], Iterator[PartLoss]]],
    engine: Engine,
    scalars: dict[str, float | Tensor],
    step: int,
    finite: FiniteNumbers,
) -> str | None:
    """Add up the gradients of the next part over the pieces of the batch; return the part, None after the last one.

    A piece is a stream of its parts' losses, and the names of its clips. The means of what is logged go to ``scalars``.
    """
    part = None
    for number, (names, losses) in enumerate(streams, start=1):
        found = next(losses, None)
        if found is None:
            return None
        part, loss, extra = found
        finite.note(loss.detach(), f"{part} loss", step, names)
        engine.backward(part, loss / len(streams), last=number == len(streams))
        for name, value in ({part: loss.detach()} | extra).items():
            key = f"train/{name}"
            scalars[key] = scalars.get(key, 0.0) + value / len(streams)
    return part


def averaged(figures: dict[str, float | Tensor]) -> dict[str, float]:
    """Return the figures as numbers, their means over the processes."""
    values = torch.tensor([float(value) for value in figures.values()], dtype=torch.float64)
    return dict(zip(figures, processes.mean(values).tolist(), strict=True))


def validate(
    objective: Objective, validation: TrainingSet, settings: StageSettings, run: StageRun
) -> dict[str, float]:
    """Return the mean validation figures over the first ``num_validation`` clips, on the same noise every time."""
    device = run.hardware.torch_device()
    count = min(settings.num_validation, len(validation))
    sums: dict[str, float] = {}
    for (indices, draws), num_counted in validation_pieces(count, run.seed):
        batch = to_device(validation.batch(indices, draws), device)
        with torch.no_grad(), run.hardware.autocast():
            for name, value in objective.validate(batch, draws).items():
                sums[name] = sums.get(name, 0.0) + value * num_counted
    # pyrefly: ignore[bad-argument-type]  (dict is invariant; nothing is written into it)
    return {f"validation/{name}": total * processes.count() / count for name, total in averaged(sums).items()}
