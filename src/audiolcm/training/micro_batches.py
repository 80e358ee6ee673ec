"""What one process takes of a batch: the same examples with the same draws, however many share the work."""

from collections.abc import Iterable, Iterator

from audiolcm.data.loading.batches import batch_indices, bucketed_indices
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.objectives.objective import Objective
from audiolcm.random_numbers import ExampleGenerators
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.settings import StageSettings, TrainingSet

VALIDATED_AT_ONCE = 8
Piece = tuple[list[int], ExampleGenerators]


def piece_of(objective: Objective) -> int | None:
    """Return of how many examples, or a multiple, a piece of a batch may be; None: of no less than the whole batch."""
    return getattr(objective, "examples_together", 1) if getattr(objective, "additive", True) else None


def check_pieces(settings: StageSettings, stage: str, piece: int | None) -> None:
    """Refuse a batch that cannot be divided as asked.

    Args:
        settings: of the stage.
        stage: its name.
        piece: what ``piece_of`` says of its objective.
    """
    size = settings.micro_batch_size(processes.count(), stage)
    if settings.accumulate > 1 and piece is None:
        raise UserError(
            f"trainer.{stage}.accumulate={settings.accumulate}: the adversarial losses of this stage compare "
            "statistics over the whole batch, which pieces do not know of each other. Processes do: use more of them "
            f"(torchrun --nproc-per-node=...) or a smaller trainer.{stage}.batch_size, with accumulate=1."
        )
    group = piece or 1
    if size % group:
        raise UserError(
            f"trainer.{stage}.batch_size={settings.batch_size} over {processes.count()} processes and "
            f"accumulate={settings.accumulate} is {size} examples at once, but the adversary takes its statistics over "
            f"groups of {group}: choose a multiple of {group * processes.count() * settings.accumulate} as "
            f"batch_size, or another {stage}.objective.adversary.group_size, which trains another model."
        )


def training_pieces(data: TrainingSet, settings: StageSettings, step: int, seed: int) -> Iterator[Piece]:
    """Yield the clips of this process in the batch of ``step``, in pieces of one size, and what they draw from."""
    size = settings.micro_batch_size(processes.count())
    buckets = getattr(data, "bucket_of", None)
    if buckets is None:
        batch = batch_indices(len(data), settings.batch_size, step, seed)
    else:
        batch = bucketed_indices(buckets, settings.batch_size, step, seed)
    for number in range(settings.accumulate):
        first = (number * processes.count() + processes.rank()) * size
        positions = range(first, first + size)
        yield batch[first : first + size], _draws(seed, ("step", step), positions, settings.batch_size)


def validation_pieces(count: int, seed: int) -> Iterator[tuple[Piece, int]]:
    """Yield this process's pieces of the first ``count`` clips, each with the number of its clips that count.

    Pieces are of one size on any number of processes, since some figures are statistics of a piece, not of a clip.
    Every process yields as many; where no clip is left for one, it repeats the first, which counts nothing.
    """
    for start in range(0, count, VALIDATED_AT_ONCE * processes.count()):
        first = start + processes.rank() * VALIDATED_AT_ONCE
        mine = range(first, min(first + VALIDATED_AT_ONCE, count))
        indices = list(mine) or [0]
        yield (indices, _draws(seed, ("validation",), indices, count)), len(mine)


def _draws(
    seed: int, purpose: tuple[int | str, ...], positions: Iterable[int], total: int
) -> ExampleGenerators:
    positions = list(positions)
    return ExampleGenerators([generator_for(seed, *purpose, p) for p in positions], positions[0], total)
