"""The features of sounds and captions, each computed once: kept by content, so that no stale file is ever believed."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests
from evaluation.features.extractor import Extractor, Features, TextAudioExtractor
from evaluation.features.feature_files import Shelf
from evaluation.sound import SoundReader

BATCH = 32  # sounds that are computed together and written as one file
_DECODERS = 2  # threads; soundfile and the resamplers release Python's lock
_PATIENCE = 2.0  # seconds before a progress bar appears

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


class FeatureStore:
    """Features on disk, one folder below ``folder`` for each extractor's identity and reader.

    A sound is known by the SHA-256 of its file, a caption by that of its text. A killed run loses one batch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests = FileDigests(folder / "digests.jsonl")

    def digests(self, paths: Sequence[Path]) -> list[str]:
        """Return the SHA-256 of each file.

        Raises:
            UserError: naming how many files are missing or unreadable, and the first.
        """
        found = self._digests.of(paths)
        absent = [path for path, digest in found.items() if digest in ("missing", "unreadable")]
        if absent:
            raise UserError(
                f"{len(absent)} of {len(found)} sounds are missing or unreadable, the first is {absent[0]}."
            )
        return [found[path] for path in paths]

    def features(self, extractor: Extractor, reader: SoundReader, paths: Sequence[Path]) -> list[Features]:
        """Return the features of each file as ``reader`` hears it, in the order of ``paths``."""

        def read(path: Path) -> tuple[Path, np.ndarray]:
            return path, reader.read(path, extractor.sample_rate)

        shelf = Shelf(self.folder / f"{extractor.name}-{extractor.identity}-{reader.identity}")
        title = f"listen with {extractor.name}"
        return _remembered(shelf, self.digests(paths), paths, read, lambda b: _extract(extractor, b), title)

    def captions(self, extractor: TextAudioExtractor, captions: Sequence[str]) -> np.ndarray:
        """Return the embedding (captions, width) of each caption."""

        def embed(batch: list[str]) -> list[Features]:
            return [{"embedding": row} for row in extractor.embed_captions(batch)]

        shelf = Shelf(self.folder / f"{extractor.name}-{extractor.identity}-captions")
        keys = [hashlib.sha256(caption.encode()).hexdigest() for caption in captions]
        found = _remembered(shelf, keys, captions, str, embed, f"read with {extractor.name}")
        return np.stack([features["embedding"] for features in found])


def _extract(extractor: Extractor, sounds: list[tuple[Path, np.ndarray]]) -> list[Features]:
    try:
        return extractor.extract([waveform for _, waveform in sounds])
    except UserError:
        for path, waveform in sounds:  # which one was it?
            try:
                extractor.extract([waveform])
            except UserError as error:
                raise UserError(f"{path}: {error}") from error
        raise


def _remembered(
    shelf: Shelf,
    keys: Sequence[str],
    items: Sequence[Item],
    prepare: Callable[[Item], Prepared],
    compute: Callable[[list[Prepared]], list[Features]],
    title: str,
) -> list[Features]:
    """Return what the shelf holds under each key; what it lacks is prepared in threads and computed in batches."""
    missing = {key: item for key, item in zip(keys, items, strict=True) if key not in shelf}
    names, wanted = list(missing), list(missing.values())
    with tqdm(total=len(wanted), desc=title, unit="item", delay=_PATIENCE) as bar:
        first = 0
        for batch in _ahead(prepare, wanted):
            shelf.put(dict(zip(names[first : first + len(batch)], compute(batch), strict=True)))
            first += len(batch)
            bar.update(len(batch))
    return [shelf.get(key) for key in keys]


def _ahead(prepare: Callable[[Item], Prepared], items: Sequence[Item]) -> Iterator[list[Prepared]]:
    """Yield batches of prepared items; the next batch is prepared while the caller works on this one."""

    def begin(first: int) -> list[Future[Prepared]]:
        return [pool.submit(prepare, item) for item in items[first : first + BATCH]]

    with ThreadPoolExecutor(_DECODERS) as pool:
        pending = begin(0)
        for first in range(BATCH, len(items) + BATCH, BATCH):
            current, pending = pending, begin(first)
            yield [future.result() for future in current]
