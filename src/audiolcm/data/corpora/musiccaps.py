"""MusicCaps (Agostinelli et al., 2023): captions for 10-second parts of music videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from audiolcm.data.corpora.naming import captioned_clip, unique_names
from audiolcm.data.corpora.tables import TableCorpus, require_columns
from audiolcm.data.manifest import Clip
from audiolcm.data.splits import is_held_out
from audiolcm.data.tables import TableRow
from audiolcm.data.youtube import YouTubeFiles, youtube_origin

_SECONDS = 10.0


class MusicCaps(TableCorpus):
    """The published CSV (ytid, start_s, ..., caption, is_audioset_eval) or the released TSV, and the clips.

    The released table is a test set as a whole. In the published one the rows of the AudioSet evaluation part
    are the test split, and one of the others in ``validation_every`` is held out for validation.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 10.0,
        max_duration: float = 10.0,
        test: str = "musiccaps-public.csv",
        validation_every: int = 16,
        name: str = "musiccaps",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
        mels: bool | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        self.tables = {"test": test}
        self.mels = bool(mels)

    def origin(self, clip: Clip) -> str:
        """Return the video that a clip was taken from."""
        return youtube_origin(clip.name)

    def _published(self, rows: Sequence[TableRow], table: Path, split: str) -> list[Clip]:
        require_columns(rows, table, ("ytid", "start_s", "caption", "is_audioset_eval"))
        names = unique_names(row["ytid"] for row in rows)
        files = YouTubeFiles(self._audio)
        clips = []
        for name, row in zip(names, rows, strict=True):
            path = files.find(row["ytid"], row["start_s"]) or self.root / f"{row['ytid']}.wav"
            split = self._split(row)
            clips.append(
                captioned_clip(name, path, row["caption"], split, (), _SECONDS, row.line, row.problem)
            )
        files.tell_if_none(self.name, self.root)
        return clips

    def _split(self, row: Mapping[str, str]) -> str:
        if row["is_audioset_eval"].lower() in ("true", "1"):
            return "test"
        return "validation" if is_held_out(row["ytid"], self.validation_every) else "train"
