"""Names of YouTube videos: how publishers write them, and how tools that download parts of videos name files."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_NUMBER = r"\d+(?:\.\d+)?"
_FORMS = [
    re.compile(pattern)
    for pattern in (
        rf"(?P<id>.+)[-_](?P<begin>{_NUMBER})[-_]{_NUMBER}",  # id_30_40, id_30.000_40.000, id_30000_40000
        rf"(?P<id>.+)[-_](?P<begin>{_NUMBER})",  # id_30, id_000030
        rf"(?:.*?[ _-])??\[(?P<id>[^][]+)\](?:[-_ ]*\[?(?P<begin>{_NUMBER})(?:[-_]{_NUMBER})?\]?)?",  # [id]-[30-40]
        r".*-(?P<id>[\w-]{11})",  # title-id, of youtube-dl
    )
]
_VIDEO = re.compile(r"Y?([\w-]{11})(?:_\d+)?")
_UNDERSTOOD = "<id>, Y<id>, <id>_<start>, <id>_<start>_<end>, [<id>]-[<start>-<end>], <title> [<id>]"

_logger = logging.getLogger(__name__)


def youtube_origin(name: str) -> str:
    """Return the origin, "youtube:ID", of a name Y<id> or <id>, which may be numbered (Y<id>_2); "" when it is none."""
    found = _VIDEO.fullmatch(name)
    return f"youtube:{found[1]}" if found else ""


def possible_origins(names: Iterable[str]) -> Iterator[str]:
    """Yield the origins of a sound if these names of it are those of videos, which any word of 11 signs may be.

    Args:
        names: with a suffix or without, with folders or without.
    """
    for name in dict.fromkeys(name.rpartition("/")[2] for name in names):
        for stem in (name, name.rpartition(".")[0]):
            ids = (found["id"] for form in _FORMS if (found := form.fullmatch(stem)))
            yield from filter(None, map(youtube_origin, (stem, *ids)))


class YouTubeFiles:
    """Sound files that are named after videos, or after parts of videos: start, or start and end, in s or ms.

    Args:
        audio: name without suffix -> file.
    """

    def __init__(self, audio: Mapping[str, Path]) -> None:
        self._audio = audio
        self._others: dict[str, Path] = {}
        self._num_wanted = self._num_found = 0
        for stem, path in audio.items():
            for name in _other_names(stem):
                self._others.setdefault(name, path)

    def find(self, youtube_id: str, start: str, own_name: str = "") -> Path | None:
        """Return the file of the part of a video that begins at ``start``, else of the video; None when there is none.

        Args:
            youtube_id: the video.
            start: seconds as text, "" when unknown.
            own_name: how else the data set names it.
        """
        found = next((p for name in _names(youtube_id, start) if (p := self._file(name))), None)
        found = found or self._audio.get(own_name)
        self._num_wanted += 1
        self._num_found += found is not None
        return found

    def _file(self, name: str) -> Path | None:
        return self._audio.get(name) or self._others.get(name)

    def tell_if_none(self, corpus: str, place: Path) -> None:
        """Warn when no file at all was found: then they have other names than those that are understood."""
        if self._num_wanted and not self._num_found:
            _logger.warning(
                "%s: none of its %d clips was found below %s. Names that are understood: %s (see docs/data.md).",
                corpus, self._num_wanted, place, _UNDERSTOOD,
            )  # fmt: skip


def _names(youtube_id: str, start: str) -> Iterator[str]:
    """Yield names of a part, the most precise first, as ``_other_names`` makes them of file names."""
    if start.replace(".", "", 1).isdigit():
        for begin in (float(start), 1000 * float(start)):
            yield from (_part(youtube_id, begin), _part(f"Y{youtube_id}", begin))
    yield from (f"Y{youtube_id}", youtube_id)


def _other_names(stem: str) -> Iterator[str]:
    """Yield what a file name may mean besides itself."""
    for form in _FORMS:
        if found := form.fullmatch(stem):
            begin = found.groupdict().get("begin")
            yield found["id"] if begin is None else _part(found["id"], float(begin))


def _part(youtube_id: str, begin: float) -> str:
    return f"{youtube_id} from {begin:g}"
