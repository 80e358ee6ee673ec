"""The manifest file: a table with a row for every clip, read and written."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from audiolcm.data.locating import Finder
from audiolcm.data.manifest import Clip, fallback_structure
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

SOUND_COLUMN, MEL_COLUMN = "audio_path", "mel_path"
COLUMNS = ("name", SOUND_COLUMN, "caption", "structured_caption", "duration", "split", "labels")
REQUIRED_COLUMNS = ("name", SOUND_COLUMN, "caption")
_OTHER_NAMES = {SOUND_COLUMN: ("file_name", "location"), "caption": ("text", "captions")}
"""Of columns, in the metadata of Hugging Face's audio folders and in the lists of TANGO."""
_RELEASED_CAPTION = "ori_cap"


def read_manifest(path: str | Path, files: str = SOUND_COLUMN) -> list[Clip]:
    """Read a TSV, CSV, JSON or Parquet manifest; audio paths are relative to the manifest's folder.

    Columns: audio_path (or file_name, location), caption (or text, captions), name, structured_caption, duration,
    split, labels ("a|b"). The first two are required; without names all clips have the name "". A missing structured
    caption becomes ``fallback_structure(caption)``, a missing duration 0. The split is kept as written ("" when absent)
    so that the caller can report a misspelled one. A list of captions gives a clip each: name, name_2, ... Where there
    is a column ori_cap, as in the released tables, it is the caption and ``caption`` the structured one.

    Args:
        path: the table.
        files: the column that names the file of each clip.

    Raises:
        UserError: for an unreadable table or a missing column.
    """
    path = Path(path)
    columns, rows = read_columns(path)
    is_released = _RELEASED_CAPTION in columns
    known = {column: _column(column, columns) for column in REQUIRED_COLUMNS}
    known |= {SOUND_COLUMN: files if files in columns else None} if files != SOUND_COLUMN else {}
    missing = [files if column == SOUND_COLUMN else column for column, found in known.items() if not found]
    if missing and missing != ["name"]:
        raise UserError(lacks_columns(path, missing, columns))
    known["structured_caption"] = "structured_caption"
    if is_released:
        known |= {"caption": _RELEASED_CAPTION, "structured_caption": "caption"}
    find = Finder()
    clips = [_clip(row, path.parent, known, find) for row in rows]
    return _numbered(clips) if is_released else _one_a_caption(clips, rows, known["caption"] or "")


def _column(column: str, columns: Sequence[str]) -> str | None:
    """Return what a table calls a column."""
    return next((one for one in (column, *_OTHER_NAMES.get(column, ())) if one in columns), None)


def _numbered(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips of a released table, where the captions of a sound are rows of one name: name, name_2, ..."""
    taken: set[str] = {clip.name for clip in clips}
    used, numbered = set(), []
    for clip in clips:
        numbered.append(
            dataclasses.replace(clip, name=_free_name(clip.name, taken)) if clip.name in used else clip
        )
        used.add(clip.name)
    return numbered


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
    name, audio_path, caption, structured = (
        row.get(known[c] or "", "") for c in (*REQUIRED_COLUMNS, "structured_caption")
    )
    duration = row.get("duration", "")
    return Clip(
        name=name,
        audio_path=find(folder / row.exact(known[SOUND_COLUMN] or "")) if audio_path else None,
        caption=caption,
        structured_caption=structured or fallback_structure(caption),
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
