"""Corpora of Table 4 that come with captions and a table of their own: WavText5K, MACS, LP-MusicCaps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import yaml

from audiolcm.data.corpora.folder import FolderCorpus, index_audio, unique_names
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.splits import is_held_out
from audiolcm.data.tables import LIST_SEPARATOR, read_table
from audiolcm.errors import UserError


class CaptionTable(FolderCorpus):
    """Rows of (file, captions, labels, line): a clip for every caption, found by file name below the root.

    One sound in `validation_every` is held out with all its captions; there is no test split.
    """

    def __init__(
        self, name: str, root: str | None, duration: float, max_duration: float, validation_every: int
    ) -> None:
        super().__init__(name, root, duration, max_duration)
        self.validation_every = validation_every

    @abstractmethod
    def _rows(self) -> Iterator[tuple[str, list[str], tuple[str, ...], int]]:
        """File as its table names it, its captions, its labels, the line of the table."""

    @cached_property
    def _audio(self) -> dict[str, Path]:
        return index_audio([self.root])

    def _read_clips(self) -> list[Clip]:
        rows = list(self._rows())
        names = iter(unique_names(Path(file).stem for file, captions, _, _ in rows for _ in captions))
        return [
            Clip(
                name=next(names),
                audio_path=self._locate(file),
                caption=caption,
                structured_caption=fallback_structure(caption),
                duration=0.0,
                split="validation" if is_held_out(Path(file).stem, self.validation_every) else "train",
                labels=labels,
                row=line,
            )
            for file, captions, labels, line in rows
            for caption in captions
        ]

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
    ) -> None:
        super().__init__(name, root, duration, max_duration, validation_every)

    def _rows(self) -> Iterator[tuple[str, list[str], tuple[str, ...], int]]:
        for row in read_table(self.root / "WavText5K.csv", ("description", "fname")):
            yield row["fname"], [row["description"]], (), row.line


class Macs(CaptionTable):
    """MACS (Martín-Morató & Mesaros, 2021): MACS.yaml and the sounds of TAU Urban Acoustic Scenes 2019."""

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 10.0,
        validation_every: int = 100,
        name: str = "macs",
    ) -> None:
        super().__init__(name, root, duration, max_duration, validation_every)

    def _rows(self) -> Iterator[tuple[str, list[str], tuple[str, ...], int]]:
        path = self.root / "MACS.yaml"
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            files = yaml.load(path.read_text(encoding="utf-8"), loader)["files"]
            for number, entry in enumerate(files, start=1):
                notes: Sequence[Mapping] = entry["annotations"]
                tags = dict.fromkeys(tag for note in notes for tag in note.get("tags", ()))
                yield entry["filename"], [note["sentence"] for note in notes], tuple(tags), number
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise UserError(
                f"{path} can not be read as MACS.yaml (files: filename, annotations: sentence, tags): {error!r}. "
                "Download it again."
            ) from error


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
    ) -> None:
        super().__init__(name, root, duration, max_duration, validation_every)
        self.captions = tuple(captions)

    def _rows(self) -> Iterator[tuple[str, list[str], tuple[str, ...], int]]:
        tables = sorted(path for suffix in ("*.parquet", "*.csv") for path in self.root.rglob(suffix))
        if not tables:
            raise UserError(f"No .parquet or .csv below {self.root}: put the tables of LP-MusicCaps there.")
        for table in tables:
            for row in read_table(table, ("path", *self.captions)):
                labels = tuple(tag for tag in row.get("tag", "").split(LIST_SEPARATOR) if tag)
                yield row["path"], [row[column] for column in self.captions if row[column]], labels, row.line
