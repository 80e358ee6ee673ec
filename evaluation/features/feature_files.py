"""A folder of named arrays in batches: written whole or not at all, read without loading the rest."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from audiolcm.storage.files import explained
from audiolcm.storage.tensors import UNSEALED, check_seal, safetensors_path

log = logging.getLogger(__name__)

_SUFFIX = ".safetensors"


class Shelf:
    """Entries ``key -> {name: array}`` below ``folder``, any number of them in a file.

    Two processes may fill one shelf: at worst both compute the same entries. A damaged file is reported and removed,
    and its entries count as missing. Each file is read whole once, when an entry of it is first asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where: dict[str, tuple[Path, list[str]]] = {}
        self._files: dict[Path, Any] = {}
        self._whole: set[Path] = set()
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            self._open(path)

    def __contains__(self, key: str) -> bool:
        return key in self._where and self._is_whole(self._where[key][0])

    def get(self, key: str) -> dict[str, np.ndarray]:
        """Return an entry.

        Raises:
            KeyError: there is none.
        """
        path, names = self._where[key]
        return {name: self._files[path].get_tensor(f"{key}/{name}") for name in names}

    def put(self, entries: dict[str, dict[str, np.ndarray]]) -> None:
        """Add entries, named by hexadecimal digests, as one file; nothing for no entries."""
        if not entries:
            return
        path = self._folder / f"{min(entries)}-{len(entries)}{_SUFFIX}"
        arrays = {
            f"{key}/{name}": np.ascontiguousarray(array)
            for key, entry in entries.items()
            for name, array in entry.items()
        }
        with safetensors_path(path) as temporary:
            save_file(arrays, temporary, UNSEALED)
        self._whole.add(path)
        self._open(path)

    def _open(self, path: Path) -> None:
        try:
            if not path.is_file():
                raise OSError("it is no file")
            file = safe_open(path, "numpy")
        except (SafetensorError, OSError) as error:
            self._remove(path, error)
            return
        self._files[path] = file
        # pyrefly: ignore[missing-attribute]  (safe_open's class has no public name)
        for full_name in file.keys():  # noqa: SIM118 (no mapping)
            key, _, name = full_name.partition("/")
            self._where.setdefault(key, (path, []))
            if self._where[key][0] == path:
                self._where[key][1].append(name)

    def _is_whole(self, path: Path) -> bool:
        if path not in self._whole:
            try:
                check_seal(path)
            except (OSError, ValueError) as error:
                self._remove(path, error)
                return False
            self._whole.add(path)
        return True

    def _remove(self, path: Path, error: Exception) -> None:
        log.warning("%s is damaged (%s): removed, its content is computed again.", path, error)
        self._files.pop(path, None)
        self._where = {key: place for key, place in self._where.items() if place[0] != path}
        try:
            path.unlink(missing_ok=True)
        except OSError as refused:  # a folder has its place
            raise explained(refused, path) or refused from refused
