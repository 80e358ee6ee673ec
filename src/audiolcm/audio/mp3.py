"""MP3 streams: what the header of one announces, and how many frames there are.

libsndfile stops where the header says, or where it guesses the end from the bit rate of the first frame.
"""

import io
import os
from typing import Any, NamedTuple

_KBPS = {  # by the bits of version (3: MPEG-1) and layer (1: III, 2: II, 3: I); MPEG-2 and 2.5 share theirs
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_JUNK = 1 << 16  # bytes between two frames that are searched for the next
_ENDLESS = 1 << 44  # bytes, of which any bit rate makes more samples than a sound can have
_HEADER = 256  # bytes of a frame that may hold the header of the stream


class Mp3(NamedTuple):
    """An MP3 stream: where it begins, its first frame, and how many frames and bytes that announces; 0: none."""

    begin: int
    frame: bytes
    num_frames: int
    num_bytes: int


class Unsized(io.BufferedReader):
    """A file whose size is not told, so that nothing guesses from it where the stream stops: at ``end``, in truth."""

    def __init__(self, source: io.FileIO | io.BytesIO, end: int) -> None:
        # pyrefly: ignore[bad-argument-type]  (it reads from bytes as well)
        super().__init__(source)
        self._end = end
        self._is_at_end = False

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place; the very end is said to be far away."""
        self._is_at_end = whence == os.SEEK_END and offset == 0
        if whence == os.SEEK_END:
            offset, whence = self._end + offset, os.SEEK_SET
        return super().seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return _ENDLESS if self._is_at_end else super().tell()

    def readinto(self, buffer: Any, /) -> int:
        """Read what is there before the end."""
        left = max(0, self._end - super().tell())
        return super().readinto(memoryview(buffer).cast("B")[:left])


def end_of_tags(file: io.BufferedIOBase | io.FileIO, place: int = 0) -> int:
    """Return where the ID3 tags end that lie at ``place``; some tools write several, and some before a WAV or FLAC."""
    file.seek(place)
    while (tag := file.read(10))[:3] == b"ID3" and len(tag) == 10:  # its length: four times seven bits
        place += 10 + sum((byte & 0x7F) << 7 * power for power, byte in enumerate(tag[9:5:-1]))
        file.seek(place)
    return place


def read_mp3(file: io.BufferedIOBase | io.FileIO, begin: int) -> Mp3 | None:
    """Return the stream that begins at ``begin``; None when there is none, or its frames tell no length."""
    file.seek(begin)
    frame = file.read(_HEADER)
    if not _frame_length(frame):
        return None
    if frame[36:40] == b"VBRI" and len(frame) >= 54:
        return Mp3(begin, frame, *(int.from_bytes(frame[p : p + 4], "big") for p in (50, 46)))
    mark = max(frame.find(b"Xing"), frame.find(b"Info"))
    counts = [0, 0]
    if mark >= 0 and len(frame) >= mark + 16:
        flags, place = frame[mark + 7], mark + 8
        for bit in (0, 1):
            if flags >> bit & 1:
                counts[bit] = int.from_bytes(frame[place : place + 4], "big")
                place += 4
    return Mp3(begin, frame, *counts)


def walk_frames(file: io.BufferedIOBase | io.FileIO, stream: Mp3) -> tuple[int, int]:
    """Return how many whole frames there are, behind further tags too, and where the last ends, whatever is told."""
    size, count, end, place = file.seek(0, os.SEEK_END), 0, stream.begin, stream.begin
    while True:
        file.seek(place)
        header = file.read(4)
        if length := _frame_length(header) if _is_alike(header, stream.frame) else 0:
            place += length
            if place <= size:
                count, end = count + 1, place
        elif header[:3] == b"ID3":
            place = max(place + 1, end_of_tags(file, place))  # the end of the file may be that of the tag
        elif (after := _next_frame(file, place, stream.frame)) is not None:
            place = after
        else:
            return count, end


def _frame_length(header: bytes) -> int:
    """Return the bytes of a frame that begins with these; 0 when they are the header of none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer, kbps, rate = header[1] >> 3 & 3, header[1] >> 1 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 0 or kbps in (0, 15) or rate == 3:
        return 0
    hertz, padding = _RATES[version][rate], header[2] >> 1 & 1
    bps = 1000 * _KBPS[3 if version == 3 else 2, layer][kbps - 1]
    if layer == 3:
        return 4 * (12 * bps // hertz + padding)
    return (72 if layer == 1 and version != 3 else 144) * bps // hertz + padding


def _is_alike(header: bytes, first: bytes) -> bool:
    """Return whether a frame is of the version, layer and sample rate of the first."""
    return (
        header[:1] == b"\xff"
        and len(header) == 4
        and not ((header[1] ^ first[1]) & 0xFE | (header[2] ^ first[2]) & 0x0C)
    )


def _next_frame(file: io.BufferedIOBase | io.FileIO, place: int, first: bytes) -> int | None:
    """Return where the next frame with another behind it begins; None when it is not near, as behind the last one."""
    file.seek(place)
    junk = file.read(_JUNK)
    found = junk.find(0xFF)
    while found >= 0:
        header = junk[found : found + 4]
        length = _frame_length(header)
        behind = junk[found + length : found + length + 4]
        if length and _is_alike(header, first) and (_is_alike(behind, first) or not behind):
            return place + found
        found = junk.find(0xFF, found + 1)
    return None
