"""Making the shards of prepared sound: decode, check, quantize, mel; by threads, each making whole shards.

Threads, because decoding, resampling and the STFT all release Python's lock (benchmarks/data.py measures it), nothing
has to be pickled, and nothing is imported twice. A thread makes a whole shard, so that writing one overlaps with
decoding the next; it holds one shard in memory, 54 MB.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
import torch
from tqdm import tqdm

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.data.manifest import Clip, Corpus, GivesMels
from audiolcm.data.preparing.plan import Plan
from audiolcm.data.store.samples import FULL_SCALE, quantize, sound_problem
from audiolcm.data.store.shards import Rejected, ShardItem, Store
from audiolcm.errors import UserError


class _StoppedError(Exception):
    """Another thread failed, or the user wants to stop: what is half made is dropped."""


def make_shards(
    store: Store, numbers: Sequence[int], plan: Plan, corpus: Corpus, workers: int, title: str | None
) -> None:
    """Make the shards ``numbers`` of a split with ``workers`` threads; a progress bar tells the time left.

    Shards that are whole are kept.

    Args:
        store: what is made.
        numbers: its shards to make.
        plan: which sounds there are.
        corpus: whose they are.
        workers: how many threads.
        title: of the progress bar; None shows none.

    Raises:
        UserError: when the disk is full.
    """
    spectrogram, stopped, lock = MelSpectrogram(), threading.Event(), threading.Lock()
    missing = [number for number in numbers if store.record(number) is None]
    total, left = (sum(len(store.items(number)) for number in some) for some in (numbers, missing))

    def produce(items: range) -> Iterator[ShardItem]:
        for item in items:
            if stopped.is_set():
                raise _StoppedError
            yield _cached_sound(corpus, spectrogram, plan.clip_of_sound(item))

    with (
        tqdm(total=total, desc=title, initial=total - left, unit="clip", disable=title is None) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):

        def count(made: int) -> None:
            with lock:
                bar.update(made)

        try:
            for future in as_completed([pool.submit(store.make, one, produce, count) for one in missing]):
                future.result()
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _cached_sound(corpus: Corpus, spectrogram: MelSpectrogram, clip: Clip) -> ShardItem:
    try:
        if isinstance(corpus, GivesMels) and (mel := corpus.mel(clip)) is not None:
            return {"waveform": np.zeros(0, np.int16), "mel": mel.T.astype(np.float16)}
        waveform = corpus.waveform(clip)
    except UserError as error:
        return Rejected(str(error))
    problem = sound_problem(waveform)
    if problem is not None:
        return Rejected(problem)
    samples = quantize(waveform)
    with torch.inference_mode():
        mel = spectrogram(torch.from_numpy(samples / np.float32(FULL_SCALE)).unsqueeze(0))[0]
    return {"waveform": samples, "mel": mel.T.to(torch.float16).contiguous().numpy()}
