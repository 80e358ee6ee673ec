"""Big corpora: start-up and memory by number of clips, speed of preparing and of reading shards.

Usage:
    python benchmarks/data.py index [--rows 10000 1000000]
    python benchmarks/data.py prepare [--clips 512] [--workers 1 2] [--rounds 2]

``index`` makes synthetic prepared data (every row has its own name, caption and sound, a sound is 4 samples) and opens
it in a fresh process: seconds until the first and the last clip and a batch of indices are there, and resident memory
beyond what the process had before. ``prepare`` writes FLAC files of 10 s at 44.1 kHz, prepares them from a folder and
from tar shards, each round with every number of threads in turn, then of processes, and reads the shards back.
"""

import argparse
import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
import torch

from audiolcm.data.corpora import ManifestCorpus, WebDataset
from audiolcm.data.loading.batches import batch_indices
from audiolcm.data.loading.dataset import MelClips
from audiolcm.data.manifest import Clip
from audiolcm.data.manifest_tables import write_manifest
from audiolcm.data.preparing.index import seal_split
from audiolcm.data.preparing.plan import Part, write_plan
from audiolcm.data.preparing.prepare import prepare, prepare_part
from audiolcm.data.store.prepared import PreparedData, PreparedSplit
from audiolcm.data.store.shards import ShardItem, Store

SOUND = {"waveform": np.zeros(4, np.int16), "mel": np.zeros((1, 2), np.float16)}
SECONDS, RATE = 10, 44100
PER_TAR = 64


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class SyntheticClips(Sequence[Clip]):
    """Clips that are made when they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Clip:
        if index >= self._count:
            raise IndexError(index)
        caption = f"Synthetic sound number {index} of a long list of sounds, with a caption of common length"
        path = Path(f"/corpus/part{index // 1000:05d}/clip{index:08d}.flac")
        return Clip(
            f"clip{index:08d}", path, caption, f"<{caption}& all>", 10.0, "train", ("a", "b"), row=index + 2
        )


def make_index(folder: Path, rows: int) -> None:
    """Write prepared data of so many rows."""
    began = time.perf_counter()
    write_plan(folder / "train", SyntheticClips(rows), "train")
    planned = time.perf_counter()
    store = Store(folder / "train", rows, 128)

    def produce(items: range) -> Iterator[ShardItem]:
        return (SOUND for _ in items)

    for number in range(len(store)):
        store.make(number, produce, lambda count: None)
    made = time.perf_counter()
    store.seal()
    seal_split(folder / "train", "train")
    sealed = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(
        f"{rows} rows: plan {planned - began:.0f} s, {len(store)} shards {made - planned:.0f} s, seal "
        f"{sealed - made:.0f} s; peak memory of the process {peak:.0f} MB"
    )


def resident() -> dict[str, float]:
    """Return the resident memory in MB: all of it, and what belongs to no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "RssAnon")))
    return {name: int(value.split()[0]) / 1024 for name, value in fields.items()}


def open_index(folder: Path) -> None:
    """Open prepared data and say what that took."""
    torch.zeros(1)
    batch_indices(10, 2, 0, 0)
    before, began = resident(), time.perf_counter()
    split = PreparedSplit(folder, "train", "fingerprint")
    clips = MelClips(split, 1)
    opened = time.perf_counter() - began
    names = clips.names([0, len(clips) - 1])
    read = time.perf_counter() - began
    after = resident()
    indices = batch_indices(len(clips), 64, 1000, 0)
    clips.names(indices)
    ordered, last = time.perf_counter() - began, resident()
    assert names == ["clip00000000", f"clip{len(clips) - 1:08d}"]
    added = {name: after[name] - before[name] for name in before}
    say(
        f"{len(clips)} rows: opened in {opened:.3f} s, two clips read after {read:.3f} s, resident memory "
        f"+{added['VmRSS']:.1f} MB ({added['RssAnon']:.1f} MB of it not of mapped files); a batch of 64 in the order "
        f"of an epoch after {ordered:.3f} s, +{last['VmRSS'] - before['VmRSS']:.1f} MB "
        f"({last['RssAnon'] - before['RssAnon']:.1f} MB)"
    )


def measure_index(rows: Sequence[int], folder: Path) -> None:
    """Make and open an index of each size, each in processes of their own."""
    for step in ("make", "open", "open"):
        for count in rows:
            place = folder / str(count)
            subprocess.run([sys.executable, __file__, step, str(place), str(count)], check=True)


def write_clips(folder: Path, count: int) -> None:
    """Write FLAC files with a manifest into ``folder``/files, and the same as tar shards into ``folder``/tars."""
    (folder / "files").mkdir()
    (folder / "tars").mkdir()
    rng, clips = np.random.default_rng(0), []
    noise = np.cumsum(rng.normal(0, 0.01, SECONDS * RATE))
    noise = 0.5 * (noise - noise.mean()) / np.abs(noise - noise.mean()).max()
    for index in range(count):
        name = f"{index:05d}"
        file = io.BytesIO()
        soundfile.write(file, np.roll(noise, 997 * index), RATE, format="FLAC")
        path = folder / "files" / f"{name}.flac"
        path.write_bytes(file.getvalue())
        clips.append(Clip(name, path, f"Sound {index}", "", SECONDS, "train", ()))
        with tarfile.open(folder / "tars" / f"{index // PER_TAR:05d}.tar", "a") as tar:
            for suffix, content in (("flac", file.getvalue()), ("txt", f"Sound {index}".encode())):
                info = tarfile.TarInfo(f"{name}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    write_manifest(folder / "files" / "manifest.tsv", clips)


def measure_prepare(count: int, workers: Sequence[int], rounds: int, folder: Path) -> None:
    """Prepare the same clips from files and from tars; then read the shards of the last preparation."""
    write_clips(folder, count)
    tars = WebDataset(str(folder / "tars"), validation_every=0)
    corpora = {"files": ManifestCorpus(str(folder / "files")), "tars": tars}
    for round_number in range(rounds):
        for kind, corpus in corpora.items():
            corpus.fingerprint()
            for number in workers:
                cache = folder / f"{kind}-{number}-{round_number}"
                began = time.perf_counter()
                prepared = prepare(corpus, cache, ["train"], number, progress=False)
                seconds = time.perf_counter() - began
                shards = len(list((prepared.folder / "train").glob("*.mel.npy")))
                say(
                    f"round {round_number}, {kind}, {number} threads: {count / seconds:.1f} clips/s, "
                    f"{shards / seconds:.2f} shards/s"
                )
        for number in workers:
            seconds = seconds_in_processes(
                corpora["files"], folder / f"parts-{number}-{round_number}", number
            )
            say(f"round {round_number}, files, {number} processes (parts): {count / seconds:.1f} clips/s")
    measure_reading(prepared)


def seconds_in_processes(corpus: ManifestCorpus, cache: Path, number: int) -> float:
    """Return the seconds of the same preparation in parts, each in a process of its own that has started before."""
    parts = [Part(one + 1, number) for one in range(number)]
    with ProcessPoolExecutor(number, get_context("spawn")) as pool:
        list(pool.map(time.sleep, [1.0] * number))  # every process is there and has imported all
        began = time.perf_counter()
        arguments = zip(*[(corpus, cache, part, 1, False) for part in parts], strict=True)
        list(pool.map(prepare_part, *arguments))
        return time.perf_counter() - began


def measure_reading(prepared: PreparedData) -> None:
    """Read whole shards, then crops of 5 s in random order, all from the system's cache."""
    folder = prepared.folder / "train"
    paths = sorted(folder.glob("*.npy"))
    began = time.perf_counter()
    size = sum(
        np.load(path, mmap_mode="r").view(np.uint8).sum(dtype=np.int64) * 0 + path.stat().st_size
        for path in paths
    )
    seconds = time.perf_counter() - began
    say(f"read: {len(paths) / 2 / seconds:.1f} shards/s, {size / seconds / 1e6:.0f} MB/s")
    clips = MelClips(prepared.split("train"), 312)
    generator = torch.Generator().manual_seed(0)
    began = time.perf_counter()
    steps = 200
    for step in range(steps):
        clips.batch(batch_indices(len(clips), 16, step, 0), generator)
    say(f"random crops of 5 s in batches of 16: {16 * steps / (time.perf_counter() - began):.0f} clips/s")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["index", "prepare", "make", "open"])
    parser.add_argument("place", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if options.what in ("make", "open"):
        folder, rows = Path(options.place[0]), int(options.place[1])
        return make_index(folder, rows) if options.what == "make" else open_index(folder)
    say(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads of torch")
    with tempfile.TemporaryDirectory() as temporary:
        if options.what == "index":
            measure_index(options.rows, Path(temporary))
        else:
            measure_prepare(options.clips, options.workers, options.rounds, Path(temporary))


if __name__ == "__main__":
    main()
