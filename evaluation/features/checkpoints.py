"""Reading published checkpoints: no code in them is run, and nothing but the network they were made for fits."""

import functools
import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audiolcm.errors import UserError

_IDENTITY_DIGITS = 10
# What training scripts left beside the weights, such as the state of a data sampler, holds arrays and scalars of numpy.
# Rebuilding those runs no code of the file. Old files name the functions by the module that they were in then.
_NUMPY = [
    (np.empty(0).__reduce__()[0], "numpy.core.multiarray._reconstruct"),
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(kind)) for kind in ("bool", "int32", "int64", "float32", "float64")},
]


def read_checkpoint(path: Path) -> Any:
    """Return what ``torch.save`` put into the file, tensors on the CPU.

    Raises:
        UserError: when the file is damaged, is no checkpoint, or holds anything but tensors, numpy arrays and the
            plain types of Python.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{path} can not be read as a checkpoint of weights ({reason}). Remove it and get it again."
        ) from error


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
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
