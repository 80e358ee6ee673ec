"""WavCaps (Mei et al., 2023): 400,000 sounds of four sources with captions written by a language model."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus
from audiolcm.data.locating import files_below, sound_files
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.splits import is_held_out
from audiolcm.data.tables import seconds
from audiolcm.errors import UserError
from audiolcm.plain_data import read_json

_SOURCES = {
    "as_final": "AudioSet_SL",
    "bbc_final": "BBC_Sound_Effects",
    "fsd_final": "FreeSound",
    "sb_final": "SoundBible",
}


class WavCaps(FolderCorpus):
    """The published JSON files ("data": [{"id", "caption", "duration", ...}]) and the sounds below `root`.

    The sounds of a source lie below a folder with its name (AudioSet_SL, BBC_Sound_Effects, FreeSound,
    SoundBible). Clips are named <source>_<id>. One clip in `validation_every` is held out; there is no test
    split.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 10.0,
        max_duration: float = 10.0,
        validation_every: int = 100,
        name: str = "wavcaps",
    ) -> None:
        super().__init__(name, root, duration, max_duration)
        self.validation_every = validation_every

    def _read_clips(self) -> list[Clip]:
        tables = [
            (path, table["data"])
            for path in sorted(files_below(self.root, (".json",)))
            if isinstance(table := _read_json(path), dict) and isinstance(table.get("data"), list)
        ]
        if not tables:
            raise UserError(f'No WavCaps JSON file (an object with a list "data") below {self.root}.')
        audio = self._index_audio({_SOURCES.get(path.stem, path.stem) for path, _ in tables})
        return [
            self._clip(row, _SOURCES.get(path.stem, path.stem), audio, number)
            for path, rows in tables
            for number, row in enumerate(rows, start=1)
        ]

    def _index_audio(self, sources: set[str]) -> dict[str, dict[str, Path]]:
        """For every source its sound files by name without suffix."""
        index: dict[str, dict[str, Path]] = defaultdict(dict)
        for path in sound_files(self.root):
            for source in sources.intersection(path.relative_to(self.root).parts[:-1]):
                index[source].setdefault(path.name.removesuffix(path.suffix), path)
        return index

    def _clip(self, row: object, source: str, audio: dict[str, dict[str, Path]], number: int) -> Clip:
        problem = ""
        if not isinstance(row, dict):
            row, problem = {}, "The entry is no JSON object."
        elif not row.get("id"):
            problem = "The id is missing."
        identity = str(row.get("id", "")).removesuffix(".wav")  # AudioSet ids carry the suffix
        caption = str(row.get("caption") or "")
        return Clip(
            name=f"{source}_{identity or f'entry{number}'}",
            audio_path=audio.get(source, {}).get(identity, self.root / source / f"{identity}.flac"),
            caption=caption,
            structured_caption=fallback_structure(caption),
            duration=seconds(str(row.get("duration", ""))),
            split="validation" if is_held_out(identity, self.validation_every) else "train",
            labels=(),
            row=number,
            problem=problem,
        )


def _read_json(path: Path) -> object:
    try:
        return read_json(path, halves=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can not be read ({error}): download it again.") from error
