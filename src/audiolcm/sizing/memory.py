"""One training step of teacher or student on tensors without content, whose bytes are counted while they live.

And the table of ``python train.py +plan=true``: memory of every model size, and the smallest GPU that it fits.
"""

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
from tqdm import tqdm

from audiolcm.assembly import Method, build_denoiser
from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE
from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.models.clap_t5 import ClapT5
from audiolcm.models.transformer import Transformer
from audiolcm.objectives.objective import Objective
from audiolcm.sizing.texts import language_sizes, wordless_text_encoder
from audiolcm.training.parallel import set_recompute
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
        parameters: number of trained weights.
        weights: of all networks: the trained one and its average, or student, target and teacher.
        gradients: of the trained weights.
        optimizer: the two moments of AdamW.
        passing: what else is held when most is held on the way forward and back.
        update: what else is held while the weights are updated.
        block, around_blocks: weights of one transformer block, and of the rest of one network.
        unshared: weights that no process shares with others: of the frozen half of a text encoder that is trained.
    """

    parameters: int
    weights: int
    gradients: int
    optimizer: int
    passing: int
    update: int
    block: int
    around_blocks: int
    unshared: int = 0

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
        FakeTensorMode(allow_non_fake_inputs=True),
        CopiesWithoutContent(),
        LiveBytes() as live,
    ):
        objective = untrained(cfg, stage)
        modules = list(cast(nn.Module, objective).modules())
        set_recompute(cast(nn.Module, objective), recompute)
        weights = live.now
        (trained,) = objective.parts().values()
        batch = random_batch(cfg, stage, examples)
        live.peak = live.now
        for _, loss, _ in losses(objective, batch, bfloat16):
            loss.backward(inputs=trained)
        forward_and_back = live.peak
        network = next(module for module in modules if isinstance(module, Transformer))
        texts = [p for module in modules if isinstance(module, ClapT5) for p in module.parameters()]
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
        unshared=size_of(parameter for parameter in texts if not parameter.requires_grad),
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


def random_batch(cfg: Config, stage: str, examples: int) -> dict[str, torch.Tensor]:
    """Return latents and text of the shapes that the stage trains on."""
    tokens, width = text_shape(cfg)
    seconds = cfg["trainer"][stage]["crop_seconds"]
    frames = max(1, round(seconds * SAMPLE_RATE / HOP_LENGTH / 2))
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
        "trainer.<stage>.accumulate. weights: all copies (trained and average; student, target and teacher). "
        f"GPU: the smallest usual one, with {RESERVE / GB:g} GB kept free; - is none. +plan=8 plans for 8 processes."
    )


def _rows(cfg: Mapping[str, Any], count: int, engine: str, bfloat16: bool) -> Iterator[list[str]]:
    settings = {stage: build(cfg["trainer"][stage], f"trainer.{stage}", StageSettings) for stage in STAGES}
    for name, sized in tqdm(list(sizes(cfg)), "plan", leave=False):
        for stage in STAGES:
            examples = settings[stage].micro_batch_size(count, stage)
            kept, again = (
                in_one_process(simulate(sized, stage, examples, recompute, bfloat16), count, engine, bfloat16)
                for recompute in (False, True)
            )
            yield [
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
    shared["weights"] += whole.unshared - whole.unshared // count
    return replace(whole, passing=whole.passing + gathered, **shared)


def smallest_gpu(memory: StepMemory) -> str:
    """Return the size in GB of the smallest usual GPU that holds this, or ``-``."""
    fitting = (size for size in GPUS if memory.total + RESERVE <= size * GB)
    return str(next(fitting, "-"))


def _gb(size: int) -> str:
    return f"{size / GB:.2f}"
