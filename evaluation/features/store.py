"""The features of sounds and captions, each computed once: kept by content, so that no stale file is ever believed."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests
from audiolcm.storage.files import explained
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.tensors import UNSEALED, check_seal, safetensors_path
from evaluation.features.extractor import Extractor, Features, TextAudioExtractor
from evaluation.metrics.frechet import Gaussian, fit_gaussian
from evaluation.sound import SoundReader

log = logging.getLogger(__name__)

BATCH = 32  # sounds that are computed together and written as one file
_DECODERS = 2  # threads; soundfile and the resamplers release Python's lock
_PATIENCE = 2.0  # seconds before a progress bar appears
_SUFFIX = ".safetensors"

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


class FeatureFiles:
    """Entries ``key -> {name: array}`` below ``folder``, any number of them in a file.

    Two processes may fill the same: at worst both compute the same entries. A damaged file is reported and removed,
    and its entries count as missing. Each file is read whole once, when an entry of it is first asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where: dict[str, tuple[Path, list[str]]] = {}
        self._files: dict[Path, Any] = {}
        self._whole: set[Path] = set()
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            self._open(path)

    def __contains__(self, key: str) -> bool:
        return key in self._where and self._is_whole(self._where[key][0])

    def get(self, key: str) -> dict[str, np.ndarray]:
        """Return an entry.

        Raises:
            KeyError: there is none.
        """
        path, names = self._where[key]
        return {name: self._files[path].get_tensor(f"{key}/{name}") for name in names}

    def put(self, entries: dict[str, dict[str, np.ndarray]]) -> None:
        """Add entries, named by hexadecimal digests, as one file; nothing for no entries."""
        if not entries:
            return
        path = self._folder / f"{min(entries)}-{len(entries)}{_SUFFIX}"
        named = {f"{key}/{name}": array for key, entry in entries.items() for name, array in entry.items()}
        arrays = {name: np.ascontiguousarray(array) for name, array in named.items()}
        with safetensors_path(path) as temporary:
            save_file(arrays, temporary, UNSEALED)
        self._whole.add(path)
        self._open(path)

    def _open(self, path: Path) -> None:
        try:
            if not path.is_file():
                raise OSError("it is no file")
            file = safe_open(path, "numpy")
        except (SafetensorError, OSError) as error:
            self._remove(path, error)
            return
        self._files[path] = file
        # pyrefly: ignore[missing-attribute]  (safe_open's class has no public name)
        for full_name in file.keys():  # noqa: SIM118 (no mapping)
            key, _, name = full_name.partition("/")
            self._where.setdefault(key, (path, []))
            if self._where[key][0] == path:
                self._where[key][1].append(name)

    def _is_whole(self, path: Path) -> bool:
        if path not in self._whole:
            try:
                check_seal(path)
            except (OSError, ValueError) as error:
                self._remove(path, error)
                return False
            self._whole.add(path)
        return True

    def _remove(self, path: Path, error: Exception) -> None:
        log.warning("%s is damaged (%s): removed, its content is computed again.", path, error)
        self._files.pop(path, None)
        self._where = {key: place for key, place in self._where.items() if place[0] != path}
        try:
            path.unlink(missing_ok=True)
        except OSError as refused:  # a folder has its place
            raise explained(refused, path) or refused from refused


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
            told = f"{len(absent)} of {len(found)} sounds are missing or unreadable"
            raise UserError(f"{told}, the first is {absent[0]}.")
        return [found[path] for path in paths]

    def features(self, extractor: Extractor, reader: SoundReader, paths: Sequence[Path]) -> list[Features]:
        """Return the features of each file as ``reader`` hears it, in the order of ``paths``."""

        def read(path: Path) -> tuple[Path, np.ndarray]:
            return path, reader.read(path, extractor.sample_rate)

        files = FeatureFiles(self.folder / f"{extractor.name}-{extractor.identity}-{reader.identity}")
        title = f"listen with {extractor.name}"
        return _remembered(files, self.digests(paths), paths, read, lambda b: _extract(extractor, b), title)

    def captions(self, extractor: TextAudioExtractor, captions: Sequence[str]) -> np.ndarray:
        """Return the embedding (captions, width) of each caption."""

        def embed(batch: list[str]) -> list[Features]:
            return [{"embedding": row} for row in extractor.embed_captions(batch)]

        files = FeatureFiles(self.folder / f"{extractor.name}-{extractor.identity}-captions")
        keys = [hashlib.sha256(caption.encode()).hexdigest() for caption in captions]
        found = _remembered(files, keys, captions, str, embed, f"read with {extractor.name}")
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
    files: FeatureFiles,
    keys: Sequence[str],
    items: Sequence[Item],
    prepare: Callable[[Item], Prepared],
    compute: Callable[[list[Prepared]], list[Features]],
    title: str,
) -> list[Features]:
    """Return what the files hold under each key; what they lack is prepared in threads and computed in batches."""
    missing = {key: item for key, item in zip(keys, items, strict=True) if key not in files}
    names, wanted = list(missing), list(missing.values())
    with tqdm(total=len(wanted), desc=title, unit="item", delay=_PATIENCE) as bar:
        first = 0
        for batch in _ahead(prepare, wanted):
            files.put(dict(zip(names[first : first + len(batch)], compute(batch), strict=True)))
            first += len(batch)
            bar.update(len(batch))
    return [files.get(key) for key in keys]


def _ahead(prepare: Callable[[Item], Prepared], items: Sequence[Item]) -> Iterator[list[Prepared]]:
    """Yield batches of prepared items; the next batch is prepared while the caller works on this one."""

    def begin(first: int) -> list[Future[Prepared]]:
        return [pool.submit(prepare, item) for item in items[first : first + BATCH]]

    with ThreadPoolExecutor(_DECODERS) as pool:
        pending = begin(0)
        for first in range(BATCH, len(items) + BATCH, BATCH):
            current, pending = pending, begin(first)
            yield [future.result() for future in current]


def reference_gaussian(
    store: FeatureStore, extractor: Extractor, reader: SoundReader, paths: Sequence[Path]
) -> Gaussian:
    """Return the Gaussian fitted to all rows of ``embedding`` of these files, whatever their order.

    It is computed once for each network, reader and set of sounds.
    """
    content = [extractor.name, extractor.identity, reader.identity, sorted(store.digests(paths))]
    path = store.folder / "statistics" / f"{extractor.name}-{content_hash(content)}.safetensors"
    if path.exists():
        try:
            check_seal(path)
            kept = load_file(path)
            return Gaussian(kept["mean"], kept["covariance"], int(kept["num_rows"][0]))
        except (SafetensorError, OSError, ValueError, LookupError) as error:
            log.warning("%s is damaged (%s): computed again.", path, error)
    rows = np.concatenate([found["embedding"] for found in store.features(extractor, reader, paths)])
    fitted = fit_gaussian(rows)
    with safetensors_path(path) as temporary:
        arrays = {"mean": fitted.mean, "covariance": fitted.covariance}
        save_file(arrays | {"num_rows": np.array([fitted.num_rows])}, temporary, UNSEALED)
    return fitted
