"""How a stage spreads over processes: whole copies (DDP), or shards of one copy (FSDP).

Both are torch's own. An engine has one method that the loop needs, ``backward``; with one process it is autograd's.
What to do when the memory of a device does not hold a training step is told here too.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.parallel import DistributedDataParallel

from audiolcm.distributed import processes
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.compiling import compile_transformers
from audiolcm.models.ema import copies_share_memory
from audiolcm.models.layers import lay_out, round_products, set_keeping
from audiolcm.models.transformer import Transformer
from audiolcm.objectives.objective import Objective
from audiolcm.training.settings import StageSettings

ENGINES = ("ddp", "fsdp")
_SAID_BY_TORCH = ("can't allocate memory", "not enough memory", "cannot allocate memory", "out of memory")


@runtime_checkable
class Engine(Protocol):
    """Gradients of one part of an objective, averaged over the processes."""

    def backward(self, part: str, loss: Tensor, last: bool) -> None:
        """Add the gradients of ``loss`` to the part's parameters; over all processes after the ``last`` piece."""
        ...


@dataclass(frozen=True)
class Parallel:
    """How several processes share a training; none of it changes the result by more than float rounding.

    Attributes:
        engine: ddp keeps every network whole in every process; fsdp shards the transformers' weights, gradients and
            optimizer state over them (stages without a transformer stay whole).
        recompute: transformer blocks are computed again in the backward pass instead of keeping their activations.
        read_ahead: a thread reads the examples of the next step while one is computed; None: where a GPU computes
            (on a CPU both want the same cores).
    """

    engine: str = "ddp"
    recompute: bool = False
    read_ahead: bool | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UserError(f"parallel.engine={self.engine}: choose {' or '.join(ENGINES)}.")

    def reads_ahead(self, device: torch.device) -> bool:
        """Return whether a thread reads the next step's examples."""
        return device.type != "cpu" if self.read_ahead is None else self.read_ahead

    def construction(self) -> AbstractContextManager[None]:
        """Return the context in which objectives are made: copies of what is sharded next need no memory yet."""
        sharded = self.engine == "fsdp" and processes.count() > 1
        return copies_share_memory() if sharded else nullcontext()

    def spread(self, objective: Objective, hardware: Hardware) -> Engine:
        """Move ``objective`` to its device, in place, and return the engine of its gradients."""
        whole = cast(nn.Module, objective)  # its protocol says only what the loop needs
        transformers = [module for module in whole.modules() if is_transformer(module)]
        set_recompute(whole, self.recompute)
        if self.engine == "fsdp" and processes.count() > 1 and transformers:
            return Sharded(objective, transformers, hardware)
        whole.to(hardware.torch_device())
        own_memory(whole)
        lay_out(whole)
        if hardware.uses_bfloat16():
            round_what_is_read(objective)
        if hardware.compile:
            compile_transformers(whole, hardware.autocast())
        return Whole(objective) if processes.count() == 1 else Replicated(objective)


def is_transformer(module: nn.Module) -> bool:
    """Return whether a network is our transformer or T5, of which there is none before its slow module is imported."""
    t5 = sys.modules.get("audiolcm.models.t5_encoder")
    return isinstance(module, Transformer) or (t5 is not None and isinstance(module, t5.T5Encoder))


def set_recompute(networks: nn.Module, wanted: bool) -> None:
    """Let every part that knows how compute its activations again in the backward pass, or keep them."""
    for part in networks.modules():
        if hasattr(part, "recompute"):
            # pyrefly: ignore[bad-argument-type]  (torch types a module's attributes as Tensor | Module)
            part.recompute = wanted


def round_what_is_read(objective: Objective) -> None:
    """Keep the weights that never change in bfloat16, to which autocast would round them in each product."""
    for network in getattr(objective, "only_read", ()):
        round_products(network, torch.bfloat16)


class Whole:
    """One process."""

    def __init__(self, objective: Objective) -> None:
        self._parts = objective.parts()

    def backward(self, part: str, loss: Tensor, last: bool) -> None:
        """Add gradients; those of one part's loss stay off another's weights."""
        loss.backward(inputs=self._parts[part])


class Replicated:
    """``DistributedDataParallel``, one for each part: the loss passes through it, so no network is wrapped."""

    def __init__(self, objective: Objective) -> None:
        self._parts = objective.parts()
        self._reducers: dict[str, DistributedDataParallel] = {}
        whole = cast(nn.Module, objective)
        for tensor in [*whole.parameters(), *whole.buffers()]:
            sent = tensor.detach().contiguous()  # NCCL refuses the memory layouts of products
            torch.distributed.broadcast(sent, 0)
            tensor.detach().copy_(sent)

    def backward(self, part: str, loss: Tensor, last: bool) -> None:
        """Add gradients; torch averages them over the processes while they are computed."""
        if part not in self._reducers:  # with the first loss, whose graph tells whether all weights are used
            self._reducers[part] = DistributedDataParallel(
                _Passing(self._parts[part]),
                find_unused_parameters=not reached(loss, self._parts[part]),
                gradient_as_bucket_view=True,  # no second copy of the gradients
                init_sync=False,  # done above: now it would change weights that the graph has kept
            )
        reducer = self._reducers[part]
        with nullcontext() if last else reducer.no_sync():
            reducer(loss).backward(inputs=self._parts[part])


class _Passing(nn.Module):
    """Holds a part's parameters for DDP, which finds in the graph of the loss which of them are used."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__()
        self.held = nn.ParameterList(parameters)

    def forward(self, loss: Tensor) -> Tensor:
        """Return the loss itself."""
        return loss


class Sharded:
    """``fully_shard`` of every transformer of the objective, frozen ones too: no process holds a whole copy.

    Only the text half that is never trained stays whole beside a T5 that is.

    They are sharded one after the other, so that not more than one is on the GPU as a whole.
    """

    def __init__(self, objective: Objective, transformers: list[nn.Module], hardware: Hardware) -> None:
        device = hardware.torch_device()
        for network in transformers:  # shards change under the eyes of what is kept of a whole
            set_keeping(network, False)
            for weight in network.parameters():
                weight.data = weight.data.contiguous()  # FSDP knows no other layout
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard  # slow to import

        mesh = init_device_mesh(device.type, (processes.count(),))
        policy = MixedPrecisionPolicy()
        if device.type == "cuda" and hardware.uses_bfloat16():
            # Weights travel as bfloat16, gradients are added up in float32; autocast decides on the arithmetic.
            policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
        for network in transformers:
            # Texts are encoded in float32, whatever the precision
            own = policy if isinstance(network, Transformer) else MixedPrecisionPolicy()
            for block in cast(nn.ModuleList, network.blocks):
                fully_shard(block, mesh=mesh, mp_policy=own, reshard_after_forward=True)
            fully_shard(network, mesh=mesh, mp_policy=own, reshard_after_forward=True)
            network.to(device)
        cast(nn.Module, objective).to(device)
        if hardware.compile:
            compile_transformers(cast(nn.Module, objective), hardware.autocast())

    def backward(self, part: str, loss: Tensor, last: bool) -> None:
        """Add gradients; each process keeps the sums of its shard, also between pieces: whole ones are too large."""
        loss.backward()


def own_memory(module: nn.Module) -> None:
    """Give each parameter memory of its own, where copies of a network were made to share it (models/ema.py)."""
    seen = set()
    for parameter in module.parameters():
        if parameter.data_ptr() in seen:
            parameter.data = parameter.data.clone()
        seen.add(parameter.data_ptr())


def reached(loss: Tensor, parameters: list[nn.Parameter]) -> bool:
    """Return whether ``loss`` depends on all of the parameters."""
    seen, waiting = set(), [loss.grad_fn]
    leaves = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaves.add(id(getattr(node, "variable", None)))
        waiting += [before for before, _ in node.next_functions]
    return all(id(parameter) in leaves for parameter in parameters)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a GPU or the computer has no more memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID_BY_TORCH)


@contextmanager
def advice_on_memory(settings: StageSettings, stage: str, piece: int | None) -> Iterator[None]:
    """Turn an error of the memory inside into one ``UserError`` that says what to type next.

    Args:
        settings: of the stage.
        stage: its name.
        piece: of how many examples, or a multiple, a piece of its batch may be; None where it must stay whole.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        at_once = settings.batch_size // (processes.count() * settings.accumulate)
        raise UserError(
            f"{stage}: there is no memory for {at_once} examples at once ({reason}). What helps, in this order: "
            f"{_advice(settings, stage, piece)}. `python train.py +plan=true ...` tells beforehand what fits."
        ) from error


def _advice(settings: StageSettings, stage: str, piece: int | None) -> str:
    """Return what to type; none of it changes the result but the last resort."""
    size, count = settings.batch_size, processes.count()
    finer = (n for n in range(settings.accumulate + 1, size + 1) if size % (count * n * (piece or 1)) == 0)
    pieces = next(finer, None) if piece else None
    ways = [f"trainer.{stage}.accumulate={pieces} (the same batch in smaller pieces)"] if pieces else []
    if stage in ("teacher", "student"):
        ways.append("parallel.recompute=true (keeps less of each transformer block)")
    ways.append("more processes (torchrun --nproc-per-node=...), which share the batch")
    if stage in ("teacher", "student"):
        ways.append("parallel=fsdp, by which they share the weights too")
    ways.append(f"a smaller trainer.{stage}.batch_size, which trains another model")
    return "; ".join(ways)
