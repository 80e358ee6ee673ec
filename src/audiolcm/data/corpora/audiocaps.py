"""AudioCaps (Kim et al., 2019): captions for 10-second parts of YouTube videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audiolcm.data.corpora.folder import unique_names
from audiolcm.data.corpora.tables import TableCorpus, require_columns
from audiolcm.data.corpora.youtube import locate_youtube
from audiolcm.data.exclusions import youtube_origin
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.tables import Row

_SECONDS = 10


class AudioCaps(TableCorpus):
    """Published CSV files (youtube_id, start_time, caption, ...) or released TSV files, and the clips.

    Clips are found anywhere below `root` by the video's id and, where the name has it, the start: Y<id>.wav,
    <id>.wav, <id>_<start>.wav, <id>_<start>_<end>.wav. A sound with five captions gives five clips Y<id>,
    Y<id>_2, ... that share one cached sound.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 10.0,
        max_duration: float = 10.0,
        train: str = "train.csv",
        validation: str = "val.csv",
        test: str = "test.csv",
        name: str = "audiocaps",
        exclude: str | Sequence[str] | None = None,
    ) -> None:
        tables = {"train": train, "validation": validation, "test": test}
        super().__init__(name, root, duration, max_duration, tables, exclude)

    def origin(self, clip: Clip) -> str:
        """The video."""
        return youtube_origin(clip.name)

    def _published(self, rows: Sequence[Row], table: Path, split: str) -> list[Clip]:
        require_columns(rows, table, ("youtube_id", "caption"))
        names = unique_names(f"Y{row['youtube_id']}" for row in rows)
        return [
            Clip(
                name=name,
                audio_path=self._locate(row["youtube_id"], row.get("start_time", ""), split),
                caption=row["caption"],
                structured_caption=fallback_structure(row["caption"]),
                duration=float(_SECONDS),
                split=split,
                labels=(),
                row=row.line,
                problem=row.problem,
            )
            for name, row in zip(names, rows, strict=True)
        ]

    def _locate(self, youtube_id: str, start: str, split: str) -> Path:
        default = self.root / split / f"Y{youtube_id}.wav"
        return locate_youtube(self._audio, youtube_id, start, _SECONDS, default)
