"""Clotho v2 (Drossos et al., 2020): Freesound recordings of 15 to 30 s with five captions each."""

import csv
import io
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from audiolcm.data.corpora.naming import captioned_clip, unique_names
from audiolcm.data.corpora.tables import TableCorpus, require_columns
from audiolcm.data.locating import folded
from audiolcm.data.manifest import Clip
from audiolcm.data.tables import TableRow

_logger = logging.getLogger(__name__)

_FOLDERS = {"train": "development", "validation": "validation", "test": "evaluation"}
_METADATA = "clotho_metadata_{}.csv"
_CAPTION_COLUMNS = tuple(f"caption_{number}" for number in range(1, 6))


class Clotho(TableCorpus):
    """Published CSV files (file_name, caption_1 ... caption_5) or released TSV files, and the recordings.

    Recordings lie in ``development``, ``validation`` and ``evaluation``, or anywhere below ``root``. A recording
    gives one clip for each caption: <file>, <file>_2, ... that share one cached sound. The published metadata, where
    they lie beside the tables, tell which recording of Freesound each is.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 10.0,
        max_duration: float = 30.0,
        train: str = "clotho_captions_development.csv",
        validation: str = "clotho_captions_validation.csv",
        test: str = "clotho_captions_evaluation.csv",
        name: str = "clotho",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
        mels: bool | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, resampler=resampler)
        self.tables = {"train": train, "validation": validation, "test": test}
        self.mels = bool(mels)

    def _published(self, rows: Sequence[TableRow], table: Path, split: str) -> list[Clip]:
        require_columns(rows, table, ("file_name", "caption_1"))
        columns = [column for column in _CAPTION_COLUMNS if rows and column in rows[0]]
        names = iter(unique_names(Path(row["file_name"]).stem for row in rows for _ in columns))
        folder = self.root / _FOLDERS[split]
        return [
            captioned_clip(next(names), path, row[column], split, row=row.line, problem=row.problem)
            for row, path in ((row, self._find_anywhere(folder / row.exact("file_name"))) for row in rows)
            for column in columns
        ]

    def origin(self, clip: Clip) -> str:
        """Return the recording on Freesound, where the metadata are there."""
        name = "" if clip.audio_path is None else folded(clip.audio_path.name)
        return f"freesound:{self._ids[name]}" if name in self._ids else ""

    @cached_property
    def _ids(self) -> dict[str, str]:
        """Of every file in the metadata its number on Freesound."""
        paths = [self.root / _METADATA.format(folder) for folder in _FOLDERS.values()]
        rows = [row for path in paths if path.is_file() for row in _metadata(path)]
        return {
            folded(row["file_name"]): row["sound_id"] for row in rows if (row.get("sound_id") or "").isdigit()
        }


def _metadata(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of metadata, published in Latin-1; none, with a warning, of one that is not in it."""
    try:
        content = path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if {"file_name", "sound_id"} <= set(rows.fieldnames or ()):
            return [row for row in rows if row["file_name"]]
        trouble = "it has no columns file_name and sound_id"
    except (OSError, csv.Error) as error:
        trouble = str(error)
    _logger.warning(
        "%s is not read (%s): the numbers of its recordings on Freesound are unknown.", path, trouble
    )
    return []
