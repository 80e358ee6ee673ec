"""Clips and corpora: what the rest of the project knows about a data set."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests

SPLITS = ("train", "validation", "test")
_TEXTS = ("name", "caption", "structured_caption", "split", "problem")
_NOTHING = frozenset(("nan", "none", "null", "nil", "n/a", "#n/a", "<na>", "nat", "undefined"))
_WRITTEN_OUT = {"]": r"""\[\s*['"]""", ")": r"""array\(\s*\[""", "}": r"""\{\s*['"]"""}
"""How a list or object begins that Python wrote into a cell of text, by how it ends."""
LEFT_OUT = "Left out: "
"""How the reason of a row begins that could be used, see ``audiolcm.data.left_out``."""


@dataclasses.dataclass(frozen=True)
class Event:
    """One sound inside a clip: its label and where it starts and ends, in seconds."""

    label: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Clip:
    """One captioned sound.

    ``duration`` is in seconds (0 when unknown); ``audio_path`` is None when the corpus makes the sound itself;
    ``row`` is the line of the table where the clip was read (the header is line 1; 0 when there is no table),
    ``problem`` why that row cannot be used, "" when nothing is known against it.
    """

    name: str
    audio_path: Path | None
    caption: str
    structured_caption: str
    duration: float
    split: str
    labels: tuple[str, ...]
    events: tuple[Event, ...] = ()
    row: int = dataclasses.field(default=0, compare=False)
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class BadRow:
    """A row of a corpus that cannot be used, or is left out, and why."""

    split: str
    row: int
    name: str
    reason: str

    @property
    def is_left_out(self) -> bool:
        """Whether it could be used: nothing is wrong with it."""
        return self.reason.startswith(LEFT_OUT)


@runtime_checkable
class Corpus(Protocol):
    """A data set: names its clips and gives their sound.

    Attributes:
        name: short word used in folder names.
        duration: seconds that one training example is cropped or padded to.
    """

    name: str
    duration: float

    def clips(self, split: str) -> Sequence[Clip]:
        """Return all clips of "train", "validation" or "test" in a fixed order; missing audio is no error here."""

    def waveform(self, clip: Clip) -> np.ndarray:
        """Return the sound of a clip: float32 (samples,), mono, 16 kHz; a ``UserError`` when it cannot be read."""

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the SHA-256 (hex) of all that can change clips or their sound; ``digests`` knows files by heart."""


@runtime_checkable
class GivesMels(Protocol):
    """A corpus that may know the mels of clips instead of their sound."""

    def mel(self, clip: Clip) -> np.ndarray | None:
        """Return the log10 mel of a clip, float32 (80, frames), or None: it has a sound. May raise ``UserError``."""


@runtime_checkable
class RejectsRows(Protocol):
    """A corpus whose table may hold rows that belong to no split (misspelled split, name used twice, ...)."""

    def rejected_rows(self) -> list[BadRow]:
        """Return the rows that ``clips`` returns in no split."""


@dataclasses.dataclass(frozen=True)
class Stated:
    """What a caption states beyond its classes: how often a label sounds, which labels begin one after the other."""

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    order: tuple[str, ...] = ()


@runtime_checkable
class StatesTruth(Protocol):
    """A corpus that knows what its captions state."""

    def stated(self, clip: Clip) -> Stated:
        """Return the counts and the order that the caption of a clip states."""


def fallback_structure(caption: str) -> str:
    """Return the structured caption of a caption nobody has parsed: the whole of it as one event throughout."""
    return f"<{caption}& all>"


def has_words(caption: str) -> bool:
    """Return whether a caption has a letter or digit: "..." and a lone picture say nothing."""
    return any(sign.isalnum() for sign in caption)


def caption_problem(caption: str) -> str:
    """Return why a text is no caption, "" when it is one."""
    if not caption.strip():
        return "The caption is missing."
    if not has_words(caption):
        return f"The caption {caption!r} holds no word: say what is to be heard."
    if caption.strip().lower() in _NOTHING:
        return f"The caption {caption!r} is how programs write that there is none: say what is to be heard."
    if (begin := _WRITTEN_OUT.get(caption.strip()[-1])) and re.match(begin, caption.strip()):
        return f"The caption {caption[:60]!r} is a list or object of a program: give each caption a row of its own."
    return ""


def storable(clip: Clip) -> Clip:
    """Return the clip; with a problem, and signs written out, where a text cannot be stored or be a file name.

    That is NUL, and half a pair of surrogates, as JSON may have them and as Python reads names that are no UTF-8.
    """
    path = None if clip.audio_path is None else Path(written_out(str(clip.audio_path)))
    texts: dict[str, Any] = {name: written_out(getattr(clip, name)) for name in _TEXTS}
    stored = dataclasses.replace(clip, audio_path=path, labels=tuple(map(written_out, clip.labels)), **texts)
    if stored == clip:
        return clip
    problem = "A name or text of the row has signs that cannot be stored (NUL, or no UTF-8)."
    return dataclasses.replace(stored, problem=stored.problem or problem)


def written_out(text: str) -> str:
    """Return a text whose NULs and half surrogate pairs are written as signs."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def unknown_split(clip: Clip) -> BadRow:
    """Return the row of a clip whose split is none of SPLITS."""
    reason = f"The split {clip.split!r} is unknown: use one of {', '.join(SPLITS)}."
    return BadRow(clip.split, clip.row, clip.name, reason)


def check_split(split: str) -> str:
    """Return ``split``.

    Raises:
        UserError: when it is not one of SPLITS.
    """
    if split not in SPLITS:
        raise UserError(f"Unknown split {split!r}: use one of {', '.join(SPLITS)}.")
    return split
