"""Preparing a corpus: validate every row, cache 16-bit waveforms and log-mels, report the bad rows.

Waveforms are kept as int16. Mels are kept as float16: within their range [-5, 2.5] it is exact to 0.002
(log10), that is 0.04 dB, ten times below what a listener hears and fifty times below the error of an
autoencoder; -5, the value of silence, is exact. Mels are computed from the 16-bit samples, so both caches
describe the same sound.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from audiolcm.audio.mel import SAMPLE_RATE, MelSpectrogram
from audiolcm.data.digests import FileDigests
from audiolcm.data.manifest import SPLITS, BadRow, Clip, Corpus, RejectsRows, check_split
from audiolcm.data.prepared import (
    CLIPS_FILE,
    DATA_FILE,
    FULL_SCALE,
    PreparedData,
    clip_to_json,
    prepare_report,
)
from audiolcm.data.shards import Item, Rejected, ShardReader, build_shards, write_json
from audiolcm.data.tables import write_table
from audiolcm.errors import UserError
from audiolcm.files import remove_leftovers
from audiolcm.locks import exclusive

__all__ = ["prepare", "prepare_report", "prepared_fingerprint"]

FORMAT_VERSION = 1
MIN_DURATION = 0.1  # seconds; shorter sounds have fewer than six mel frames
PEAK_LIMIT = 4.0  # 12 dB above full scale: beyond it a float file is not scaled to +-1
SOUNDS_PER_SHARD = 128  # 54 MB for sounds of 10 s: also what a killed run loses at most

_logger = logging.getLogger(__name__)


def prepare(
    corpus: Corpus,
    cache_root: str | Path,
    splits: Sequence[str] = SPLITS,
    workers: int = 2,
    progress: bool = True,
    sounds_per_shard: int = SOUNDS_PER_SHARD,
) -> PreparedData:
    """Cache the sound of `corpus` in `<cache_root>/<corpus.name>-<fingerprint[:12]>` and return it.

    Every row is checked; bad ones are left out and listed in `report.tsv` (`PreparedData.bad_rows`). A
    finished preparation returns at once, a killed one goes on where it stopped, and two processes never do
    the same work. Raises UserError for an unknown split, a corpus that can not be read at all, or a full
    disk.
    """
    if workers < 1:
        raise UserError(f"workers={workers}: use 1 or more.")
    names = [check_split(split) for split in splits]
    fingerprint = prepared_fingerprint(corpus, FileDigests(Path(cache_root) / f"digests-{corpus.name}.jsonl"))
    folder = Path(cache_root) / f"{corpus.name}-{fingerprint[:12]}"
    prepared = PreparedData(folder, corpus.name, fingerprint, corpus.duration)
    if all((folder / name / CLIPS_FILE).is_file() for name in names) and prepared.report_path.is_file():
        return prepared
    with exclusive(folder):
        for place in (
            folder,
            *(folder / name for name in names),
        ):  # other folders in here have their own locks
            remove_leftovers(place)
        _write_data_file(corpus, prepared)
        with _workers(workers) as pool:
            for name in names:
                _prepare_split(corpus, name, folder / name, pool, progress, sounds_per_shard)
        _write_report(prepared)
    return prepared


def prepared_fingerprint(corpus: Corpus, digests: FileDigests | None = None) -> str:
    """SHA-256 (hex) of the corpus and the way it is cached: names the cache, identifies the training data."""
    return hashlib.sha256(f"{FORMAT_VERSION} {corpus.fingerprint(digests)}".encode()).hexdigest()


def row_problem(clip: Clip, split: str, names: set[str]) -> str | None:
    """Why a row can not be used, its sound aside, else None. `names` are those of the rows before it."""
    if not clip.name.strip():
        return "The name is missing."
    if clip.name in names:
        return f"The name {clip.name!r} was used by an earlier row: names must differ."
    if clip.split != split:
        return f"The split {clip.split!r} is not {split!r}."
    if clip.problem:
        return clip.problem
    if not clip.caption.strip():
        return "The caption is missing."
    return None


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
    peak = float(np.abs(waveform).max())
    if peak * FULL_SCALE < 0.5:
        return "The sound is silent: every sample is zero at 16 bits."
    if peak > PEAK_LIMIT:
        return f"The sound is out of range: its peak is {peak:.3g}, full scale is 1; scale the file to +-1."
    return None


def quantize(waveform: np.ndarray) -> np.ndarray:
    """int16 samples of a float waveform; one above full scale is turned down to it rather than clipped."""
    gain = (FULL_SCALE - 1) / max(float(np.abs(waveform).max()), (FULL_SCALE - 1) / FULL_SCALE)
    return np.rint(waveform * np.float32(gain)).astype(np.int16)


def _prepare_split(
    corpus: Corpus, split: str, folder: Path, pool: ThreadPoolExecutor, progress: bool, sounds_per_shard: int
) -> None:
    if (folder / CLIPS_FILE).is_file():
        return
    good, bad = _check_rows(corpus.clips(split), split)
    sounds = {_sound_key(clip): clip for clip in reversed(good)}  # the first clip of a file stands for it
    order = list(dict.fromkeys(_sound_key(clip) for clip in good))
    cache = partial(_cache_sound, corpus, MelSpectrogram())

    with tqdm(
        total=len(order), desc=f"prepare {corpus.name} {split}", unit="clip", disable=not progress
    ) as bar:
        build_shards(
            folder,
            len(order),
            lambda items: pool.map(cache, [sounds[order[item]] for item in items]),
            sounds_per_shard,
            bar.update,
        )
    _write_clips(folder, split, good, bad, {key: item for item, key in enumerate(order)})


def _check_rows(clips: Sequence[Clip], split: str) -> tuple[list[Clip], list[BadRow]]:
    good, bad, names = [], [], set()
    for clip in clips:
        problem = row_problem(clip, split, names)
        names.add(clip.name)
        if problem is None:
            good.append(clip)
        else:
            bad.append(BadRow(split, clip.row, clip.name, problem))
    return good, bad


def _sound_key(clip: Clip) -> str:
    return f"name:{clip.name}" if clip.audio_path is None else f"file:{clip.audio_path}"


def _cache_sound(corpus: Corpus, spectrogram: MelSpectrogram, clip: Clip) -> Item:
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


def _write_clips(
    folder: Path, split: str, good: list[Clip], bad: list[BadRow], item_of: dict[str, int]
) -> None:
    """Write which clips are usable and where their sound lies: the last file of a split."""
    shards = ShardReader(folder)
    kept, items = [], []
    for clip in good:
        item = item_of[_sound_key(clip)]
        if item in shards.reasons:
            bad.append(BadRow(split, clip.row, clip.name, shards.reasons[item]))
        else:
            duration = shards.length("waveform", item) / SAMPLE_RATE
            kept.append(clip_to_json(dataclasses.replace(clip, duration=duration)))
            items.append(item)
    rows = [dataclasses.asdict(row) for row in sorted(bad, key=lambda row: row.row)]
    write_json(folder / CLIPS_FILE, {"clips": kept, "items": items, "bad": rows})


def _write_data_file(corpus: Corpus, prepared: PreparedData) -> None:
    rejected = corpus.rejected_rows() if isinstance(corpus, RejectsRows) else []
    content = {"name": prepared.name, "fingerprint": prepared.fingerprint, "duration": prepared.duration}
    content["rejected"] = [dataclasses.asdict(row) for row in rejected]
    write_json(prepared.folder / DATA_FILE, content)


def _write_report(prepared: PreparedData) -> None:
    columns = ("split", "row", "name", "reason")
    rows = [{k: str(v) for k, v in dataclasses.asdict(row).items()} for row in prepared.bad_rows]
    write_table(prepared.report_path, columns, rows)
    if rows:
        _logger.warning(
            "%s: %d bad rows were left out, see %s", prepared.name, len(rows), prepared.report_path
        )


@contextmanager
def _workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads: decoding, resampling and the STFT all release Python's lock, and nothing has to be pickled."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
