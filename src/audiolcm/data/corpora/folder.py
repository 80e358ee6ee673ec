"""What all corpora that lie in a folder share: the root, reading sound, the fingerprint, missing files."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from audiolcm.audio.io import read_audio
from audiolcm.data.digests import FileDigests
from audiolcm.data.manifest import SPLITS, Clip, check_split
from audiolcm.data.prepared import clip_to_json
from audiolcm.errors import UserError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus")


class FolderCorpus(ABC):
    """A corpus in a folder: a table (or several) and sound files.

    root: the folder (checked at first use, not at construction).  duration: seconds of one training example.
    max_duration: seconds of a longer file that are kept; the rest is dropped.
    """

    def __init__(self, name: str, root: str | None, duration: float, max_duration: float) -> None:
        if duration <= 0 or max_duration < duration:
            raise UserError(
                f"dataset {name}: duration={duration} and max_duration={max_duration} do not fit: "
                "0 < duration <= max_duration is needed."
            )
        self.name = name
        self.duration = float(duration)
        self.max_duration = float(max_duration)
        self._root = root

    @property
    def root(self) -> Path:
        """The folder. Raises UserError when it is not set or does not exist."""
        if not self._root:
            raise UserError(
                f"dataset {self.name} needs its folder: add dataset.root=/path/to/{self.name}, or once and for all "
                f"export AUDIOLCM_DATA=FOLDER, with {self.name} in it."
            )
        root = Path(self._root).expanduser()
        if not root.is_dir():
            raise UserError(
                f"Data folder {root} not found: correct dataset.root=... for dataset {self.name}."
            )
        return root

    def place(self, root: Path) -> None:
        """Say where the folder is, unless `root` was set: a mix of corpora keeps them side by side."""
        self._root = self._root or str(root)

    @abstractmethod
    def _read_clips(self) -> list[Clip]:
        """Every clip of the corpus, each with its split."""

    @cached_property
    def _clips(self) -> list[Clip]:
        return self._read_clips()

    def clips(self, split: str) -> Sequence[Clip]:
        """The clips of one split in the order of their table; a missing audio file is no error here."""
        check_split(split)
        return [clip for clip in self._clips if clip.split == split]

    def waveform(self, clip: Clip) -> np.ndarray:
        """float32 (samples,), mono, 16 kHz, at most max_duration long; UserError when it can not be read."""
        if clip.audio_path is None:
            raise UserError("The audio path is missing.")
        return read_audio(clip.audio_path, self.max_duration)

    def missing_files(self, split: str) -> list[Path]:
        """Audio files of a split that are not there, each once."""
        paths = dict.fromkeys(clip.audio_path for clip in self.clips(split) if clip.audio_path is not None)
        return [path for path in paths if not path.is_file()]

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """SHA-256 (hex) of all captions and the contents of all sound files, wherever the folder lies.

        `duration` does not enter: it crops training examples, it does not change the data.
        """
        paths = (clip.audio_path for clip in self._clips if clip.audio_path is not None)
        sounds = (digests or FileDigests()).of(paths)
        whole = hashlib.sha256(f"{self.name} {self.max_duration}".encode())
        for clip in sorted(self._clips, key=lambda clip: SPLITS.index(clip.split)):
            sound = None if clip.audio_path is None else sounds.get(clip.audio_path)
            content = clip_to_json(clip) | {"audio_path": sound, "row": 0}
            whole.update(json.dumps(content, sort_keys=True).encode())
        return whole.hexdigest()


def find_table(root: Path, candidates: Sequence[str], hint: str) -> Path:
    """The first of `candidates` that exists under `root`, else UserError with `hint`."""
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    raise UserError(f"None of {', '.join(candidates)} found in {root}: {hint}")


def index_audio(folders: Iterable[Path]) -> dict[str, Path]:
    """Every sound file below the folders by its name without suffix; the first of a name wins."""
    index: dict[str, Path] = {}
    for folder in folders:
        for path in sound_files(folder):
            index.setdefault(path.name.removesuffix(path.suffix), path)
    return index


def sound_files(folder: Path) -> list[Path]:
    """Every sound file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)


def unique_names(names: Iterable[str]) -> list[str]:
    """Number the repeats of a name: a, b, a, a -> a, b, a_2, a_3 (one clip with several captions)."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique
