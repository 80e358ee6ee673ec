"""One training step of a stage on tensors without content, whose bytes are counted while they live.

And the table of ``python train.py +plan=true``: memory of every model size, and the smallest GPU that it fits.
"""

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from audiolcm.assembly import Method, build_denoiser
from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE, mel_filterbank
from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.distributed import processes
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.transformer import Transformer, TransformerBlock
from audiolcm.objectives.objective import Objective
from audiolcm.sizing.vocoder import vocoder_without_weights
from audiolcm.training.loop import PartLoss, losses_under
from audiolcm.training.settings import StageSettings

Config = Mapping[str, Any]
STAGES = ("teacher", "student")
_T5_LARGE_WIDTH = 1024
SIZES = ("tiny", "base", "medium", "large", "xl")
GPUS = (16, 24, 40, 48, 80, 141)
"""GB of usual cards: T4 or V100, RTX 3090 or 4090, A100, L40S or A6000, A100 or H100, H200."""
RESERVE = 1.5e9
"""Bytes for what no tensor shows: the CUDA context, workspaces of matrix products, gaps between allocations."""
GB = 1e9
HEADER = (
    "size", "stage", "parameters", "examples", "weights", "gradients", "optimizer", "activations", "total", "GPU",
)  # fmt: skip


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one training step in one process.

    Args:
        parameters: number of trained weights; of a vocoder those of its discriminators too.
        weights: of all networks: the trained one and its average, or student, target and teacher.
        gradients: of the trained weights; of those of one part at a time, where a stage has several.
        optimizer: the two moments of AdamW.
        passing: what else is held when most is held on the way forward and back.
        update: what else is held while the weights are updated.
        block, around_blocks: weights of one transformer block, and of the rest of one network; 0 without a transformer.
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
        stage: vocoder, teacher or student.
        examples: how many go through the networks at once.
        recompute: whether transformer blocks are computed again on the way back.
        bfloat16: whether the step runs under bfloat16 autocast.
    """
    mel_filterbank()  # is kept for the process: inside, one without content would be
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
        parts = objective.parts()
        batch = random_batch(cfg, stage, examples)
        live.peak = live.now
        for part, loss, _ in losses(objective, batch, bfloat16):
            loss.backward(inputs=parts[part])
            for parameter in parts[part]:
                parameter.grad = None  # once it is used
        forward_and_back = live.peak
    sizes_of_parts = [size_of(parameters) for parameters in parts.values()]
    gradients = max(sizes_of_parts)
    network = next((module for module in modules if isinstance(module, Transformer)), None)
    block = size_of(network.blocks[0].parameters()) if network else 0
    return StepMemory(
        parameters=sum(parameter.numel() for parameters in parts.values() for parameter in parameters),
        weights=weights,
        gradients=gradients,
        optimizer=2 * sum(sizes_of_parts),  # AdamW keeps two numbers for each weight,
        update=gradients,  # and makes a third while it divides by the root of one of them
        passing=forward_and_back - weights - gradients,
        block=block,
        around_blocks=size_of(network.parameters()) - block * len(network.blocks) if network else 0,
    )


def losses(objective: Objective, batch: dict[str, torch.Tensor], bfloat16: bool) -> Iterator[PartLoss]:
    """Yield the losses of a step, each computed under autocast."""
    hardware = Hardware("cpu", "bfloat16" if bfloat16 else "float32")
    yield from losses_under(objective, batch, 0, torch.Generator(), hardware)


def untrained(cfg: Config, stage: str) -> Objective:
    """Return the objective of a stage with a new network."""
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
    made = method.noise_prediction if stage == "teacher" else method.distillation
    return made(network, nothing)


def random_batch(cfg: Config, stage: str, examples: int) -> dict[str, torch.Tensor]:
    """Return waveforms, or latents and text, of the shapes that the stage trains on."""
    seconds = cfg["trainer"][stage]["crop_seconds"]
    frames = max(1, round(seconds * SAMPLE_RATE / HOP_LENGTH / 2))
    if stage == "vocoder":
        return {"waveform": torch.randn(examples, 2 * frames * HOP_LENGTH)}
    tokens, width = text_shape(cfg)
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    return {"latent": torch.randn(examples, channels, frames), "text": torch.randn(examples, tokens, width)}


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


def plan_table(cfg: Mapping[str, Any]) -> str:
    """Return the plan as a table in Markdown, for the configuration with each model size in turn.

    ``cfg["plan"]`` is true, for as many processes as run now, or the number of processes to plan for.
    """
    count = processes.count() if cfg["plan"] is True else cfg["plan"]
    if type(count) is not int or count < 1:
        raise UserError(f"plan={cfg['plan']!r}: type +plan=true, or +plan=8 to plan for 8 processes.")
    engine = cfg["parallel"]["engine"] if count > 1 else "ddp"
    bfloat16 = cfg["hardware"]["precision"] != "float32"
    rows = list(_rows(cfg, count, engine, bfloat16))
    lines = [f"| {' | '.join(cells)} |" for cells in (HEADER, ["---"] * len(HEADER), *rows)]
    among = {"ddp": "each holds everything", "fsdp": "the weights are shared out"}[engine]
    return (
        f"Memory of one of {count} process{'es' * (count > 1)}"
        + (f" ({engine}: {among})" if count > 1 else "")
        + f", {'bfloat16 autocast' if bfloat16 else 'float32'}, in GB (10^9 bytes). In brackets: with "
        "parallel.recompute=true.\n\n"
        + "\n".join(lines)
        + "\n\nexamples: how many go through a process at once, trainer.<stage>.batch_size over processes and "
        "trainer.<stage>.accumulate. weights: all copies (trained and average; student, target and teacher; a vocoder "
        "and its discriminators). "
        f"GPU: the smallest usual one, with {RESERVE / GB:g} GB kept free; - is none. +plan=8 plans for 8 processes."
    )


def _rows(cfg: Mapping[str, Any], count: int, engine: str, bfloat16: bool) -> Iterator[list[str]]:
    trains_vocoder = cfg["vocoder"]["objective"] is not None and cfg["parents"]["vocoder"] is None
    stages = (*STAGES, "vocoder") if trains_vocoder else STAGES
    settings = {stage: build(cfg["trainer"][stage], f"trainer.{stage}", StageSettings) for stage in stages}
    examples = {stage: settings[stage].micro_batch_size(count, stage) for stage in stages}
    if trains_vocoder:  # which has no transformer to shard or to compute again
        memory = simulate(cfg, "vocoder", examples["vocoder"], False, bfloat16)
        yield _row("-", "vocoder", examples["vocoder"], memory, memory)
    for name, sized in tqdm(list(sizes(cfg)), "plan", leave=False):
        for stage in STAGES:
            kept, again = (
                in_one_process(
                    simulate(sized, stage, examples[stage], recompute, bfloat16), count, engine, bfloat16
                )
                for recompute in (False, True)
            )
            yield _row(name, stage, examples[stage], kept, again)


def _row(name: str, stage: str, examples: int, kept: StepMemory, again: StepMemory) -> list[str]:
    return [
        name, stage, f"{kept.parameters / 1e6:.1f} M", str(examples), _gb(kept.weights), _gb(kept.gradients),
        _gb(kept.optimizer), f"{_gb(kept.activations)} ({_gb(again.activations)})",
        f"{_gb(kept.total)} ({_gb(again.total)})", f"{smallest_gpu(kept)} ({smallest_gpu(again)})",
    ]  # fmt: skip


def sizes(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (name, configuration) of each model size by its width, and of the configured one where it is another."""
    named = {name: compose([f"model={name}"])["model"] for name in SIZES}
    if cfg["model"] not in named.values():
        named["this one"] = cfg["model"]
    for name, model in sorted(named.items(), key=lambda item: item[1]["width"]):
        backbone = {part: dict(factory) for part, factory in cfg["backbone"].items()}
        if "kernel_size" in backbone["feed_forward"]:
            backbone["feed_forward"]["kernel_size"] = model["kernel_size"]
        yield name, dict(cfg) | {"model": model, "backbone": backbone}


def in_one_process(whole: StepMemory, count: int, engine: str, bfloat16: bool) -> StepMemory:
    """Return the memory of one of ``count`` processes: sharded, it gathers one block at a time and the next ahead."""
    if engine == "ddp":
        return whole
    travelling = 0.5 if bfloat16 else 1.0
    # A block at work, the one gathered ahead, what is around the blocks; a block's gradients before they are shared.
    gathered = int(travelling * (2 * whole.block + whole.around_blocks) + whole.block)
    shared = {name: getattr(whole, name) // count for name in ("weights", "gradients", "optimizer", "update")}
    return replace(whole, passing=whole.passing + gathered, **shared)


def smallest_gpu(memory: StepMemory) -> str:
    """Return the size in GB of the smallest usual GPU that holds this, or ``-``."""
    fitting = (size for size in GPUS if memory.total + RESERVE <= size * GB)
    return str(next(fitting, "-"))


def _gb(size: int) -> str:
    return f"{size / GB:.2f}"
