"""Preparing a corpus: validate every row, cache 16-bit waveforms and log-mels, report the bad rows.

Three acts: the plan of each split (``plan.py``), the shards, and the index that seals them (``index.py``). Plan and
index are made by whoever comes first, under a lock; the shards by any number of threads, processes and machines, each
shard by one of them. All of it can be killed at any time and goes on where it stopped.

Waveforms are kept as int16. Mels are kept as float16: within their range [-5, 2.5] it is exact to 0.002
(log10), that is 0.04 dB, ten times below what a listener hears and fifty times below the error of an
autoencoder; -5, the value of silence, is exact. Mels are computed from the 16-bit samples, so both caches
describe the same sound.
"""

import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from audiolcm.configuration.fingerprint import code_of_class
from audiolcm.data.left_out import left_out, warn_of_unused_lists
from audiolcm.data.manifest import SPLITS, Corpus, RejectsRows, check_split
from audiolcm.data.preparing.index import seal_split
from audiolcm.data.preparing.make_shards import make_shards
from audiolcm.data.preparing.plan import Part, Plan, is_planned, write_plan
from audiolcm.data.preparing.report import write_report
from audiolcm.data.store.checked_json import write_json
from audiolcm.data.store.prepared import DATA_FILE, FORMAT_VERSION, SPLIT_FILE, PreparedData
from audiolcm.data.store.shards import CLAIMS, INDEX, Store
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests
from audiolcm.storage.files import remove_leftovers
from audiolcm.storage.leases import exclusive

__all__ = ["KnowsPrepared", "prepare", "prepare_part", "prepared_fingerprint", "prepared_folder"]

SOUNDS_PER_SHARD = 128  # 54 MB for sounds of 10 s: also what a killed worker loses at most
_LEAST_PER_SHARD = 8
_SHARDS_OF_A_SMALL_SPLIT = 16  # so that a few workers share it evenly


@runtime_checkable
class KnowsPrepared(Protocol):
    """A corpus that is prepared already and has no other form."""

    def prepared(self) -> PreparedData:
        """Return the prepared data."""


def prepare(
    corpus: Corpus,
    cache_root: str | Path,
    splits: Sequence[str] = SPLITS,
    workers: int = 2,
    progress: bool = True,
    sounds_per_shard: int | None = None,
) -> PreparedData:
    """Cache the sound of ``corpus`` in ``<cache_root>/<corpus.name>-<fingerprint[:12]>`` and return it.

    Every row is checked; bad ones are left out and listed in ``report.tsv`` (``PreparedData.bad_rows``). A
    finished preparation returns at once, a killed one goes on where it stopped, and two processes never do
    the same work.

    Raises:
        UserError: for an unknown split, a corpus that cannot be read at all, or a full disk.
    """
    if workers < 1:
        raise UserError(f"workers={workers}: use 1 or more.")
    if isinstance(corpus, KnowsPrepared):
        return corpus.prepared()
    names = [check_split(split) for split in splits]
    prepared = _identified(corpus, Path(cache_root))
    while not _is_finished(prepared, names):  # a second round only where another process's files were damaged
        _make(corpus, prepared, names, Part(1, 1), workers, progress, sounds_per_shard)
    return prepared


def prepare_part(
    corpus: Corpus, cache_root: str | Path, part: Part, workers: int = 2, progress: bool = True
) -> PreparedData | None:
    """Make the shards of one part; the part that finds all others finished completes the data and returns it.

    Returns:
        The prepared data; None when other parts are still to be made.

    Raises:
        UserError: as ``prepare`` does.
    """
    if workers < 1:
        raise UserError(f"workers={workers}: use 1 or more.")
    if isinstance(corpus, KnowsPrepared):
        return corpus.prepared()
    # Else each of 64 parts would hash every file
    with exclusive(Path(cache_root) / f"digests-{corpus.name}"):
        prepared = _identified(corpus, Path(cache_root))
    if not _is_finished(prepared, SPLITS):
        _make(corpus, prepared, SPLITS, part, workers, progress, None)
    return prepared if _is_finished(prepared, SPLITS) else None


def prepared_fingerprint(corpus: Corpus, digests: FileDigests | None = None) -> str:
    """Return the SHA-256 (hex) of the corpus and of how it is cached; names the cache, identifies the training data."""
    digests = digests or FileDigests()
    code = code_of_class(type(corpus))  # of ours there is none: their versions are in their fingerprints
    content = f"{FORMAT_VERSION} {corpus.fingerprint(digests)}" + (f" {code}" if code else "")
    if without := left_out(corpus, digests).identity():
        content += f" without {without}"
    return hashlib.sha256(content.encode()).hexdigest()


def prepared_folder(corpus: Corpus, cache_root: str | Path) -> Path:
    """Return where ``prepare`` puts a corpus, whether it is there already or not."""
    if isinstance(corpus, KnowsPrepared):
        return corpus.prepared().folder
    return _identified(corpus, Path(cache_root)).folder


def _identified(corpus: Corpus, cache_root: Path) -> PreparedData:
    fingerprint = prepared_fingerprint(corpus, _digests(corpus, cache_root))
    folder = cache_root / f"{corpus.name}-{fingerprint[:12]}"
    return PreparedData(folder, corpus.name, fingerprint, corpus.duration)


def _digests(corpus: Corpus, cache_root: Path) -> FileDigests:
    return FileDigests(cache_root / f"digests-{corpus.name}.jsonl")


def _is_finished(prepared: PreparedData, names: Sequence[str]) -> bool:
    sealed = all((prepared.folder / name / SPLIT_FILE).is_file() for name in names)
    return sealed and prepared.report_path.is_file()


def _make(
    corpus: Corpus,
    prepared: PreparedData,
    names: Sequence[str],
    part: Part,
    workers: int,
    progress: bool,
    sounds_per_shard: int | None,
) -> None:
    """Plan, make the shards of ``part``, and seal when every shard of every part is made."""
    plans = _planned(corpus, prepared, names)
    stores = {name: _store(prepared.folder / name, plan, sounds_per_shard) for name, plan in plans.items()}
    before = 0
    for name, store in stores.items():
        numbers = [number for number in range(len(store)) if part.has(before + number)]
        title = f"prepare {prepared.name} {name}" + (f" part {part}" if part.count > 1 else "")
        make_shards(store, numbers, plans[name], corpus, workers, title if progress else None)
        before += len(store)
    if any(store.unfinished() for store in stores.values()):
        return
    with exclusive(prepared.folder):
        for name, store in stores.items():
            _seal(store, name)
        write_report(prepared)


def _planned(corpus: Corpus, prepared: PreparedData, names: Sequence[str]) -> dict[str, Plan]:
    """Return the plan of every split that is not finished; the first process makes it, the others wait and read it."""
    plans = {}
    with exclusive(prepared.folder):
        remove_leftovers(prepared.folder)
        folders = {name: prepared.folder / name for name in names}
        unfinished = [name for name, folder in folders.items() if not (folder / SPLIT_FILE).is_file()]
        new = [name for name in unfinished if not is_planned(folders[name])]
        if new or not (prepared.folder / DATA_FILE).is_file():
            found = left_out(corpus, _digests(corpus, prepared.folder.parent))
            warn_of_unused_lists(corpus)
            _write_data_file(corpus, prepared, found.num_shared)
            for name in new:
                write_plan(folders[name], corpus.clips(name), name, found.reasons[name])
        for name in unfinished:
            plans[name] = Plan(folders[name])
    return plans


def _store(folder: Path, plan: Plan, sounds_per_shard: int | None) -> Store:
    evenly = -(-plan.num_sounds // _SHARDS_OF_A_SMALL_SPLIT)
    per_shard = sounds_per_shard or min(SOUNDS_PER_SHARD, max(_LEAST_PER_SHARD, evenly))
    return Store(folder, plan.num_sounds, per_shard)


def _seal(store: Store, name: str) -> None:
    if not (store.folder / SPLIT_FILE).is_file():
        remove_leftovers(store.folder)  # every shard is made: nobody writes here any more
        if not (store.folder / INDEX).is_file():
            store.seal()
        seal_split(store.folder, name)
    shutil.rmtree(store.folder / CLAIMS, ignore_errors=True)


def _write_data_file(corpus: Corpus, prepared: PreparedData, num_shared: int) -> None:
    rejected = corpus.rejected_rows() if isinstance(corpus, RejectsRows) else []
    content = {"format": FORMAT_VERSION, "name": prepared.name, "fingerprint": prepared.fingerprint}
    content |= {"duration": prepared.duration, "shared": num_shared}
    content |= {"rejected": [dataclasses.asdict(row) for row in rejected]}
    write_json(prepared.folder / DATA_FILE, content)
