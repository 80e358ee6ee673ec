"""Lists of clips to leave out of training, in the forms in which they are published.

JSON: a list of names, or {"AudioSet": [...], "FreeSound": [...]} as WavCaps has it.  A table (CSV, TSV, JSON lines,
Parquet): its column of file names or ids.  Any other text: a name a line, where # begins a comment.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from audiolcm.data.tables import TABLE_SUFFIXES, read_table
from audiolcm.data.youtube import youtube_origin
from audiolcm.errors import UserError
from audiolcm.storage.plain_data import LARGEST, read_json

_COLUMNS = (
    "youtube_id", "ytid", "YTID", "file_name", "filename", "fname", "slice_file_name", "name", "audio_path", "path",
    "sound_id", "id",
)  # fmt: skip
_PREFIXES = {
    "freesound": "freesound:",
    "soundbible": "SoundBible_",
    "bbc_sound_effects": "BBC_Sound_Effects_",
}
"""Of sources of WavCaps whose ids are numbers: 12 of one is not 12 of another. Ids of AudioSet name videos anywhere."""
_SUFFIX = re.compile(r"\.(wav|flac|mp3|ogg|opus|aiff?|m4a|mp4|webm|aac|wma)$", re.IGNORECASE)


class NameList:
    """The names in a file; ``used`` when one of them was that of a clip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.used = False
        self._keys: set[str] = set()
        self._num_names = 0
        for source, name in _names(path):
            self._num_names += 1
            self._keys |= set(_keys(source, _bare(name)))

    def __len__(self) -> int:
        return self._num_names

    def has(self, names: Iterable[str], origin: str) -> bool:
        """Return whether one of the names of a clip, or the recording it was taken from, stands in the list."""
        found = (bool(origin) and origin in self._keys) or any(_bare(name) in self._keys for name in names)
        self.used |= found
        return found


def name_lists(exclude: str | Sequence[str] | None, root: Path) -> list[NameList]:
    """Return the lists that ``dataset.exclude`` names, each as given or below ``root``."""
    given = [exclude] if isinstance(exclude, str) else list(exclude or ())
    return [NameList(_found(Path(str(one)).expanduser(), root)) for one in given]


def _found(path: Path, root: Path) -> Path:
    for place in (path, root / path):
        if place.is_file():
            return place
    raise UserError(f"dataset.exclude={path} is not found, nor is {root / path}: correct the path.")


def _keys(source: str, name: str) -> Iterator[str]:
    """Yield what a clip may be known by when a list has ``name`` of ``source``."""
    if prefix := _PREFIXES.get(source.lower()):
        yield prefix + name
        return
    yield name
    if origin := youtube_origin(name):
        yield origin


def _names(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (source, name) of every entry; source "" where the list has no such groups."""
    if path.suffix == ".json":
        try:
            content = read_json(path, LARGEST)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({error}): expected a JSON list of names.") from error
        yield from _of_json(content, path)
    elif path.suffix in TABLE_SUFFIXES:
        rows = read_table(path)
        column = next((one for one in _COLUMNS if rows and one in rows[0]), None)
        if rows and column is None:
            raise UserError(
                f"{path} has none of the columns {', '.join(_COLUMNS)}: rename the one that names the clips."
            )
        yield from (("", row[column]) for row in rows if column and row[column])
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({error}): expected a name a line, in UTF-8.") from error
        yield from (("", line) for line in lines if line.strip() and not line.startswith("#"))


def _of_json(content: Any, path: Path) -> Iterator[tuple[str, str]]:
    groups = content if isinstance(content, dict) else {"": content}
    for source, entries in groups.items():
        if not isinstance(entries, list):
            raise UserError(f"{path}: expected lists of names, found {str(entries)[:40]!r} for {source!r}.")
        for entry in entries:
            if isinstance(entry, dict):
                entry = next((entry[column] for column in _COLUMNS if column in entry), None)
            if not isinstance(entry, str | int) or not str(entry).strip():
                raise UserError(f"{path}: an entry of {source or 'the list'!r} is no name: {entry!r}.")
            yield source, str(entry)


def _bare(name: str) -> str:
    """Return a name as it is compared: without a sound file's suffix, spaces around it, and ways to write an accent."""
    return _SUFFIX.sub("", unicodedata.normalize("NFC", name.strip().replace("\\", "/").removeprefix("./")))


def naming_list(lists: Iterable[NameList], names: Iterable[str], origin: str) -> str:
    """Return the first of the lists that has a clip, "" when none has it."""
    return next((str(one.path) for one in lists if one.has(names, origin)), "")
