"""A folder of named arrays in batches: written whole or not at all, read without loading the rest."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from audiolcm.tensors import safetensors_path

log = logging.getLogger(__name__)

_SUFFIX = ".safetensors"


class Shelf:
    """Entries ``key -> {name: array}`` below ``folder``, any number of them in a file.

    Two processes may fill one shelf: at worst both compute the same entries. A damaged file is reported and removed,
    and its entries count as missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where: dict[str, tuple[object, list[str]]] = {}
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            self._open(path)

    def __contains__(self, key: str) -> bool:
        return key in self._where

    def get(self, key: str) -> dict[str, np.ndarray]:
        """Return an entry. Raises KeyError when there is none."""
        file, names = self._where[key]
        # pyrefly: ignore[missing-attribute]  (safe_open's class has no public name)
        return {name: file.get_tensor(f"{key}/{name}") for name in names}

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
            save_file(arrays, temporary)
        self._open(path)

    def _open(self, path: Path) -> None:
        try:
            file = safe_open(path, "numpy")
        except (SafetensorError, OSError) as error:
            log.warning("%s is damaged (%s): removed, its content is computed again.", path, error)
            path.unlink(missing_ok=True)
            return
        for full_name in file.keys():  # noqa: SIM118 (no mapping)
            key, _, name = full_name.partition("/")
            self._where.setdefault(key, (file, []))
            if self._where[key][0] is file:
                self._where[key][1].append(name)
