"""A vocoder of its configured size, whose weights are not read."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from audiolcm.configuration.build import build
from audiolcm.models.bigvgan import PUBLISHED, BigVGAN
from audiolcm.models.bigvgan_checkpoint import published_sizes, read_arguments


def vocoder_without_weights(cfg: Mapping[str, Any]) -> nn.Module:
    """Return a vocoder: of published files on torch's present device, by the sizes of its args.yml, others on the CPU.

    Where no folder is given, the sizes are those of the released one.

    Raises:
        UserError: it cannot be built, or a published file is missing.
    """
    if cfg["_target_"] != PUBLISHED:
        with torch.device("cpu"):  # some compute their filters
            return build(cfg, "vocoder.model")
    if cfg["path"] is None:
        return BigVGAN()
    weights, arguments = read_arguments(cfg["path"])
    return build(
        {"_target_": PUBLISHED.rpartition(".")[0]} | published_sizes(arguments), f"args.yml beside {weights}"
    )
