"""Kernels of one's own for the transformers, by torch.compile: ``hardware.compile``."""

import shutil
from contextlib import AbstractContextManager

from torch import nn

from audiolcm.errors import UserError
from audiolcm.models.layers import settle
from audiolcm.models.transformer import Transformer

_COMPILERS = ("c++", "g++", "clang++")


def compile_transformers(
    network: nn.Module, autocast: AbstractContextManager[object], graphs: bool = False
) -> None:
    """Let torch compile every transformer of a network, in place; names stay.

    The first call of each shape takes a minute or more; torch keeps kernels for the next process in
    ``TORCHINDUCTOR_CACHE_DIR``.

    Args:
        network: on its device.
        autocast: the precision that it will compute in, in which frozen weights are kept.
        graphs: on a GPU also CUDA graphs, which replay a call without Python: for networks that are only read.

    Raises:
        UserError: there is no C++ compiler, which a CPU needs.
    """
    transformers = [module for module in network.modules() if isinstance(module, Transformer)]
    on_gpu = any(weight.is_cuda for module in transformers for weight in module.parameters())
    if not on_gpu and not any(map(shutil.which, _COMPILERS)):
        raise UserError(
            "hardware.compile=true needs a C++ compiler on a CPU: install one (Debian: apt-get install g++), or leave "
            "hardware.compile out."
        )
    with autocast:
        for module in transformers:
            settle(module)
    for module in transformers:
        module.compile(mode="reduce-overhead" if graphs and on_gpu else None)
