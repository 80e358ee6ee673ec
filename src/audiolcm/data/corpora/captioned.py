"""Corpora of Table 4 that come with captions and a table of their own: WavText5K, MACS, LP-MusicCaps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from audiolcm.data.corpora.folder import FolderCorpus, index_audio, unique_names
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.tables import LIST_SEPARATOR, read_table
from audiolcm.errors import UserError
from audiolcm.plain_data import read_yaml

_LARGEST_YAML = 64 * 2**20  # bytes


class CaptionedFile(NamedTuple):
    """A row: a file as its table names it, its captions and labels, the line of the table, what is wrong with it."""

    file: str
    captions: Sequence[str]
    labels: tuple[str, ...]
    line: int
    problem: str = ""


class CaptionTable(FolderCorpus):
    """Files with captions: a clip for every caption, found by file name below the root.

    One sound in `validation_every` is held out with all its captions; there is no test split.
    """

    def __init__(
        self,
        name: str,
        root: str | None,
        duration: float,
        max_duration: float,
        validation_every: int,
        exclude: str | Sequence[str] | None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude)
        self.validation_every = validation_every

    @abstractmethod
    def _rows(self) -> Iterator[CaptionedFile]:
        """Every row of the tables."""

    @cached_property
    def _audio(self) -> dict[str, Path]:
        return index_audio([self.root])

    def _read_clips(self) -> list[Clip]:
        rows = list(self._rows())
        stems = [Path(row.file).stem for row in rows for _ in row.captions or ("",)]
        names = iter(unique_names(stems))
        clips = [
            Clip(
                name=next(names),
                audio_path=self._locate(row.file) if row.file else None,
                caption=caption,
                structured_caption=fallback_structure(caption),
                duration=0.0,
                split="",
                labels=row.labels,
                row=row.line,
                problem=row.problem,
            )
            for row in rows
            for caption in row.captions or ("",)  # so that a row without any is reported
        ]
        return self._split_off(clips, stems, self.validation_every)

    def _locate(self, file: str) -> Path:
        path = self.root / file
        return path if path.is_file() else self._audio.get(Path(file).stem, path)


class WavText5K(CaptionTable):
    """WavText5K (Deshmukh et al., 2022): WavText5K.csv (description, fname, ...) and the sounds it links to."""

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 30.0,
        validation_every: int = 100,
        name: str = "wavtext5k",
        exclude: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, validation_every, exclude)

    def _rows(self) -> Iterator[CaptionedFile]:
        for row in read_table(self.root / "WavText5K.csv", ("description", "fname")):
            yield CaptionedFile(row["fname"], [row["description"]], (), row.line, row.problem)


class Macs(CaptionTable):
    """MACS (Martín-Morató & Mesaros, 2021): MACS.yaml and the sounds of TAU Urban Acoustic Scenes 2019."""

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 10.0,
        validation_every: int = 100,
        name: str = "macs",
        exclude: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, validation_every, exclude)

    def _rows(self) -> Iterator[CaptionedFile]:
        path = self.root / "MACS.yaml"
        try:
            entries = read_yaml(path, largest=_LARGEST_YAML)["files"]
            if not isinstance(entries, list):
                raise ValueError("files is no list")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} can not be read as MACS.yaml (files: filename, annotations: sentence, tags): {error!r}. "
                "Download it again."
            ) from error
        for number, entry in enumerate(entries, start=1):
            try:
                notes = entry["annotations"]
                tags = dict.fromkeys(str(tag) for note in notes for tag in note.get("tags") or ())
                captions = [str(note["sentence"]) for note in notes]
                yield CaptionedFile(str(entry["filename"]), captions, tuple(tags), number)
            except (KeyError, TypeError, AttributeError) as error:
                name = str(entry.get("filename", "")) if isinstance(entry, dict) else ""
                yield CaptionedFile(name, (), (), number, f"The entry is none of MACS.yaml: {error!r}.")


class LpMusicCaps(CaptionTable):
    """LP-MusicCaps (Doh et al., 2023): its Parquet or CSV tables, at any depth, and the sounds their `path` names.

    captions: which of the published columns give captions, each a clip. `caption_attribute_prediction` is left out, as
    its authors recommend.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 30.0,
        captions: Sequence[str] = ("caption_writing", "caption_summary", "caption_paraphrase"),
        validation_every: int = 1000,
        name: str = "lp_musiccaps",
        exclude: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, validation_every, exclude)
        self.captions = tuple(captions)

    def _rows(self) -> Iterator[CaptionedFile]:
        tables = sorted(path for suffix in ("*.parquet", "*.csv") for path in self.root.rglob(suffix))
        if not tables:
            raise UserError(f"No .parquet or .csv below {self.root}: put the tables of LP-MusicCaps there.")
        for table in tables:
            for row in read_table(table, ("path", *self.captions)):
                labels = tuple(tag for tag in row.get("tag", "").split(LIST_SEPARATOR) if tag)
                captions = [row[column] for column in self.captions if row[column]]
                yield CaptionedFile(row["path"], captions, labels, row.line, row.problem)
