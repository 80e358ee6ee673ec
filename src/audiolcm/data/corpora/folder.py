"""What all corpora that lie in a folder share: the root, reading sound, the fingerprint, missing files."""

import hashlib
import json
import logging
import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from audiolcm.audio.io import read_audio
from audiolcm.audio.resampling import DEFAULT_RESAMPLER, RESAMPLERS
from audiolcm.data.left_out import NameList, Sound, name_lists, naming_list
from audiolcm.data.locating import (
    AUDIO_SUFFIXES,
    UNREADABLE_SUFFIXES,
    Finder,
    files_below,
    folded,
    sound_files,
)
from audiolcm.data.manifest import (
    SPLITS,
    BadRow,
    Clip,
    caption_problem,
    check_split,
    unknown_split,
)
from audiolcm.data.splits import held_out_keys, is_held_out
from audiolcm.data.store.mels import MEL_SUFFIX, is_mel, read_mel
from audiolcm.data.store.prepared import clip_to_json
from audiolcm.data.store.samples import sound_problem
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests

__all__ = ["AUDIO_SUFFIXES", "FolderCorpus", "find_table", "index_audio", "sound_files"]

_logger = logging.getLogger(__name__)


class FolderCorpus(ABC):
    """A corpus in a folder: a table (or several) and sound files.

    Args:
        name: short word used in folder names.
        root: the folder (checked at first use, not at construction).
        duration: seconds of one training example.
        max_duration: seconds of a longer file that are kept; the rest is dropped.
        exclude: lists of clips that are left out of training and validation, see ``audiolcm.data.left_out``.
        validation_every: one clip in so many is held out for validation, where a corpus has no such split.
        resampler: of files that are not at 16 kHz: soxr, which null is too, or torchaudio, as the released code does.
    """

    mels: bool = False
    """Whether a column ``mel_path`` is read instead of the sounds; set by the constructors that can."""

    def __init__(
        self,
        name: str,
        root: str | None,
        duration: float,
        max_duration: float,
        exclude: str | Sequence[str] | None = None,
        validation_every: int = 0,
        resampler: str | None = None,
    ) -> None:
        if duration <= 0 or max_duration < duration:
            raise UserError(
                f"dataset {name}: duration={duration} and max_duration={max_duration} do not fit: "
                "0 < duration <= max_duration is needed."
            )
        if resampler not in (None, *RESAMPLERS):
            raise UserError(f"dataset.resampler={resampler}: choose {' or '.join(RESAMPLERS)}.")
        self.name = name
        self.duration = float(duration)
        self.max_duration = float(max_duration)
        self._root = root
        self._find = Finder()
        self.exclude = exclude
        self.validation_every = validation_every
        self.resampler = resampler

    @property
    def root(self) -> Path:
        """The folder.

        Raises:
            UserError: when it is not set or does not exist.
        """
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
        """Say where the folder is, unless ``root`` was set: a mix of corpora keeps them side by side."""
        self._root = self._root or str(root)

    def resample_by(self, resampler: str | None) -> None:
        """Say what resamples, unless ``resampler`` was set."""
        self.resampler = self.resampler or resampler

    @abstractmethod
    def _read_clips(self) -> list[Clip]:
        """Return every clip of the corpus, each with its split."""

    @cached_property
    def _clips(self) -> list[Clip]:
        clips = self._read_clips()
        self._tell_of_mels(clips)
        return clips

    def _tell_of_mels(self, clips: Sequence[Clip]) -> None:
        """Say that there are mels, where none of the sounds is there."""
        paths = [clip.audio_path for clip in clips if clip.audio_path is not None]
        if paths and not any(map(os.path.isfile, paths)) and self._mels:
            _logger.warning(
                "%s: none of its sounds is there, but files such as %s are: dataset.mels=true reads those that the "
                "column mel_path of its table names.", self.name, min(self._mels.values()),
            )  # fmt: skip

    @cached_property
    def _audio(self) -> dict[str, Path]:
        return index_audio([self.root])

    def _find_anywhere(self, path: Path) -> Path:
        """Return the file ``path``, else one of its name in any format anywhere below the root, else ``path``."""
        found = self._find(path)
        if found.suffix.lower() not in UNREADABLE_SUFFIXES and os.path.isfile(found):
            return found
        stem = path.name.removesuffix(path.suffix)
        return self._audio.get(stem) or self._audio.get(folded(stem)) or found

    @cached_property
    def _mels(self) -> dict[str, Path]:
        return {
            folded(path.stem): path for path in sorted(files_below(self.root, (MEL_SUFFIX,)), reverse=True)
        }

    def _find_mel(self, path: Path) -> Path:
        """Return the file ``path``, else one of its name anywhere below the root, else ``path``."""
        found = self._find(path)
        return found if os.path.isfile(found) else self._mels.get(folded(path.stem), found)

    def _split_off(self, clips: Sequence[Clip], keys: Sequence[str]) -> list[Clip]:
        """Give the clips without a split one: about one key in ``validation_every`` is held out for validation.

        So that a handful of sounds can be trained on, one is held back where the hash takes none, which is said.
        """
        free, every = defaultdict[str, list[Clip]](list), self.validation_every
        for clip, key in zip(clips, keys, strict=True):
            if not clip.split:
                free[key].append(clip)
        if any(clip.split == "validation" for clip in clips):
            held, chosen = {key for key in free if is_held_out(key, every)}, ""
        else:
            held, chosen = held_out_keys(free, every, lambda key: any(map(self._is_usable, free[key])))
        if chosen:
            tell_chosen(self.name, every, len(free), chosen, "validation" if chosen in held else "train")
        return [
            clip if clip.split else replace(clip, split="validation" if key in held else "train")
            for clip, key in zip(clips, keys, strict=True)
        ]

    def _is_usable(self, clip: Clip) -> bool:
        if clip.problem or caption_problem(clip.caption):
            return False
        try:
            return self.mel(clip) is not None or sound_problem(self.waveform(clip)) is None
        except UserError:
            return False

    def clips(self, split: str) -> Sequence[Clip]:
        """Return the clips of one split in the order of their table; a missing audio file is no error here."""
        check_split(split)
        return [clip for clip in self._clips if clip.split == split]

    def rejected_rows(self) -> list[BadRow]:
        """Return the rows that are in no split."""
        return [unknown_split(clip) for clip in self._clips if clip.split not in SPLITS]

    def origin(self, clip: Clip) -> str:
        """Return the recording that a clip was taken from, as "youtube:ID" or "freesound:ID"; "" when unknown."""
        return ""

    def sounds(self, split: str, digests: FileDigests) -> Iterator[Sound]:
        """Yield what tells the sounds of a split's clips from others; lists name no clip of the test split."""
        clips, root = self.clips(split), f"{self.root}/"
        known = digests.of(clip.audio_path for clip in clips if clip.audio_path is not None)
        lists = () if split == "test" else self.exclusions()
        for clip in clips:
            path, origin = clip.audio_path, self.origin(clip)
            digest = "" if path is None or known[path] in ("missing", "unreadable") else known[path]
            names = (clip.name,) if path is None else (clip.name, path.name, str(path).removeprefix(root))
            yield Sound(digest, origin, names, naming_list(lists, names, origin))

    @cached_property
    def _lists(self) -> list[NameList]:
        return name_lists(self.exclude, self.root)

    def exclusions(self) -> Sequence[NameList]:
        """Return the lists of clips that are left out of training and validation."""
        return self._lists

    def waveform(self, clip: Clip) -> np.ndarray:
        """Return the sound of a clip: float32 (samples,), mono, 16 kHz, at most ``max_duration`` long.

        Raises:
            UserError: when it cannot be read.
        """
        if clip.audio_path is None:
            raise UserError("The audio path is missing.")
        return read_audio(clip.audio_path, self.max_duration, resampler=self.resampler or DEFAULT_RESAMPLER)

    def mel(self, clip: Clip) -> np.ndarray | None:
        """Return the mel (80, frames) of a clip whose file is one, at most ``max_duration`` long; else None.

        Raises:
            UserError: when it cannot be read.
        """
        return read_mel(clip.audio_path, self.max_duration) if self.mels and is_mel(clip.audio_path) else None

    def missing_files(self, split: str) -> list[Path]:
        """Return the audio files of a split that are not there, each once."""
        paths = dict.fromkeys(clip.audio_path for clip in self.clips(split) if clip.audio_path is not None)
        return [path for path in paths if not os.path.isfile(path)]

    def _other_resampler(self) -> list[str]:
        """Return what a fingerprint holds of the resampler: nothing of the usual one, as before there were others."""
        return [self.resampler] if self.resampler not in (None, DEFAULT_RESAMPLER) else []

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the SHA-256 (hex) of all captions and the contents of all sound files, wherever the folder lies.

        ``duration`` does not enter: it crops training examples, it does not change the data.
        """
        paths = (clip.audio_path for clip in self._clips if clip.audio_path is not None)
        sounds = (digests or FileDigests()).of(paths)
        whole = hashlib.sha256(
            " ".join(map(str, [self.name, self.max_duration, *self._other_resampler()])).encode()
        )
        for clip in sorted(self._clips, key=lambda clip: (*SPLITS, clip.split).index(clip.split)):
            sound = None if clip.audio_path is None else sounds.get(clip.audio_path)
            content = clip_to_json(clip) | {"audio_path": sound, "row": 0}
            whole.update(json.dumps(content, sort_keys=True).encode())
        return whole.hexdigest()


def tell_chosen(name: str, every: int, num_sounds: int, chosen: str, split: str) -> None:
    """Say that a sound was given a split so that neither is empty."""
    _logger.warning(
        "%s: dataset.validation_every=%d gives all of %d sounds to one split, so %s goes to %s.",
        name, every, num_sounds, chosen, split,
    )  # fmt: skip


def find_table(root: Path, candidates: Sequence[str], hint: str) -> Path:
    """Return the first of ``candidates`` that exists under ``root``.

    Raises:
        UserError: ending with ``hint``, when there is none.
    """
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    raise UserError(f"None of {', '.join(candidates)} found in {root}: {hint}")


def index_audio(folders: Iterable[Path]) -> dict[str, Path]:
    """Return every sound file below the folders by its name without suffix, and by that ``folded``.

    The first of a name wins. A file that cannot be read comes last.
    """
    paths = [path for folder in folders for path in sound_files(folder)]
    paths.sort(key=lambda path: path.suffix.lower() in UNREADABLE_SUFFIXES)
    index: dict[str, Path] = {}
    for path in paths:
        index.setdefault(path.name.removesuffix(path.suffix), path)
    for stem, path in list(index.items()):
        index.setdefault(folded(stem), path)
    return index
