"""SHA-256 of sound files, remembered so that each is read once."""

import hashlib
import json
import stat
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from audiolcm.storage.files import appending, explained

_THREADS = 4  # hashing releases Python's lock
_PATIENCE = 2.0  # seconds before a progress bar appears

Stamp = tuple[str, int, int, int]


class FileDigests:
    """Digests of whole files by path, size and times of the last change (of content, of the entry).

    ``path`` keeps them between runs, one JSON line a digest, appended while files are hashed, so that a kill loses
    none; None keeps nothing. A line ends with a checksum of itself: one that was damaged counts as none.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[Stamp, str] = {}
        for line in _lines(path):
            # The last line of a killed run, a damaged one
            with suppress(ValueError, TypeError, RecursionError):
                name, size, modified, changed, digest = json.loads(_checked(line))
                self._known[name, size, modified, changed] = digest

    def of(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the hexadecimal digest of every file; "missing" or "unreadable" where there is none to be had."""
        stamps = {path: _stamp(path) for path in dict.fromkeys(paths)}
        new = [path for path, stamp in stamps.items() if stamp is not None and stamp not in self._known]
        if new:
            self._read(new, stamps)
        known = self._known
        return {p: "missing" if s is None else known.get(s, "unreadable") for p, s in stamps.items()}

    def _read(self, paths: list[Path], stamps: dict[Path, Stamp | None]) -> None:
        with ThreadPoolExecutor(_THREADS) as pool, appending(self._path) as write:
            digests = tqdm(pool.map(_digest, paths), "hash files", len(paths), unit="file", delay=_PATIENCE)
            for path, digest in zip(paths, digests, strict=True):
                stamp = stamps[path]
                if digest is not None and stamp is not None:
                    self._known[stamp] = digest
                    text = json.dumps([*stamp, digest])
                    write(f"{text}\t{_checksum(text)}\n")


def _lines(path: Path | None) -> list[str]:
    if path is None or not path.is_file():
        return []
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise explained(error, path) or error from error


def _checked(line: str) -> str:
    """Return the text of a line without its checksum, which older lines do not have.

    Raises:
        ValueError: it was damaged.
    """
    text, tab, checksum = line.rpartition("\t")
    if tab and checksum != _checksum(text):
        raise ValueError("its content has changed")
    return text if tab else line


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode(errors='replace')):08x}"


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in its name
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
