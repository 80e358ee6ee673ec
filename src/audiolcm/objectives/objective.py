"""What the training loop needs of an objective, whichever stage it trains."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor, nn

from audiolcm.random_numbers import Generator

Scalars = dict[str, float | Tensor]
Batch = dict[str, Tensor]


@runtime_checkable
class Objective(Protocol):
    """One stage's networks and losses.

    All randomness comes from the generator that the loop hands in, so that step n is the same function of
    (seed, n) in a fresh run and in a resumed one.

    Where the loss of a batch is more than the mean over its examples, an attribute ``additive`` says False: such a
    batch can be shared by processes, which exchange the statistics that it needs, but not taken piece by piece. Where
    it is the mean over groups of examples, ``examples_together`` says of how many: pieces must be of whole groups.
    ``only_read`` are networks that never change: their weights may be kept in the precision of their products.
    """

    if TYPE_CHECKING:  # since Python 3.12 isinstance does not see what a module of torch holds as its part
        trained: nn.ModuleDict
        """Everything that a checkpoint must hold: networks, discriminators, moving averages."""

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of each optimizer, by name; one entry unless the stage is adversarial."""
        ...

    def losses(self, batch: Batch, step: int, generator: Generator) -> Iterator[tuple[str, Tensor, Scalars]]:
        """Yield (part, loss, scalars to log); the loop updates ``part`` before it asks for the next loss."""
        ...

    def after_step(self, step: int) -> None:
        """Update moving averages."""
        ...

    def validate(self, batch: Batch, generator: Generator) -> dict[str, float]:
        """Return validation figures of one batch, averaged by the loop over batches."""
        ...

    def product(self) -> nn.Module:
        """Return the network that the finished artifact stores."""
        ...
