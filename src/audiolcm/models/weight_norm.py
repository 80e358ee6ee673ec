"""Weight norm (Salimans and Kingma, 2016) of all convolutions of a network: put on to train, folded to keep.

A weight is g v / |v|, with one norm for each entry of its first dimension; g and v are what is trained.
"""

import copy
from typing import TypeVar, cast

from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

Network = TypeVar("Network", bound=nn.Module)

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d)


def add_weight_norm(network: Network) -> Network:
    """Put weight norm on each convolution that has none yet, in place, and return the network.

    It computes the same as before: v is the weight, and g its norm.
    """
    for module in list(network.modules()):
        if isinstance(module, _CONVOLUTIONS) and not parametrize.is_parametrized(module):
            parametrizations.weight_norm(module)
    return network


def folded(network: Network) -> Network:
    """Return a copy of a network with plain weights in the place of weight norm."""
    plain = copy.deepcopy(network)
    for module in list(plain.modules()):
        if parametrize.is_parametrized(module, "weight"):
            weight = cast(Tensor, module.weight)
            # Not remove_parametrizations, which takes the weight from the original too: a copy is of the same class.
            module.__class__ = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            module.weight = nn.Parameter(weight.detach())
    return plain


def normed_name(name: str) -> str:
    """Return what torch calls today what it once called ``weight_g`` and ``weight_v``; other names as they are."""
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        if name.endswith(f".{old}"):
            return f"{name.removesuffix(old)}parametrizations.weight.{new}"
    return name
