"""How tools that download parts of YouTube videos name their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path


def locate_youtube(
    audio: Mapping[str, Path], youtube_id: str, start: str, length: int, default: Path
) -> Path:
    """The file of a part of a video among `audio` (name without suffix -> path), else `default`.

    start: seconds as text, "" when unknown; length: seconds.
    """
    return next((audio[name] for name in file_names(youtube_id, start, length) if name in audio), default)


def file_names(youtube_id: str, start: str, length: int) -> Iterator[str]:
    """Names in use, the most precise first: id_30_40, id_30.000_40.000, id_30000_40000, id_30, Yid, id."""
    stems = (youtube_id, f"Y{youtube_id}")
    if start.replace(".", "", 1).isdigit():
        begin = float(start)
        end = begin + length
        for stem in stems:
            yield f"{stem}_{begin:g}_{end:g}"
            yield f"{stem}_{begin:.3f}_{end:.3f}"
            yield f"{stem}_{1000 * begin:.0f}_{1000 * end:.0f}"
            yield f"{stem}_{begin:g}"
            yield f"{stem}_{1000 * begin:.0f}"
    yield from reversed(stems)
