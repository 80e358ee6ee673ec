"""A BigVGAN of a few hundred weights, as published and as settings; and what it trains against."""

from pathlib import Path

import torch
import yaml

from audiolcm.models.bigvgan import BigVGAN
from audiolcm.models.bigvgan_checkpoint import published_layout

SIZES = {
    "channels": 8,
    "upsample_rates": [16, 16],
    "upsample_kernels": [32, 32],
    "block_kernels": [3],
    "block_dilations": [[1, 3]],
}
ARGUMENTS = {
    "num_mels": 80, "upsample_initial_channel": 8, "upsample_rates": [16, 16], "upsample_kernel_sizes": [32, 32],
    "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]], "resblock": "1", "activation": "snakebeta",
    "snake_logscale": True, "fmin": 0, "fmax": 8000,
}  # fmt: skip
WORDS = [
    "vocoder.objective.mpd.channels=1", "vocoder.objective.mpd.periods=[2,3]", "vocoder.objective.mrd.channels=2",
    "vocoder.objective.mrd.resolutions=[[128,30,60]]", "trainer.vocoder.crop_seconds=0.128",
]  # fmt: skip
"""Discriminators of that size, and a segment of 2048 samples."""


def save(folder: Path, seed: int = 0) -> Path:
    """Save it as published, weight norm in place."""
    generator = torch.Generator().manual_seed(seed)
    model = BigVGAN(**SIZES)
    state = {}
    for name, shape in published_layout(model).items():
        noise = torch.randn(shape, generator=generator)
        state[name] = 0.4 * (noise.abs() + 0.7) if name.endswith("weight_g") else 0.3 * noise
    filters = {name: tensor for name, tensor in model.state_dict().items() if name.endswith("filter")}
    folder.mkdir(parents=True)
    torch.save({"generator": state | filters}, folder / "best_netG.pt")
    (folder / "args.yml").write_text(yaml.safe_dump(ARGUMENTS))
    return folder
