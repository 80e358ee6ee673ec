"""WebDataset: tar shards of <key>.<sound> with <key>.json or <key>.txt, read where they lie, without unpacking."""

import functools
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import ArrowException, parquet

from audiolcm.audio.io import read_audio
from audiolcm.audio.resampling import DEFAULT_RESAMPLER
from audiolcm.data.corpora.folder import FolderCorpus, tell_chosen
from audiolcm.data.corpora.tar_index import INDEX_SCHEMA, INDEX_VERSION, write_index
from audiolcm.data.left_out import Sound, naming_list
from audiolcm.data.locating import files_below
from audiolcm.data.manifest import BadRow, Clip, check_split
from audiolcm.data.splits import held_out_keys
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_SHARDS_IN_MEMORY = 32  # their rows, not their sound: 0.3 MB for a thousand clips


class WebDataset(FolderCorpus):
    """A folder with *.tar, at any depth. What the descriptions may say: ``audiolcm.data.corpora.sidecar.describe``.

    Which clip lies where is written to ``index``, a Parquet file (null: index.parquet in the folder), once, and again
    when a shard has changed. Clips are named <shard>/<key>. One in ``validation_every`` is held out unless its
    description names a split. Rows of a damaged shard are reported as bad, the other shards are used. Nothing in a
    shard is ever unpickled.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 10.0,
        validation_every: int = 100,
        index: str | None = None,
        name: str = "webdataset",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        self._index = index
        self._lock = threading.Lock()

    @functools.cached_property
    def _shards(self) -> list[Path]:
        paths = files_below(self.root, (".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst"))
        found = [path for path in paths if path.name.lower().endswith((".tar", *_COMPRESSED))]
        if not found:
            raise UserError(f"No .tar below {self.root}: correct dataset.root=... for dataset {self.name}.")
        if all(path.name.lower().endswith(_COMPRESSED) for path in found):
            raise UserError(
                f"The shards below {self.root} are compressed, such as {min(found).name}: no clip in them can be read "
                "from its place. Unpack all of them to plain .tar, for example by gunzip."
            )
        return sorted(found)

    @functools.cached_property
    def index(self) -> parquet.ParquetFile:
        """The table of members, made when it is not there or a shard has another size or time than when it was made."""
        path = self.root / "index.parquet" if self._index is None else Path(self._index).expanduser()
        state = self._state()
        if found := _open(path, state):
            return found
        try:
            write_index(path, self._shards, self.root, self.validation_every, state)
        except UserError as error:
            raise UserError(f"{error} dataset.index=FILE names another place for the index.") from error
        return parquet.ParquetFile(path, memory_map=True)

    def _state(self) -> str:
        stats = [(path.relative_to(self.root).as_posix(), path.stat()) for path in self._shards]
        facts: list[object] = [INDEX_VERSION, self.validation_every]
        facts += [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def clips(self, split: str) -> Sequence[Clip]:
        """Return the clips of one split in the order of the shards, made when they are asked for."""
        return _ClipsOfSplit(self, check_split(split))

    def _read_clips(self) -> list[Clip]:
        return [self.clip(number, row) for number, row in enumerate(self.rows())]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the index, a shard at a time in memory."""
        for group in range(self.index.num_row_groups):
            yield from self.index.read_row_group(group).to_pylist()

    def clip(self, number: int, row: dict[str, Any]) -> Clip:
        """Return the clip of a row of the index; ``row`` of the clip is its number there."""
        return Clip(
            name=clip_name(row),
            audio_path=self.root / row["shard"] / f"{row['key']}.{row['extension']}",
            caption=row["caption"],
            structured_caption=row["structured_caption"],
            duration=0.0,
            split=self._moved.get(number, row["split"]),
            labels=tuple(row["labels"]),
            row=number,
            problem=row["problem"],
        )

    @functools.cached_property
    def splits(self) -> np.ndarray:
        """The split of every row of the index: objects (rows,)."""
        splits = self.index.read(["split"]).column("split").to_numpy()
        for row, split in self._moved.items():
            splits[row] = split
        return splits

    @functools.cached_property
    def _moved(self) -> dict[int, str]:
        """Rows that are given another split than by the hash of their key, as ``_split_off`` does: of a few clips."""
        known = set(self.index.read(["split"]).column("split").to_numpy())
        if self.validation_every == 0 or {"train", "validation"} <= known:
            return {}
        columns = self.index.read(["split", "named", "problem", "caption", "key"]).to_pydict()
        facts = zip(columns["named"], columns["problem"], columns["caption"], strict=True)
        free = [
            row
            for row, (named, problem, caption) in enumerate(facts)
            if caption and not named and not problem
        ]
        splits = {columns["split"][row] for row in free}
        others = set(columns["split"]) - splits
        if len(splits) != 1 or "validation" in others:
            return {}
        keys = [columns["key"][row] for row in free]
        chosen = held_out_keys(keys, self.validation_every, lambda _: True)[1]
        split = "train" if "validation" in splits else "validation"
        if chosen:
            tell_chosen(self.name, self.validation_every, len(keys), chosen, split)
        return {row: split for row, key in zip(free, keys, strict=True) if key == chosen}

    def sounds(self, split: str, digests: FileDigests) -> Iterator[Sound]:
        """Yield what tells the sounds of a split's clips from others: that of members, not known to ``digests``."""
        lists = () if check_split(split) == "test" else self.exclusions()
        rows = (
            self.index.read(["shard", "key", "digest"])
            .take(np.flatnonzero(self.splits == split))
            .to_batches()
        )
        for row in (row for batch in rows for row in batch.to_pylist()):
            names = (clip_name(row), row["key"], row["key"].rpartition("/")[2])
            yield Sound(row["digest"], "", names, naming_list(lists, names, ""))

    def rejected_rows(self) -> list[BadRow]:
        """Return nothing: a description with an unknown split is a bad row of its shard."""
        return []

    def missing_files(self, split: str) -> list[Path]:
        """Return nothing: a clip without sound is a bad row of its shard."""
        check_split(split)
        return []

    def waveform(self, clip: Clip) -> np.ndarray:
        """Return the sound of a clip, from its place in its shard; as ``FolderCorpus.waveform``."""
        row = self.row(clip.row)
        with (self.root / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            content = file.read(row["size"])
        resampler = self.resampler or DEFAULT_RESAMPLER
        return read_audio(clip.audio_path or clip.name, self.max_duration, content, resampler)

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the SHA-256 (hex) of the settings and the contents of all shards, wherever the folder lies."""
        known = (digests or FileDigests()).of(self._shards)
        facts = [self.name, self.max_duration, self.validation_every, *self._other_resampler()]
        facts += [(path.relative_to(self.root).as_posix(), digest) for path, digest in known.items()]
        facts += self._read_otherwise()
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _read_otherwise(self) -> list[object]:
        """Return what is read of these shards that earlier versions lost: such data have an identity of their own."""
        lost = np.flatnonzero(self.index.read(["once_lost"]).column("once_lost").to_numpy()).tolist()
        return [lost, sorted(self._moved.items())] if lost or self._moved else []

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        """For every shard the number of its first row, and the number of all rows: int64 (shards + 1,)."""
        facts = self.index.metadata
        counts = [facts.row_group(group).num_rows for group in range(facts.num_row_groups)]
        return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))

    def row(self, number: int) -> dict[str, Any]:
        """Return one row of the index."""
        group = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._group(group).slice(number - int(self._starts[group]), 1).to_pylist()[0]

    def _group(self, number: int) -> Any:
        with self._lock:  # several threads decode sound, and a Parquet reader serves one at a time
            return self._cached_group(number)

    @functools.cached_property
    def _cached_group(self) -> Any:
        read = functools.partial(self.index.read_row_group, use_threads=False)
        return functools.lru_cache(_SHARDS_IN_MEMORY)(read)


class _ClipsOfSplit(Sequence[Clip]):
    """The clips of one split: one array of row numbers, and rows as they are asked for."""

    def __init__(self, corpus: WebDataset, split: str) -> None:
        self._corpus = corpus
        self._rows = np.flatnonzero(corpus.splits == split)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        number = int(self._rows[index])
        return self._corpus.clip(number, self._corpus.row(number))


def clip_name(row: Mapping[str, Any]) -> str:
    """Return the name of a clip, <shard>/<key>."""
    return f"{Path(row['shard']).with_suffix('').as_posix()}/{row['key']}"


def _open(path: Path, state: str) -> parquet.ParquetFile | None:
    """Return the index when it is there, whole (its pages have checksums) and of this state."""
    try:
        found = parquet.ParquetFile(path, memory_map=True, page_checksum_verification=True)
        schema = found.schema_arrow
        if not schema.equals(INDEX_SCHEMA) or (schema.metadata or {}).get(b"state") != state.encode():
            return None
        for group in range(found.num_row_groups):
            found.read_row_group(group)
    except (OSError, ArrowException):
        return None
    return found
