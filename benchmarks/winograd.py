"""What Winograd's algorithm saves of VGGish's time on a CPU: the same network with torch's own convolutions, by turns.

Usage:
    python benchmarks/winograd.py                      # 64 patches, 9 rounds, one thread
    python benchmarks/winograd.py --patches 320 --rounds 3

Of each side the least CPU time counts, which other work on the machine hardly disturbs; torch's is that of its best
layout and number of patches at a time. Where ours is not ``WORTH`` times as fast the exit code is 1: then
``evaluation/features/winograd.py`` does not earn its lines on that machine.
"""

import argparse
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from audiolcm.distributed.hardware import Hardware
from evaluation.features.vggish import NUM_BANDS, PATCH, FastVggish, VggishNetwork

WORTH = 1.2
LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
CHUNKS = (8, 32)

Side = Callable[[Tensor], Tensor]


def random_network() -> VggishNetwork:
    """Return the network with random weights that keep the size of the activations."""
    torch.manual_seed(0)
    network = VggishNetwork()
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_normal_(weight)
    return network.eval()


def direct(layout: torch.memory_format, chunk: int) -> Side:
    """Return the network with torch's convolutions; the linear layers take all patches at a time, as ours do."""
    network = random_network().to(memory_format=layout)

    def embed(patches: Tensor) -> Tensor:
        features = [network.features(part[:, None]) for part in patches.split(chunk)]
        return network.embeddings(torch.cat(features).permute(0, 2, 3, 1).flatten(1))

    return embed


def compare(num_patches: int, rounds: int) -> float:
    """Measure all sides, print their times, and return how many times as fast ours is as the best of the others."""
    sides: dict[str, Side] = {"Winograd": FastVggish(random_network(), num_patches)}
    sides |= {
        f"direct, {name}, {chunk} at a time": direct(layout, chunk)
        for name, layout in LAYOUTS.items()
        for chunk in CHUNKS
    }
    patches = torch.randn(num_patches, PATCH, NUM_BANDS)
    least = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, side in sides.items():
            began = time.process_time()
            side(patches)
            least[name] = min(least[name], time.process_time() - began)
    sys.stdout.write(f"{num_patches} patches, {Hardware(precision='float32').describe()}\n")
    for name, seconds in least.items():
        sys.stdout.write(f"{name:40} {seconds:6.2f} s\n")
    ours = least.pop("Winograd")
    return min(least.values()) / ours


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        faster = compare(options.patches, options.rounds)
    sys.stdout.write(f"{faster:.2f} times as fast as the best direct one; {WORTH} is promised\n")
    sys.exit(faster < WORTH)
