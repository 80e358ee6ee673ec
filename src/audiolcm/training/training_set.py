"""What the loop needs of data."""

from typing import Protocol, runtime_checkable

from audiolcm.objectives.objective import Batch
from audiolcm.random_numbers import Generator


@runtime_checkable
class TrainingSet(Protocol):
    """Examples by index; a batch is a function of its arguments alone.

    Where batches must be of one length bucket, an attribute ``bucket_of`` holds the bucket of every clip, int (clips,).
    """

    def __len__(self) -> int: ...

    def names(self, indices: list[int]) -> list[str]:
        """Return the names of the clips, for error messages."""
        ...

    def batch(self, indices: list[int], generator: Generator) -> Batch:
        """Return the tensors of these examples, stacked."""
        ...
