"""The comment of a WAV file: the tag ICMT of a chunk LIST INFO behind the samples, where players look for it.

libsndfile reads 2 kB of a tag at most, and leaves out what is much longer without a word; a card may be longer.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from audiolcm.errors import UserError

_HEADER = struct.Struct("<4sI")  # the name of a chunk and its bytes


def commented(wav: bytes, comment: str) -> bytes:
    """Return the bytes of a WAV file with a comment behind all that it holds."""
    tags = b"INFO" + _chunk(b"ICMT", comment.encode() + b"\0")
    whole = wav + b"\0" * (len(wav) % 2) + _chunk(b"LIST", tags)
    return _HEADER.pack(b"RIFF", len(whole) - _HEADER.size) + whole[_HEADER.size :]


def read_comment(path: str | Path) -> str:
    """Return the comment of a WAV file, as ``commented`` writes it; "" where there is none, or no WAV file.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return ""
    tags = (body[4:] for name, body in _chunks(content[12:]) if name == b"LIST" and body[:4] == b"INFO")
    comments = (text for part in tags for name, text in _chunks(part) if name == b"ICMT")
    return next(comments, b"").rstrip(b"\0").decode(errors="replace")


def _chunk(name: bytes, body: bytes) -> bytes:
    return _HEADER.pack(name, len(body)) + body + b"\0" * (len(body) % 2)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + _HEADER.size <= len(content):
        name, length = _HEADER.unpack_from(content, place)
        place += _HEADER.size
        yield name, content[place : place + length]
        place += length + length % 2
