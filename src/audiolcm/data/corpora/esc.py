"""ESC-50 and ESC-10: environmental sounds of 5 s (K. J. Piczak, 2015), with a caption for every category."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from audiolcm.data.corpora.esc_captions import CAPTIONS, ESC10_CATEGORIES
from audiolcm.data.corpora.folder import FolderCorpus, find_table
from audiolcm.data.corpora.naming import captioned_clip
from audiolcm.data.manifest import Clip
from audiolcm.data.splits import held_out_sources
from audiolcm.data.tables import TableRow, read_table
from audiolcm.errors import UserError

_FOLDS = range(1, 6)
_TABLES = ("meta/esc50.csv", "metadata.csv")
_HINT = "expected the ESC-50 folder (audio/*.wav, meta/esc50.csv) or audio/* with metadata.csv."

_logger = logging.getLogger(__name__)


class Esc50(FolderCorpus):
    """All categories: the published folder, or ``audio/*`` with ``metadata.csv`` (filename, fold, label, ...).

    Clips of ``train_folds``, ``validation_folds`` and ``test_folds`` make the splits. Without validation folds
    about one clip in ``validation_every`` of each category is held out of the training folds, whole recordings
    at a time, so that two takes of one recording never lie on both sides. Folds that the folder lacks stay
    empty; of the published folds those of no split are left aside, which is said.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 5.0,
        max_duration: float = 5.0,
        train_folds: Sequence[int] = (1, 2, 3, 4),
        validation_folds: Sequence[int] = (),
        test_folds: Sequence[int] = (5,),
        validation_every: int = 16,
        name: str = "esc50",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        self._split_of_fold: dict[int, str] = {}
        folds = {"train": train_folds, "validation": validation_folds, "test": test_folds}
        for split, numbers in folds.items():
            for number in numbers:
                if self._split_of_fold.setdefault(int(number), split) != split:
                    raise UserError(
                        f"dataset {name}: fold {number} is in two splits; give each fold to one split."
                    )

    def _keeps(self, row: TableRow) -> bool:
        return True

    def _read_clips(self) -> list[Clip]:
        table = find_table(self.root, _TABLES, _HINT)
        column = "category" if table.name == "esc50.csv" else "label"
        rows = read_table(table, ("filename", "fold", column))
        clips, sources, odd, num_aside = [], [], [], 0
        for row in filter(self._keeps, rows):
            if problem := row.problem or self._problem(row):
                odd.append(self._clip(row, row[column], "train", problem))
            elif int(row["fold"]) not in self._split_of_fold:
                num_aside += 1
            else:
                clips.append(self._clip(row, row[column], self._split_of_fold[int(row["fold"])]))
                sources.append(row.get("src_file") or row["filename"].split("-")[1])
        if num_aside:
            _logger.warning("%s: %d clips are of folds that are in no split.", self.name, num_aside)
        if "validation" not in self._split_of_fold.values():
            train = [number for number, clip in enumerate(clips) if clip.split == "train"]
            takes = [(clips[number].labels[0], sources[number]) for number in train]
            held_out = held_out_sources(takes, self.validation_every)
            for number in train:
                if sources[number] in held_out:
                    clips[number] = dataclasses.replace(clips[number], split="validation")
        return clips + odd

    def _problem(self, row: TableRow) -> str:
        if not (row["fold"].isdecimal() and len(row["fold"]) < 4) or row["filename"].count("-") < 2:
            return (
                f"The file name is {row['filename']!r}, the fold {row['fold']!r}: a name like 1-100032-A-0.wav and a "
                "number are expected."
            )
        known = {*_FOLDS, *self._split_of_fold}
        return "" if int(row["fold"]) in known else f"The fold {row['fold']} is none of {sorted(known)}."

    def origin(self, clip: Clip) -> str:
        """Return the recording on Freesound."""
        parts = clip.name.split("-")
        return f"freesound:{parts[1]}" if len(parts) > 2 else ""

    def _clip(self, row: TableRow, label: str, split: str, problem: str = "") -> Clip:
        caption = row.get("caption") or CAPTIONS.get(label, "")
        name, path = Path(row["filename"]).stem, self._find(self.root / "audio" / row.exact("filename"))
        return captioned_clip(name, path, caption, split, (label,), 5.0, row.line, problem)


class Esc10(Esc50):
    """The ten categories of ESC-10, from an ESC-10 or ESC-50 folder. Arguments as ``Esc50``."""

    def __init__(
        self,
        root: str | None = None,
        duration: float = 5.0,
        max_duration: float = 5.0,
        train_folds: Sequence[int] = (1, 2, 3, 4),
        validation_folds: Sequence[int] = (),
        test_folds: Sequence[int] = (5,),
        validation_every: int = 16,
        name: str = "esc10",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        folds = (train_folds, validation_folds, test_folds)
        super().__init__(root, duration, max_duration, *folds, validation_every, name, exclude, resampler)

    def _keeps(self, row: TableRow) -> bool:
        return row.get("category", row.get("label")) in ESC10_CATEGORIES
