"""Names of clips as names of files."""

import hashlib

from audiolcm.data.locating import folded

LONGEST_NAME = 228
"""Bytes: with a number, a suffix and what an unfinished file bears besides, 255 are not exceeded."""


def safe_name(name: str) -> str:
    """Return a name as a file name: slashes become dashes, and of a name that is too long the end becomes a hash."""
    name = name.replace("/", "-").replace("\\", "-")
    if len(name.encode()) <= LONGEST_NAME:
        return name
    content = folded(name).encode()
    ending = f"-{hashlib.sha256(content).hexdigest()[:16]}"
    return content[: LONGEST_NAME - len(ending)].decode(errors="ignore") + ending
