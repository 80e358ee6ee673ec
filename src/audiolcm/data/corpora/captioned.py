"""Corpora of Table 4 that come with captions and a table of their own: WavText5K, MACS, LP-MusicCaps."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from audiolcm.data.corpora.folder import FolderCorpus
from audiolcm.data.corpora.naming import captioned_clip, unique_names
from audiolcm.data.locating import files_below
from audiolcm.data.manifest import Clip
from audiolcm.data.tables import LIST_SEPARATOR, read_table
from audiolcm.errors import UserError
from audiolcm.storage.plain_data import read_yaml

_LARGEST_YAML = 64 * 2**20  # bytes: the published one has a few million


class Entry(NamedTuple):
    """A sound as its table has it: file, captions, labels, line, and what is wrong with the line."""

    file: str
    captions: Sequence[str]
    labels: tuple[str, ...] = ()
    line: int = 0
    problem: str = ""

    @property
    def stem(self) -> str:
        """The name of the file without suffix, and without spaces at its ends."""
        return Path(self.file.strip()).stem


class CaptionTable(FolderCorpus):
    """Files with captions: a clip for every caption, found by file name below the root.

    One sound in ``validation_every`` is held out with all its captions; there is no test split.
    """

    @abstractmethod
    def _entries(self) -> Iterator[Entry]:
        """Yield every sound of the tables; one without a caption has an empty one, so that it is reported."""

    def _read_clips(self) -> list[Clip]:
        entries = list(self._entries())
        stems = [entry.stem for entry in entries for _ in entry.captions]
        names = iter(unique_names(stems))
        clips = [
            captioned_clip(
                next(names), path, caption, "", entry.labels, row=entry.line, problem=entry.problem
            )
            for entry, path in ((entry, self._path(entry)) for entry in entries)
            for caption in entry.captions
        ]
        return self._split_off(clips, stems)

    def _path(self, entry: Entry) -> Path | None:
        return self._find_anywhere(self.root / entry.file) if entry.file.strip() else None


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
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)

    def _entries(self) -> Iterator[Entry]:
        for row in read_table(self.root / "WavText5K.csv", ("description", "fname")):
            yield Entry(row.exact("fname"), [row["description"]], (), row.line, row.problem)


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
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)

    def _entries(self) -> Iterator[Entry]:
        path = self.root / "MACS.yaml"
        try:
            entries = read_yaml(path, largest=_LARGEST_YAML)["files"]
            if not isinstance(entries, list):
                raise ValueError("files is no list")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} cannot be read as MACS.yaml (files: filename, annotations: sentence, tags): {error!r}. "
                "Download it again."
            ) from error
        yield from (_macs_entry(number, entry) for number, entry in enumerate(entries, start=1))


def _macs_entry(number: int, entry: Any) -> Entry:
    try:
        notes: Sequence[Mapping[str, Any]] = entry["annotations"]
        tags = dict.fromkeys(tag for note in notes for tag in note.get("tags") or ())
        texts = (entry["filename"], *tags, *(note["sentence"] for note in notes))
        if all(isinstance(text, str) for text in texts):
            return Entry(texts[0], texts[1 + len(tags) :] or ("",), tuple(tags), number)
        problem = "a name, tag or sentence is no text"
    except (KeyError, TypeError, AttributeError) as error:
        problem = repr(error)
    name = entry.get("filename") if isinstance(entry, dict) else None
    return Entry(
        str(name or f"entry{number}"), [""], (), number, f"The entry is none of MACS.yaml: {problem}."
    )


class LpMusicCaps(CaptionTable):
    """LP-MusicCaps (Doh et al., 2023): its Parquet or CSV tables, at any depth, and the sounds their ``path`` names.

    What is not named below is as for ``CaptionTable``.

    Args:
        captions: which of the published columns give captions, each a clip. ``caption_attribute_prediction`` is left
            out, as its authors recommend.
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
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        self.captions = tuple(captions)

    def _entries(self) -> Iterator[Entry]:
        tables = sorted(files_below(self.root, (".parquet", ".csv")))
        if not tables:
            raise UserError(f"No .parquet or .csv below {self.root}: put the tables of LP-MusicCaps there.")
        for table in tables:
            for row in read_table(table, ("path", *self.captions)):
                labels = tuple(tag for tag in row.get("tag", "").split(LIST_SEPARATOR) if tag)
                captions = [row[column] for column in self.captions if row[column]] or [""]
                yield Entry(row.exact("path"), captions, labels, row.line, row.problem)
