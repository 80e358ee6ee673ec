"""Sounds that were made before: their checksums, by which a change of one since is noticed before it is scored."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from audiolcm.data.store.checked_json import file_facts, file_fault
from audiolcm.errors import UserError
from audiolcm.storage.files import appending, explained
from audiolcm.storage.hashing import sealed, unsealed
from audiolcm.storage.plain_data import parse_json

RECORD = "sounds.jsonl"
_MOST_NAMES = 3


class KeptSounds:
    """The sounds below ``home``; each is noted in ``RECORD`` there when it was made, or first found."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known = {row["file"]: row for row in _rows(home / RECORD)}

    def note(self, path: Path) -> None:
        """Keep the checksum of a sound."""
        facts = {"file": str(path.relative_to(self._home)), **file_facts(path)}
        with appending(self._home / RECORD) as write:
            write(json.dumps(sealed(facts)) + "\n")

    def check(self, paths: Sequence[Path]) -> None:
        """Compare sounds that are there with their checksums; note those that have none, as of an earlier version.

        Raises:
            UserError: naming the changed ones.
        """
        changed = [f"{path} ({fault})" for path in paths if (fault := self._fault(path))]
        if changed:
            more = f" and {len(changed) - _MOST_NAMES} more" if len(changed) > _MOST_NAMES else ""
            raise UserError(
                f"{len(changed)} sounds are not as they were made: {', '.join(changed[:_MOST_NAMES])}{more}. Nothing "
                f"was scored. Remove them, or all of {self._home}, and type the same command: it makes them again."
            )
        for path in paths:
            if str(path.relative_to(self._home)) not in self._known:
                self.note(path)

    def _fault(self, path: Path) -> str | None:
        if not path.is_file():
            return "it is no file"
        facts = self._known.get(str(path.relative_to(self._home)))
        return file_fault(path, facts, content=True) if facts else None


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a record, of which a damaged one is as good as none."""
    if not path.is_file():
        return
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise explained(error, path) or error from error
    for line in lines:
        with suppress(ValueError):
            row = unsealed(parse_json(line))
            if isinstance(row.get("file"), str) and "bytes" in row and "crc32" in row:
                yield row
