"""What libsndfile does not say of a sound file: that its end is missing, or that more follows than it reads."""

import io
import math
from pathlib import Path
from typing import NamedTuple

from audiolcm.audio.mp3 import end_of_tags, read_mp3, walk_frames

_OGG_PAGE = 65307  # the largest one: 27 + 255 + 255 * 255 bytes
_END_OF_STREAM = 0x04
_LARGEST_SIZE = 0x7FFF0000  # writers to a pipe, who cannot know the size, announce more than this, or 0
_MP3_FRAME = 1441  # bytes of the largest one: encoders do not agree on whether the one with the header counts
_MP3_FRAMES = 3  # that a count may differ by
_SMALLEST_FRAME = 24  # bytes
_LARGEST_WIDE = 1 << 62  # as _LARGEST_SIZE, of 64 bits
_TRAILING = 0.02  # of the sound: so much of what is no chunk may follow it
_PADDING = 1  # a byte that some writers count and others do not
_MOST_CHUNKS = 10_000  # a file of zeros behind a header has millions
_BLOCK = 1 << 16
_FLAC = b"fLaC\x00\x00\x00\x22"  # its mark, and the header of the block that is always first


class Ending(NamedTuple):
    """Whether a sound file is whole: bytes of sound that it lacks, and whether it holds more than is read of it."""

    missing: int = 0
    has_more: bool = False


class _Chunks(NamedTuple):
    """A format of named chunks: where the first is, how wide names and sizes are, and which one holds the samples."""

    first: int
    name: int
    size: int
    order: str
    wanted: bytes
    counts_header: bool = False
    align: int = 2


_RIFF = _Chunks(12, 4, 4, "little", b"data")
_CHUNKED = {
    b"RIFF": _RIFF,
    b"RF64": _RIFF,
    b"FORM": _Chunks(12, 4, 4, "big", b"SSND"),
    b"caff": _Chunks(8, 4, 8, "big", b"data", align=1),
    b"riff": _Chunks(
        40, 16, 8, "little", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0O\x8e\xdb\x8a", True, 8
    ),  # W64
}


def ending(path: Path, content: bytes | None = None) -> Ending:
    """Return how a WAV, W64, AIFF, CAF, AU, OGG, FLAC or MP3 file ends, by what it announces; others count as whole.

    An OGG stream announces no size: it is whole when its last page is, and bears the mark of the end or is the end of
    the file (Android's writer sets no mark); else it lacks 1. Nothing is missing where a file announces nothing
    (streamed WAV, MP3 without a header).

    Args:
        path: the file.
        content: the bytes of the file; nothing is then read from disk.
    """
    size = path.stat().st_size if content is None else len(content)
    with path.open("rb") if content is None else io.BytesIO(content) as file:
        begin = end_of_tags(file)
        file.seek(begin)
        start = file.read(12)
        if layout := _CHUNKED.get(start[:4]):
            return _ending_of_chunks(file, size, begin, layout)
        if start[:4] == b".snd":
            place, length = _number(start[4:8], "big"), _number(start[8:], "big")
            return _ending_of_samples(file, size, begin + place, length)
        if start[:4] == b"OggS":
            return Ending(_missing_of_ogg(file, size), _has_behind(file, 0, b"OggS\x00\x00", b"OggS\x00\x02"))
        if start[:4] == b"fLaC":
            is_long = size > (1 + _TRAILING) * _largest_flac(file, begin)
            return Ending(0, is_long or _has_behind(file, begin, _FLAC, _FLAC))
        return _ending_of_mp3(file, size, begin)


def _ending_of_chunks(file: io.BufferedIOBase, size: int, begin: int, layout: _Chunks) -> Ending:
    """Walk the chunks to the one that holds the samples."""
    place, width, in_ds64 = begin + layout.first, layout.name + layout.size, 0
    for _ in range(_MOST_CHUNKS):
        if place + width > size:
            break
        file.seek(place)
        header = file.read(width)
        place += width
        name, length = header[: layout.name], _number(header[layout.name :], layout.order)
        if layout.counts_header:
            length -= width
        if name == layout.wanted:
            return _ending_of_samples(file, size, place, in_ds64 or length, layout.size == 8 or in_ds64 > 0)
        if name == b"ds64":  # RF64: sizes of 64 bits, that of the samples second
            in_ds64 = _number(file.read(16)[8:], layout.order)
        place += max(0, length + -length % layout.align)
    return Ending()


def _number(digits: bytes, order: str) -> int:
    # pyrefly: ignore[bad-argument-type]  (order is big or little)
    return int.from_bytes(digits, order)


def _ending_of_samples(
    file: io.BufferedIOBase, size: int, begin: int, length: int, is_wide: bool = False
) -> Ending:
    """Return the ending of samples that are announced to be so long, in 64 bits or in 32."""
    if length >= (_LARGEST_WIDE if is_wide else _LARGEST_SIZE):
        return Ending()
    end = begin + length
    if end - size > _PADDING:
        return Ending(end - size)
    file.seek(end)
    follows = file.read(8)
    names = follows[:4], follows[1:5]  # not every writer fills up to an even number of bytes
    if any(name in (*_CHUNKED, b".snd") for name in names):
        return Ending(has_more=True)
    is_chunk = any(name.isascii() and name.decode().isprintable() for name in names)
    is_much = size - end > length * _TRAILING and follows.strip(b"\0") and not follows.startswith(b"ID3")
    return Ending(has_more=bool(is_much and not is_chunk))


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


def _largest_flac(file: io.BufferedIOBase, begin: int) -> float:
    """Return where a FLAC stream ends at the latest, by its largest frame and how many its samples make."""
    file.seek(begin + 8)
    facts = file.read(34)
    block, frame = _number(facts[:2], "big"), _number(facts[7:10], "big")
    samples = _number(facts[13:18], "big") & (1 << 36) - 1
    if not (block and frame and samples):
        return math.inf  # the stream does not say
    place, is_last = begin + 4, False
    while not is_last:  # blocks of tags and pictures
        file.seek(place)
        header = file.read(4)
        is_last = len(header) < 4 or header[0] >= 0x80
        place += 4 + _number(header[1:], "big")
    return float(place + frame * math.ceil(samples / block))


def _has_behind(file: io.BufferedIOBase, begin: int, first: bytes, second: bytes) -> bool:
    """Return whether one mark comes somewhere behind another."""
    file.seek(begin)
    is_behind, kept = False, b""
    while block := file.read(_BLOCK):
        block = kept + block
        place = 0 if is_behind else block.find(first) + 1
        is_behind = is_behind or place > 0
        if is_behind and block.find(second, place) >= 0:
            return True
        kept = block[1 - len(second) :]
    return False


def _ending_of_mp3(file: io.BufferedIOBase, size: int, begin: int) -> Ending:
    """Return the ending of an MP3 file: the header in its first frame may count its bytes, its frames, or both."""
    stream = read_mp3(file, begin)
    if stream is None:
        return Ending()
    missing = stream.begin + stream.num_bytes - size if stream.num_bytes else 0
    if missing > _MP3_FRAME or not stream.num_frames:
        return Ending(missing if missing > _MP3_FRAME else 0)
    lacking = stream.num_frames - walk_frames(file, stream)[0]
    if lacking > _MP3_FRAMES and not stream.num_bytes:
        return Ending(lacking * _SMALLEST_FRAME)
    return Ending(has_more=lacking < -_MP3_FRAMES)
