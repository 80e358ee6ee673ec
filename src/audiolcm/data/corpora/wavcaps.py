"""WavCaps (Mei et al., 2023): 400,000 sounds of four sources with captions written by a language model."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus
from audiolcm.data.corpora.naming import captioned_clip
from audiolcm.data.left_out import NameList
from audiolcm.data.locating import files_below, sound_files
from audiolcm.data.manifest import Clip
from audiolcm.data.tables import seconds
from audiolcm.data.youtube import youtube_origin
from audiolcm.errors import UserError
from audiolcm.storage.plain_data import LARGEST, read_json

_logger = logging.getLogger(__name__)

_SOURCES = {
    "as_final": "AudioSet_SL",
    "bbc_final": "BBC_Sound_Effects",
    "fsd_final": "FreeSound",
    "fsd_final_2s": "FreeSound",
    "sb_final": "SoundBible",
}
_OF_ARCHIVES = "_flac"
"""How the folders end that the published archives unpack to, each below a long path."""


class WavCaps(FolderCorpus):
    """The published JSON files ("data": [{"id", "caption", "duration", ...}]) and the sounds below ``root``.

    The sounds of a source lie below a folder with its name (AudioSet_SL, BBC_Sound_Effects, FreeSound,
    SoundBible) or that and "_flac". What two files of a source have alike (fsd_final_2s.json is a part of
    fsd_final.json) is read once. Clips are named <source>_<id>. One clip in ``validation_every`` is held out; there is
    no test split. Published blacklists, *blacklist*.json below the root, are left out unless ``exclude`` names other
    lists (or none: []).
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 10.0,
        max_duration: float = 10.0,
        validation_every: int = 100,
        name: str = "wavcaps",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)

    def _read_clips(self) -> list[Clip]:
        tables = self._tables()
        audio = self._index_audio({_source(path) for path in tables})
        keys, clips, first = [], [], {}
        for path, rows in tables.items():
            num_repeats = 0
            for number, row in enumerate(rows, start=1):
                clip = self._clip(row, _source(path), audio, number)
                if first.setdefault((clip.name, clip.caption), path) != path and _identity(row):
                    num_repeats += 1
                    continue
                keys.append(_identity(row))
                clips.append(clip)
            if num_repeats:
                _logger.warning(
                    "%s: %d entries of %s stand in another file too and are read once.",
                    self.name, num_repeats, path,
                )  # fmt: skip
        return self._split_off(clips, keys)

    def _tables(self) -> dict[Path, list[object]]:
        """Return the entries of each of the published files."""
        tables, others = {}, []
        for path in self._json_files:
            if _is_blacklist(path):
                continue
            content = _read_json(path)
            if isinstance(content, dict) and isinstance(content.get("data"), list):
                tables[path] = content["data"]
            else:
                others.append(path)
        if not tables:
            raise UserError(f'No WavCaps JSON file (an object with a list "data") below {self.root}.')
        if others:
            _logger.warning(
                '%s: %d JSON files have no list "data" and are not read, the first is %s.',
                self.name, len(others), others[0],
            )  # fmt: skip
        return tables

    @cached_property
    def _json_files(self) -> list[Path]:
        return sorted(files_below(self.root, (".json",)))

    @cached_property
    def _lists(self) -> list[NameList]:
        if self.exclude is not None:
            return super()._lists
        return [NameList(path) for path in self._json_files if _is_blacklist(path)]

    def origin(self, clip: Clip) -> str:
        """Return the video, or the recording on Freesound."""
        if clip.name.startswith("AudioSet_SL_"):
            return youtube_origin(clip.name.removeprefix("AudioSet_SL_"))
        source, _, number = clip.name.partition("_")
        return f"freesound:{number}" if source == "FreeSound" and number else ""

    def _index_audio(self, sources: set[str]) -> dict[str, dict[str, Path]]:
        """Return the sound files of every source by name without suffix."""
        index: dict[str, dict[str, Path]] = defaultdict(dict)
        for path in sound_files(self.root):
            folders = (part.removesuffix(_OF_ARCHIVES) for part in path.relative_to(self.root).parts[:-1])
            for source in sources.intersection(folders):
                index[source].setdefault(path.name.removesuffix(path.suffix), path)
        return index

    def _clip(self, row: object, source: str, audio: dict[str, dict[str, Path]], number: int) -> Clip:
        problem = ""
        if not isinstance(row, dict):
            row, problem = {}, "The entry is no JSON object."
        elif not row.get("id"):
            problem = "The id is missing."
        identity, caption = _identity(row), row.get("caption") or ""
        if not isinstance(caption, str):
            caption, problem = "", problem or "The caption is no text."
        name = f"{source}_{identity or f'entry{number}'}"
        path = audio.get(source, {}).get(identity, self.root / source / f"{identity}.flac")
        duration = seconds(str(row.get("duration", "")))
        return captioned_clip(name, path, caption, "", duration=duration, row=number, problem=problem)


def _source(path: Path) -> str:
    return _SOURCES.get(path.stem, path.stem)


def _is_blacklist(path: Path) -> bool:
    return "blacklist" in path.name.lower()


def _identity(row: object) -> str:
    """Return the id of an entry; those of AudioSet carry a suffix."""
    return str(row.get("id", "")).removesuffix(".wav") if isinstance(row, dict) else ""


def _read_json(path: Path) -> object:
    try:
        return read_json(path, LARGEST, halves=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): download it again.") from error
