"""A network that starts with what fits of another one's weights."""

import torch
from torch import nn


@torch.no_grad()
def started_from(source: nn.Module, network: nn.Module) -> nn.Module:
    """Copy into ``network`` each weight of ``source`` that has the same name and shape; return the network.

    Of a student with another backbone than its teacher's all else is then the teacher's, and only the exchanged parts
    start untrained.
    """
    known = source.state_dict()
    for name, own in network.state_dict().items():
        if name in known and known[name].shape == own.shape:
            own.copy_(known[name])
    return network
