"""Clotho v2 (Drossos et al., 2020): Freesound recordings of 15 to 30 s with five captions each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
        return [clip for row in rows for clip in self._clips_of_row(row, split)]

    def _clips_of_row(self, row: Row, split: str) -> list[Clip]:
        path = self._locate(row["file_name"], split)
        stem = path.name.removesuffix(path.suffix)
        columns = [column for column in _CAPTION_COLUMNS if column in row]
        return [
            Clip(
                name=stem if position == 1 else f"{stem}_{position}",
                audio_path=path,
                caption=row[column],
                structured_caption=fallback_structure(row[column]),
                duration=0.0,
                split=split,
                labels=(),
                row=row.line,
                problem=row.problem,
            )
            for position, column in enumerate(columns, start=1)
        ]

    def _locate(self, file_name: str, split: str) -> Path:
        path = self.root / _FOLDERS[split] / file_name
        if path.is_file():
            return path
        return self._audio.get(path.name.removesuffix(path.suffix), path)
