"""What happens to files: bits that flip anywhere in them, and what else may come to stand in their place."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from audiolcm.errors import UserError


def flipped(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield the content with one bit flipped: in its first and last bytes, and at ``count`` random places."""
    ends = [*range(min(12, len(content))), *range(max(0, len(content) - 12), len(content))]
    rng = random.Random(seed)
    for place in [*ends, *(rng.randrange(len(content)) for _ in range(count))]:
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        yield bytes(changed)


def outcome(read: Callable[[], object]) -> tuple[object, str]:
    """Return what is read and "", or None and the message of the UserError that refuses it; nothing else may come."""
    try:
        return read(), ""
    except UserError as error:
        return None, str(error)


def remove(path: Path) -> None:
    """Remove whatever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut_off(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _folder(path: Path) -> None:
    remove(path)
    (path / "something").mkdir(parents=True)


def _pipe(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def _link_to_nothing(path: Path) -> None:
    remove(path)
    path.symlink_to("nowhere")


REPLACED: dict[str, Callable[[Path], None]] = {
    "empty": _empty, "cut off": _cut_off, "zeros": _zeros, "a folder": _folder, "a pipe": _pipe,
    "a link to nothing": _link_to_nothing,
}  # fmt: skip
"""What may stand in the place of a file that is there."""
