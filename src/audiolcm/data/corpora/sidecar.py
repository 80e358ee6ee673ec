"""Sounds with a text file beside each: a caption, or JSON with a caption and more."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiolcm.data.corpora.folder import FolderCorpus, sound_files
from audiolcm.data.locating import files_below, folded
from audiolcm.data.manifest import SPLITS, Clip, fallback_structure
from audiolcm.data.tables import LIST_SEPARATOR
from audiolcm.errors import UserError
from audiolcm.storage.files import read_text
from audiolcm.storage.plain_data import read_json

_logger = logging.getLogger(__name__)

_CAPTION_KEYS = ("caption", "text", "description", "title")


@dataclass(frozen=True)
class Description:
    """What a text says about a sound; "" and () where it says nothing."""

    caption: str = ""
    structured_caption: str = ""
    labels: tuple[str, ...] = ()
    split: str = ""


def describe(content: object) -> Description:
    """Read what a text says about a sound: a caption as text, or an object.

    An object has ``caption`` (or ``text``, ``description``, ``title``) and, as far as known, ``structured_caption``,
    ``labels`` (or ``tag``; a list or "a|b") and ``split``. Of several captions in a list the first counts.

    Raises:
        ValueError: when it is neither, or the split is unknown.
    """
    if isinstance(content, str):
        return Description(content.strip(), fallback_structure(content.strip()))
    if not isinstance(content, dict):
        raise ValueError("expected a text or an object")
    caption = next((text for key in _CAPTION_KEYS if (text := _first(content.get(key)))), "")
    labels = content.get("labels") or content.get("tag") or ()
    if isinstance(labels, str):
        labels = labels.split(LIST_SEPARATOR)
    if not isinstance(labels, list | tuple):
        raise ValueError("expected a list of labels")
    split = _first(content.get("split"))
    if split and split not in SPLITS:
        raise ValueError(f"unknown split {split!r}")
    structured = _first(content.get("structured_caption")) or fallback_structure(caption)
    return Description(caption, structured, tuple(str(label).strip() for label in labels), split)


def joined(descriptions: Sequence[Description]) -> Description:
    """Return what the first description says, with the caption of the last: a .txt may go with a .json without one."""
    last = descriptions[-1]
    return replace(descriptions[0], caption=last.caption, structured_caption=last.structured_caption)


def _first(value: object) -> str:
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    return str(value).strip() if isinstance(value, str) else ""


class SidecarCorpus(FolderCorpus):
    """A folder, at any depth, of <name>.<sound> with <name>.json or <name>.txt beside it; see ``describe``.

    Without a description beside it a sound has no caption and is reported; with ``captions_from_names`` its caption is
    its file name in words and its label the name of its folder. Clips are named by their path below the root. One in
    ``validation_every`` is held out unless the description names a split.
    """

    def __init__(
        self,
        root: str | None = None,
        duration: float = 9.984,
        max_duration: float = 10.0,
        validation_every: int = 100,
        captions_from_names: bool = False,
        name: str = "sidecar",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        super().__init__(name, root, duration, max_duration, exclude, validation_every, resampler)
        self.captions_from_names = captions_from_names

    def _read_clips(self) -> list[Clip]:
        clips = self.described()
        return self._split_off(clips, [clip.name for clip in clips])

    def described(self) -> list[Clip]:
        """Return every sound with its description; the split is "" where that names none."""
        paths = sound_files(self.root)
        if not paths:
            raise UserError(
                f"No sound file below {self.root}: correct dataset.root=... for dataset {self.name}."
            )
        self._tell_lonely_texts({_stem(path) for path in paths})
        return [self._clip(path) for path in paths]

    def _tell_lonely_texts(self, stems: set[str]) -> None:
        """Warn of descriptions without a sound: they are no rows, for a README.txt is none either."""
        texts = sorted(files_below(self.root, (".json", ".txt")))
        lonely = [path for path in texts if _stem(path) not in stems]
        if lonely:
            _logger.warning(
                "%s: %d texts have no sound file beside them, the first is %s.",
                self.name,
                len(lonely),
                lonely[0],
            )

    def _clip(self, path: Path) -> Clip:
        key = path.relative_to(self.root).with_suffix("").as_posix()
        problem = ""
        try:
            found = self._description(path)
        except (OSError, ValueError) as error:
            found, problem = Description(), f"The description beside {path} cannot be read ({error})."
        return Clip(
            name=key,
            audio_path=path,
            caption=found.caption,
            structured_caption=found.structured_caption,
            duration=0.0,
            split=found.split,
            labels=found.labels,
            problem=problem,
        )

    def _description(self, path: Path) -> Description:
        found = []
        for suffix, read in ((".json", read_json), (".txt", read_text)):
            text = self._find(path.with_suffix(suffix))
            if os.path.lexists(text):
                found.append(describe(read(text)))
                if found[-1].caption:
                    break
        if found:
            return joined(found)
        if not self.captions_from_names:
            return Description()
        caption = words_of_name(path.name.removesuffix(path.suffix))
        return Description(caption, fallback_structure(caption), (path.parent.name,))


def _stem(path: Path) -> str:
    return folded(str(path.with_suffix("")))


def words_of_name(name: str) -> str:
    """Return a file name as a caption: separators become spaces, numbers at either end go.

    "Crowd_Cheering-Stadium 03" is "Crowd Cheering Stadium". A name without any letter gives "".
    """
    words = name.replace("_", " ").replace("-", " ").split()
    while words and not any(letter.isalpha() for letter in words[-1]):
        words.pop()
    while words and not any(letter.isalpha() for letter in words[0]):
        words.pop(0)
    return " ".join(words)
