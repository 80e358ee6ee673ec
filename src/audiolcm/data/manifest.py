"""Clips, corpora and the manifest file: what the rest of the project knows about a data set."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from audiolcm.data.locating import Finder
from audiolcm.data.tables import (
    LIST_SEPARATOR,
    TableRow,
    lacks_columns,
    read_columns,
    seconds,
    seconds_problem,
    write_table,
)
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests

SPLITS = ("train", "validation", "test")
COLUMNS = ("name", "audio_path", "caption", "structured_caption", "duration", "split", "labels")
_TEXTS = ("name", "caption", "structured_caption", "split", "problem")
REQUIRED_COLUMNS = ("name", "audio_path", "caption")
_OTHER_NAMES = {"audio_path": ("file_name", "location"), "caption": ("text", "captions")}
"""Of columns, in the metadata of Hugging Face's audio folders and in the lists of TANGO."""
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


def read_manifest(path: str | Path) -> list[Clip]:
    """Read a TSV, CSV, JSON or Parquet manifest; audio paths are relative to the manifest's folder.

    Columns: audio_path (or file_name, location), caption (or text, captions), name, structured_caption, duration,
    split, labels ("a|b"). The first two are required; without names all clips have the name "". A missing structured
    caption becomes ``fallback_structure(caption)``, a missing duration 0. The split is kept as written ("" when absent)
    so that the caller can report a misspelled one. A list of captions gives a clip each: name, name_2, ...

    Raises:
        UserError: for an unreadable table or a missing column.
    """
    path = Path(path)
    columns, rows = read_columns(path)
    known = {column: _column(column, columns) for column in REQUIRED_COLUMNS}
    missing = [column for column, found in known.items() if found is None]
    if missing and missing != ["name"]:
        raise UserError(lacks_columns(path, missing, columns))
    find = Finder()
    clips = [_clip(row, path.parent, known, find) for row in rows]
    return _one_a_caption(clips, rows, known["caption"] or "")


def _column(column: str, columns: Sequence[str]) -> str | None:
    """Return what a table calls a column."""
    return next((one for one in (column, *_OTHER_NAMES.get(column, ())) if one in columns), None)


def _one_a_caption(clips: Sequence[Clip], rows: Sequence[TableRow], column: str) -> list[Clip]:
    """Return the clips, several of a row whose captions are a list."""
    taken = {clip.name for clip in clips}
    every = []
    for clip, row in zip(clips, rows, strict=True):
        captions = row.lists.get(column) or (clip.caption,)
        given = row.lists.get("structured_caption", (row.get("structured_caption", ""),) * len(captions))
        problem = f"The row has {len(captions)} captions, but {len(given)} structured ones."
        structured = given if len(given) == len(captions) else ("",) * len(captions)
        for number, caption in enumerate(captions):
            every.append(
                dataclasses.replace(
                    clip,
                    name=_free_name(clip.name, taken) if number else clip.name,
                    caption=caption,
                    structured_caption=structured[number] or fallback_structure(caption),
                    problem=clip.problem or ("" if structured is given else problem),
                )
            )
    return every


def _free_name(name: str, taken: set[str]) -> str:
    """Return the first of name_2, name_3, ... that is not taken, which it is then; "" stays what it is."""
    number = 2
    while name and f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return name and f"{name}_{number}"


def write_manifest(path: str | Path, clips: Iterable[Clip]) -> None:
    """Write clips as TSV or Parquet (by suffix), atomically; paths inside the folder become relative."""
    path = Path(path)
    write_table(path, COLUMNS, [_row(clip, path.parent.resolve()) for clip in clips])


def _clip(row: TableRow, folder: Path, known: Mapping[str, str | None], find: Finder) -> Clip:
    name, audio_path, caption = (row.get(known[column] or "", "") for column in REQUIRED_COLUMNS)
    duration = row.get("duration", "")
    return Clip(
        name=name,
        audio_path=find(folder / row.exact(known["audio_path"] or "")) if audio_path else None,
        caption=caption,
        structured_caption=row.get("structured_caption") or fallback_structure(caption),
        duration=seconds(duration),
        split=row.get("split", ""),
        labels=tuple(
            label for label in row.lists.get("labels", row.get("labels", "").split(LIST_SEPARATOR)) if label
        ),
        row=row.line,
        problem=row.problem or seconds_problem(duration),
    )


def _row(clip: Clip, folder: Path) -> dict[str, str]:
    audio_path = "" if clip.audio_path is None else clip.audio_path.resolve()
    if audio_path and audio_path.is_relative_to(folder):
        audio_path = audio_path.relative_to(folder)
    return {
        "name": clip.name,
        "audio_path": str(audio_path),
        "caption": clip.caption,
        "structured_caption": clip.structured_caption,
        "duration": repr(clip.duration),
        "split": clip.split,
        "labels": LIST_SEPARATOR.join(clip.labels),
    }
