"""Making the shards of prepared sound: decode, check, quantize, mel; by threads, each making whole shards.

Threads, because decoding, resampling and the STFT all release Python's lock (benchmarks/data.py measures it), nothing
has to be pickled, and nothing is imported twice. A thread makes a whole shard, so that writing one overlaps with
decoding the next; it holds one shard in memory, 54 MB.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
import torch
from tqdm import tqdm

from audiolcm.audio.mel import SAMPLE_RATE, MelSpectrogram
from audiolcm.data.manifest import Clip, Corpus
from audiolcm.data.plan import Plan
from audiolcm.data.prepared import FULL_SCALE
from audiolcm.data.shards import Item, Rejected, Store
from audiolcm.errors import UserError

MIN_DURATION = 0.1  # seconds; shorter sounds have fewer than six mel frames
SILENCE_DB = -60.0  # of full scale; ffmpeg's silencedetect has the same default
PEAK_LIMIT = 4.0  # 12 dB above full scale: beyond it a float file is not scaled to +-1


class _StoppedError(Exception):
    """Another thread failed, or the user wants to stop: what is half made is dropped."""


def make_shards(
    store: Store, numbers: Sequence[int], plan: Plan, corpus: Corpus, workers: int, title: str | None
) -> None:
    """Make the shards `numbers` of a split with `workers` threads; a progress bar tells the time left.

    Shards that are whole are kept. title: of the bar; None shows none. Raises UserError when the disk is full.
    """
    spectrogram, stopped, lock = MelSpectrogram(), threading.Event(), threading.Lock()
    missing = [number for number in numbers if store.record(number) is None]
    total, left = (sum(len(store.items(number)) for number in some) for some in (numbers, missing))

    def produce(items: range) -> Iterator[Item]:
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


def sound_problem(waveform: np.ndarray) -> str | None:
    """Why a waveform can not be used for training; None when it can."""
    if waveform.ndim != 1:
        return f"The sound has shape {waveform.shape}, not (samples,)."
    if len(waveform) == 0:
        return "The sound is empty."
    if not np.isfinite(waveform).all():
        return "The sound holds NaN or infinite samples."
    if len(waveform) < MIN_DURATION * SAMPLE_RATE:
        return f"The sound is too short: {len(waveform) / SAMPLE_RATE:.3f} s; {MIN_DURATION} s are needed."
    offset = float(waveform.mean())
    if np.abs(waveform - offset).max() < 10 ** (SILENCE_DB / 20):
        constant = f", but for a constant {offset:.3g}" if abs(offset) * FULL_SCALE >= 0.5 else ""
        return (
            f"The sound is silent: it stays below {SILENCE_DB:g} dB of full scale{constant}, in the "
            f"{len(waveform) / SAMPLE_RATE:.4g} s that are read of it (no more than max_duration)."
        )
    peak = float(np.abs(waveform).max())
    if peak > PEAK_LIMIT:
        return f"The sound is out of range: its peak is {peak:.3g}, full scale is 1; scale the file to +-1."
    return None


def quantize(waveform: np.ndarray) -> np.ndarray:
    """int16 samples of a float waveform; one above full scale is turned down to it rather than clipped."""
    gain = (FULL_SCALE - 1) / max(float(np.abs(waveform).max()), (FULL_SCALE - 1) / FULL_SCALE)
    return np.rint(waveform * np.float32(gain)).astype(np.int16)


def _cached_sound(corpus: Corpus, spectrogram: MelSpectrogram, clip: Clip) -> Item:
    try:
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
