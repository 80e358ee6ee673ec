"""Prepared data: the cached waveforms and mels of a corpus, as `audiolcm.data.prepare` writes them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path

import numpy as np

from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE
from audiolcm.data.manifest import BadRow, Clip, Event, check_split
from audiolcm.data.shards import ShardReader, read_json
from audiolcm.errors import UserError

FULL_SCALE = 32768.0
DATA_FILE = "data.json"
CLIPS_FILE = "clips.json"
REPORT = "report.tsv"
_NEEDED_SPLITS = ("train", "validation")  # a test split may be empty: some corpora have none


class PreparedSplit:
    """The usable clips of one split with random access to their sound.

    `clips[i].duration` is the length of the cached sound in seconds. Clips with the same audio file share one
    copy.
    """

    def __init__(self, folder: Path, name: str, data_fingerprint: str) -> None:
        self.folder = folder / name
        self.name = name
        self.fingerprint = hashlib.sha256(f"{data_fingerprint} {name}".encode()).hexdigest()
        content = read_json(self.folder / CLIPS_FILE)
        self.clips = [clip_from_json(clip) for clip in content["clips"]]
        self.bad_rows = [BadRow(**row) for row in content["bad"]]
        self._items: list[int] = content["items"]
        self._shards = ShardReader(self.folder)

    def __len__(self) -> int:
        return len(self.clips)

    @functools.cached_property
    def sounds(self) -> list[int]:
        """One clip index for every distinct sound, in order."""
        first: dict[int, int] = {}
        for index, item in enumerate(self._items):
            first.setdefault(item, index)
        return list(first.values())

    @functools.cached_property
    def sound_of_clip(self) -> list[int]:
        """For every clip the position of its sound in `sounds`."""
        position = {self._items[clip]: number for number, clip in enumerate(self.sounds)}
        return [position[item] for item in self._items]

    def num_samples(self, index: int) -> int:
        """Length of a clip in samples at 16 kHz."""
        return self._shards.length("waveform", self._items[index])

    def num_frames(self, index: int) -> int:
        """Length of a clip in mel frames: num_samples // 256."""
        return self.num_samples(index) // HOP_LENGTH

    def waveform(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples `start:stop` of a clip: float32 (samples,), full scale 1."""
        stored = self._shards.read("waveform", self._items[index], start, stop)
        return stored.astype(np.float32) / np.float32(FULL_SCALE)

    def mel(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Frames `start:stop` of the log10 mel of a clip: float32 (80, frames)."""
        stored = self._shards.read("mel", self._items[index], start, stop)
        return np.ascontiguousarray(stored.T, dtype=np.float32)


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """A prepared corpus on disk: `split(name)`, `bad_rows`, `report_path`; `fingerprint` identifies it."""

    folder: Path
    name: str
    fingerprint: str
    duration: float

    @classmethod
    def open(cls, folder: str | Path) -> PreparedData:
        """Open a folder that `prepare` made. Raises UserError when it holds no prepared data."""
        folder = Path(folder)
        if not (folder / DATA_FILE).is_file():
            raise UserError(f"No prepared data in {folder}: run `audiolcm prepare dataset=...` first.")
        content = read_json(folder / DATA_FILE)
        return cls(folder, content["name"], content["fingerprint"], content["duration"])

    @property
    def report_path(self) -> Path:
        """The table of bad rows: split, row, name, reason (only a header when all rows are good)."""
        return self.folder / REPORT

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that are prepared."""
        return tuple(split.name for split in self._all_splits())

    @property
    def bad_rows(self) -> list[BadRow]:
        """Every row that can not be used."""
        rejected = [BadRow(**row) for row in read_json(self.folder / DATA_FILE)["rejected"]]
        return rejected + [row for split in self._all_splits() for row in split.bad_rows]

    def split(self, name: str) -> PreparedSplit:
        """One split. Raises UserError when it is not prepared, or when train or validation is empty."""
        split = self.open_split(name)
        if len(split) == 0 and name in _NEEDED_SPLITS:
            raise UserError(
                f"Split {name} of {self.name} holds no usable clip ({len(split.bad_rows)} bad rows): "
                f"see {self.report_path}, then check dataset.root and the splits in the dataset config."
            )
        return split

    def open_split(self, name: str) -> PreparedSplit:
        """One split, empty or not. Raises UserError when it is not prepared."""
        if not (self.folder / check_split(name) / CLIPS_FILE).is_file():
            raise UserError(
                f"Split {name} of {self.name} is not prepared in {self.folder}: "
                f"run `audiolcm prepare dataset={self.name}`."
            )
        return PreparedSplit(self.folder, name, self.fingerprint)

    def _all_splits(self) -> list[PreparedSplit]:
        names = sorted(path.parent.name for path in self.folder.glob(f"*/{CLIPS_FILE}"))
        return [PreparedSplit(self.folder, name, self.fingerprint) for name in names]


def prepare_report(prepared: PreparedData) -> str:
    """A few lines for people: clips and hours of every split, the first bad rows and why, and the folder."""
    lines = [f"{prepared.name}: {prepared.folder}"]
    for name in prepared.splits:
        split = prepared.open_split(name)
        hours = sum(split.num_samples(index) for index in split.sounds) / SAMPLE_RATE / 3600
        lines.append(
            f"  {name}: {len(split)} clips of {len(split.sounds)} sounds, {hours:.2f} h; "
            f"{len(split.bad_rows)} bad rows"
        )
        if len(split) == 0 and name in _NEEDED_SPLITS:
            lines.append(f"  Split {name} is empty: this data can be listened to and scored, not trained on.")
    bad = prepared.bad_rows
    lines += [
        f"  bad row {row.row} ({row.split or 'no split'}, {row.name or 'no name'}): {row.reason}"
        for row in bad[:5]
    ]
    if bad:
        lines.append(f"  {len(bad)} bad rows were left out; all of them: {prepared.report_path}")
    return "\n".join(lines)


def clip_to_json(clip: Clip) -> dict:
    """A clip as plain JSON values."""
    content = dataclasses.asdict(clip)
    content["audio_path"] = None if clip.audio_path is None else str(clip.audio_path)
    return content


def clip_from_json(content: dict) -> Clip:
    """The inverse of `clip_to_json`."""
    path = content["audio_path"]
    return Clip(
        **content
        | {
            "audio_path": None if path is None else Path(path),
            "labels": tuple(content["labels"]),
            "events": tuple(Event(**event) for event in content["events"]),
        }
    )
