"""Whether a sound file is whole: libsndfile plays what is left of a cut-off WAV, OGG or MP3 without a word."""

from __future__ import annotations

import io
import os
from pathlib import Path

_OGG_PAGE = 65307  # the largest one: 27 + 255 + 255 * 255 bytes
_END_OF_STREAM = 0x04
_LARGEST_SIZE = 0x7FFF0000  # writers to a pipe, who can not know the size, announce more than this, or 0
_MP3_FRAME = 1441  # bytes of the largest one: encoders do not agree on whether the one with the header counts
_PADDING = 1  # a byte that some writers count and others do not


def missing_bytes(path: Path, content: bytes | None = None) -> int:
    """How many bytes of sound a WAV, AIFF, OGG or MP3 file lacks of what it announces; 0 when it is whole.

    An OGG stream announces no size: it is whole when its last page is, and bears the mark of the end or is the end of
    the file (Android's writer sets no mark); else it lacks 1. 0 for every other format, and where a file announces
    nothing (streamed WAV, MP3 without a Xing header). With `content`, the bytes of the file, nothing is read from disk.
    """
    size = path.stat().st_size if content is None else len(content)
    with path.open("rb") if content is None else io.BytesIO(content) as file:
        start = file.read(12)
        if start[:4] in (b"RIFF", b"RF64"):
            return _missing_of_chunk(file, size, b"data", "little")
        if start[:4] == b"FORM":
            return _missing_of_chunk(file, size, b"SSND", "big")
        if start[:4] == b"OggS":
            return _missing_of_ogg(file, size)
        if start[:3] == b"ID3" or start[:1] == b"\xff":
            return _missing_of_mp3(file, size, start)
    return 0


def _missing_of_chunk(file: io.BufferedIOBase, size: int, wanted: bytes, order: str) -> int:
    """Walk the chunks behind the 12 bytes of a RIFF or FORM header to the one that holds the samples."""
    announced_in_ds64 = 0
    while len(header := file.read(8)) == 8:
        # pyrefly: ignore[bad-argument-type]  (order is big or little)
        name, length = header[:4], int.from_bytes(header[4:], order)
        if name == wanted:
            length = announced_in_ds64 or length
            if not announced_in_ds64 and not 0 < length < _LARGEST_SIZE:
                return 0
            missing = file.tell() + length - size
            return missing if missing > _PADDING else 0
        if name == b"ds64":  # RF64: sizes of 64 bits, that of the samples second
            announced_in_ds64 = int.from_bytes(file.read(16)[8:], "little")
            length -= 16
        file.seek(length + length % 2, os.SEEK_CUR)
    return 0


def _missing_of_ogg(file: io.BufferedIOBase, size: int) -> int:
    file.seek(max(0, size - _OGG_PAGE))
    tail = file.read()
    page = tail.rfind(b"OggS")
    header = tail[page : page + 27]
    if page < 0 or len(header) < 27:
        return 1
    segments = tail[page + 27 : page + 27 + header[26]]
    end = page + 27 + header[26] + sum(segments)
    is_marked = header[5] & _END_OF_STREAM
    return max(0, end - len(tail)) if is_marked or end >= len(tail) else 1


def _missing_of_mp3(file: io.BufferedIOBase, size: int, start: bytes) -> int:
    """A Xing or Info header in the first frame may count the bytes of the stream."""
    begin = 0
    if start[:3] == b"ID3":  # its length: four times seven bits
        begin = 10 + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(start[9:5:-1]))
    file.seek(begin)
    frame = file.read(256)
    mark = max(frame.find(b"Xing"), frame.find(b"Info"))
    if mark < 0 or len(frame) < mark + 16:
        return 0
    flags = int.from_bytes(frame[mark + 4 : mark + 8], "big")
    if not flags & 2:
        return 0
    place = mark + 8 + 4 * (flags & 1)
    missing = begin + int.from_bytes(frame[place : place + 4], "big") - size
    return missing if missing > _MP3_FRAME else 0
