"""Clips that could be used and are left out of training and validation: they are tested on, or a list names them.

Two clips have the same sound when their files are equal, or when their publishers took both from one recording. Data
without a publisher name no recordings; there a name like that of a video is held against the videos that others name.
A sound that is both trained and validated on stays, since a validation split is often cut off by us, and is told.

Lists are read in the forms in which they are published. JSON: a list of names, or {"AudioSet": [...], "FreeSound":
[...]} as WavCaps has it. A table (CSV, TSV, JSON lines, Parquet): its column of file names or ids. Any other text: a
name a line, where # begins a comment.
"""

import hashlib
import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from audiolcm.data.manifest import LEFT_OUT, SPLITS, Corpus
from audiolcm.data.tables import TABLE_SUFFIXES, read_table
from audiolcm.data.youtube import possible_origins, youtube_origin
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests
from audiolcm.storage.plain_data import LARGEST, read_json

_logger = logging.getLogger(__name__)

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


class Sound(NamedTuple):
    """What tells the sound of a clip from others.

    Attributes:
        digest: of the content of its file; like all of these, empty when there is none.
        origin: the recording as publishers know it, "youtube:ID" or "freesound:ID".
        names: under which a list may name the clip.
        list: the one that does.
    """

    digest: str = ""
    origin: str = ""
    names: tuple[str, ...] = ()
    list: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """What equal sounds share."""
        return tuple(key for key in (self.digest, self.origin) if key)

    @property
    def guesses(self) -> tuple[str, ...]:
        """Which recordings it may be of by its names, where no publisher says it."""
        return () if self.origin else tuple(possible_origins(self.names))


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


@runtime_checkable
class ComparesSounds(Protocol):
    """A corpus whose sounds can be compared with each other, and that knows lists of what to leave out."""

    def sounds(self, split: str, digests: FileDigests) -> Iterator[Sound]:
        """Yield the sound of every clip of ``clips(split)``, in that order."""

    def exclusions(self) -> Sequence[NameList]:
        """Return the lists of what is left out of training and validation."""


@dataclass
class LeftOut:
    """Which clips of every split are left out.

    Attributes:
        reasons: for every split the positions in ``clips(split)`` that are left out, and why.
        num_shared: clips of train whose sound is in validation too; they stay.
    """

    reasons: dict[str, dict[int, str]] = field(default_factory=lambda: {split: {} for split in SPLITS})
    num_shared: int = 0

    def identity(self) -> str:
        """Return a hash of which clips are left out; "" when none is: then the data are those of the corpus itself."""
        places = {split: sorted(found) for split, found in self.reasons.items() if found}
        return hashlib.sha256(json.dumps(places, sort_keys=True).encode()).hexdigest() if places else ""


def left_out(corpus: Corpus, digests: FileDigests) -> LeftOut:
    """Compare all splits of a corpus with each other, and with its lists of exclusions."""
    found = LeftOut()
    if not isinstance(corpus, ComparesSounds):
        return found
    tests, sounds = corpus.clips("test"), list(corpus.sounds("test", digests))
    tested = _positions(sound.keys for sound in sounds)
    guessed = _positions(sound.guesses for sound in sounds)
    validated: set[str] = set()
    for split in ("validation", "train"):
        for position, sound in enumerate(corpus.sounds(split, digests)):
            place = next((tested[key] for key in (*sound.keys, *sound.guesses) if key in tested), None)
            place = guessed.get(sound.origin) if place is None else place
            if sound.list:
                found.reasons[split][position] = f"{LEFT_OUT}{sound.list} names it."
            elif place is not None:
                found.reasons[split][position] = (
                    f"{LEFT_OUT}its sound is in split test, as {tests[place].name}."
                )
            elif split == "validation":
                validated.update(sound.keys)
            else:
                found.num_shared += not validated.isdisjoint(sound.keys)
    return found


def _positions(keys: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """Return where each key of the sounds comes first."""
    places: dict[str, int] = {}
    for position, known in enumerate(keys):
        for key in known:
            places.setdefault(key, position)
    return places


def warn_of_unused_lists(corpus: Corpus) -> None:
    """Say which lists named no clip in ``left_out``: most likely their names are of another kind."""
    for one in corpus.exclusions() if isinstance(corpus, ComparesSounds) else ():
        if not one.used:
            _logger.warning(
                "%s: no clip of training or validation is among the %d names of %s. A name is that of a clip or of its "
                "file, or the id of its YouTube video or Freesound recording.",
                corpus.name, len(one), one.path,
            )  # fmt: skip
