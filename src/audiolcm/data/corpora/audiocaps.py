"""AudioCaps (Kim et al., 2019): captions for 10-second parts of YouTube videos."""

from collections.abc import Sequence
from pathlib import Path

from audiolcm.data.corpora.naming import captioned_clip, unique_names
from audiolcm.data.corpora.tables import TableCorpus, require_columns
from audiolcm.data.manifest import Clip
from audiolcm.data.tables import TableRow
from audiolcm.data.youtube import YouTubeFiles, youtube_origin

_SECONDS = 10.0


class AudioCaps(TableCorpus):
    """Published CSV files (youtube_id, start_time, caption, ...) or released TSV files, and the clips.

    Clips are found anywhere below ``root`` by the video's id and, where the name has it, the start: Y<id>.wav,
    <id>.wav, <id>_<start>.wav, <id>_<start>_<end>.wav, ... (see ``YouTubeFiles``), or by audiocap_id. A sound with five
    captions gives five clips Y<id>, Y<id>_2, ... that share one cached sound.
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
        resampler: str | None = None,
        mels: bool | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, resampler=resampler)
        self.tables = {"train": train, "validation": validation, "test": test}
        self.mels = bool(mels)

    def origin(self, clip: Clip) -> str:
        """Return the video that a clip was taken from."""
        return youtube_origin(clip.name)

    def _published(self, rows: Sequence[TableRow], table: Path, split: str) -> list[Clip]:
        require_columns(rows, table, ("youtube_id", "caption"))
        names = unique_names(f"Y{row['youtube_id']}" for row in rows)
        paths = self._paths(rows)
        clips = []
        for name, row in zip(names, rows, strict=True):
            path = paths.get(_part(row), self.root / split / f"Y{row['youtube_id']}.wav")
            clips.append(
                captioned_clip(name, path, row["caption"], split, (), _SECONDS, row.line, row.problem)
            )
        return clips

    def _paths(self, rows: Sequence[TableRow]) -> dict[tuple[str, str], Path]:
        """Return the file of each part of a video that there is; each of its captions has an audiocap_id."""
        files, paths = YouTubeFiles(self._audio), {}
        for row in rows:
            if _part(row) not in paths and (path := files.find(*_part(row), row.get("audiocap_id", ""))):
                paths[_part(row)] = path
        files.tell_if_none(self.name, self.root)
        return paths


def _part(row: TableRow) -> tuple[str, str]:
    return row["youtube_id"], row.get("start_time", "")
