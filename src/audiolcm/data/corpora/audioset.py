"""AudioSet (Gemmeke et al., 2017): labels of 527 classes for 10-second parts of two million YouTube videos."""

import csv
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus
from audiolcm.data.corpora.naming import caption_of_labels, captioned_clip, unique_names
from audiolcm.data.manifest import Clip
from audiolcm.data.splits import hash_order, is_held_out
from audiolcm.data.tables import read_table
from audiolcm.data.youtube import YouTubeFiles, youtube_origin
from audiolcm.errors import UserError

_CLASSES = "class_labels_indices.csv"
_SEGMENTS = {
    "balanced_train_segments.csv": "train",
    "unbalanced_train_segments.csv": "train",
    "eval_segments.csv": "test",
}
_SECONDS = 10.0
_HASH_RANGE = 1 << 256

_logger = logging.getLogger(__name__)


class AudioSet(FolderCorpus):
    """The published segment lists, class_labels_indices.csv, and the clips, named as for ``AudioCaps``.

    The filter of the paper: of the training clips that carry one of ``filtered_labels``, the share ``kept_share`` is
    kept, the others are left out. A clip counts as labelled speech or music when its list of labels has one of the
    classes named there, by display name or mid, itself; classes below it in the ontology do not count ("Piano" alone is
    not "Music"). The choice is a function of ``seed`` and the id of the video alone. The evaluation segments are the
    test split, whole; one training video in ``validation_every`` is held out after the filter.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 10.0,
        filtered_labels: Sequence[str] = ("Speech", "Music"),
        kept_share: float = 0.05,
        seed: int = 0,
        validation_every: int = 100,
        name: str = "audioset",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        if not 0.0 <= kept_share <= 1.0:
            raise UserError(f"dataset {name}: kept_share={kept_share} is a share: 0 to 1.")
        self.filtered_labels = tuple(filtered_labels)
        self.kept_share = kept_share
        self.seed = seed

    def _read_clips(self) -> list[Clip]:
        tables = [self.root / table for table in _SEGMENTS if (self.root / table).is_file()]
        if not tables:
            raise UserError(
                f"None of {', '.join(_SEGMENTS)} found in {self.root}: put AudioSet's lists there."
            )
        if "test" not in {_SEGMENTS[table.name] for table in tables}:
            _logger.warning(
                "%s: no list of evaluation segments in %s, split test is empty.", self.name, self.root
            )
        classes = {
            row["mid"]: row["display_name"]
            for row in read_table(self.root / _CLASSES, ("mid", "display_name"))
        }
        filtered = self._filtered_mids(classes)
        files = YouTubeFiles(self._audio)
        clips, dropped = [], 0
        for table in tables:
            for segment in read_segments(table):
                split = _SEGMENTS[table.name]
                is_filtered = split == "train" and filtered.intersection(segment.mids)
                if is_filtered and not self.keeps(segment.youtube_id):
                    dropped += 1
                else:
                    clips.append(self._clip(segment, classes, split, files))
        files.tell_if_none(self.name, self.root)
        _logger.info(
            "%s: %d training clips labelled %s were left out by dataset.kept_share=%g, %d clips stay.",
            self.name, dropped, " or ".join(self.filtered_labels), self.kept_share, len(clips),
        )  # fmt: skip
        return [
            dataclasses.replace(clip, name=name)
            for clip, name in zip(clips, unique_names(clip.name for clip in clips), strict=True)
        ]

    def origin(self, clip: Clip) -> str:
        """Return the video that a clip was taken from."""
        return youtube_origin(clip.name)

    def keeps(self, youtube_id: str) -> bool:
        """Return whether a video that is labelled speech or music stays."""
        return int(hash_order(f"{self.seed} {youtube_id}"), 16) < self.kept_share * _HASH_RANGE

    def _filtered_mids(self, classes: dict[str, str]) -> set[str]:
        found = {mid for mid, name in classes.items() if {mid, name} & set(self.filtered_labels)}
        known = found | {classes[mid] for mid in found}
        if unknown := [label for label in self.filtered_labels if label not in known]:
            raise UserError(
                f"dataset {self.name}: filtered_labels has {unknown[0]!r}, which {self.root / _CLASSES} does not know: "
                "write a display_name or a mid of that table."
            )
        return found

    def _clip(self, segment: "Segment", classes: dict[str, str], split: str, files: YouTubeFiles) -> Clip:
        name = f"Y{segment.youtube_id}"
        if split == "train" and is_held_out(segment.youtube_id, self.validation_every):
            split = "validation"
        labels = [classes.get(mid, mid) for mid in segment.mids]
        path = files.find(segment.youtube_id, segment.start) or self.root / f"{name}.wav"
        caption, facts = caption_of_labels(labels), (segment.line, segment.problem)
        return captioned_clip(name, path, caption, split, labels, _SECONDS, *facts)


@dataclasses.dataclass(frozen=True)
class Segment:
    """A line of AudioSet's lists; start in seconds as text."""

    line: int
    youtube_id: str
    start: str = ""
    mids: tuple[str, ...] = ()
    problem: str = ""


def read_segments(path: Path) -> Iterator[Segment]:
    """Yield the lines of a list "id, start, end, "mid,mid""; # begins a comment.

    Raises:
        UserError: when it is no UTF-8 text or a quotation mark is not closed.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            for fields in reader:
                if fields and not fields[0].startswith("#"):
                    yield _segment(reader.line_num, fields)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}): download it again.") from error


def _segment(line: int, fields: Sequence[str]) -> Segment:
    if len(fields) != 4:
        problem = (
            f"The line has {len(fields)} fields instead of four: YTID, start_seconds, end_seconds, labels."
        )
        return Segment(line, fields[0], problem=problem)
    youtube_id, start, _, mids = fields
    return Segment(line, youtube_id, start.strip(), tuple(mid for mid in mids.split(",") if mid))
