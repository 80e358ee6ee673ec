"""Your own data: a TSV or Parquet manifest beside (or above) the sound files it names."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from functools import cached_property

from audiolcm.data.corpora.folder import FolderCorpus, find_table
from audiolcm.data.digests import FileDigests
from audiolcm.data.manifest import SPLITS, BadRow, Clip, read_manifest
from audiolcm.data.splits import is_held_out

_logger = logging.getLogger(__name__)


class ManifestCorpus(FolderCorpus):
    """Clips of a manifest (columns name, audio_path, caption, structured_caption, duration, split, labels).

    manifest: the table under `root`.  When no row has a split, one clip in `validation_every`, chosen by the
    hash of its audio path, is held out for validation and the others train. Otherwise rows with an unknown
    split, or with a name that a row of another split has, are rejected (see `rejected_rows`).
    """

    def __init__(
        self,
        root: str | None = None,
        manifest: str = "manifest.tsv",
        duration: float = 10.0,
        max_duration: float = 10.0,
        validation_every: int = 16,
        name: str = "manifest",
    ) -> None:
        super().__init__(name, root, duration, max_duration)
        self.manifest = manifest
        self.validation_every = validation_every

    @cached_property
    def _sorted_rows(self) -> tuple[list[Clip], list[BadRow]]:
        hint = "write one (see the README) or name it with dataset.manifest=FILE."
        rows = read_manifest(find_table(self.root, (self.manifest,), hint))
        if not any(clip.split for clip in rows):
            rows = [dataclasses.replace(clip, split=self._default_split(clip)) for clip in rows]
        good, bad, first = [], [], {}
        for clip in rows:
            earlier = first.setdefault(clip.name, clip)
            if clip.split not in SPLITS:
                reason = f"The split {clip.split!r} is unknown: use one of {', '.join(SPLITS)}."
                bad.append(BadRow(clip.split, clip.row, clip.name, reason))
            elif earlier.split != clip.split and earlier.split in SPLITS:
                reason = f"The name {clip.name!r} is used by row {earlier.row} of split {earlier.split}."
                bad.append(BadRow(clip.split, clip.row, clip.name, reason))
            else:
                good.append(clip)
        return good, bad

    def _default_split(self, clip: Clip) -> str:
        path = clip.audio_path
        if path is not None and path.is_relative_to(self.root):  # else the key would change with the machine
            path = path.relative_to(self.root)
        key = clip.name if path is None else str(path)
        return "validation" if is_held_out(key, self.validation_every) else "train"

    def _read_clips(self) -> list[Clip]:
        clips = self._sorted_rows[0]
        splits: dict[object, set[str]] = {}
        for clip in clips:
            splits.setdefault(clip.audio_path, set()).add(clip.split)
        shared = [path for path, names in splits.items() if path is not None and len(names) > 1]
        if shared:
            _logger.warning(
                "%s: %d sound files are in more than one split, the first is %s. What a model is validated or tested "
                "on it has then heard before.",
                self.name,
                len(shared),
                shared[0],
            )
        return clips

    def rejected_rows(self) -> list[BadRow]:
        """Rows with an unknown split, or whose name belongs to a row of another split."""
        return self._sorted_rows[1]

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """As every corpus in a folder, and the rejected rows, which the report lists."""
        rejected = repr(self.rejected_rows())
        return hashlib.sha256(f"{super().fingerprint(digests)} {rejected}".encode()).hexdigest()
