"""Tensors that may be sharded over processes, as whole ones and back."""

import torch
from torch import Tensor, nn

from audiolcm.distributed import processes
from audiolcm.types import is_sharded


def whole(tensor: Tensor) -> Tensor:
    """Return all of a sharded tensor, a plain one as it is. Every process must call it, in the same order."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def gathered_in_first(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return all of the tensors on the CPU in the first process, none in the others: one at a time on the GPU."""
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        gathered = whole(tensor)
        if processes.is_first():
            kept[name] = gathered.detach().cpu() if is_sharded(tensor) else tensor
    return kept


def sharded_like(tensor: Tensor, other: Tensor) -> Tensor:
    """Return this process's shard of a whole tensor, sharded as ``other`` is, which may be plain."""
    if not is_sharded(other):
        return tensor
    from torch.distributed.tensor import distribute_tensor  # slow to import; only several processes need it

    placed = tensor.to(other.device_mesh.device_type)
    return distribute_tensor(placed, other.device_mesh, other.placements, src_data_rank=None)


@torch.no_grad()
def load_gathered(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load whole tensors strictly into a module that may be sharded."""
    state = module.state_dict()
    placed = {
        name: sharded_like(tensor, state[name]) if name in state else tensor
        for name, tensor in tensors.items()
    }
    module.load_state_dict(placed)
