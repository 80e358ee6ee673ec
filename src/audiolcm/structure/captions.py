"""Captions of a command line and of text files, with the structured captions that people wrote to them.

The grammar of those is ``<event& tag>@<event& tag>``, "& " with no space before and one after.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiolcm.environment.terminal import CONTROL
from audiolcm.errors import UserError
from audiolcm.storage.files import lines_of, read_text

TAGS = ("all", "start", "mid", "end")
"""When an event is heard; published lists also hold free tags, such as ``background``."""
GRAMMAR = "<event& tag>@<event& tag>, such as <dog barking& start>@<rain falling& end>"
_EVENT = re.compile(r"<([^<>@]*[^<>@\s])\s*& ([^<>@&\s](?:[^<>@&]*[^<>@&\s])?)>")
_SIGNS = str.maketrans({"&": " and ", "@": " at ", "<": " ", ">": " ", "\0": " "})


@dataclass(frozen=True)
class Pair:
    """A caption and its structured caption, "" when nobody wrote one."""

    caption: str
    structured: str = ""


def typed_captions(captions: Sequence[str], structured: Sequence[str]) -> list[Pair]:
    """Join captions and the values of ``--structured``: none, or as many as captions.

    Raises:
        UserError: when their numbers differ, a caption is no text, or a structured one does not keep the grammar.
    """
    for text in (*captions, *structured):
        if CONTROL.search(text):
            raise UserError(
                f"The caption {text!a} holds signs that are no text: type it in UTF-8, without control signs."
            )
    if structured and len(structured) != len(captions):
        raise UserError(
            f"{len(captions)} captions, but --structured is there {len(structured)} times: "
            "give one for each caption, in the same order, or none."
        )
    for text in structured:
        _check(text, "--structured")
    return [Pair(*pair) for pair in zip(captions, structured or [""] * len(captions), strict=True)]


def read_captions(path: Path) -> list[Pair]:
    """Read a text file: a caption on each line, and after a tab, if you like, its structured caption.

    Raises:
        UserError: when the file is missing, is no text, or a line has no caption or a malformed structured one.
    """
    if not path.is_file():
        raise UserError(f"--from-file {path}: there is no such file.")
    try:
        lines = lines_of(read_text(path))
    except UnicodeDecodeError as error:
        raise UserError(f"--from-file {path} is not UTF-8 text ({error}).") from error
    return [_pair(line, f"--from-file {path}, line {i}") for i, line in enumerate(lines, 1) if line.strip()]


def _pair(line: str, where: str) -> Pair:
    caption, _, structured = (text.strip() for text in line.partition("\t"))
    if not caption:
        raise UserError(f"{where}: there is no caption before the tab.")
    if structured:
        _check(structured, where)
    return Pair(caption, structured)


def _check(structured: str, where: str) -> None:
    try:
        parse(structured)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


@dataclass(frozen=True)
class Event:
    """One sound in words, and when it is heard."""

    event: str
    tag: str


def parse(text: str) -> tuple[Event, ...]:
    """Read a structured caption as people and published lists write it: free tags, "&" inside an event.

    Raises:
        UserError: when a piece has another shape; says which, and shows the grammar.
    """
    return tuple(_event(piece, text) for piece in text.split("@"))


def parse_strictly(text: str) -> tuple[Event, ...]:
    """Read a structured caption that uses ``TAGS`` alone and none of the grammar's signs inside an event."""
    events = parse(text)
    for item in events:
        if item.tag not in TAGS:
            raise UserError(f"{text!r} has the tag {item.tag!r}: use {', '.join(TAGS)} in {GRAMMAR}.")
    if structured(events) != text or any(clean(item.event) != item.event for item in events):
        raise UserError(f"{text!r} has a sign or a blank too many. Write {GRAMMAR}.")
    return events


def _event(piece: str, text: str) -> Event:
    found = _EVENT.fullmatch(piece)
    if not found:
        raise UserError(f"{text!r} is no structured caption, see {piece!r}. Write {GRAMMAR}.")
    return Event(found[1], found[2])


def structured(events: Iterable[Event]) -> str:
    """Write events as a structured caption."""
    return "@".join(f"<{item.event}& {item.tag}>" for item in events)


def clean(caption: str) -> str:
    """Return a caption on one line without the grammar's own signs: "&" and "@" become words, brackets go."""
    return " ".join(caption.translate(_SIGNS).split())
