"""Prepared data: the cached waveforms and mels of a corpus, as ``audiolcm.data.preparing.prepare`` writes them.

Opening it takes the same time and memory for ten thousand and for a million clips: clips are made from a mapped table
when they are asked for.
"""

import dataclasses
import functools
import hashlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow

from audiolcm.audio.mel import HOP_LENGTH
from audiolcm.data.manifest import BadRow, Clip, Event, check_split
from audiolcm.data.store.arrow_rows import ArrowRows
from audiolcm.data.store.checked_json import read_json, refuse_damaged
from audiolcm.data.store.samples import FULL_SCALE, sound_lengths
from audiolcm.data.store.shards import ShardReader
from audiolcm.errors import UserError

FORMAT_VERSION = 2
DATA_FILE = "data.json"
SPLIT_FILE = "split.json"
CLIPS_FILE = "clips.arrow"
BAD_FILE = "bad.arrow"
MISSING_FILE = "missing.arrow"
REPORT = "report.tsv"
MISSING_REPORT = "missing.tsv"
NEEDED_SPLITS = ("train", "validation")  # a test split may be empty: some corpora have none

_ONLY_MEL = (
    "Clip {name} has no sound: the data were prepared from mels (dataset.mels=true), which train the autoencoder, the "
    "teacher and the student. To train a vocoder, or to compare with the references, prepare the sounds themselves."
)
_EVENT = pyarrow.struct([("label", "string"), ("start", "float64"), ("end", "float64")])
CLIP_FIELDS = pyarrow.schema(
    [
        *((name, pyarrow.string()) for name in ("name", "audio_path", "caption", "structured_caption")),
        ("duration", pyarrow.float64()),
        ("split", pyarrow.string()),
        ("labels", pyarrow.list_(pyarrow.string())),
        ("events", pyarrow.list_(_EVENT)),
        ("row", pyarrow.int64()),
        ("problem", pyarrow.string()),
    ]
)
CLIPS_SCHEMA = pyarrow.schema(
    [*CLIP_FIELDS, *((name, pyarrow.int64()) for name in ("item", "sound", "caption_number"))]
)
BAD_SCHEMA = pyarrow.schema([("split", "string"), ("row", "int64"), ("name", "string"), ("reason", "string")])


class Clips(Sequence[Clip]):
    """The clips of a table, made when they are asked for."""

    def __init__(self, rows: ArrowRows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> list[Clip]: ...
    def __getitem__(self, index: int | slice) -> Clip | list[Clip]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        return clip_of_row(self._rows[index + len(self) if index < 0 else index])

    def __iter__(self) -> Iterator[Clip]:
        return (clip_of_row(row) for row in self._rows)


class PreparedSplit:
    """The usable clips of one split with random access to their sound.

    ``clips[i].duration`` is the length of the cached sound in seconds. Clips with the same audio file share one
    copy.
    """

    def __init__(self, folder: Path, name: str, data_fingerprint: str) -> None:
        self.folder = folder / name
        self.name = name
        self.fingerprint = hashlib.sha256(f"{data_fingerprint} {name}".encode()).hexdigest()
        self.facts = read_json(self.folder / SPLIT_FILE)
        for table, facts in self.facts["tables"].items():
            refuse_damaged(self.folder / table, facts)
        self._rows = ArrowRows(self.folder / CLIPS_FILE)
        self._shards = ShardReader(self.folder)
        self.clips = Clips(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @functools.cached_property
    def has_sound(self) -> bool:
        """Whether every clip has its sound, not its mel alone."""
        return not np.any((self._shards.lengths("waveform") == 0) & (self._shards.lengths("mel") > 0))

    @property
    def bad_rows(self) -> list[BadRow]:
        """The rows that cannot be used; not those that are left out for another reason."""
        rows = (BadRow(**row) for row in ArrowRows(self.folder / BAD_FILE))
        return [row for row in rows if not row.is_left_out]

    @property
    def num_left_out(self) -> int:
        """How many clips are left out because they are tested on, or a list names them."""
        return self.facts.get("left_out", 0)  # data of earlier versions left none out

    @functools.cached_property
    def sounds(self) -> Sequence[int]:
        """One clip index for every distinct sound, in order."""
        return _integers(np.unique(self._rows.column("sound"), return_index=True)[1])

    @functools.cached_property
    def sound_of_clip(self) -> Sequence[int]:
        """For every clip the position of its sound in ``sounds``."""
        return _integers(self._rows.column("sound"))

    @functools.cached_property
    def captions(self) -> Sequence[int]:
        """One clip index for every distinct pair of captions, in order; the empty pair has none."""
        return _integers(np.unique(self._rows.column("caption_number"), return_index=True)[1])

    def sound(self, index: int) -> int:
        """Return the position of a clip's sound in ``sounds``."""
        return self._rows.value("sound", index)

    def caption_number(self, index: int) -> int:
        """Return 1 + the position of a clip's captions in ``captions``; 0 is the empty pair."""
        return self._rows.value("caption_number", index)

    def frames_of_sounds(self) -> np.ndarray:
        """Return the mel frames of every distinct sound: int64 (sounds,)."""
        lengths = sound_lengths(self._shards)
        return lengths[lengths > 0] // HOP_LENGTH

    def num_samples(self, index: int) -> int:
        """Return the length of a clip in samples at 16 kHz."""
        item = self._rows.value("item", index)
        return self._shards.length("waveform", item) or self._shards.length("mel", item) * HOP_LENGTH

    def num_frames(self, index: int) -> int:
        """Return the length of a clip in mel frames: num_samples // 256."""
        return self.num_samples(index) // HOP_LENGTH

    def waveform(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return samples ``start:stop`` of a clip: float32 (samples,), full scale 1.

        Raises:
            UserError: the data has its mel alone.
        """
        item = self._rows.value("item", index)
        if not self._shards.length("waveform", item):
            raise UserError(_ONLY_MEL.format(name=self.clips[index].name))
        stored = self._shards.read("waveform", item, start, stop)
        return stored.astype(np.float32) / np.float32(FULL_SCALE)

    def mel(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames ``start:stop`` of the log10 mel of a clip: float32 (80, frames)."""
        stored = self._shards.read("mel", self._rows.value("item", index), start, stop)
        return np.ascontiguousarray(stored.T, dtype=np.float32)


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """A prepared corpus on disk: ``split(name)``, ``bad_rows``, ``report_path``; ``fingerprint`` identifies it."""

    folder: Path
    name: str
    fingerprint: str
    duration: float

    @classmethod
    def open(cls, folder: str | Path) -> "PreparedData":
        """Open a folder that ``prepare`` made.

        Raises:
            UserError: when it holds no finished data of this version.
        """
        folder = Path(folder)
        if not (folder / DATA_FILE).is_file():
            raise UserError(f"No prepared data in {folder}: run `audiolcm prepare dataset=...` first.")
        content = read_json(folder / DATA_FILE)
        if content.get("format") != FORMAT_VERSION:
            raise UserError(
                f"{folder} was prepared by another version of audiolcm: run `audiolcm prepare dataset=...` again."
            )
        prepared = cls(folder, content["name"], content["fingerprint"], content["duration"])
        if not prepared.report_path.is_file():
            raise UserError(
                f"The preparation in {folder} is not finished: run `audiolcm prepare dataset={prepared.name}` again."
            )
        return prepared

    @property
    def report_path(self) -> Path:
        """The table of bad rows: split, row, name, reason (only a header when all rows are good)."""
        return self.folder / REPORT

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that are prepared."""
        return tuple(sorted(path.parent.name for path in self.folder.glob(f"*/{SPLIT_FILE}")))

    @property
    def num_bad_rows(self) -> int:
        """How many rows are no clips."""
        rejected = len(read_json(self.folder / DATA_FILE)["rejected"])
        return rejected + sum(read_json(self.folder / name / SPLIT_FILE)["bad"] for name in self.splits)

    @property
    def num_left_out(self) -> int:
        """How many of those could be used, see ``PreparedSplit.num_left_out``."""
        return sum(self.open_split(name).num_left_out for name in self.splits)

    @property
    def num_shared(self) -> int:
        """How many clips of train have a sound that validation has too."""
        return read_json(self.folder / DATA_FILE).get("shared", 0)  # earlier versions did not count them

    @property
    def bad_rows(self) -> list[BadRow]:
        """Every row that is no clip."""
        return list(self.iterate_bad_rows())

    def iterate_bad_rows(self) -> Iterator[BadRow]:
        """Yield every row that is no clip, one at a time."""
        yield from (BadRow(**row) for row in read_json(self.folder / DATA_FILE)["rejected"])
        for name in self.splits:
            yield from (BadRow(**row) for row in ArrowRows(self.open_split(name).folder / BAD_FILE))

    def split(self, name: str) -> PreparedSplit:
        """Return one split.

        Raises:
            UserError: when it is not prepared, or when train or validation is empty.
        """
        split = self.open_split(name)
        if len(split) == 0 and name in NEEDED_SPLITS:
            raise UserError(f"Split {name} of {self.name} holds no usable clip {self._why_empty(split)}")
        return split

    def _why_empty(self, split: PreparedSplit) -> str:
        if not split.facts["bad"]:
            return (
                "(0 bad rows): no row belongs to it. Two different sounds at least are needed, one to train on and one "
                "for validation, and dataset.validation_every above 0 where the data have no splits of their own."
            )
        num_bad = split.facts["bad"] - split.num_left_out
        left_out = f", {split.num_left_out} left out" if split.num_left_out else ""
        return (
            f"({num_bad} bad rows{left_out}): see {self.report_path}, then check dataset.root and the splits in the "
            "dataset config."
        )

    def open_split(self, name: str) -> PreparedSplit:
        """Return one split, empty or not.

        Raises:
            UserError: when it is not prepared or damaged.
        """
        if not (self.folder / check_split(name) / SPLIT_FILE).is_file():
            raise UserError(
                f"Split {name} of {self.name} is not prepared in {self.folder}: "
                f"run `audiolcm prepare dataset={self.name}`."
            )
        return PreparedSplit(self.folder, name, self.fingerprint)


def clip_to_json(clip: Clip) -> dict:
    """Return a clip as plain JSON values."""
    path = None if clip.audio_path is None else str(clip.audio_path)
    return {**dataclasses.asdict(clip), "audio_path": path}


def clip_from_json(content: dict) -> Clip:
    """Return the inverse of ``clip_to_json``."""
    path = content["audio_path"]
    events = tuple(Event(**event) for event in content["events"])
    path = None if path is None else Path(path)
    return Clip(**content | {"audio_path": path, "labels": tuple(content["labels"]), "events": events})


def _integers(values: np.ndarray) -> Sequence[int]:
    """Return a sequence of Python's integers that takes 8 bytes each."""
    return array("q", values.astype(np.int64).tobytes())


def clip_of_row(row: dict) -> Clip:
    """Return the clip of a row of a table with ``CLIP_FIELDS``."""
    return clip_from_json({name: row[name] for name in CLIP_FIELDS.names})
