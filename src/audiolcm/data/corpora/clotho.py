"""Clotho v2 (Drossos et al., 2020): Freesound recordings of 15 to 30 s with five captions each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audiolcm.data.corpora.folder import unique_names
from audiolcm.data.corpora.tables import TableCorpus, require_columns
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.tables import Row

_FOLDERS = {"train": "development", "validation": "validation", "test": "evaluation"}
_CAPTION_COLUMNS = tuple(f"caption_{number}" for number in range(1, 6))


class Clotho(TableCorpus):
    """Published CSV files (file_name, caption_1 ... caption_5) or released TSV files, and the recordings.

    Recordings lie in `development`, `validation` and `evaluation`, or anywhere below `root`. A recording
    gives one clip for each caption: <file>, <file>_2, ... that share one cached sound.
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
    ) -> None:
        tables = {"train": train, "validation": validation, "test": test}
        super().__init__(name, root, duration, max_duration, tables, exclude)

    def _published(self, rows: Sequence[Row], table: Path, split: str) -> list[Clip]:
        require_columns(rows, table, ("file_name", "caption_1"))
        columns = [column for column in _CAPTION_COLUMNS if rows and column in rows[0]]
        names = iter(unique_names(Path(row["file_name"]).stem for row in rows for _ in columns))
        folder = self.root / _FOLDERS[split]
        return [
            Clip(
                name=next(names),
                audio_path=path,
                caption=row[column],
                structured_caption=fallback_structure(row[column]),
                duration=0.0,
                split=split,
                labels=(),
                row=row.line,
                problem=row.problem,
            )
            for row, path in ((row, self._find_anywhere(folder / row.exact("file_name"))) for row in rows)
            for column in columns
        ]
