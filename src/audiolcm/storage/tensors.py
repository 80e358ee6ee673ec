"""Named tensors on disk: safetensors files, written whole or not at all, and sealed where they are asked to be.

A sealed file holds the SHA-256 of all its bytes, the digits of the hash itself taken as zeros, among its metadata.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from audiolcm.storage.files import atomic_path

SEAL = "sha256"
UNSEALED: dict[str, str] = {SEAL: "0" * 64}
"""Metadata of a file that is to be sealed."""
_LONGEST_HEADER = 100_000_000  # bytes: what safetensors itself reads
_BLOCK = 1 << 20

_RANDOM = {"normal_", "uniform_", "kaiming_uniform_", "xavier_uniform_", "xavier_normal_"}


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write the tensors to ``path`` atomically; a disk that refuses is a ``UserError`` and keeps no part.

    Nothing is copied but tensors that are views, on another device, or in another order of memory than their shape
    says, as convolutions in training are (``models.layers.lay_out``).
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
    """Yield a temporary path for safetensors, as ``atomic_path`` does: their errors of the disk are such errors too.

    A file that is written with ``UNSEALED`` among its metadata is sealed.
    """
    with atomic_path(path) as temporary:
        try:
            yield temporary
        except SafetensorError as error:
            if number := re.search(r"os error (\d+)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
            raise
        _seal(temporary)


def check_seal(path: Path) -> bool:
    """Return whether a safetensors file is sealed.

    Raises:
        OSError: it cannot be read.
        ValueError: it is sealed and was changed since, or it is no safetensors file.
    """
    if path.exists() and not path.is_file():  # a pipe would wait for ever
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        found, place = _find_seal(file)
        if found is not None and found != _hash(file, place):
            raise ValueError("its content has changed")
    return found is not None


def _seal(path: Path) -> None:
    with path.open("r+b") as file:
        found, place = _find_seal(file)
        if found is not None:
            digest = _hash(file, place)
            file.seek(place)
            file.write(digest.encode())


def _find_seal(file: BinaryIO) -> tuple[str | None, int]:
    """Return the digits of the seal and where in the file they are; None where there is no seal."""
    length = int.from_bytes(file.read(8), "little")
    if length > _LONGEST_HEADER:
        raise ValueError("its header is damaged")
    header = file.read(length)
    try:
        digits = json.loads(header).get("__metadata__", {}).get(SEAL)
        return digits, 0 if digits is None else 8 + header.index(digits.encode())
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError("its header is damaged") from error


def _hash(file: BinaryIO, place: int) -> str:
    """Return the SHA-256 of the file with zeros for the seal, whose digits are at ``place``."""
    zeros = UNSEALED[SEAL].encode()
    file.seek(0)
    digest = hashlib.sha256(file.read(place) + zeros)
    file.seek(place + len(zeros))
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


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
