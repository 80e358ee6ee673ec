"""The grammar of structured captions: ``<event& tag>@<event& tag>``, "& " with no space before and one after."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from audiolcm.errors import UserError

TAGS = ("all", "start", "mid", "end")
"""When an event is heard; published lists also hold free tags, such as ``background``."""
GRAMMAR = "<event& tag>@<event& tag>, such as <dog barking& start>@<rain falling& end>"

_EVENT = re.compile(r"<([^<>@]*[^<>@\s])\s*& ([^<>@&\s](?:[^<>@&]*[^<>@&\s])?)>")
_SIGNS = str.maketrans({"&": " and ", "@": " at ", "<": " ", ">": " ", "\0": " "})


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
