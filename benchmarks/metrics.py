"""Speed of the Frechet audio distance: our path against frechet-audio-distance's own loop, on the same random weights.

Usage:
    python benchmarks/metrics.py                       # 500 clips of ten seconds, 2 threads
    python benchmarks/metrics.py --clips 64 --threads 1

Both sides decode the same WAV files, compute VGGish embeddings and the distance of the first half of the clips from the
second. They take turns, up to 256 clips each. Take the figure on an idle machine: beside other work the threads of both
sides wait for each other, ours more. Ours also hashes the files and keeps the features.
Theirs is the package's own code (``get_embeddings``, its loader, ``calculate_embd_statistics``,
``calculate_frechet_distance``); only its model, which it takes from the internet, is made from a file in the way of
torchvggish: numpy front end, one forward pass a clip, gradients on. The floor is the arithmetic of the network (a
multiply-add is 2 operations) over what one large matrix product reaches.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# This file's own name hides the package otherwise
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["HF_HUB_OFFLINE"] = "1"  # frechet-audio-distance imports laion-clap, which would ask the hub
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # where it would compute if it saw a GPU

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from audiolcm.audio.io import write_wav
from audiolcm.distributed.hardware import Hardware
from evaluation.crosscheck.hub_vggish import write_hub
from evaluation.features.store import BATCH, FeatureStore
from evaluation.features.vggish import PATCH, SAMPLE_RATE, Vggish, VggishNetwork
from evaluation.metrics.frechet import frechet_distance_from_rows
from evaluation.sound import SoundReader

CLIPS_A_TURN = 8 * BATCH
SECONDS = 10


def random_checkpoint(path: Path) -> dict[str, Tensor]:
    """Write random weights that keep the size of the activations, and return them."""
    torch.manual_seed(0)
    network = VggishNetwork()
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_normal_(weight)
    torch.save(network.state_dict(), path)
    return network.state_dict()


def write_clips(folder: Path, num_clips: int) -> list[list[Path]]:
    """Write clips of noise and tones, the second half of them brighter; return their paths by turn.

    Each turn has a folder of its own, because the package lists folders, and in no order; none has both halves.
    """
    rng = np.random.default_rng(0)
    turns = []
    for half, band in enumerate([(100, 1000), (300, 3000)]):
        for start in range(0, num_clips // 2, CLIPS_A_TURN):
            place = folder / f"{half}_{start:05d}"
            count = min(CLIPS_A_TURN, num_clips // 2 - start)
            turns.append([place / f"{index:05d}.wav" for index in range(count)])
            for path in turns[-1]:
                write_wav(path, clip(rng, *band))
    return turns


def clip(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Return noise with three tones between ``low`` and ``high`` Hz."""
    time_axis = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * rng.uniform(low, high) * time_axis) for _ in range(3))
    noise = rng.uniform(0.1, 1) * rng.normal(0, 0.5, len(time_axis))
    return rng.uniform(0.01, 0.3) * (tones / 3 + noise)


def their_package(folder: Path, weights: Path) -> Any:
    """Return a ``FrechetAudioDistance`` with the given weights, in a cache of torch.hub that ``folder`` becomes."""
    from frechet_audio_distance import FrechetAudioDistance

    write_hub(folder, weights)
    return FrechetAudioDistance(str(folder), model_name="vggish")


def their_embeddings(theirs: Any, paths: list[Path]) -> np.ndarray:
    """Return the embeddings of all files of the folder of these paths."""
    sounds = theirs._FrechetAudioDistance__load_audio_files(str(paths[0].parent))
    return theirs.get_embeddings(sounds, sr=SAMPLE_RATE)


def their_distance(theirs: Any, first: np.ndarray, second: np.ndarray) -> float:
    """Return the package's distance."""
    statistics_of = theirs.calculate_embd_statistics
    return float(theirs.calculate_frechet_distance(*statistics_of(first), *statistics_of(second)))


def our_embeddings(store: FeatureStore, vggish: Vggish, paths: list[Path]) -> np.ndarray:
    """Return the embeddings of these files."""
    return np.concatenate([found["embedding"] for found in store.features(vggish, SoundReader(), paths)])


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the wall time of ``work`` and its result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def floor_seconds(weights: dict[str, Tensor], num_patches: int) -> tuple[float, float]:
    """Return the seconds that the network's operations take at the rate of a matrix product, and that rate (FLOP/s)."""
    network = VggishNetwork()
    network.load_state_dict(weights)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, PATCH, 64))
    a = torch.randn(2048, 2048)
    rate = 2 * 2048**3 / statistics.median(seconds_of(lambda: a @ a)[0] for _ in range(7))
    return counter.get_total_flops() * num_patches / rate, rate


def halves(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Split the rows of all clips in the middle."""
    joined = np.concatenate(rows)
    return joined[: len(joined) // 2], joined[len(joined) // 2 :]


def take_turns(
    turns: list[list[Path]], sides: list[Callable[[list[Path]], np.ndarray]]
) -> list[tuple[float, list[np.ndarray]]]:
    """Return the seconds that each side took and its embeddings, turn by turn."""
    taken, rows = [0.0] * len(sides), [[] for _ in sides]
    for paths in turns:
        for index, side in enumerate(sides):
            seconds, found = seconds_of(lambda side=side, paths=paths: side(paths))
            taken[index] += seconds
            rows[index].append(found)
    return list(zip(taken, rows, strict=True))


def compare(num_clips: int, folder: Path) -> None:
    """Measure both sides and print times, distances and the floor."""
    weights = random_checkpoint(folder / "vggish.pth")
    turns = write_clips(folder, num_clips)
    vggish, theirs = Vggish(str(folder / "vggish.pth")), their_package(folder / "hub", folder / "vggish.pth")
    store = FeatureStore(folder / "features")
    second = [np.zeros(SAMPLE_RATE, np.float32)]
    vggish.extract(second)  # both once without the clock
    theirs.get_embeddings(second, sr=SAMPLE_RATE)
    (ours, our_rows), (their, their_rows) = take_turns(
        turns,
        [lambda paths: our_embeddings(store, vggish, paths), lambda paths: their_embeddings(theirs, paths)],
    )
    seconds, distance = seconds_of(lambda: frechet_distance_from_rows(*halves(our_rows)))
    ours += seconds
    seconds, reference = seconds_of(lambda: their_distance(theirs, *halves(their_rows)))
    their += seconds
    between = frechet_distance_from_rows(*halves(their_rows))
    paths = [path for turn in turns for path in turn]
    again, _ = seconds_of(lambda: our_embeddings(FeatureStore(store.folder), vggish, paths))
    floor, rate = floor_seconds(weights, sum(map(len, our_rows)))
    sys.stdout.write(
        f"{num_clips} clips of {SECONDS} s, {Hardware(precision='float32').describe()}\n"
        f"frechet-audio-distance {their:7.2f} s   FAD {reference:.9g}\n"
        f"ours                   {ours:7.2f} s   FAD {distance:.9g}   (a second time: {again:.2f} s)\n"
        f"{their / ours:.2f} times faster; relative difference {abs(distance / reference - 1):.1e}, of which the "
        f"embeddings {abs(distance / between - 1):.1e}\n"
        f"floor of direct convolutions {floor:.2f} s at {rate / 1e9:.0f} GFLOP/s: ours {ours / floor:.2f} x, "
        f"theirs {their / floor:.2f} x\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=500, help="even, 4 or more")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        compare(options.clips, Path(name))
