"""Small files that say what other files must hold: JSON, sizes and checksums."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from audiolcm.files import atomic_path

MEND = "type `audiolcm prepare dataset=... --mend` with your settings; it makes only what is damaged anew."
_BLOCK = 1 << 20


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON file of ours; raises UserError saying which folder to delete when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({error}): delete the folder {path.parent} and run again."
        ) from error


def file_facts(path: Path) -> dict[str, int]:
    """Size and CRC-32 of a file: a flipped bit always changes the latter."""
    return {"bytes": path.stat().st_size, "crc32": _checksum(path)}


def file_fault(path: Path, facts: Mapping[str, Any], content: bool = False) -> str | None:
    """What is wrong with a file of known `file_facts`: its size, and with `content` any byte; None when nothing is."""
    try:
        size = path.stat().st_size
        if size != facts["bytes"]:
            return f"it has {size} bytes instead of {facts['bytes']}"
        return "its content has changed" if content and _checksum(path) != facts["crc32"] else None
    except OSError as error:
        return f"it can not be read: {error.strerror}"


def refuse_damaged(path: Path, facts: Mapping[str, Any]) -> None:
    """Raise UserError when a file is missing or has another size than it was written with."""
    if fault := file_fault(path, facts):
        raise UserError(f"{path.name} in {path.parent} is damaged ({fault}): {MEND}")


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value
