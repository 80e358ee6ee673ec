"""Shape aliases and the protocols that the parts of the method meet at.

The aliases are checked by beartype when the tests run, and cost nothing otherwise.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar, runtime_checkable

from jaxtyping import Float, Int, Num
from torch import Tensor, device, nn

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

Part = TypeVar("Part")

Waveform = Float[Tensor, "batch samples"]
Mel = Float[Tensor, "batch mels frames"]
Latent = Float[Tensor, "batch channels latent_frames"]
TextTokens = Float[Tensor, "batch tokens text_width"]
TokenIds = Int[Tensor, "batch tokens"]
Timesteps = Num[Tensor, " batch"]
PerExample = Float[Tensor, " batch"]


def is_sharded(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Return whether a tensor is spread over processes: there is none as long as nobody imported their slow module."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


@runtime_checkable
class Denoiser(Protocol):
    """A network that predicts the noise in a latent: epsilon_theta(z_t, omega, c, t) of Eq. 12."""

    def __call__(
        self, z_t: Latent, t: Timesteps, text: TextTokens, omega: PerExample | None = None
    ) -> Latent:
        """Return the predicted noise, of the shape of ``z_t``; ``omega=None`` leaves guidance out."""
        ...


@runtime_checkable
class Vocoder(Protocol):
    """A map from log10-mel spectrograms to waveforms at 16 kHz."""

    def __call__(self, mel: Mel) -> Waveform:
        """Return ``frames * 256`` samples for each mel of (batch, 80, frames)."""
        ...

    if TYPE_CHECKING:  # what isinstance asks for stays as it is

        def to(self: Part, device: device) -> Part:
            """Move it, in place, as a module of torch."""
            ...

        def eval(self: Part) -> Part:
            """Put it into evaluation mode, as a module of torch."""
            ...


@runtime_checkable
class TextEncoder(Protocol):
    """Frozen text features in two halves: plain caption, then structured caption."""

    num_tokens: int
    width: int

    def __call__(self, captions: list[str], structured: list[str]) -> TextTokens:
        """Return (batch, num_tokens, width): both halves joined along the tokens."""
        ...

    if TYPE_CHECKING:  # what isinstance asks for stays as it is

        def to(self: Part, device: device) -> Part:
            """Move it, in place, as a module of torch."""
            ...


@runtime_checkable
class WeightedTextEncoder(TextEncoder, Protocol):
    """A text encoder that was trained: its features depend on its weights, wherever these were read from."""

    def identity(self) -> dict[str, object]:
        """Return what the features depend on beside the weights; no path is among it."""
        ...

    if TYPE_CHECKING:  # what isinstance asks for stays as it is

        def state_dict(self) -> dict[str, Tensor]:
            """Return its weights by name, as a module of torch."""
            ...


@runtime_checkable
class TrainableTextEncoder(WeightedTextEncoder, Protocol):
    """A text encoder of which a part may be trained with a teacher; its texts are then ids of tokens."""

    def ids(self, captions: list[str], structured: list[str]) -> TokenIds:
        """Return (batch, num_tokens), on the CPU."""
        ...

    def encode(self, ids: TokenIds, trained: nn.Module | None = None) -> TextTokens:
        """Return features with gradients; ``trained`` takes the place of ``trained_part``, such as its average."""
        ...

    def trained_part(self) -> nn.Module:
        """Return the part that is trained."""
        ...

    def standalone(self) -> dict[str, Any]:
        """Return the configuration by which it is read from an artifact."""
        ...

    def save_tokenizers(self, folder: Path) -> None:
        """Write what it needs beside the weights into the folder of an artifact."""
        ...

    if TYPE_CHECKING:  # what isinstance asks for stays as it is

        def parameters(self) -> Iterator[nn.Parameter]:
            """Yield its weights, as a module of torch."""
            ...

        def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
            """Yield its parts by name, as a module of torch."""
            ...
