"""Named tensors on disk: safetensors files, written whole or not at all."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from audiolcm.files import atomic_path

_RANDOM = {"normal_", "uniform_", "kaiming_uniform_", "xavier_uniform_", "xavier_normal_"}


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write the tensors to ``path`` atomically; a disk that refuses is a ``UserError`` and keeps no part.

    Nothing is copied but tensors that are views, or on another device: a network as large as the memory can be written.
    """
    owned: dict[str, Tensor] = {}
    storages = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage()
        if storage.data_ptr() in storages or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        storages.add(storage.data_ptr())
        owned[name] = tensor
    with safetensors_path(path) as temporary:
        save_file(owned, temporary, metadata)


@contextmanager
def safetensors_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path for safetensors, as ``atomic_path`` does: their errors of the disk are such errors too."""
    with atomic_path(path) as temporary:
        try:
            yield temporary
        except SafetensorError as error:
            if number := re.search(r"os error (\d+)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
            raise


class without_initialization(TorchFunctionMode):
    """Inside, networks are built without filling their weights with random numbers: for those that are loaded next."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call ``func``, unless it fills a tensor at random: then leave the tensor as it is."""
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _RANDOM:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)
