"""One training step of a stage on tensors without content, whose bytes are counted while they live."""

import gc
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from audiolcm.assembly import Method, build_denoiser
from audiolcm.audio.mel import HOP_LENGTH, NUM_MELS, SAMPLE_RATE, mel_filterbank
from audiolcm.configuration.build import build
from audiolcm.distributed.hardware import Hardware
from audiolcm.models.clap_t5 import ClapT5
from audiolcm.models.layers import lay_out
from audiolcm.models.transformer import Transformer
from audiolcm.objectives.objective import Batch, Objective
from audiolcm.sizing.texts import language_sizes, wordless_text_encoder
from audiolcm.sizing.vocoder import vocoder_without_weights
from audiolcm.training.loop import PartLoss, losses_under
from audiolcm.training.parallel import round_what_is_read, set_recompute

Config = Mapping[str, Any]
_T5_LARGE_WIDTH = 1024


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one training step in one process.

    Args:
        parameters: number of trained weights, those of discriminators too.
        weights: of all networks: the trained one, its average and discriminators, or student, target and teacher.
        gradients: of the trained weights, where several parts take turns of the largest one.
        optimizer: the two moments of AdamW.
        activations: what else is held when most is held on the way forward and back.
        block, around_blocks: weights of one transformer block, and of the rest of one network; 0 without a transformer.
        unshared: weights that no process shares with others: of the frozen half of a text encoder that is trained.
        rounded: what weights that are only read take less for being kept in bfloat16, which they are not where shared.
    """

    parameters: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    block: int
    around_blocks: int
    unshared: int = 0
    rounded: int = 0

    @property
    def total(self) -> int:
        """All of it, at the moment when most is held."""
        return self.weights + self.gradients + self.optimizer + self.activations


def simulate(cfg: Config, stage: str, examples: int, recompute: bool, bfloat16: bool) -> StepMemory:
    """Return the memory of a stage's last training step; nothing is computed, downloaded or allocated.

    Args:
        cfg: a resolved configuration.
        stage: autoencoder, vocoder, teacher or student.
        examples: how many go through the networks at once.
        recompute: whether transformer blocks are computed again on the way back.
        bfloat16: whether the step runs under bfloat16 autocast.
    """
    mel_filterbank()  # is kept for the process: inside, one without content would be
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        CopiesWithoutContent(),
        LiveBytes() as live,
    ):
        objective = untrained(cfg, stage)
        modules = list(cast(nn.Module, objective).modules())
        set_recompute(cast(nn.Module, objective), recompute)
        lay_out(cast(nn.Module, objective))
        gc.collect()  # what the building left over
        unrounded = live.now
        if bfloat16:
            round_what_is_read(objective)
        weights = live.now
        batch = random_batch(cfg, stage, examples)
        live.peak = live.now
        stepped = take_step(objective, batch, cfg["trainer"][stage]["steps"] - 1, bfloat16)
        forward_and_back = live.peak
    networks = [module for module in modules if isinstance(module, Transformer)][:1]
    texts = [p for module in modules if isinstance(module, ClapT5) for p in module.parameters()]
    gradients = max(stepped)
    block = sum(size_of(network.blocks[0].parameters()) for network in networks)
    return StepMemory(
        parameters=sum(p.numel() for part in objective.parts().values() for p in part),
        weights=weights,
        gradients=gradients,
        optimizer=2 * sum(stepped),  # the two moments of AdamW, which is fused and makes nothing else
        activations=max(forward_and_back - weights - gradients, 0),
        block=block,
        around_blocks=sum(size_of(n.parameters()) - block * len(n.blocks) for n in networks),
        unshared=size_of(parameter for parameter in texts if not parameter.requires_grad),
        rounded=unrounded - weights,
    )


def take_step(objective: Objective, batch: Batch, step: int, bfloat16: bool) -> list[int]:
    """Go forward and back through each part of an objective; return the bytes of the weights of those that learn."""
    sizes = []
    for part, loss, _ in losses(objective, batch, step, bfloat16):
        trained = objective.parts()[part]
        loss.backward(inputs=trained)
        for parameter in trained:
            parameter.grad = None
        sizes.append(size_of(trained))
    return sizes


def losses(objective: Objective, batch: Batch, step: int, bfloat16: bool) -> Iterator[PartLoss]:
    """Yield the losses of a step, each computed under autocast when it is asked for."""
    hardware = Hardware("cpu", "bfloat16" if bfloat16 else "float32")
    return losses_under(objective, batch, step, torch.Generator(), hardware)


def untrained(cfg: Config, stage: str) -> Objective:
    """Return the objective of a stage with a new network."""
    if stage == "autoencoder":
        model = build(cfg["autoencoder"]["model"], "autoencoder.model")
        return build(cfg["autoencoder"]["objective"], "autoencoder.objective", model=model)
    if stage == "vocoder":
        made = {
            "model": vocoder_without_weights(cfg["vocoder"]["model"]),
            "autoencoder": build(cfg["autoencoder"]["model"], "autoencoder.model"),
        }
        return build(cfg["vocoder"]["objective"], "vocoder.objective", **made)
    tokens, width = text_shape(cfg)
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    network: nn.Module = build_denoiser(cfg, width, channels)
    method, nothing = Method(cfg), torch.zeros(1, tokens, width)
    if stage == "student":
        return method.distillation(network, nothing)
    if trains_text(cfg, stage):
        return method.noise_prediction(
            network, nothing[..., 0].long(), wordless_text_encoder(cfg["text_encoder"])
        )
    return method.noise_prediction(network, nothing)


def trains_text(cfg: Config, stage: str) -> bool:
    """Return whether the stage trains its text encoder too."""
    return stage == "teacher" and bool(cfg["text_encoder"].get("trainable"))


def random_batch(cfg: Config, stage: str, examples: int) -> Batch:
    """Return a mel, waveforms, or latents and text, of the shapes that the stage trains on."""
    seconds = cfg["trainer"][stage]["crop_seconds"]
    frames = max(1, round(seconds * SAMPLE_RATE / HOP_LENGTH / 2))
    if stage == "autoencoder":
        return {"mel": torch.randn(examples, NUM_MELS, 2 * frames)}
    if stage == "vocoder":
        return {"waveform": torch.randn(examples, 2 * frames * HOP_LENGTH)}
    tokens, width = text_shape(cfg)
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    ids = trains_text(cfg, stage)
    text = torch.randint(2, (examples, tokens)) if ids else torch.randn(examples, tokens, width)
    return {"latent": torch.randn(examples, channels, frames), "text": text}


def text_shape(cfg: Config) -> tuple[int, int]:
    """Return (tokens, width) of a text, without its encoder: T5-large decides the width of the paper's."""
    encoder = cfg["text_encoder"]
    if encoder.get("trainable"):
        return 2 * encoder["tokens_per_half"], language_sizes(encoder)[1]["d_model"]
    return 2 * encoder["tokens_per_half"], encoder.get("width", _T5_LARGE_WIDTH)


def size_of(parameters: Any) -> int:
    """Return the bytes of the parameters."""
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters)


class CopiesWithoutContent(TorchFunctionMode):
    """Inside, a deep copy of a tensor is made by ``clone``: torch's own reads content where a fake tensor has none."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call ``func``, unless it is a deep copy."""
        if func is not Tensor.__deepcopy__:
            return func(*args, **(kwargs or {}))
        tensor, memo = args
        if id(tensor) not in memo:
            copied = tensor.detach().clone()
            is_parameter = isinstance(tensor, nn.Parameter)
            memo[id(tensor)] = nn.Parameter(copied, tensor.requires_grad) if is_parameter else copied
        return memo[id(tensor)]


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


def in_one_process(whole: StepMemory, count: int, engine: str, bfloat16: bool) -> StepMemory:
    """Return the memory of one of ``count`` processes: sharded, it gathers one block at a time and the next ahead."""
    if engine == "ddp":
        return whole
    travelling = 0.5 if bfloat16 else 1.0
    # A block at work, the one gathered ahead, what is around the blocks; a block's gradients before they are shared.
    gathered = int(travelling * (2 * whole.block + whole.around_blocks) + whole.block)
    whole = replace(whole, weights=whole.weights + whole.rounded, rounded=0)
    shared = {name: getattr(whole, name) // count for name in ("weights", "gradients", "optimizer")}
    shared["weights"] += whole.unshared - whole.unshared // count
    return replace(whole, activations=whole.activations + gathered, **shared)
