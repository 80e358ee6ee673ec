"""What a language model answered, kept as it comes, so that a killed run asks nothing twice."""

import json
import logging
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.files import appending
from audiolcm.storage.plain_data import parse_json

log = logging.getLogger(__name__)


class Answers:
    """The answers in a file of JSON lines, by the digest of what was asked; None keeps them in memory only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        if path is not None and path.exists():
            self._read(path)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, request: str) -> str | None:
        """Return the answer to a request, None when it is not there yet."""
        return self._known.get(request)

    def add(self, request: str, caption: str, answer: str) -> None:
        """Keep an answer: it is in the file when this returns."""
        self._known[request] = answer
        line = json.dumps({"request": request, "caption": caption, "answer": answer}, ensure_ascii=False)
        with appending(self._path) as append:
            append(line + "\n")

    def _read(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(
                f"{path} can not be read ({error.strerror}): remove it, or choose another -o."
            ) from error
        torn = 0
        for line in text.split("\n"):
            try:
                if line:
                    entry = parse_json(line)
                    self._known[str(entry["request"])] = _word(entry["answer"])
            except (ValueError, KeyError, TypeError):
                torn += 1
        if torn:
            log.warning("%d lines of %s are damaged; their captions are asked again.", torn, path)
        if text and not text.endswith("\n"):
            with appending(path) as append:
                append("\n")


def _word(answer: object) -> str:
    if not isinstance(answer, str):
        raise TypeError(f"an answer is a text, not {type(answer).__name__}")
    return answer
