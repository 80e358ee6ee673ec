"""Corpora of Table 4 that come with labels: FSD50K, UrbanSound8K, TUT Acoustic Scenes 2016."""

import logging
from collections.abc import Sequence
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus, find_table
from audiolcm.data.corpora.naming import caption_of_labels, captioned_clip
from audiolcm.data.locating import files_below
from audiolcm.data.manifest import Clip
from audiolcm.data.splits import is_held_out
from audiolcm.data.tables import TableRow, read_table
from audiolcm.errors import UserError
from audiolcm.storage.files import lines_of, read_text

_logger = logging.getLogger(__name__)


def labelled_clip(
    name: str, path: Path, labels: Sequence[str], split: str, row: int = 0, problem: str = ""
) -> Clip:
    """Return a clip whose caption is made of its labels."""
    return captioned_clip(name, path, caption_of_labels(labels), split, labels, row=row, problem=problem)


class Fsd50k(FolderCorpus):
    """FSD50K (Fonseca et al., 2022): FSD50K.ground_truth/dev.csv and eval.csv, FSD50K.dev_audio, FSD50K.eval_audio.

    The published splits: dev is training and validation, eval the test split. All published labels of a clip enter
    its caption, those above it in the ontology too.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 30.0,
        name: str = "fsd50k",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, resampler=resampler)

    def _read_clips(self) -> list[Clip]:
        find_table(
            self.root, ("FSD50K.ground_truth/dev.csv", "FSD50K.ground_truth/eval.csv"), "unpack FSD50K there."
        )
        return [clip for part in ("dev", "eval") for clip in self._part(part)]

    def origin(self, clip: Clip) -> str:
        """Return the recording on Freesound."""
        return f"freesound:{clip.name}"

    def _part(self, part: str) -> list[Clip]:
        table = self.root / "FSD50K.ground_truth" / f"{part}.csv"
        if not table.is_file():
            _logger.warning("%s: no table %s, its splits are empty.", self.name, table)
            return []
        required = ("fname", "labels", "split") if part == "dev" else ("fname", "labels")
        splits = {"train": "train", "val": "validation"}
        return [
            labelled_clip(
                row["fname"],
                self._find(self.root / f"FSD50K.{part}_audio" / f"{row['fname']}.wav"),
                row["labels"].split(","),
                splits.get(row["split"], row["split"]) if part == "dev" else "test",
                row.line,
                row.problem,
            )
            for row in read_table(table, required)
        ]


class UrbanSound8K(FolderCorpus):
    """UrbanSound8K (Salamon et al., 2014): metadata/UrbanSound8K.csv and audio/fold<n>.

    Folds of ``test_folds`` are the test split; of the others one recording in ``validation_every`` is held out, with
    all slices cut from it.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 4.0,
        max_duration: float = 4.0,
        test_folds: Sequence[int] = (),
        validation_every: int = 16,
        name: str = "urbansound8k",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        self.test_folds = {str(fold) for fold in test_folds}

    def _read_clips(self) -> list[Clip]:
        table = self.root / "metadata" / "UrbanSound8K.csv"
        rows = read_table(table, ("slice_file_name", "fsID", "fold", "class"))
        return [
            labelled_clip(
                Path(row["slice_file_name"]).stem,
                self._find(self.root / "audio" / f"fold{row['fold']}" / row.exact("slice_file_name")),
                [row["class"]],
                self._split(row),
                row.line,
                row.problem,
            )
            for row in rows
        ]

    def origin(self, clip: Clip) -> str:
        """Return the recording on Freesound."""
        return f"freesound:{clip.name.partition('-')[0]}"

    def _split(self, row: TableRow) -> str:
        if row["fold"] in self.test_folds:
            return "test"
        return "validation" if is_held_out(row["fsID"], self.validation_every) else "train"


class TutScenes(FolderCorpus):
    """TUT Acoustic Scenes 2016 (Mesaros et al.): any number of meta.txt (audio/<file>.wav, tab, scene) below the root.

    Its development and evaluation parts have 13 hours, which is what Table 4 counts. The name of a file begins with
    the recording it was cut from (b020_90_120.wav): one recording in ``validation_every`` is held out.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 30.0,
        validation_every: int = 16,
        name: str = "tut",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)

    def _read_clips(self) -> list[Clip]:
        tables = sorted(path for path in files_below(self.root, (".txt",)) if path.name == "meta.txt")
        if not tables:
            raise UserError(f"No meta.txt below {self.root}: unpack TUT Acoustic Scenes 2016 there.")
        return [clip for table in tables for clip in self._part(table)]

    def _part(self, table: Path) -> list[Clip]:
        try:
            lines = lines_of(read_text(table))
        except (OSError, ValueError) as error:
            raise UserError(f"{table} cannot be read ({error}): copy it again, as UTF-8.") from error
        clips = []
        for number, line in enumerate(lines, start=1):
            file, _, scene = line.partition("\t")
            scene = scene.partition("\t")[0].strip()
            if not line.strip():
                continue
            path = self._find(table.parent / file.strip())
            recording = path.stem.partition("_")[0]
            split = "validation" if is_held_out(recording, self.validation_every) else "train"
            problem = "" if scene else "The scene is missing."
            problem = problem if file.strip() else "The name of the file is missing."
            name = path.stem if file.strip() else f"line{number}"
            clips.append(labelled_clip(name, path, [scene.replace("/", " ")], split, number, problem))
        return clips
