"""What a table file holds before it has columns: its text in whatever encoding, its separator, or records of JSON.

Other programs write UTF-16, semicolons and JSON lines. What is unmistakable is read; anything else is named.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audiolcm.storage.plain_data import parse_json

_FOREIGN = {
    b"PK\x03\x04": "an Excel or OpenDocument workbook, or a zip archive: save it as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save it as CSV",
    b"\x1f\x8b": "compressed by gzip: gunzip it",
    b"ARROW1": "an Arrow file: save it as Parquet",
}
_LINE_END = re.compile(r"\r+\n?|\n")
_SEPARATORS = ("\t", ",", ";")

Record = tuple[int, dict[str, Any] | str]
"""Number of a line or entry, and what it says, or what is wrong with it."""


def text_of(path: Path) -> str:
    """Return the text of a table in UTF-8, or in UTF-16 as Excel writes it.

    Raises:
        OSError: when it cannot be read.
        ValueError: naming what it is instead.
    """
    content = path.read_bytes()
    for start, what in _FOREIGN.items():
        if content.startswith(start):
            raise ValueError(f"it is {what}")
    encoding = _encoding(content)
    try:
        return _with_line_feeds(content.decode(encoding))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = f"line {line} is no {encoding.removesuffix('-sig').upper()}: {error.reason}"
        raise ValueError(f"{wrong}; save the table as UTF-8") from error


def separator(text: str, usual: str) -> str:
    """Return what separates the fields of the first line: ``usual``, or the one other separator that stands in it."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    found = [one for one in _SEPARATORS if one in header]
    return found[0] if usual not in found and len(found) == 1 else usual


def is_spaced(text: str, delimiter: str) -> bool:
    """Return whether every separator of the first line has a space after it, which then belongs to the separator."""
    header = next((line for line in text.split("\n") if line.strip()), "")
    return f"{delimiter} " in header and header.count(delimiter) == header.count(f"{delimiter} ")


def is_json(text: str) -> bool:
    """Return whether a text is JSON rather than a table: no header begins with a bracket."""
    return text.lstrip().startswith(("{", "["))


def json_records(text: str) -> Iterator[Record]:
    """Yield the objects of JSON lines, of a list, or of the list "data" of one object.

    Raises:
        ValueError: for other JSON.
    """
    try:
        content = parse_json(text)
    except ValueError:
        yield from _json_lines(text)
        return
    if isinstance(content, dict):
        entries = content["data"] if isinstance(content.get("data"), list) else [content]
    else:
        entries = content
    for number, entry in enumerate(entries, start=1):
        yield number, entry if isinstance(entry, dict) else "The entry is no JSON object."


def _json_lines(text: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = parse_json(line)
        except ValueError as error:
            if number == 1:
                raise ValueError(
                    f"it begins like JSON and is neither JSON nor JSON lines: {error}"
                ) from error
            yield number, f"The line is no JSON ({error})."
        else:
            yield number, entry if isinstance(entry, dict) else "The line is no JSON object."


def _with_line_feeds(text: str) -> str:
    """Return a text whose lines end at line feeds; a lone carriage return is a space, unless it ends the header."""
    first = _LINE_END.search(text)
    return text if first is None or not first[0].endswith("\n") else _LINE_END.sub(_line_feed, text)


def _line_feed(end: re.Match[str]) -> str:
    return "\n" if end[0].endswith("\n") else " "


def _encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    pairs = content[:64]
    if len(pairs) >= 4 and not any(pairs[1::2]) and all(pairs[::2]):  # Latin letters in two bytes each
        return "utf-16-le"
    if len(pairs) >= 4 and not any(pairs[::2]) and all(pairs[1::2]):
        return "utf-16-be"
    return "utf-8-sig"
