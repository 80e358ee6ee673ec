"""One training step of teacher or student on tensors without content, whose bytes are counted while they live."""

import warnings
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from audiolcm.assembly import Method, build_denoiser
from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE
from audiolcm.models.transformer import Transformer, TransformerBlock
from audiolcm.objectives.objective import Objective

Config = Mapping[str, Any]
STAGES = ("teacher", "student")
_T5_LARGE_WIDTH = 1024


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one training step in one process.

    Args:
        parameters: number of trained weights.
        weights: of all networks: the trained one and its average, or student, target and teacher.
        gradients: of the trained weights.
        optimizer: the two moments of AdamW.
        passing: what else is held when most is held on the way forward and back.
        update: what else is held while the weights are updated.
        block, around_blocks: weights of one transformer block, and of the rest of one network.
    """

    parameters: int
    weights: int
    gradients: int
    optimizer: int
    passing: int
    update: int
    block: int
    around_blocks: int

    @property
    def activations(self) -> int:
        """What the step holds beside weights, gradients and optimizer when it holds most."""
        return max(self.passing, self.update)

    @property
    def total(self) -> int:
        """All of it, at the moment when most is held."""
        return self.weights + self.gradients + self.optimizer + self.activations


def simulate(cfg: Config, stage: str, examples: int, recompute: bool, bfloat16: bool) -> StepMemory:
    """Return the memory of a training step; nothing is computed, downloaded or allocated.

    Args:
        cfg: a resolved configuration.
        stage: teacher or student.
        examples: how many go through the networks at once.
        recompute: whether transformer blocks are computed again on the way back.
        bfloat16: whether the step runs under bfloat16 autocast.
    """
    with (
        warnings.catch_warnings(action="ignore"),  # of torch, about what deepcopy does with fake tensors
        FakeTensorMode(allow_non_fake_inputs=True),
        LiveBytes() as live,
    ):
        objective = untrained(cfg, stage)
        modules = list(cast(nn.Module, objective).modules())
        for block in modules:
            if isinstance(block, TransformerBlock):
                block.recompute = recompute
        weights = live.now
        (trained,) = objective.parts().values()
        batch = random_batch(cfg, stage, examples)
        live.peak = live.now
        for _, loss, _ in losses(objective, batch, bfloat16):
            loss.backward(inputs=trained)
        forward_and_back = live.peak
        network = next(module for module in modules if isinstance(module, Transformer))
    gradients = size_of(trained)
    block = size_of(network.blocks[0].parameters())
    return StepMemory(
        parameters=sum(parameter.numel() for parameter in trained),
        weights=weights,
        gradients=gradients,
        optimizer=2 * gradients,  # AdamW keeps two numbers for each weight,
        update=gradients,  # and makes a third while it divides by the root of one of them
        passing=forward_and_back - weights - gradients,
        block=block,
        around_blocks=size_of(network.parameters()) - block * len(network.blocks),
    )


def losses(objective: Objective, batch: dict[str, torch.Tensor], bfloat16: bool) -> Any:
    """Return the losses of a step, computed under autocast."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        return list(objective.losses(batch, 0, torch.Generator()))


def untrained(cfg: Config, stage: str) -> Objective:
    """Return the objective of teacher or student with a new network."""
    tokens, width = text_shape(cfg)
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    network: nn.Module = build_denoiser(cfg, width, channels)
    method, nothing = Method(cfg), torch.zeros(1, tokens, width)
    made = method.noise_prediction if stage == "teacher" else method.distillation
    return made(network, nothing)


def random_batch(cfg: Config, stage: str, examples: int) -> dict[str, torch.Tensor]:
    """Return latents and text of the shapes that the stage trains on."""
    tokens, width = text_shape(cfg)
    seconds = cfg["trainer"][stage]["crop_seconds"]
    frames = max(1, round(seconds * SAMPLE_RATE / HOP_LENGTH / 2))
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    return {
        "latent": torch.randn(examples, channels, frames),
        "text": torch.randn(examples, tokens, width),
    }


def text_shape(cfg: Config) -> tuple[int, int]:
    """Return (tokens, width) of a text, without its encoder: T5-large decides the width of the paper's."""
    encoder = cfg["text_encoder"]
    return 2 * encoder["tokens_per_half"], encoder.get("width", _T5_LARGE_WIDTH)


def size_of(parameters: Any) -> int:
    """Return the bytes of the parameters."""
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters)


class LiveBytes(TorchDispatchMode):
    """Inside, ``now`` is the number of bytes of the tensors made inside that still exist, ``peak`` the highest so far.

    Each operation hands over what it made; views share a storage, which counts once. What an operation allocates and
    frees within itself is not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._held: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call ``func`` and count what it made."""
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._add(leaf)
        return made

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self._held:
            return
        self._held.add(storage._cdata)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, storage._cdata, storage.nbytes())

    def _drop(self, key: int, size: int) -> None:
        self._held.discard(key)
        self.now -= size
