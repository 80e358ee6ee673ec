"""Files by the names that people and their tools give them, which are not always those that the disk keeps."""

import logging
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus", ".wave", ".bwf", ".rf64", ".w64", ".aifc", ".oga",
    ".mp2", ".mpga", ".au", ".snd", ".caf", ".sph", ".voc",
)  # fmt: skip
"""Of files that libsndfile reads by what is in them, whatever they are called."""
UNREADABLE_SUFFIXES = (".m4a", ".mp4", ".aac", ".webm", ".wma", ".mka", ".mkv", ".ac3", ".amr")
"""Of sounds that libsndfile does not read: where no other file is there, they are taken, so that this is told."""

_logger = logging.getLogger(__name__)


def folded(name: str) -> str:
    """Return a name without spaces at either end, in Unicode's composed form: macOS keeps letters and accents apart."""
    return unicodedata.normalize("NFC", name).strip()


def is_left_by_macos(name: str) -> bool:
    """Return whether macOS left a file beside ``name`` on foreign disks and in archives: ._name, never a sound."""
    return name.startswith("._")


class Finder:
    """Finds the file that a table names, which may be called a little differently on disk.

    It is the one of this very name, else that which is the same ``folded``, else that which has the suffix in other
    letters (rain.WAV). A folder is listed once, when a name is not found in it.
    """

    def __init__(self) -> None:
        self._listings: dict[Path, Mapping[str, list[str]]] = {}

    def __call__(self, path: Path) -> Path:
        """Return the file; ``path`` itself when there is none, or several that might be meant."""
        if os.path.isfile(path):  # of a path that can be none (too long, NUL) it says no, where Path raises
            return path
        found = Path(path.anchor)
        for name in path.relative_to(path.anchor).parts:
            if not os.path.lexists(found / name):
                candidates = self._candidates(found, name)
                if len(candidates) != 1:
                    return path
                name = candidates[0]
            found /= name
        return found

    def _candidates(self, folder: Path, name: str) -> list[str]:
        if folder not in self._listings:
            self._listings[folder] = _odd_names(folder)
        plain, listing = folded(name), self._listings[folder]
        small = _with_small_suffix(plain)
        for wanted, key in ((plain, plain), (small, _any_case(small))):
            candidates = [wanted] if os.path.lexists(folder / wanted) else []
            candidates += listing.get(key, [])
            if candidates:
                return candidates
        return listing.get(_any_format(plain), []) if _suffix(plain) in AUDIO_SUFFIXES else []


def _odd_names(folder: Path) -> Mapping[str, list[str]]:
    """Return the odd names in a folder, by what they are usually.

    They are names that are not as they are ``folded`` or have a suffix in capitals; and unreadable sounds, for any
    format.
    """
    odd = defaultdict(list)
    try:
        names = os.listdir(folder)
    except OSError:
        names = []
    for name in names:
        if (plain := folded(name)) != name:
            odd[plain].append(name)
        if (small := _with_small_suffix(plain)) != plain:
            odd[_any_case(small)].append(name)
        if _suffix(name) in UNREADABLE_SUFFIXES:
            odd[_any_format(plain)].append(name)
    return dict(odd)


def _any_format(name: str) -> str:
    return f"{os.path.splitext(name)[0]}/"  # which no name can be


def _any_case(name: str) -> str:
    return f"/{name}"


def _with_small_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return f"{stem}{suffix.lower()}"


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def files_below(folder: Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """Yield every file below a folder with one of the suffixes (in small letters), but for what macOS left there.

    Links to folders are followed. Each folder is walked once, by its own path where it has one below ``folder``.
    """
    wanted = tuple(suffixes)
    places, known = [folder], set()

    def tell(error: OSError) -> None:
        _logger.warning(
            "%s cannot be read (%s): what lies in it is left out.", error.filename, error.strerror
        )

    for top in places:
        for place, folders, names in os.walk(top, onerror=tell):
            found = os.stat(place)
            if (found.st_dev, found.st_ino) in known:  # by a link
                folders.clear()
                continue
            known.add((found.st_dev, found.st_ino))
            places += sorted(
                Path(place, name) for name in folders if os.path.islink(os.path.join(place, name))
            )
            for name in names:
                if _suffix(name) in wanted and not is_left_by_macos(name):
                    yield Path(place, name)


def sound_files(folder: Path) -> list[Path]:
    """Return every sound file below a folder, sorted; an unreadable one only where no other has its name."""
    paths = sorted(files_below(folder, (*AUDIO_SUFFIXES, *UNREADABLE_SUFFIXES)))
    readable = {path.with_suffix("") for path in paths if _suffix(path.name) in AUDIO_SUFFIXES}
    return [p for p in paths if _suffix(p.name) in AUDIO_SUFFIXES or p.with_suffix("") not in readable]
