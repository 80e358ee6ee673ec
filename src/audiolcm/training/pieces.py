"""What one process takes of a batch: the same examples with the same draws, however many share the work."""

from collections.abc import Iterable, Iterator

from audiolcm import processes
from audiolcm.data.batches import batch_indices
from audiolcm.draws import ExampleGenerators
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.settings import StageSettings

Piece = tuple[list[int], ExampleGenerators]


def training_pieces(num_clips: int, settings: StageSettings, step: int, seed: int) -> Iterator[Piece]:
    """Yield the clips of this process in the batch of ``step``, in pieces of one size, and what they draw from."""
    size = settings.piece_size(processes.count())
    batch = batch_indices(num_clips, settings.batch_size, step, seed)
    for number in range(settings.accumulate):
        first = (number * processes.count() + processes.rank()) * size
        positions = range(first, first + size)
        yield batch[first : first + size], _draws(seed, ("step", step), positions, settings.batch_size)


def validation_pieces(count: int, settings: StageSettings, seed: int) -> Iterator[tuple[Piece, int]]:
    """Yield this process's pieces of the first ``count`` clips, each with the number of its clips that count.

    Every process yields as many; where no clip is left for one, it repeats the first, which counts nothing.
    """
    size = settings.piece_size(processes.count())
    for start in range(0, count, size * processes.count()):
        first = start + processes.rank() * size
        mine = range(first, min(first + size, count))
        indices = list(mine) or [0]
        yield (indices, _draws(seed, ("validation",), indices, count)), len(mine)


def _draws(
    seed: int, purpose: tuple[int | str, ...], positions: Iterable[int], total: int
) -> ExampleGenerators:
    positions = list(positions)
    return ExampleGenerators([generator_for(seed, *purpose, p) for p in positions], positions[0], total)
