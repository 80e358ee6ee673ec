"""What the loop is given: the numbers of one training stage, as a trainer config has them, and examples."""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Protocol, runtime_checkable

from audiolcm.errors import UserError
from audiolcm.objectives.objective import Batch
from audiolcm.random_numbers import Generator

_BOOKKEEPING = {
    "log_every", "validate_every", "checkpoint_every", "num_validation", "accumulate", "snapshots",
}  # fmt: skip
_ADDED = {"length_buckets", "lr_decay"}
"""Settings that came after the first artifacts: null is as it was without them."""


@dataclass(frozen=True)
class StageSettings:
    """How long, how fast and how often. Times are counted in optimizer steps.

    ``crop_seconds`` is the length of a training example. ``final_lr_fraction`` is where the cosine decay of the
    learning rate ends, as a share of ``learning_rate``; 1 keeps it constant. ``clip_norm`` bounds the gradient's
    norm of each part; null leaves it alone. ``batch_size`` counts the examples of one step over all processes; each
    process takes its share in ``accumulate`` pieces, one after the other. ``length_buckets`` are lengths in seconds
    below ``crop_seconds``, ascending: a step takes clips that fit into one of these lengths, cut or padded to it,
    instead of padding all to ``crop_seconds``. ``snapshots`` are steps whose network is kept beside the last one.
    ``lr_decay`` multiplies the learning rate at each step after the warm-up, besides the cosine. Only fields that can
    change the weights belong to a stage's identity.
    """

    steps: int
    batch_size: int
    learning_rate: float
    crop_seconds: float
    warmup_steps: int = 0
    final_lr_fraction: float = 1.0
    clip_norm: float | None = 1.0
    log_every: int = 20
    validate_every: int = 500
    checkpoint_every: int = 500
    num_validation: int = 32
    accumulate: int = 1
    length_buckets: list[float] | None = None
    snapshots: list[int] | None = None
    lr_decay: float | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "log_every", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UserError(f"trainer: {name}={getattr(self, name)} must be 1 or more.")
        for name in ("learning_rate", "crop_seconds", "clip_norm"):
            if (value := getattr(self, name)) is not None and not value > 0.0:
                raise UserError(f"trainer: {name}={value} must be above 0.")
        lengths = [0.0, *(self.length_buckets or []), self.crop_seconds]
        if any(not a < b for a, b in pairwise(lengths)):
            raise UserError(
                f"trainer: length_buckets={self.length_buckets} must ascend and end below crop_seconds="
                f"{self.crop_seconds}."
            )
        if odd := [s for s in self.snapshots or [] if type(s) is not int or not 0 < s < self.steps]:
            raise UserError(
                f"trainer: snapshots={self.snapshots}: {odd[0]!r} is no step between 1 and {self.steps - 1} (the last "
                "one is kept anyway)."
            )
        if not 0.0 <= self.final_lr_fraction <= 1.0:
            raise UserError(f"trainer: final_lr_fraction={self.final_lr_fraction} is a share: 0 to 1.")
        if self.lr_decay is not None and not 0.0 < self.lr_decay <= 1.0:
            raise UserError(f"trainer: lr_decay={self.lr_decay} must be above 0, and 1 at most.")

    def micro_batch_size(self, num_processes: int, stage: str = "<stage>") -> int:
        """Return how many examples a process takes at once.

        Raises:
            UserError: when the batch does not fall into equal pieces.
        """
        pieces = num_processes * self.accumulate
        if self.batch_size % pieces:
            raise UserError(
                f"trainer.{stage}.batch_size={self.batch_size} is not {pieces} equal pieces ({num_processes} "
                f"processes x trainer.{stage}.accumulate={self.accumulate}): choose a multiple of {pieces}."
            )
        return self.batch_size // pieces

    def identity(self) -> dict[str, int | float | list[float] | None]:
        """Return the settings that can change the trained weights."""
        idle = _BOOKKEEPING | {name for name in _ADDED if getattr(self, name) is None}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in idle}


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
