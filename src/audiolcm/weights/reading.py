"""Reading published checkpoints: no code in them is run, and nothing but the network they were made for fits."""

import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import torch
from torch import Tensor, nn

from audiolcm.errors import UserError

Shapes = dict[str, tuple[int, ...]]

_IDENTITY_DIGITS = 10
_ZIP = b"PK"
_TAR = b"ustar"
_POINTER = b"version https://git-lfs"
_WEB_PAGE = (b"<!doctype html", b"<html")


class _TrainersCallback:
    """Stands in for a class that a checkpoint names and nobody needs."""


# What training scripts left beside the weights, such as the state of a data sampler, holds arrays and scalars of numpy.
# Rebuilding those runs no code of the file. Old files name the functions by the module that they were in then.
_HARMLESS: list[Any] = [
    *((np.empty(0).__reduce__()[0], f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(kind)) for kind in ("bool", "int32", "int64", "float32", "float64")},
    # PyTorch Lightning before 1.5 keyed the state of this callback by its class, which then is only a key.
    (_TrainersCallback, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
]


def read_checkpoint(path: Path, mapped: bool = False) -> Any:
    """Return what ``torch.save`` put into the file, tensors on the CPU.

    Args:
        path: the file.
        mapped: leave the tensors in the file until they are needed, where the file's format allows it.

    Raises:
        UserError: when the file is damaged, is no checkpoint, or holds anything but tensors, numpy arrays and the
            plain types of Python.
    """
    fault = not_weights(path)
    if fault is None:
        try:
            with torch.serialization.safe_globals(_HARMLESS):
                return torch.load(
                    path, map_location="cpu", weights_only=True, mmap=mapped and is_zipfile(path)
                )
        except Exception as error:  # noqa: BLE001 (a damaged pickle raises whatever its reader stumbles over)
            fault = _reason(path, error)
    raise UserError(
        f"{path} is no readable checkpoint of weights: {fault}. Give another file, or get this one again."
    )


def _reason(path: Path, error: Exception) -> str:
    """Say what kept torch from reading, without its advice to read the file unsafely."""
    if _start(path).startswith(_ZIP) and not is_zipfile(path):
        return "it is cut off, its end is missing"
    if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it wants {named[1]} to be run, which no weights need: do not trust it"
    if _start(path, 262).endswith(_TAR):
        return "it is a tar archive: unpack it, and give what it holds"
    known = isinstance(error, OSError | RuntimeError | MemoryError) and "weights_only" not in str(error)
    if known and not isinstance(error, NotImplementedError):
        return str(error).partition("\n")[0] or type(error).__name__
    return "it is not what torch.save writes, or damaged"  # a reader of pickles stumbles over anything


def shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    """Return the shapes of named tensors."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def misfits(wanted: Shapes, found: Shapes) -> str | None:
    """Say which names or shapes differ, the first five of them; None when none does."""
    problems = [f"missing {name}" for name in wanted if name not in found]
    problems += [f"unknown {name}" for name in found if name not in wanted]
    problems += [
        f"{name} is {found[name]} instead of {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    if not problems:
        return None
    return "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")


def not_weights(path: Path) -> str | None:
    """Say what a file is that stands where weights should be, such as an error page; None when it may be weights."""
    try:
        start = _start(path).lstrip().lower()
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if not start:
        return "it is empty"
    if start.startswith(_WEB_PAGE):
        return "it is a web page, such as a log-in or an error page"
    if start.startswith(_POINTER):
        return "it is a pointer of Git LFS, not the file itself (git lfs pull brings that)"
    return None


def _start(path: Path, length: int = 64) -> bytes:
    with path.open("rb") as content:
        return content.read(length)


def fill(network: nn.Module, weights: Any, path: Path) -> None:
    """Put the weights of the file ``path`` into the network; every name and every shape must fit.

    Raises:
        UserError: when one does not: the file is of another network.
    """
    try:
        network.load_state_dict(weights, assign=True)
    except (RuntimeError, TypeError) as error:
        faults = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
        raise UserError(
            f"{path} holds the weights of another network than {type(network).__name__}: {faults[0]}{more} "
            "Give the file that the name stands for."
        ) from error


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of the file's content; in one process a file is read once."""
    state = path.stat()
    return _sha256(path.resolve(), state.st_size, state.st_mtime_ns)


@functools.cache
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(path: Path, *words: str) -> str:
    """Return ten hexadecimal digits over the content of the file and the words."""
    content = "\n".join((sha256(path), *words))
    return hashlib.sha256(content.encode()).hexdigest()[:_IDENTITY_DIGITS]
