"""The examples of each step as the loop takes them, read by a thread one step ahead where that helps."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import torch

from audiolcm.objectives.objective import Batch
from audiolcm.random_numbers import ExampleGenerators
from audiolcm.training.micro_batches import training_pieces
from audiolcm.training.settings import StageSettings, TrainingSet


class Piece(NamedTuple):
    """What goes through the networks at once: names of clips, their tensors, and what the objective draws from."""

    clips: list[str]
    batch: Batch
    draws: ExampleGenerators


def pieces_of_steps(
    data: TrainingSet, settings: StageSettings, seed: int, steps: range, device: torch.device
) -> Iterator[list[Piece]]:
    """Yield the pieces of this process's share of each step, on the CPU; pinned for a GPU, which then copies alone."""
    for step in steps:
        pieces = []
        for indices, draws in training_pieces(data, settings, step, seed):
            batch = data.batch(indices, draws)
            if device.type == "cuda":
                batch = {name: tensor.pin_memory() for name, tensor in batch.items()}
            pieces.append(Piece(data.names(indices), batch, draws))
        yield pieces


@contextmanager
def read_ahead(
    steps: Iterator[list[Piece]], wanted: bool, device: torch.device
) -> Iterator[Iterator[list[Piece]]]:
    """Inside, the next step is read by a thread while one is computed; its errors arrive with the step that it read.

    Args:
        steps: what is read.
        wanted: False reads each step when it is asked for.
        device: which memory is pinned for.
    """
    if not wanted:
        yield steps
        return
    place = (torch.cuda.set_device, (device,)) if device.type == "cuda" else (None, ())
    thread = ThreadPoolExecutor(1, "reading", *place)
    try:
        yield _one_ahead(steps, thread)
    finally:
        thread.shutdown(
            wait=False, cancel_futures=True
        )  # a file system that hangs keeps nobody from stopping


def _one_ahead(steps: Iterator[list[Piece]], thread: ThreadPoolExecutor) -> Iterator[list[Piece]]:
    coming = thread.submit(next, steps, None)
    while (pieces := coming.result()) is not None:
        coming = thread.submit(next, steps, None)
        yield pieces
