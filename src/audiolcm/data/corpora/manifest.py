"""Your own data: a table beside (or above) the sound files it names, or sound files alone."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus, find_table
from audiolcm.data.corpora.naming import unique_names
from audiolcm.data.corpora.own_folder import USUAL_TABLE, clips_of_folder
from audiolcm.data.manifest import SPLITS, BadRow, Clip, unknown_split
from audiolcm.data.manifest_tables import MEL_COLUMN, SOUND_COLUMN, read_manifest
from audiolcm.storage.file_digests import FileDigests


class ManifestCorpus(FolderCorpus):
    """Clips of a manifest (columns name, audio_path, caption, structured_caption, duration, split, labels).

    When no row has a split, one clip in ``validation_every``, chosen by the hash of its audio path, and at least one,
    is held out for validation and the others train. Otherwise rows with an unknown split, or with a name that a row of
    another split has, are rejected (see ``rejected_rows``). What is not named below is as for ``FolderCorpus``.

    Args:
        manifest: the table under ``root``; without the usual one, what ``clips_of_folder`` finds.
        validation_every: one clip in so many is held out.
        mels: the column ``mel_path`` is read instead of ``audio_path``: no sound is needed.
    """

    def __init__(
        self,
        root: str | None = None,
        manifest: str = USUAL_TABLE,
        duration: float = 10.0,
        max_duration: float = 10.0,
        validation_every: int = 16,
        name: str = "manifest",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
        mels: bool | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        self.manifest = manifest
        self.mels = bool(mels)

    @cached_property
    def _sorted_rows(self) -> tuple[list[Clip], list[BadRow]]:
        rows = self._rows()
        if self._has_no_table or not any(clip.split for clip in rows):
            rows = self._split_off(rows, [self._key(clip) for clip in rows])
        good, bad, first = [], [], {}
        for clip in rows:
            earlier = first.setdefault(clip.name, clip)
            if clip.split not in SPLITS:
                bad.append(unknown_split(clip))
            elif earlier.split != clip.split and earlier.split in SPLITS:
                reason = f"The name {clip.name!r} is used by row {earlier.row} of split {earlier.split}."
                bad.append(BadRow(clip.split, clip.row, clip.name, reason))
            else:
                good.append(clip)
        return good, bad

    @cached_property
    def _has_no_table(self) -> bool:
        return self.manifest == USUAL_TABLE and not (self.root / USUAL_TABLE).is_file()

    def _rows(self) -> list[Clip]:
        hint = "write one (see the README) or name it with dataset.manifest=FILE."
        if self._has_no_table and not self.mels:
            clips = clips_of_folder(self.root, self.name)
        else:
            table = find_table(self.root, (self.manifest,), hint)
            clips = read_manifest(table, MEL_COLUMN if self.mels else SOUND_COLUMN)
        clips = [_with_slashes(clip) for clip in clips]
        if self.mels:
            clips = [
                replace(clip, audio_path=clip.audio_path and self._find_mel(clip.audio_path))
                for clip in clips
            ]
        if any(clip.name for clip in clips):
            return clips
        names = unique_names(
            str(Path(self._key(clip)).with_suffix("")) if clip.audio_path else "" for clip in clips
        )
        return [replace(clip, name=name) for clip, name in zip(clips, names, strict=True)]

    def _key(self, clip: Clip) -> str:
        path = clip.audio_path
        if path is not None and path.is_relative_to(self.root):  # else the key would change with the machine
            path = path.relative_to(self.root)
        return clip.name if path is None else str(path)

    def _read_clips(self) -> list[Clip]:
        return self._sorted_rows[0]

    def rejected_rows(self) -> list[BadRow]:
        """Return the rows with an unknown split, or whose name belongs to a row of another split."""
        return self._sorted_rows[1]

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the fingerprint of a corpus in a folder and of the rejected rows, which the report lists."""
        rejected = repr(self.rejected_rows())
        return hashlib.sha256(f"{super().fingerprint(digests)} {rejected}".encode()).hexdigest()


def _with_slashes(clip: Clip) -> Clip:
    """Return a path of Windows as one of this system, unless a file has backslashes in its name."""
    path = clip.audio_path
    if path is None or "\\" not in str(path) or os.path.isfile(path):
        return clip
    return replace(clip, audio_path=Path(str(path).replace("\\", "/")))
