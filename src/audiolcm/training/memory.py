"""What to do when the memory of a device does not hold a training step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.training.settings import StageSettings

_SAID_BY_TORCH = ("can't allocate memory", "not enough memory", "cannot allocate memory", "out of memory")


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a GPU or the computer has no more memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID_BY_TORCH)


@contextmanager
def advice_on_memory(settings: StageSettings, stage: str, additive: bool) -> Iterator[None]:
    """Turn an error of the memory inside into one ``UserError`` that says what to type next.

    Args:
        settings: of the stage.
        stage: its name.
        additive: whether its batches can be taken piece by piece.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        at_once = settings.batch_size // (processes.count() * settings.accumulate)
        raise UserError(
            f"{stage}: there is no memory for {at_once} examples at once ({reason}). What helps, in this order: "
            f"{_advice(settings, stage, additive)}. `python train.py +plan=true ...` tells beforehand what fits."
        ) from error


def _advice(settings: StageSettings, stage: str, additive: bool) -> str:
    """Return what to type; none of it changes the result but the last resort."""
    size, count = settings.batch_size, processes.count()
    finer = (n for n in range(settings.accumulate + 1, size + 1) if size % (count * n) == 0)
    pieces = next(finer, None) if additive else None
    ways = [f"trainer.{stage}.accumulate={pieces} (the same batch in smaller pieces)"] if pieces else []
    if stage in ("teacher", "student"):
        ways.append("parallel.recompute=true (keeps less of each transformer block)")
    ways.append("more processes (torchrun --nproc-per-node=...), which share the batch")
    if stage in ("teacher", "student"):
        ways.append("parallel=fsdp, by which they share the weights too")
    ways.append(f"a smaller trainer.{stage}.batch_size, which trains another model")
    return "; ".join(ways)
